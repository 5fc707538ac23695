/**
 * U06: an error path releases exactly the mapping that just failed.
 *
 * @module
 */

import { type At, type Expr, type Stmt, walkStmt } from "./engine/ast.ts";
import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { handling, type Use_ } from "./facts/mappings.ts";
import { consistent, failures } from "./facts/failure.ts";
import { broughtIn } from "./facts/pairs.ts";
import { isImplementation } from "./facts/place.ts";
import { namesIn, rewrites } from "./facts/rewrite.ts";

export default defineRule({
  id: "dma-unmap-of-failed-mapping",
  since: "0.1.0",
  code: "U06",
  severity: "error",
  confidence: "high",
  category: "unmap-pairing",
  scope: "function",
  summary: "an error path unmaps or frees what could not be mapped",
  why:
    `After a failed mapping there is nothing to release: the handle is \`DMA_MAPPING_ERROR\`, the list was given back
unmapped, the buffer was never allocated. Unmapping it tears down whatever has that address in the device's domain, or
makes the core walk entries that hold no address. It happens when the labels of an unwind path are off by one, or when a
cleanup loop releases the entry that failed instead of those before it.`,
  limits:
    "A failure that is remembered in a flag, and a release in another function, are not followed; nor is a condition that is more than one name.",
  unless: "the mapping was made a second time on the way, out of sight of the patch",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: Handling Errors",
    "kernel/dma/debug.c: check_unmap()",
  ],
  messages: {
    twice: "`{handle}` was released by {first}() on the way here and is released once more by {release}()",
    unmapped:
      "{release}() releases `{handle}` here whether it was mapped or not: it was only when `{condition}`",
    failed:
      "when {map}() of `{handle}` fails here, the error path goes on to {release}() of it: there is nothing to release",
  },
  bad: [
    {
      title: "unmapped at once, and again at the common end",
      patch: String.raw`
+static int foo_send(struct foo *foo, void *buf, size_t n)
+{
+	dma_addr_t dma = dma_map_single(foo->dev, buf, n, DMA_TO_DEVICE);
+	int ret;
+
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	ret = foo_go(foo, dma);
+	if (ret) {
+		dma_unmap_single(foo->dev, dma, n, DMA_TO_DEVICE);
+		goto out;
+	}
+	foo_wait(foo);
+out:
+	dma_unmap_single(foo->dev, dma, n, DMA_TO_DEVICE); /* want: twice */
+	return ret;
+}`,
    },
    {
      title: "mapped on a condition, unmapped on none",
      patch: String.raw`
+static int foo_prepare(struct foo *foo, struct foo_req *req)
+{
+	int ret;
+
+	if (req->extra_len != 0) {
+		req->extra = dma_map_single(foo->dev, req->buf, req->extra_len, DMA_TO_DEVICE);
+		if (dma_mapping_error(foo->dev, req->extra))
+			return -ENOMEM;
+	}
+	ret = foo_go(foo, req);
+	if (ret)
+		goto err;
+	return 0;
+
+err:
+	dma_unmap_single(foo->dev, req->extra, req->extra_len, DMA_TO_DEVICE); /* want: unmapped */
+	return ret;
+}`,
    },
    {
      title: "the label is one too early",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dma)) /* want: failed */
+		goto err_unmap;
+	if (!foo_run(foo))
+		return 0;
+
+err_unmap:
+	dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
+	return -ENOMEM;
+}`,
    },
    {
      title: "a list that dma_map_sg() refused",
      patch: String.raw`
+static int foo_start(struct foo *foo, struct scatterlist *sgl, int n)
+{
+	int mapped = dma_map_sg(foo->dev, sgl, n, DMA_TO_DEVICE);
+
+	if (!mapped) {
+		dma_unmap_sg(foo->dev, sgl, n, DMA_TO_DEVICE); /* want: failed */
+		return -ENOMEM;
+	}
+	return foo_run(foo, mapped);
+}`,
    },
  ],
  good: [
    {
      title: "each release once, and under the condition of the mapping",
      patch: String.raw`
