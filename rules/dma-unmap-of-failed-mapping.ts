/**
 * U06: an error path releases exactly the mapping that just failed.
 *
 * @module
 */

import { search } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { handling } from "./facts/mappings.ts";
import { consistent, failures } from "./facts/failure.ts";
import { isImplementation } from "./facts/place.ts";

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
+	return foo_run(foo);
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
+	if (!mapped) { /* want: failed */
+		dma_unmap_sg(foo->dev, sgl, n, DMA_TO_DEVICE);
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
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const { cfg, stores } = use(flow, fn);
    const { releases } = use(handling, fn);
    if (releases.length === 0) return;
    const said = new Set<unknown>();
    for (const { mapping, test, edge, on } of use(failures, fn)) {
      const { handle } = mapping;
      // A link that fails leaves the IOVA and the ranges linked before it: those are released.
      if (handle === null || mapping.api.families.includes("iova")) continue;
      const index = /\[(?:[^\]]*?)(\w+)[^\]]*\]/.exec(handle)?.[1] ?? null;
      const ways = consistent(cfg, test, fn.file);
      // Only the failing way out of the test; any other condition on the way may know better.
      const found = search(
        test,
        (node) => {
          const release = releases.find((r) => r.node === node && r.handle === handle);
          if (release !== undefined) return "hit";
          if (node === mapping.node || node.kind === "hole") return "stop";
          if (node.kind === "test" && node.loops.length === test.loops.length && !isLoopTest(node)) {
            return "stop";
          }
          return index !== null && writes(node, index) ? "stop" : "go";
        },
        (node) => node === test ? [edge] : ways(node),
      );
      if (found.hit === null || said.has(found.hit)) continue;
      said.add(found.hit);
      const release = releases.find((r) => r.node === found.hit && r.handle === handle)!;
      const name = release.handleExpr === null ? handle : fn.file.textOf(release.handleExpr);
      yield {
        at: on,
        say: "failed",
        with: { release: release.call.name, handle: name, map: mapping.call.name },
        because: [
          { at: mapping.call, note: `\`${name}\` is mapped here` },
          { at: release.call, note: "and released here, where this path leads" },
        ],
        subject: `${release.call.name} ${handle} ${mapping.call.name}`,
      };
    }

    function isLoopTest(node: typeof cfg.entry): boolean {
      return node.loops.some((loop) => loop.kind === "loop" && loop.test !== null && inside(node, loop.test));
    }
    function inside(node: typeof cfg.entry, at: { start: number; end: number }): boolean {
      return node.at.start >= at.start && node.at.end <= at.end;
    }
    function writes(node: typeof cfg.entry, name: string): boolean {
      if (stores.some((store) => store.node === node && store.place === name)) return true;
      return node.expr !== null && new RegExp(`(?:--|\\+\\+)\\s*${name}\\b|\\b${name}\\s*(?:--|\\+\\+)`).test(
        fn.file.textOf(node.expr),
      );
    }
  },
});
