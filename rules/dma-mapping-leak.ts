/**
 * U01: an error path leaves a function without releasing a mapping that its other paths release.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import type { CfgNode, Edge } from "./engine/cfg.ts";
import { search } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { handling } from "./facts/mappings.ts";
import { consistent, failures } from "./facts/failure.ts";
import { isImplementation } from "./facts/place.ts";

const FAMILIES = new Set(["single", "resource", "phys", "sg", "attachment", "attachment-unlocked"]);
// Whoever is called so may release it: silence is cheaper than a wrong word.
const CLEANUP =
  /unmap|free|clean|release|destroy|abort|teardown|unprep|undo|fini|exit|put|complete|done|reset|stop|kill|panic|queue|submit|post/i;
// What a driver waits for between mapping a buffer and unmapping it.
const WAITS =
  /^(?:wait_for_completion\w*|wait_event\w*|dma_sync_wait|dma_wait_for_async_tx|(?:readl|readq|readx|regmap)_\w*poll_timeout\w*|crypto_wait_req)$/;
const RESULT = /^(?:ret|err|rc|error|result|status|res|r|rv|retval)$/;

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
    `Only functions that release the mapping on another path are judged, and only paths that the patch shows
without a gap. A mapping that a caller or a completion handler releases is nobody's leak here.`,
  unless: "the caller, or something called on the way, releases the mapping",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: Handling Errors",
    "kernel/dma/debug.c: dma_debug_device_change()",
  ],
  messages: {
    leak:
      "this error path returns with `{handle}` still mapped by {map}(); the function's other paths call {release}()",
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
    const { cfg, stores, calls } = use(flow, fn);
    const { mappings, releases } = use(handling, fn);
    if (releases.length === 0) return;
    const failed = use(failures, fn);
    const cleanups = new Set(
      calls.filter(({ call, api }) => api === null && CLEANUP.test(call.name)).map((c) => c.node),
    );
    const said = new Set<CfgNode>();
    for (const mapping of mappings) {
      const { handle } = mapping;
      if (handle === null || handle.includes("[") || !mapping.api.families.some((f) => FAMILIES.has(f))) {
        continue;
      }
      // A loop may leave earlier rounds' mappings behind on purpose; whole arrays are somebody else's rule.
      if (mapping.node.loops.length > 0) continue;
      const own = releases.filter((r) => r.handle === handle);
      const moved = stores.some((s) =>
        s.place !== handle && s.node !== mapping.node && "kind" in s.target && s.target.kind === "member" &&
        mentionsPlace(s.value, handle)
      );
      if (moved && /^\w+$/.test(handle)) continue;
      const failuresOf = failed.filter((f) => f.mapping === mapping);
      const failing = new Set(failuresOf.map((f) => f.edge));
      const tested = new Set(failuresOf.map((f) => f.test));
      if (mapping.api.failure !== "mapping-error" && failing.size === 0) continue;
      const ways = consistent(cfg, mapping.node, fn.file);
      const succeeded = (node: CfgNode) => ways(node).filter((edge) => !failing.has(edge));
      // A release on the path where the mapping failed is none.
      const release = own.find((r) =>
        search(mapping.node, (n) => n === r.node ? "hit" : "go", succeeded).hit !== null
      );
      if (release === undefined) continue;
      const stop = (node: CfgNode) =>
        node.kind === "hole" || node === mapping.node || cleanups.has(node) || own.some((r) =>
          r.node === node
        ) ||
        stores.some((s) => s.node === node && s.place === handle) ||
        (!tested.has(node) && asksFor(node, handle, mapping.handleExpr));
      const exit = errorReturn(mapping.node, stop, succeeded);
      if (exit === null) continue;
      said.add(exit);
      const name = mapping.handleExpr === null ? handle : fn.file.textOf(mapping.handleExpr);
      yield {
        at: exit.at,
        say: "leak",
        with: { handle: name, map: mapping.call.name, release: release.call.name },
        because: [
          { at: mapping.call, note: `\`${name}\` is mapped here` },
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
      if (release === undefined) continue;
      const exit = errorReturn(
        from,
        (node) =>
          node.kind === "hole" || cleanups.has(node) || maps.has(node) ||
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

    /** Whether a test asks for the handle: `if (foo->dma) dma_unmap_single()` knows whether there is a mapping. */
    function asksFor(node: CfgNode, handle: string, expr: Expr | null): boolean {
      if (node.kind !== "test" || node.expr === null) return false;
      const text = fn.file.textOf(node.expr);
      return text.includes(handle) || (expr !== null && text.includes(fn.file.textOf(expr)));
    }

    /** The nearest return of an error that is reached; null when there is none. */
    function errorReturn(
      from: CfgNode,
      stop: (node: CfgNode) => boolean,
      ways: (node: CfgNode) => readonly Edge[],
    ): CfgNode | null {
      const seen = new Set<string>();
      const queue: { node: CfgNode; isError: boolean }[] = ways(from).map((edge) => ({
        node: edge.to,
        isError: failsOn(from, edge),
      }));
      for (let i = 0; i < queue.length; i++) {
        const { node, isError } = queue[i]!;
        const key = `${node.id} ${isError}`;
        if (seen.has(key) || stop(node)) continue;
        seen.add(key);
        if (node.kind === "return") {
          if (node.expr !== null && (isErrorCode(node.expr) || (isError && isResult(node.expr)))) return node;
          continue;
        }
        const stored = stores.find((s) => s.node === node && RESULT.test(s.place));
        const after = stored === undefined ? isError : isErrorCode(stored.value);
        for (const edge of ways(node)) queue.push({ node: edge.to, isError: failsOn(node, edge) || after });
      }
      return null;
    }
  },
});

/** `if (ret)`, `if (ret < 0)` taken: what is returned now is an error. */
function failsOn(node: CfgNode, edge: Edge): boolean {
  if (node.kind !== "test" || node.expr === null || edge.when !== true) return false;
  const expr = node.expr.kind === "binary" && (node.expr.op === "<" || node.expr.op === "!=")
    ? node.expr.left
    : node.expr;
  return isResult(expr);
}

const isResult = (expr: Expr): boolean => expr.kind === "ident" && RESULT.test(expr.name);

function isErrorCode(expr: Expr): boolean {
  if (expr.kind === "unary" && expr.op === "-") {
    return expr.operand.kind === "ident" && /^E[A-Z0-9]+$/.test(expr.operand.name);
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