+static int foo_send(struct foo *foo, struct foo_req *req, void *buf, size_t n)
+{
+	dma_addr_t dma = dma_map_single(foo->dev, buf, n, DMA_TO_DEVICE);
+	int ret;
+
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	if (req->extra_len) {
+		req->extra = dma_map_single(foo->dev, req->buf, req->extra_len, DMA_TO_DEVICE);
+		if (dma_mapping_error(foo->dev, req->extra)) {
+			dma_unmap_single(foo->dev, dma, n, DMA_TO_DEVICE);
+			return -ENOMEM;
+		}
+	}
+	ret = foo_go(foo, dma);
+	if (ret)
+		goto err;
+	return 0;
+
+err:
+	if (req->extra_len)
+		dma_unmap_single(foo->dev, req->extra, req->extra_len, DMA_TO_DEVICE); /* ok: unmapped */
+	dma_unmap_single(foo->dev, dma, n, DMA_TO_DEVICE); /* ok: twice */
+	return ret;
+}`,
    },
    {
      title: "each label releases what was mapped before",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	foo->src = dma_map_single(foo->dev, foo->a, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->src))
+		return -ENOMEM;
+	foo->dst = dma_map_single(foo->dev, foo->b, foo->len, DMA_FROM_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dst))
+		goto err_src;
+	return foo_run(foo);
+
+err_src:
+	dma_unmap_single(foo->dev, foo->src, foo->len, DMA_TO_DEVICE); /* ok: failed */
+	return -ENOMEM;
+}`,
    },
    {
      title: "the release asks again whether there was a mapping",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	foo->dma = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->dma))
+		goto out;
+	foo_run(foo);
+out:
+	if (!dma_mapping_error(foo->dev, foo->dma))
+		dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE); /* ok: failed */
+	return 0;
+}`,
    },
    {
      title: "a cleanup loop over the entries before the one that failed",
      patch: String.raw`
+static int foo_map_all(struct foo *foo)
+{
+	int i;
+
+	for (i = 0; i < foo->n; i++) {
+		foo->dma[i] = dma_map_single(foo->dev, foo->buf[i], foo->len, DMA_TO_DEVICE);
+		if (dma_mapping_error(foo->dev, foo->dma[i]))
+			goto unwind;
+	}
+	return 0;
+
+unwind:
+	while (--i >= 0)
+		dma_unmap_single(foo->dev, foo->dma[i], foo->len, DMA_TO_DEVICE); /* ok: failed */
+	return -ENOMEM;
+}`,
    },
    {
      title: "a cleanup loop that walks back with a pointer, or reads the address again",
      patch: String.raw`
+static int foo_map_ring(struct foo *foo, int port)
+{
+	struct foo_ring *ring = &foo->rings[port];
+	struct foo_slot *slot = ring->slots;
+	dma_addr_t addr;
+	int i;
+
+	for (i = 0; i < ring->n; i++, slot++) {
+		slot->dma = dma_map_single(foo->dev, slot->buf, foo->len, DMA_TO_DEVICE);
+		if (dma_mapping_error(foo->dev, slot->dma))
+			goto unwind;
+		addr = dma_map_single(foo->dev, slot->head, foo->len, DMA_TO_DEVICE);
+		if (dma_mapping_error(foo->dev, addr))
+			goto unwind_heads;
+		foo_set(slot, addr);
+	}
+	return 0;
+
+unwind_heads:
+	while (i-- > 0) {
+		addr = foo_get(&ring->slots[i]);
+		dma_unmap_single(foo->dev, addr, foo->len, DMA_TO_DEVICE); /* ok: failed */
+	}
+	return -ENOMEM;
+unwind:
+	while (i-- > 0) {
+		slot--;
+		dma_unmap_single(foo->dev, slot->dma, foo->len, DMA_TO_DEVICE); /* ok: failed */
+	}
+	return -ENOMEM;
+}`,
    },
    {
      title: "a local variable that takes one address after the other",
      patch: String.raw`
+static int foo_alloc(struct foo *foo)
+{
+	dma_addr_t dma;
+	void *ring;
+
+	ring = dma_alloc_coherent(foo->dev, FOO_LEN, &dma, GFP_KERNEL);
+	if (!ring)
+		return -ENOMEM;
+	foo->tx = ring;
+	foo->tx_dma = dma;
+	ring = dma_alloc_coherent(foo->dev, FOO_LEN, &dma, GFP_KERNEL);
+	if (!ring)
+		goto free_tx;
+	foo->rx = ring;
+	foo->rx_dma = dma;
+	return 0;
+
+free_tx:
+	dma_free_coherent(foo->dev, FOO_LEN, foo->tx, foo->tx_dma); /* ok: failed */
+	return -ENOMEM;
+}`,
    },
    {
      title: "the domains before the one that failed",
      patch: String.raw`
