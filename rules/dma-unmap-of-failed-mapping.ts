/**
 * U06: an error path releases exactly the mapping that just failed.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { search } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { handling } from "./facts/mappings.ts";
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
  limits: "A failure that is remembered in a flag, and a release in another function, are not followed.",
  unless: "the mapping was made a second time on the way, out of sight of the patch",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: Handling Errors",
    "kernel/dma/debug.c: check_unmap()",
  ],
  messages: {
    failed:
      "when {map}() of `{handle}` fails here, the error path goes on to {release}() of it: there is nothing to release",
  },
  bad: [
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
