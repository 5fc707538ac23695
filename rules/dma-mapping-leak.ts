/**
 * U01: an error path leaves a function without releasing a mapping that its other paths release.
 *
 * @module
 */

import { type Expr, partsOf, type Stmt, walkStmt } from "./engine/ast.ts";
import type { CfgNode, Edge } from "./engine/cfg.ts";
import { search } from "./engine/cfg.ts";
import type { Fact } from "./engine/fact.ts";
import { defineRule, type FunctionView, type SourceFile, type Use } from "./engine/rule.ts";
import { mentioned } from "./facts/mention.ts";
import { rootOf } from "./facts/device.ts";
import { flow, type Store } from "./facts/flow.ts";
import { handling, type Mapping, resultOf, type Use_ } from "./facts/mappings.ts";
import { misdirectedCheck } from "./facts/misdirected.ts";
import { broughtIn } from "./facts/pairs.ts";
import { consistent, failures } from "./facts/failure.ts";
import { argumentsAt, hunkOf, linesOf } from "./facts/former.ts";
import { outline } from "./facts/outline.ts";
import { isImplementation } from "./facts/place.ts";
import { API } from "./kernel/mod.ts";

const FAMILIES = new Set([
  "single",
  "resource",
  "phys",
  "sg",
  "attachment",
  "attachment-unlocked",
  "coherent",
  "wc",
  "noncoherent",
  "pages",
  "noncontiguous",
  "pool",
]);
// Whoever is called so may release it: silence is cheaper than a wrong word.
const CLEANUP =
  /unmap|free|clean|release|destroy|abort|teardown|unprep|undo|fini|exit|put|complete|done|reset|stop|kill|panic|queue|submit|post/i;
// What only asks how a submission went, and what gives back things that hold no mapping.
const ASKS =
  /^(?:dma_submit_error$|(?:clk|regulator|reset_control|pm_runtime|gpiod?|mutex|(?:raw_)?spin|read|write|up|down|free_irq|kfree|kvfree|vfree|iounmap|of_node|fwnode|put_device|put_page|ida|idr|init_completion|reinit_completion|cancel|del_timer|timer|destroy_workqueue|flush)(?:_|$))/;
// What looks at a value, or at the memory behind it, and keeps nothing.
const LOOKS =
  /^(?:IS_ERR\w*|PTR_ERR\w*|mem(?:set|cpy|cmp)\w*|copy_(?:from|to)_user|strscpy|\w*_(?:err|warn|info|dbg|debug|notice)|printk|WARN\w*|likely|unlikely)$/;
// What keeps an address that it is given in a descriptor.
const TAKES = /attach|append|enqueue|push|add_buf|set_buf/;
// What a driver waits for between mapping a buffer and unmapping it.
const WAITS =
  /^(?:wait_for_completion\w*|wait_event\w*|dma_sync_wait|dma_wait_for_async_tx|(?:readl|readq|readx|regmap)_\w*poll_timeout\w*|crypto_wait_req)$/;
const RESULT = /^(?:ret|err|rc|error|result|status|res|r|rv|retval)$/;

const ADDS_ACTION = /\bdevm_add_action/;