+static int foo_map_all(struct foo *foo, unsigned long iova, phys_addr_t phys)
+{
+	struct foo_domain *d;
+	int ret;
+
+	list_for_each_entry(d, &foo->domains, next) {
+		ret = iommu_map(d->domain, iova, phys, SZ_4K, IOMMU_READ, GFP_KERNEL);
+		if (ret)
+			goto unwind;
+	}
+	return 0;
+
+unwind:
+	list_for_each_entry_continue_reverse(d, &foo->domains, next)
+		iommu_unmap(d->domain, iova, SZ_4K); /* ok: failed */
+	return ret;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const { cfg } = values;
    const { releases } = use(handling, fn);
    if (releases.length === 0) return;
    yield* again(fn, values, use);
    yield* unmapped(fn, values, use);
    const said = new Set<unknown>();
    for (const { mapping, test, edge, on } of use(failures, fn)) {
      const { handle } = mapping;
      // A link that fails leaves the IOVA and the ranges linked before it: those are released.
      if (handle === null || mapping.api.families.includes("iova")) continue;
      const own = releases.filter((r) =>
        r.handle === handle && r.api.families.some((family) => mapping.api.families.includes(family)) &&
        // What an allocation writes is no longer what was copied from there before.
        (mapping.api.role !== "alloc" || nameOf(r.handleExpr) === nameOf(mapping.handleExpr))
      );
      // What is written on the way makes it the release of another mapping: `--i`, `slot = &ring->slots[0]`.
      const names = namesIn(handle, ...own.map((r) => fn.file.textOf(r.call)));
      const ways = consistent(cfg, test, fn.file);
      // Only the failing way out of the test; any other condition on the way may know better.
      const found = search(
        test,
        (node) => {
          if (own.some((r) => r.node === node)) return "hit";
          if (node === mapping.node || node.kind === "hole") return "stop";
          if (node.kind === "test" && node.loops.length === test.loops.length && !isLoopTest(node)) {
            return "stop";
          }
          return rewrites(node, names, values) ? "stop" : "go";
        },
        (node) => node === test ? [edge] : ways(node),
      );
      if (found.hit === null || said.has(found.hit)) continue;
      said.add(found.hit);
      const release = own.find((r) => r.node === found.hit)!;
      const name = release.handleExpr === null ? handle : fn.file.textOf(release.handleExpr);
      // Where nothing but a failure leads, the release is too many; elsewhere the way there is the wrong one.
      const isNeeded = search(
        mapping.node,
        (node) => node === found.hit ? "hit" : "go",
        (node) => node === test ? node.succ.filter((way) => way !== edge) : node.succ,
      ).hit !== null;
      yield {
        at: isNeeded ? broughtIn(fn, on, release.call) : broughtIn(fn, release.call, on),
        say: "failed",
        with: { release: release.call.name, handle: name, map: mapping.call.name },
        because: [
          { at: mapping.call, note: `\`${name}\` is mapped here` },
          { at: release.call, note: "and released here, where this path leads" },
        ],
        // Freeing NULL does nothing: dma_free_attrs() looks.
        ...(mapping.api.role === "alloc" && mapping.api.failure === "null"
          ? { severity: "note" as const, confidence: "low" as const }
          : {}),
        subject: `${release.call.name} ${handle} ${mapping.call.name}`,
      };
    }

    function nameOf(expr: Expr | null): string | null {
      return expr === null ? null : fn.file.textOf(expr).replace(/^&/, "");
    }
    function isLoopTest(node: typeof cfg.entry): boolean {
      return node.loops.some((loop) => loop.kind === "loop" && loop.test !== null && inside(node, loop.test));
    }
    function inside(node: typeof cfg.entry, at: { start: number; end: number }): boolean {
      return node.at.start >= at.start && node.at.end <= at.end;
    }
  },
});

/** A local handle that is released, and on the same way released again. */
function* again(fn: FunctionView, values: Flow, use: Use) {
  const { releases, mappings } = use(handling, fn);
  for (const first of releases) {
    const { handle, handleExpr, node } = first;
    if (handle === null || handleExpr === null || first.api.role !== "unmap" || node.loops.length > 0) {
      continue;
    }
    const mapping = mappings.find((one) => one.handle === handle && one.node.loops.length === 0);
    if (mapping === undefined || mapping.api.families.includes("iova")) continue;
    const names = namesIn(handle, fn.file.textOf(handleExpr));
    const ways = consistent(values.cfg, node, fn.file);
    const asks = (at: CfgNode) =>
      at.kind === "test" && at.expr !== null && fn.file.textOf(at.expr).includes(handle);
    const found = search(
      node,
      (at) => {
        if (at !== node && releases.some((one) => one.node === at && isSame(one, first, fn))) return "hit";
        return at.kind === "hole" || at === node || mappings.some((one) => one.node === at) || asks(at) ||
            rewrites(at, names, values)
          ? "stop"
          : "go";
      },
      ways,
    );
    if (found.hit === null) continue;
    // Something decides about it that may have changed in between.
    const isDecided = conditionals(fn).some((stmt) =>
      !holds(stmt, node) && [stmt.yes, stmt.no].some((arm) => arm !== null && holds(arm, found.hit!))
    );
    if (isDecided) continue;
    const second = releases.find((one) => one.node === found.hit)!;
    yield {
      at: broughtIn(fn, second.call, first.call),
      say: "twice" as const,
      with: { handle: fn.file.textOf(handleExpr), first: first.call.name, release: second.call.name },
      because: [
        { at: first.call, note: "released here, and this way goes on" },
        { at: second.call, note: "to here" },
      ],
      severity: "error" as const,
      confidence: "medium" as const,
      unless: "a condition on the way keeps the two apart",
      subject: `${second.call.name} ${handle} twice`,
    };
  }
}