export default defineRule({
  id: "dma-mapping-leak",
  since: "0.1.0",
  code: "U01",
  severity: "warning",
  confidence: "medium",
  category: "unmap-pairing",
  scope: "function",
  summary: "an error path returns without unmapping what the function unmaps elsewhere",
  why:
    `IOVA space and bounce buffers are finite, and behind an IOMMU a mapping that is never undone leaves the device
access to memory that is used for something else by then. Only \`CONFIG_DMA_API_DEBUG\` would tell, when the driver is
unbound, and only if the path was taken.`,
  limits:
    `Only functions that release the mapping on another path are judged, and those that keep it in local variables;
and only paths that the patch shows without a gap. A mapping that a caller or a completion handler releases is nobody's
leak here, and neither is a ring that stays mapped when the device does not stop in time.`,
  unless: "the caller, or something called on the way, releases the mapping",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: Handling Errors",
    "kernel/dma/debug.c: dma_debug_device_change()",
  ],
  messages: {
    leak:
      "this error path returns with `{handle}` still mapped by {map}(); the function's other paths call {release}()",
    kept:
      "`{handle}` stays mapped when the driver is unbound: only an error path of {function}() calls {release}(), {remove}() does not",
    probe:
      "this returns an error with `{handle}` still mapped by {map}(); {remove}() calls {release}(), but it does not run when {probe}() fails",
    lost: "this error path returns and forgets `{handle}` of {map}(), which nobody else knows",
    dropped:
      "this path went to `{label}` and through {release}(); the patch drops that label and {release}() is not reached from here any more",
    wait:
      "when {wait}() does not succeed this returns past {release}() of `{handle}`: the buffer that the device was given stays mapped",
  },
  bad: [
    {
      title: "the second mapping fails, the first one stays",
      patch: String.raw`
+static int foo_copy(struct foo *foo)
+{
+	dma_addr_t src, dst;
+
+	src = dma_map_single(foo->dev, foo->a, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, src))
+		return -ENOMEM;
+	dst = dma_map_single(foo->dev, foo->b, foo->len, DMA_FROM_DEVICE);
+	if (dma_mapping_error(foo->dev, dst))
+		return -ENOMEM; /* want: leak */
+	foo_run(foo, src, dst);
+	dma_unmap_single(foo->dev, dst, foo->len, DMA_FROM_DEVICE);
+	dma_unmap_single(foo->dev, src, foo->len, DMA_TO_DEVICE);
+	return 0;
+}`,
    },
    {
      title: "a timeout returns past the unmap",
      patch: String.raw`
+static int foo_wait(struct foo *foo, struct scatterlist *sgl, int n)
+{
+	if (!dma_map_sg(foo->dev, sgl, n, DMA_TO_DEVICE))
+		return -ENOMEM;
+	if (!wait_for_completion_timeout(&foo->finished, HZ))
+		return -ETIMEDOUT; /* want: leak */
+	dma_unmap_sg(foo->dev, sgl, n, DMA_TO_DEVICE);
+	return 0;
+}`,
    },
    {
      title: "a helper unmaps, on one of two paths",
      patch: String.raw`
+static void foo_unmap(struct foo *foo, dma_addr_t dma, size_t n)
+{
+	dma_unmap_single(foo->dev, dma, n, DMA_TO_DEVICE);
+}
+
+static int foo_send(struct foo *foo, void *buf, size_t n)
+{
+	dma_addr_t dma = dma_map_single(foo->dev, buf, n, DMA_TO_DEVICE);
+	int ret;
+
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	ret = foo_go(foo, dma);
+	if (ret)
+		return ret; /* want: leak */
+	foo_unmap(foo, dma, n);
+	return 0;
+}`,
    },
    {
      title: "the transfer was submitted, and nobody waits for it any longer",
      patch: String.raw`
+static int foo_transfer(struct foo *foo, void *buf, size_t n)
+{
+	dma_addr_t dst = dma_map_single(foo->dma_dev, buf, n, DMA_FROM_DEVICE);
+	int ret = dma_mapping_error(foo->dma_dev, dst);
+
+	if (ret)
+		return ret;
+	ret = dma_submit_error(foo_issue(foo, dst));
+	if (ret) {
+		dma_unmap_single(foo->dma_dev, dst, n, DMA_FROM_DEVICE);
+		return ret;
+	}
+	if (!wait_for_completion_timeout(&foo->finished, HZ))
+		ret = -ETIMEDOUT;
+	return ret; /* want: leak */
+}`,
    },
    {
      title: "the address and the memory are in local variables, and forgotten",
      patch: String.raw`
+static struct foo_desc *foo_get_desc(struct foo *foo)
+{
+	struct foo_desc *desc;
+	dma_addr_t phys;
+
+	desc = dma_pool_alloc(foo->pool, GFP_NOWAIT, &phys);
+	if (!desc)
+		return ERR_PTR(-ENOMEM);
+	desc->buf = dma_map_single(foo->dev, desc->data, FOO_LEN, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, desc->buf))
+		return ERR_PTR(-ENOMEM); /* want: lost */
+	desc->phys = phys;
+	return desc;
+}`,
    },
    {
      title: "only probe() releases what it mapped",
      patch: String.raw`
+static int foo_probe(struct platform_device *pdev)
+{
+	struct foo *foo = platform_get_drvdata(pdev);
+	int ret;
+
+	foo->addr = dma_map_resource(foo->dev, foo->phys, SZ_4K, DMA_BIDIRECTIONAL, 0); /* want: kept */
+	if (dma_mapping_error(foo->dev, foo->addr))
+		return -ENXIO;
+	ret = foo_start(foo);
+	if (ret)
+		dma_unmap_resource(foo->dev, foo->addr, SZ_4K, DMA_BIDIRECTIONAL, 0);
+	return ret;
+}
+
+static void foo_remove(struct platform_device *pdev)
+{
+	foo_stop(platform_get_drvdata(pdev));
+}`,
    },
    {
      title: "only remove() releases what probe() mapped",
      patch: String.raw`
+static int foo_probe(struct platform_device *pdev)
+{
+	struct foo *foo = platform_get_drvdata(pdev);
+	int ret;
+
+	foo->addr = dma_map_resource(foo->dev, foo->phys, SZ_4K, DMA_BIDIRECTIONAL, 0);
+	if (dma_mapping_error(foo->dev, foo->addr))
+		return -ENXIO;
+	ret = foo_start(foo);
+	if (ret)
+		return ret; /* want: probe */
+	return 0;
+}
+
+static void foo_remove(struct platform_device *pdev)
+{
+	struct foo *foo = platform_get_drvdata(pdev);
+
+	dma_unmap_resource(foo->dev, foo->addr, SZ_4K, DMA_BIDIRECTIONAL, 0);
+}`,
    },
    {
      title: "the label that unmapped goes, and so does its way there",
      patch: String.raw`
@@ static int foo_prepare(struct foo *foo, dma_addr_t addr)
 	err = foo_register(foo, DMA_TO_DEVICE);
 	if (err) {
 		foo_err("cannot register\n");
-		goto out_err;
+		return err; /* want: dropped */
 	}
@@ static int foo_prepare(struct foo *foo, dma_addr_t addr)
 	return 0;
-
-out_err:
-	dma_unmap_single(foo->dev, addr, foo->len, DMA_TO_DEVICE);
-	return err;
 }`,
    },
    {
      title: "the mapping stands where the patch does not show it, the wait and the unmap do",
      patch: String.raw`
@@ static int foo_process(struct foo *foo)
 	left = wait_for_completion_timeout(&foo->finished, HZ);
+	if (!left) {
+		dev_err(foo->dev, "timeout\n");
+		return -ETIMEDOUT; /* want: wait */
+	}
 	dma_unmap_sg(foo->dev, foo->sgl, foo->n, DMA_TO_DEVICE);
`,
    },
  ],
  good: [
    {
      title: "a device that does not stop keeps its ring",
      patch: String.raw`
+static int foo_close(struct foo *foo)
+{
+	int i;
+
+	foo_shut(foo);
+	if (!wait_event_timeout(foo->wait, foo->stopped, HZ))
+		return -EIO; /* ok: wait */
+	for (i = 0; i < FOO_RING; i++)
+		dma_unmap_single(foo->dev, foo->rx_dma[i], FOO_SIZE, DMA_FROM_DEVICE);
+	return 0;
+}`,
    },
    {
      title: "the probe of a part calls the remove of the part",
      patch: String.raw`
+static void foo_rx_remove(struct foo *foo, struct platform_device *pdev)
+{
+	dma_free_coherent(&pdev->dev, SZ_4K, foo->rx, foo->rx_dma);
+}
+
+static int foo_rx_probe(struct foo *foo, struct platform_device *pdev)
+{
+	int ret;
+
+	foo->rx = dma_alloc_coherent(&pdev->dev, SZ_4K, &foo->rx_dma, GFP_KERNEL);
+	if (!foo->rx)
+		return -ENOMEM; /* ok: probe */
+	ret = foo_config(foo);
+	if (ret < 0) {
+		foo_rx_remove(foo, pdev);
+		return ret; /* ok: probe */
+	}
+	return 0;
+}`,
    },
    {
      title: "somebody else has the address before it goes wrong",
      patch: String.raw`
+static int foo_add(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t phys;
+	void *ring = dma_alloc_coherent(foo->dev, FOO_LEN, &phys, GFP_KERNEL);
+	int ret;
+
+	if (!ring)
+		return -ENOMEM;
+	foo->ring = ring;
+	foo->ring_dma = phys;
+	ret = foo_start(foo);
+	if (ret)
+		return ret; /* ok: lost */
+	desc->ring = foo_own(foo, ring);
+	return 0;
+}`,
    },
    {
      title: "the probe calls what remove() calls",
      patch: String.raw`
+static int foo_probe(struct platform_device *pdev)
+{
+	struct foo *foo = platform_get_drvdata(pdev);
+	int ret;
+
+	foo->buf = dma_alloc_coherent(foo->dev, SZ_4K, &foo->addr, GFP_KERNEL);
+	if (!foo->buf)
+		return -ENOMEM; /* ok: probe */
+	ret = foo_start(foo);
+	if (ret) {
+		foo_free_ring(foo);
+		return ret; /* ok: probe */
+	}
+	return devm_add_action_or_reset(foo->dev, foo_stop, foo);
+}
+
+static void foo_remove(struct platform_device *pdev)
+{
+	struct foo *foo = platform_get_drvdata(pdev);
+
+	dma_free_coherent(foo->dev, SZ_4K, foo->buf, foo->addr);
+}`,
    },
    {
      title: "the label goes because the release moved, or because it was that mapping which failed",
      patch: String.raw`
@@ static int foo_prepare(struct foo *foo)
 	err = foo_register(foo);
 	if (err) {
-		goto out_err;
+		foo_unmap_data(foo, DMA_TO_DEVICE);
+		return err; /* ok: dropped */
 	}
 	return 0;
-
-out_err:
-	foo_unmap_data(foo, DMA_TO_DEVICE);
-	return err;
 }
@@ static int foo_second(struct foo *foo)
 	n = dma_map_sg(foo->dev, foo->out, foo->n, DMA_FROM_DEVICE);
 	if (!n) {
-		goto unmap_out;
+		goto unmap_in; /* ok: dropped */
 	}
 	return 0;
-unmap_out:
-	dma_unmap_sg(foo->dev, foo->out, foo->n, DMA_FROM_DEVICE);
 unmap_in:
 	dma_unmap_sg(foo->dev, foo->in, foo->n, DMA_TO_DEVICE);
 	return -ENOMEM;
 }`,
    },
    {
      title: "nothing is mapped yet while it waits",
      patch: String.raw`
+static int foo_send(struct foo *foo)
+{
+	if (!wait_for_completion_timeout(&foo->ready, HZ))
+		return -ETIMEDOUT; /* ok: wait */
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	foo_run(foo);
+	dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
+	return 0;
+}`,
    },
    {
      title: "every error path unwinds",
      patch: String.raw`
+static int foo_copy(struct foo *foo)
+{
+	dma_addr_t src, dst;
+	int ret;
+
+	src = dma_map_single(foo->dev, foo->a, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, src))
+		return -ENOMEM; /* ok: leak */
+	dst = dma_map_single(foo->dev, foo->b, foo->len, DMA_FROM_DEVICE);
+	if (dma_mapping_error(foo->dev, dst)) {
+		ret = -ENOMEM;
+		goto err_src;
+	}
+	ret = foo_run(foo, src, dst);
+	dma_unmap_single(foo->dev, dst, foo->len, DMA_FROM_DEVICE);
+err_src:
+	dma_unmap_single(foo->dev, src, foo->len, DMA_TO_DEVICE);
+	return ret; /* ok: leak */
+}`,
    },
    {
      title: "what was mapped on a condition is unmapped on the same",
      patch: String.raw`
+static int foo_copy(struct foo *foo, struct scatterlist *src, struct scatterlist *dst)
+{
+	if (src != dst && !dma_map_sg(foo->dev, dst, 1, DMA_FROM_DEVICE))
+		return -ENOMEM;
+	foo_run(foo);
+	if (src != dst)
+		dma_unmap_sg(foo->dev, dst, 1, DMA_FROM_DEVICE);
+	if (foo->status)
+		return -EIO; /* ok: leak */
+	return 0;
+}`,
    },
    {
      title: "a condition knows whether there is a mapping, and the request that is under way is no error",
      patch: String.raw`
+static int foo_copy(struct foo *foo)
+{
+	int ret;
+
+	foo->dma = dma_map_single(foo->dev, foo->a, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	ret = foo_run(foo);
+	if (ret < 0)
+		goto out;
+	if (foo->is_async)
+		return -EINPROGRESS; /* ok: leak */
+	ret = foo_more(foo);
+out:
+	if (ret && foo->is_fast) {
+		foo->errors++;
+		dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
+	}
+	return ret; /* ok: leak */
+}`,
    },
    {
      title: "the descriptor owns it, and the way on is no error",
      patch: String.raw`
+static int foo_queue(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t dma = dma_map_single(foo->dev, foo->a, foo->len, DMA_TO_DEVICE);
+	int ret;
+
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	if (!desc) {
+		dma_unmap_single(foo->dev, dma, foo->len, DMA_TO_DEVICE);
+		return -ENOMEM;
+	}
+	foo_attach_buf(desc, dma);
+	ret = foo_run(foo);
+	if (ret)
+		return ret; /* ok: leak */
+	return 0;
+}`,
    },
    {
      title: "a loop over what was mapped",
      patch: String.raw`
+static int foo_wait(struct foo *foo)
+{
+	struct foo_desc *desc;
+	int ret = 0;
+
+	if (!wait_for_completion_timeout(&foo->done, HZ))
+		ret = -ETIMEDOUT;
+	list_for_each_entry(desc, &foo->descs, node)
+		dma_unmap_sg(foo->dev, desc->sgl, desc->n, DMA_TO_DEVICE);
+	return ret; /* ok: wait */
+}`,
    },
    {
      title: "a helper releases it",
      patch: String.raw`
+static int foo_copy(struct foo *foo)
+{
+	foo->dma = dma_map_single(foo->dev, foo->a, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	if (foo_run(foo)) {
+		foo_cleanup(foo);
+		return -EIO; /* ok: leak */
+	}
+	dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const { cfg, stores, calls } = values;
    const all = use(handling, fn);
    const { mappings, releases } = all;
    yield* dropped(fn);
    const removed = PROBE.test(fn.name) ? removals(fn, use) : [];
    if (PROBE.test(fn.name)) yield* kept(fn, use);
    const failed = use(failures, fn);
    // Nobody else unmaps what the function itself waits for.
    const isSynchronous = calls.some(({ call }) => WAITS.test(call.name));
    const cleanups = new Set(
      calls.filter(({ call, api }) =>
        api === null && CLEANUP.test(call.name) && !ASKS.test(call.name) &&
        !(isSynchronous && call.name === "dmaengine_submit")
      ).map((c) => c.node),
    );
    const said = new Set<CfgNode>();
    const locals = new Set<string>();
    walkStmt(fn.node.body, {
      stmt: (stmt) => {
        if (stmt.kind !== "decl") return;
        for (const name of stmt.names) if (!/\bstatic\b|\[/.test(name.type)) locals.add(name.name);
      },
    });
    const guards = conditionals(fn.node.body);
    // A function of the file that releases something is a way to undo, whatever it is called.
    const releasing = use(releasers, fn.file);
    const undoers = new Set(
      calls.filter(({ call }) => call.name !== fn.name && releasing.has(call.name)).map((c) => c.node),
    );
    const callers = fn.isNamed && mappings.length > 0 ? use(outline, fn.file).callersOf(fn.name) : [];
    const isCleanedUpByCaller = callers.some(({ caller, after }) =>
      caller.name !== fn.name && cleansUp(after, releasing)
    );
    for (const mapping of mappings) {
      const { handle } = mapping;
      const away = mapping.handleExpr === null
        ? undefined
        : removed.find((r) => r.place === placeText(fn, mapping.handleExpr!));
      if (
        handle === null || handle.includes("[") ||
        !mapping.api.families.some((f) => FAMILIES.has(f))
      ) continue;
      // Which way is that of the failure, nobody can tell: dma-mapping-wrong-test says so.
      if (misdirectedCheck(mapping, all, values) !== null) continue;
      // A loop may leave earlier rounds' mappings behind on purpose; whole arrays are somebody else's rule.
      if (mapping.node.loops.length > 0) continue;
      const own = releases.filter((r) => r.handle === handle);
      const moved = stores.some((s) =>
        s.place !== handle && s.node !== mapping.node && "kind" in s.target && s.target.kind === "member" &&
        mentionsPlace(s.value, handle)
      );
      const failuresOf = failed.filter((f) => f.mapping === mapping);
      const failing = new Set(failuresOf.map((f) => f.edge));
      if (mapping.api.failure !== "mapping-error" && failing.size === 0) continue;
      const ways = consistent(cfg, mapping.node, fn.file);
      // An address of 0 is no mapping to whoever asks so.
      const isZero = (node: CfgNode, edge: Edge) =>
        away !== undefined && node.kind === "test" && edge.when === false && node.expr !== null &&
        placeText(fn, node.expr) === away.place;
      const succeeded = (node: CfgNode) =>
        ways(node).filter((edge) => !failing.has(edge) && !isZero(node, edge));
      // A release on the path where the mapping failed is none.
      const release = own.find((r) =>
        search(mapping.node, (n) => n === r.node ? "hit" : "go", succeeded).hit !== null
      );
      const isMoved = moved && /^\w+$/.test(handle);
      if (isMoved || (release === undefined && away === undefined)) {
        const undone = isMoved ? null : undoneElsewhere(mapping);
        const halfway = undone === null ? null : errorReturn(mapping.node, stopsFor(mapping, []), succeeded);
        if (undone !== null && halfway !== null && !said.has(halfway)) {
          said.add(halfway);
          yield {
            at: broughtIn(fn, halfway.at, mapping.call),
            say: "probe",
            with: {
              handle: placeText(fn, mapping.handleExpr!),
              map: mapping.call.name,
              release: undone.release.call.name,
              remove: undone.in,
              probe: undone.caller,
            },
            because: [
              { at: mapping.call, note: "mapped here" },
              { at: halfway.at, note: "returns an error" },
              { at: undone.release.call, note: `undone by ${undone.in}(), which is not called then` },
            ],
            wanted: `${fn.file.textOf(undone.release.call)}; on this path`,
            subject: `${mapping.call.name} ${handle} ${fn.name} ${fn.file.textOf(halfway.at)}`,
          };
          continue;
        }
        const exit = forgottenAt(mapping, succeeded);
        if (exit === null || said.has(exit)) continue;
        said.add(exit);
        const name = mapping.handleExpr === null ? handle : fn.file.textOf(mapping.handleExpr);
        yield {
          at: broughtIn(fn, exit.at, mapping.call),
          say: "lost",
          with: { handle: name.replace(/^&/, ""), map: mapping.call.name },
          because: [
            { at: mapping.call, note: "made here, and kept in local variables only" },
            { at: exit.at, note: "returns an error, and they are gone" },
          ],
          ...(mapping.api.undo[0] === undefined ? {} : { wanted: `${mapping.api.undo[0]}(); on this path` }),
          subject: `${mapping.call.name} ${handle} ${fn.file.textOf(exit.at)}`,
        };
        continue;
      }
      // The caller knows where a field is, but not a local variable.
      if (isCleanedUpByCaller && !/^\w+$/.test(handle)) continue;
      const exit = errorReturn(mapping.node, stopsFor(mapping, own, away?.place), succeeded);
      if (exit === null) continue;
      said.add(exit);
      const name = mapping.handleExpr === null ? handle : fn.file.textOf(mapping.handleExpr);
      if (release === undefined) {
        yield {
          at: broughtIn(fn, exit.at, mapping.call),
          say: "probe",
          with: {
            handle: name.replace(/^&/, ""),
            map: mapping.call.name,
            release: away!.use.call.name,
            remove: away!.in,
            probe: fn.name,
          },
          because: [
            { at: mapping.call, note: "mapped here" },
            { at: exit.at, note: "returns an error" },
            { at: away!.use.call, note: `undone by ${away!.in}(), which does not run then`, file: fn.file },
          ],
          unless: "a managed action undoes it",
          wanted: `${fn.file.textOf(away!.use.call)}; on this path`,
          subject: `${mapping.call.name} ${handle} ${away!.in}`,
        };
        continue;
      }
      yield {
        at: exit.at,
        say: "leak",
        with: { handle: name, map: mapping.call.name, release: release.call.name },
        because: [
          { at: mapping.call, note: `\`${name}\` is mapped here` },
          ...partingOf(mapping.node, exit, release.node, stopsFor(mapping, own, away?.place), succeeded)
            .map((node) => ({ at: node.at, note: "the error path leaves here" })),
          { at: release.call, note: "released here, on another path" },
        ],
        wanted: `${fn.file.textOf(release.call)}; on this path`,
        subject: `${mapping.call.name} ${handle} ${fn.file.textOf(exit.at)}`,
      };
    }

    for (const { call: wait, node: from } of calls) {
      if (!WAITS.test(wait.name)) continue;
      const ways = consistent(cfg, from, fn.file);
      const maps = new Set(mappings.map((m) => m.node));
      // What is released behind the wait and not mapped behind it was mapped before it.
      const later = releases.filter((r) =>
        r.api.role === "unmap" && r.handle !== null && r.api.families.some((f) => FAMILIES.has(f)) &&
        search(from, (n) => n === r.node ? "hit" : maps.has(n) || n.kind === "hole" ? "stop" : "go", ways)
            .hit !== null
      );
      const [release] = later;
      // What is released in a loop is a ring: a device that does not stop still writes there.
      if (release === undefined || release.node.loops.length > from.loops.length) continue;
      const exit = errorReturn(
        from,
        (node) =>
          node.kind === "hole" || cleanups.has(node) || maps.has(node) || isLoopOf(node, later, from) ||
          releases.some((r) => r.node === node) || later.some((r) => asksFor(node, r.handle!, r.handleExpr)),
        ways,
      );
      if (exit === null || said.has(exit)) continue;
      const name = release.handleExpr === null ? release.handle! : fn.file.textOf(release.handleExpr);
      yield {
        at: exit.at,
        say: "wait",
        with: { wait: wait.name, release: release.call.name, handle: name },
        because: [
          { at: wait, note: "the device is at work while this waits" },
          { at: release.call, note: "released here when it succeeds" },
        ],
        wanted: `${fn.file.textOf(release.call)}; on this path, once the device is stopped`,
        subject: `${wait.name} ${release.call.name} ${release.handle} ${fn.file.textOf(exit.at)}`,
      };
    }

    /**
     * `if (foo->is_dma) dma_unmap_single()`: the condition knows whether there is a mapping. An `if` that releases
     * and leaves is another exit.
     */
    function isGuard(node: CfgNode, own: readonly { node: CfgNode }[], mapped: CfgNode): boolean {
      if (node.kind !== "test") return false;
      const holds = (at: { start: number; end: number }, other: CfgNode) =>
        other.at.start >= at.start && other.at.end <= at.end;
      return guards.some((stmt) =>
        holds(stmt.test, node) && !holds(stmt, mapped) &&
        [stmt.yes, stmt.no].some((arm) => arm !== null && !leaves(arm) && own.some((r) => holds(arm, r.node)))
      );
    }
    /** The head of a loop around the releases: it runs once for each mapping there is. */
    function isLoopOf(node: CfgNode, later: readonly { node: CfgNode }[], from: CfgNode): boolean {
      const [loop] = node.loops.slice(-1);
      return loop !== undefined && (node.kind === "each" || node.kind === "test") &&
        !from.loops.includes(loop) && later.some((r) => r.node.loops.includes(loop));
    }
    /** Whether a test asks for the handle: `if (foo->dma) dma_unmap_single()` knows whether there is a mapping. */
    function asksFor(node: CfgNode, handle: string, expr: Expr | null): boolean {
      if (node.kind !== "test" || node.expr === null) return false;
      const text = fn.file.textOf(node.expr);
      return hasWords(text, handle) || (expr !== null && hasWords(text, fn.file.textOf(expr)));
    }

    /** The last test on the way to an exit behind which the release could still have come; none for a straight way. */
    function partingOf(
      from: CfgNode,
      exit: CfgNode,
      release: CfgNode,
      stop: (node: CfgNode) => boolean,
      ways: (node: CfgNode) => readonly Edge[],
    ): CfgNode[] {
      const { path } = search(from, (node) => node === exit ? "hit" : stop(node) ? "stop" : "go", ways);
      const parting = path.findLast((node) =>
        node.kind === "test" && search(node, (at) => at === release ? "hit" : "go", ways).hit !== null
      );
      return parting === undefined ? [] : [parting];
    }

    /** Where the search for an exit with the mapping still made has to end. */
    function stopsFor(mapping: Mapping, own: readonly Use_[], away?: string): (node: CfgNode) => boolean {
      const handle = mapping.handle!;
      const tested = new Set(failed.filter((f) => f.mapping === mapping).map((f) => f.test));
      // An address that a descriptor takes over is released with it.
      const takers = new Set(
        calls.filter(({ call, api }) =>
          api === null && TAKES.test(call.name) && call.args.some((arg) => mentionsPlace(arg, handle))
        ).map((c) => c.node),
      );
      return (node: CfgNode) =>
        node.kind === "hole" || takers.has(node) || isGuard(node, own, mapping.node) ||
        node === mapping.node || cleanups.has(node) || undoers.has(node) || own.some((r) =>
          r.node === node
        ) ||
        stores.some((s) => s.node === node && (s.place === handle || isHandedOver(s, handle))) ||
        (!tested.has(node) && asksFor(node, handle, mapping.handleExpr) &&
          placeText(fn, node.expr!) !== away);
    }

    /**
     * Who undoes a field that a function sets up halfway: the function is called by probe() and its like, all of whom
     * just return its error, and something else in the file undoes what it had finished.
     */
    function undoneElsewhere(mapping: Mapping): { release: Use_; in: string; caller: string } | null {
      const [first] = callers;
      const isPlain = mapping.handleExpr !== null && /->|\./.test(placeText(fn, mapping.handleExpr));
      if (
        first === undefined || !isPlain || isCleanedUpByCaller || !use(outline, fn.file).isPrivate(fn.name)
      ) {
        return null;
      }
      if (!callers.every(({ caller }) => PROBE.test(caller.name))) return null;
      const place = placeText(fn, mapping.handleExpr!);
      for (const other of fn.file.functions) {
        if (other === fn) continue;
        const release = use(handling, other).releases.find((one) =>
          one.handleExpr !== null && placeText(other, one.handleExpr) === place
        );
        if (release !== undefined) return { release, in: other.name, caller: first.caller.name };
      }
      return null;
    }

    /**
     * The error return before which nobody got to know the address, or the memory, of a mapping that is in local
     * variables alone: no call, no store and no return has mentioned them.
     */
    function forgottenAt(mapping: Mapping, ways: (node: CfgNode) => readonly Edge[]): CfgNode | null {
      const places = stores.filter((s) => s.op === "=" && resultOf(s.value, mapping.call)).map((s) =>
        s.place
      );
      const names = new Set([mapping.handle!, ...places]);
      // A list is known to whoever made it.
      if (mapping.api.families.includes("sg") || [...names].some((name) => !locals.has(name))) return null;
      const isNamed = (expr: Expr) => expr.kind === "ident" && names.has(expr.name);
      /** Whether it mentions one of them other than to ask about it, or to use the memory. */
      const passesOn = (expr: Expr): boolean => {
        switch (expr.kind) {
          case "ident":
            return names.has(expr.name);
          case "member":
          case "index":
            return !isNamed(expr.object) && partsOf(expr).some(passesOn);
          case "unary":
            return (expr.op !== "*" && expr.op !== "!" || !isNamed(expr.operand)) && passesOn(expr.operand);
          case "binary":
            return !/^[=!<>]=?$/.test(expr.op) && partsOf(expr).some(passesOn);
          case "assign":
            return passesOn(expr.value) || (!isNamed(expr.target) && passesOn(expr.target));
          case "call":
            return !LOOKS.test(expr.name) && API.get(expr.name)?.role !== "check" &&
              partsOf(expr).some(passesOn);
          default:
            return partsOf(expr).some(passesOn);
        }
      };
      const tells = (node: CfgNode) =>
        [node.expr, node.decl?.init ?? null].some((expr) =>
          expr !== null && !(node.kind === "test" && isNamed(expr)) && passesOn(expr)
        );
      // A loop that tells somebody is not left before its first round.
      const telling = new Set(cfg.nodes.filter(tells).flatMap((node) => node.loops));
      return errorReturn(
        mapping.node,
        (node) =>
          node.kind === "hole" || node === mapping.node || tells(node) ||
          node.loops.some((loop) => telling.has(loop) && !mapping.node.loops.includes(loop)),
        ways,
        true,
      );
    }

    /** Whether every way to the node leaves an error code in the variable that the function returns. */
    function alreadyFailing(from: CfgNode): boolean {
      const before: (Expr | null)[] = [];
      const seen = new Set<CfgNode>([from]);
      const stack = [from];
      for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
        const stored = stores.find((s) => s.node === node && RESULT.test(s.place));
        if (stored !== undefined) before.push(stored.value);
        else if (node.kind === "entry" || node.kind === "hole") before.push(null);
        else {
          for (const earlier of node.pred) {
            if (seen.has(earlier)) continue;
            seen.add(earlier);
            stack.push(earlier);
          }
        }
      }
      return before.every((value) => value !== null && isErrorCode(value));
    }

    /** What is negative when a test `x < 0` is true; "" otherwise. */
    function negativeOn(node: CfgNode, edge: Edge): string {
      const { expr } = node;
      return node.kind === "test" && edge.when === true && expr?.kind === "binary" && expr.op === "<" &&
          expr.right.kind === "number" && expr.right.value === 0n
        ? fn.file.textOf(expr.left)
        : "";
    }

    /** The nearest return of an error, and of NULL if told, that is reached; null when there is none. */
    function errorReturn(
      from: CfgNode,
      stop: (node: CfgNode) => boolean,
      ways: (node: CfgNode) => readonly Edge[],
      failsWithNull = false,
    ): CfgNode | null {
      const seen = new Set<string>();
      const isFailing = alreadyFailing(from);
      const queue = ways(from).map((edge) => ({
        node: edge.to,
        isError: failsOn(from, edge) || isFailing,
        negative: negativeOn(from, edge),
      }));
      for (let i = 0; i < queue.length; i++) {
        const { node, isError, negative } = queue[i]!;
        const key = `${node.id} ${isError} ${negative}`;
        if (seen.has(key) || stop(node)) continue;
        seen.add(key);
        if (node.kind === "return") {
          if (node.expr === null) continue;
          if (failsWithNull && node.expr.kind === "ident" && node.expr.name === "NULL") return node;
          const isNegative = negative !== "" && fn.file.textOf(node.expr) === negative;
          if (isErrorCode(node.expr) || isNegative || (isError && isResult(node.expr))) return node;
          continue;
        }
        const stored = stores.find((s) => s.node === node && RESULT.test(s.place));
        const after = stored === undefined ? isError : isErrorCode(stored.value);
        for (const edge of ways(node)) {
          const isFine = passesOn(node, edge);
          queue.push({
            node: edge.to,
            isError: !isFine && (failsOn(node, edge) || after),
            negative: negativeOn(node, edge) || negative,
          });
        }
      }
      return null;
    }
  },
});