/** The same release: of one place, by the same words, in the same direction. */
const isSame = (one: Use_, other: Use_, fn: FunctionView): boolean =>
  one.handle === other.handle && one.call.name === other.call.name &&
  one.call.args.map((arg) => fn.file.textOf(arg)).join() ===
    other.call.args.map((arg) => fn.file.textOf(arg)).join();

/**
 * `if (c) x = map();`, and an error path behind it that releases `x` and asks nothing: neither for `c` nor for `x`.
 */
function* unmapped(fn: FunctionView, values: Flow, use: Use) {
  const { releases, mappings } = use(handling, fn);
  const guards = conditionals(fn).filter((stmt) => stmt.no === null);
  for (const mapping of mappings) {
    const { handle, node } = mapping;
    if (handle === null || node.loops.length > 0 || mapping.api.failure !== "mapping-error") continue;
    if (mappings.filter((one) => one.handle === handle).length > 1) continue;
    const guard = guards.findLast((stmt) => holds(stmt.yes, node));
    if (guard === undefined || !/^!?[\w.>[\]-]+(?: [!=]= (?:0|NULL))?$/.test(fn.file.textOf(guard.test))) {
      continue;
    }
    const tests = values.cfg.nodes.filter((at) => at.kind === "test" && holds(guard.test, at));
    const [test] = tests;
    const skip = test?.succ.find((way) => !holds(guard.yes, way.to));
    if (test === undefined || tests.length !== 1 || skip === undefined) continue;
    // Set before: the field says by itself that there is none.
    const sets = values.stores.some((store) => store.place === handle && store.node !== node);
    const asked = new Set([
      lastName(handle),
      lastName(fn.file.textOf(guard.test).replace(/ [!=]= \w+$/, "")),
    ]);
    const asks = (at: CfgNode) =>
      at.kind === "test" && at.expr !== null &&
      [...namesIn(fn.file.textOf(at.expr))].some((name) => asked.has(name));
    if (sets) continue;
    const own = releases.filter((one) => one.handle === handle && one.node.loops.length === 0);
    const ways = consistent(values.cfg, skip.to, fn.file);
    const found = search(
      test,
      (at) => {
        if (own.some((one) => one.node === at)) return "hit";
        return at.kind === "hole" || at === node || asks(at) ? "stop" : "go";
      },
      (at) => at === test ? [skip] : ways(at),
    );
    if (found.hit === null) continue;
    const release = own.find((one) => one.node === found.hit)!;
    yield {
      at: broughtIn(fn, release.call, mapping.call),
      say: "unmapped" as const,
      with: {
        release: release.call.name,
        handle: release.handleExpr === null ? handle : fn.file.textOf(release.handleExpr),
        condition: fn.file.textOf(guard.test),
      },
      because: [
        { at: guard.test, note: "when this is false, nothing is mapped" },
        { at: mapping.call, note: "mapped here" },
      ],
      severity: "warning" as const,
      confidence: "medium" as const,
      unless: "the error paths are only taken when it was mapped",
      wanted: `if (${fn.file.textOf(guard.test)}) ${fn.file.textOf(release.call)}`,
      subject: `${release.call.name} ${handle} unmapped`,
    };
  }
}

type If = Stmt & { readonly kind: "if" };

function conditionals(fn: FunctionView): readonly If[] {
  const found: If[] = [];
  walkStmt(fn.node.body, { stmt: (stmt) => stmt.kind === "if" && found.push(stmt) });
  return found;
}

const holds = (at: At, node: CfgNode): boolean => node.at.start >= at.start && node.at.end <= at.end;

/** `bufcnt` of `rctx->bufcnt`. */
const lastName = (place: string): string => /\w+$/.exec(place)?.[0] ?? place;