/** The names of a file's functions that release something. */
const releasers: Fact<ReadonlySet<string>, SourceFile> = {
  name: "releasers",
  derive: (file, use) =>
    new Set(file.functions.filter((fn) => use(handling, fn).releases.length > 0).map((fn) => fn.name)),
};

/** Whether a piece of code stands in another, and not as a part of its words. */
const hasWords = (text: string, part: string): boolean => {
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) {
    if (!/\w/.test(text[at - 1] ?? "") && !/\w/.test(text[at + part.length] ?? "")) return true;
  }
  return false;
};

/** Whether code calls something that undoes a mapping, by its name or by what it does. */
function cleansUp(code: string, releasing: ReadonlySet<string>): boolean {
  return [...code.matchAll(/\b([A-Za-z_]\w*)\s*\(/g)].some(([, name]) =>
    releasing.has(name!) || (CLEANUP.test(name!) && !ASKS.test(name!))
  );
}

/** Whether the object that holds the handle is made known to others: `dev->priv = priv`. */
function isHandedOver({ target, value }: Store, handle: string): boolean {
  const root = rootOf(handle);
  return root !== handle && "kind" in target && target.kind === "member" && value.kind === "ident" &&
    value.name === root;
}

/** Called once for each device; when it fails, its counterpart is not called. */
const PROBE = /(?:^|_)probe$/;
const REMOVE = /(?:^|_)(?:remove|disconnect|shutdown)(?:_new)?$/;

/** What a probe maps and releases when it fails, where nothing else in the patch, all of it in sight, releases it. */
function* kept(fn: FunctionView, use: Use) {
  const { file } = fn;
  // Code that has nothing to do with DMA is not among the functions.
  const remove = /^(?:static )?(?:void|int)\s+(\w+_(?:remove|disconnect))\s*\(/m.exec(linesOf(file, "added"))
    ?.[1];
  // A driver that is old may undo it in lines that are not shown.
  if (remove === undefined) return;
  if (file.diff.hunks.some((hunk) => hunk.lines.some((line) => line.kind !== "added"))) return;
  if (mentioned(file, ADDS_ACTION)) return;
  const { mappings, releases } = use(handling, fn);
  for (const mapping of mappings) {
    if (mapping.handleExpr === null || mapping.api.role !== "map") continue;
    const place = placeText(fn, mapping.handleExpr);
    const field = /(?:->|\.)(\w+)$/.exec(place)?.[1];
    const release = releases.find((one) => one.handle === mapping.handle) ??
      releases.find((one) => one.api.families.some((name) => mapping.api.families.includes(name)));
    if (field === undefined || release === undefined) continue;
    // By text, for the parser may not have understood all of it.
    const undone = new RegExp(`\\b\\w*(?:unmap|free)\\w*\\s*\\([^;]*\\b${field}\\b`, "g");
    const count = (text: string) => [...text.matchAll(undone)].length;
    const own = count(file.text.slice(fn.node.start, fn.node.end));
    const isElsewhere = count(use.side.files.map((other) => linesOf(other, "added")).join("\n")) > own;
    // Undone on the way of success, too.
    if (
      isElsewhere ||
      !/\b(?:err|fail|out|free|unmap)\w*:|\bif\s*\(/.test(
        file.text.slice(mapping.call.end, release.call.start),
      )
    ) {
      continue;
    }
    yield {
      at: mapping.call,
      say: "kept" as const,
      with: { handle: place, function: fn.name, release: release.call.name, remove },
      because: [
        { at: release.call, note: "undone when the probe fails" },
      ],
      wanted: `${file.textOf(release.call)}; in ${remove}()`,
      subject: `${mapping.call.name} ${place}`,
    };
  }
}

/** What the file's remove callbacks release, unless a managed action may do it for a failed probe. */
function removals(fn: FunctionView, use: Use): { use: Use_; in: string; place: string }[] {
  if (/\bdevm_add_action/.test(fn.file.text.slice(fn.node.start, fn.node.end))) return [];
  return fn.file.functions.filter((other) => REMOVE.test(other.name)).flatMap((other) =>
    use(handling, other).releases.flatMap((one) => {
      const place = one.handleExpr === null ? "" : placeText(other, one.handleExpr);
      return /->|\./.test(place) ? [{ use: one, in: other.name, place }] : [];
    })
  );
}

/** A place as it is written: both callbacks name the driver's own structure alike. */
const placeText = (fn: FunctionView, at: Expr) => fn.file.textOf(at).replace(/^&/, "");

/** Calls that undo a mapping, by their names: helpers too. */
const UNMAPS = /\b(\w*(?:dma_unmap|unmap_(?:data|sg|dma|attachment|task|buf)|dma_free)\w*)\s*\(/g;
const MAPS = /\b(?!\w*unmap)\w*(?:map_(?!err)\w+|_map|mapping_error|dma_alloc\w*)\s*\(/;

/** `goto err;` that became another way out, where the patch took the label `err` and its unmap away. */
function* dropped(fn: FunctionView) {
  const { file } = fn;
  if (!file.takesAway || !fn.touched) return;
  const code = file.text.slice(fn.node.start, fn.node.end);
  const found: (Stmt & { kind: "goto" | "return" })[] = [];
  walkStmt(fn.node.body, {
    stmt: (stmt) => {
      if ((stmt.kind === "goto" || stmt.kind === "return") && file.isChanged(stmt)) found.push(stmt);
    },
  });
  for (const stmt of found) {
    const hunk = hunkOf(file, stmt);
    const line = file.lineAt(stmt.start);
    if (hunk === null || line === null) continue;
    const at = hunk.lines.indexOf(line);
    // The changed lines right before it, and the code before those.
    let first = at;
    while (first > 0 && hunk.lines[first - 1]!.kind !== "context") first--;
    const block = hunk.lines.slice(first, at + 1);
    const label = block.map((l) => l.kind === "removed" ? /^\s*goto (\w+);\s*$/.exec(l.text)?.[1] : undefined)
      .findLast((name) => name !== undefined);
    if (label === undefined || new RegExp(`^\\s*${label}:`, "m").test(code)) continue;
    if (
      block.some((l) => l.kind === "added" && CLEANUP.test(l.text.replace(/^\s*(?:goto|return)\b.*/, "")))
    ) continue;
    const before = hunk.lines.slice(Math.max(0, first - 8), first).filter((l) => l.kind !== "removed").map((
      l,
    ) => l.text).join("\n");
    // The last statement before the `if`, and what follows.
    const ifAt = before.lastIndexOf("if (");
    const test = before.slice(before.lastIndexOf(";", before.lastIndexOf(";", ifAt) - 1) + 1);
    const added = file.diff.hunks.flatMap((h) => h.lines).filter((l) => l.kind === "added").map((l) =>
      l.text
    );
    if (added.some((text) => /__free\b|\bguard\(|\bCLASS\(|\bdevm_|\bdmam_/.test(text))) continue;
    // A mapping that moved needs another way out.
    if (MAPS.test(linesOf(file, "removed"))) continue;
    for (const { name, args } of releasesBehind(fn, label)) {
      // The failing step may be the mapping itself: then there is nothing to undo yet.
      const handle = name.startsWith("dma_") || name.startsWith("ib_dma_") ? args[1] : undefined;
      if (MAPS.test(test) && (handle === undefined || test.includes(handle.replace(/^&/, "")))) continue;
      const text = `${name}(${args.join(", ")})`;
      const rest = stmt.kind === "return" ? "" : behind(code, stmt.label);
      if (rest === null || calls(rest, name, args)) continue;
      // The same by another name.
      const isNew = (text: string) =>
        text.includes(`${name}(`) && added.some((line) => line.trim() === text.trim());
      if (rest.split("\n").some(isNew)) continue;
      // It moved into a helper of another name.
      if (
        added.some((l) => [...l.matchAll(UNMAPS)].some(([, other]) => other !== name)) &&
        stmt.kind === "return"
      ) continue;
      yield {
        at: stmt,
        say: "dropped" as const,
        with: { label, release: name },
        because: [{ at: stmt, note: `was \`goto ${label}\`, and \`${text}\` behind it` }],
        unless: "what fails here undoes the mapping itself now",
        wanted: `${text}; on this path`,
        subject: `${label} ${text} ${file.textOf(stmt)}`,
      };
      break;
    }
  }
}

/** The releases that a removed label led to, up to the end of the function. */
function releasesBehind(fn: FunctionView, label: string): { name: string; args: string[] }[] {
  const lines = fn.file.diff.hunks.flatMap((hunk) => [...hunk.lines.filter((l) => l.kind !== "added"), null]);
  const start = lines.findIndex((l) => l?.kind === "removed" && new RegExp(`^\\s*${label}:`).test(l.text));
  if (start === -1) return [];
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((l) => l === null || l.text.startsWith("}") || /^\s*return\b/.test(l.text));
  const text = rest.slice(0, end === -1 ? undefined : end).map((l) => l!.text).join("\n");
  return [...text.matchAll(UNMAPS)].flatMap((found) => {
    const args = argumentsAt(text, found.index + found[0].length)?.args;
    return args === undefined ? [] : [{ name: found[1]!, args }];
  });
}

/** The code behind a label; null when it is not shown. */
function behind(code: string, label: string): string | null {
  const found = new RegExp(`^\\s*${label}:`, "m").exec(code);
  return found === null ? null : code.slice(found.index);
}

const calls = (code: string, name: string, args: readonly string[]): boolean =>
  [...code.matchAll(new RegExp(`\\b${name}\\s*\\(`, "g"))].some((found) =>
    argumentsAt(code, found.index + found[0].length)?.args.join() === args.join()
  );

/** `if (ret)`, `if (ret < 0)` taken: what is returned now is an error. */
function failsOn(node: CfgNode, edge: Edge): boolean {
  if (node.kind !== "test" || node.expr === null || edge.when !== true) return false;
  const expr = node.expr.kind === "binary" && (node.expr.op === "<" || node.expr.op === "!=")
    ? node.expr.left
    : node.expr;
  return isResult(expr);
}

/** The other way out of such a test: what is returned now is no error. */
function passesOn(node: CfgNode, edge: Edge): boolean {
  if (node.kind !== "test" || node.expr === null || edge.when !== false) return false;
  return failsOn(node, { to: edge.to, when: true });
}

type If = Stmt & { readonly kind: "if" };

function conditionals(body: Stmt): readonly If[] {
  const found: If[] = [];
  walkStmt(body, { stmt: (stmt) => stmt.kind === "if" && found.push(stmt) });
  return found;
}

/** Whether a statement does not go on to the next one. */
function leaves(stmt: Stmt): boolean {
  if (stmt.kind === "block") return stmt.body.length > 0 && leaves(stmt.body[stmt.body.length - 1]!);
  return /^(?:return|goto|break|continue)$/.test(stmt.kind);
}

const isResult = (expr: Expr): boolean => expr.kind === "ident" && RESULT.test(expr.name);

function isErrorCode(expr: Expr): boolean {
  if (expr.kind === "unary" && expr.op === "-") {
    if (expr.operand.kind === "number") return expr.operand.value === 1n;
    return expr.operand.kind === "ident" && /^E(?!INPROGRESS$|IOCBQUEUED$)[A-Z0-9]+$/.test(expr.operand.name);
  }
  return expr.kind === "call" && /^(?:ERR_PTR|dev_err_probe|ERR_CAST)$/.test(expr.name);
}

function mentionsPlace(expr: Expr, place: string): boolean {
  if (expr.kind === "ident") return expr.name === place;
  if (expr.kind === "call") return expr.args.some((arg) => mentionsPlace(arg, place));
  if (expr.kind === "cast") return mentionsPlace(expr.value, place);
  if (expr.kind === "binary") return mentionsPlace(expr.left, place) || mentionsPlace(expr.right, place);
  return false;
}
