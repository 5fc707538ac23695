/**
 * Y08: a direction, an attribute or an allocation flag in the place of another argument of the DMA API.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { isTest } from "./facts/place.ts";
import { DIRECTIONS } from "./kernel/mod.ts";
import type { Meaning } from "./kernel/types.ts";

const DIRECTION: ReadonlySet<string> = new Set(DIRECTIONS.map(({ name }) => name));
/** What a constant is called in a message, by its meaning. */
const SPOKEN: Readonly<Partial<Record<Meaning, string>>> = {
  direction: "a direction",
  attrs: "attributes",
  gfp: "allocation flags",
  prot: "IOMMU_ flags",
  size: "a size",
  offset: "an offset",
  nents: "a number of entries",
  mask: "a mask",
};

export default defineRule({
  id: "dma-args-swapped",
  since: "0.1.0",
  code: "Y08",
  severity: "error",
  confidence: "high",
  category: "type",
  scope: "function",
  summary: "two arguments of a DMA function have changed places",
  why:
    `Size, direction, attributes and allocation flags are all integers: the compiler takes \`dma_map_single(dev, buf,
DMA_TO_DEVICE, len)\` without a word, maps one byte, and hands \`len\` to the cache maintenance as a direction.
\`dma_alloc_attrs()\` takes the allocation flags before the attributes, \`dma_map_page()\` the offset before the size.`,
  limits: "Only constants tell what they are; two variables that changed places are not seen.",
  unless: "the constant is defined to something else in this file",
  sources: [
    "include/linux/dma-mapping.h",
    "include/linux/iommu.h: iommu_map()",
  ],
  messages: {
    place: "argument {n} of {callee}() is {wanted}, and `{given}` is {is}",
    empty: "{callee}() of 0 bytes at offset {offset}: the offset comes before the size",
  },
  bad: [
    {
      title: "size and direction, flags and attributes",
      patch: String.raw`
+static int foo_map(struct foo *foo, size_t len)
+{
+	foo->dma = dma_map_single(foo->dev, foo->buf, DMA_TO_DEVICE, len); /* want: place */
+	foo->ring = dma_alloc_attrs(foo->dev, len, &foo->ring_dma, DMA_ATTR_WRITE_COMBINE, GFP_KERNEL); /* want: place */
+	foo->mem = dma_alloc_coherent(foo->dev, GFP_KERNEL, &foo->mem_dma, len); /* want: place */
+	return iommu_map(foo->domain, foo->iova, foo->phys, len, GFP_KERNEL, IOMMU_READ); /* want: place */
+}`,
    },
    {
      title: "offset and size",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page *page)
+{
+	foo->dma = dma_map_page(foo->dev, page, PAGE_SIZE, 0, DMA_TO_DEVICE); /* want: empty */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
  ],
  good: [
    {
      title: "each in its place",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page *page, size_t len)
+{
+	foo->dma = dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE); /* ok: empty */
+	foo->ring = dma_alloc_attrs(foo->dev, len, &foo->ring_dma, GFP_KERNEL, DMA_ATTR_WRITE_COMBINE); /* ok: place */
+	foo->one = dma_map_single_attrs(foo->dev, foo->buf, len, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC); /* ok: place */
+	foo->pages = dma_alloc_pages(foo->dev, len, &foo->pages_dma, DMA_BIDIRECTIONAL, GFP_KERNEL); /* ok: place */
+	return iommu_map(foo->domain, foo->iova, foo->phys, len, IOMMU_READ | IOMMU_CACHE, GFP_KERNEL); /* ok: place */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    for (const { call, api } of use(flow, fn).calls) {
      if (api === null) continue;
      const offset = call.args[api.params.indexOf("offset")];
      const size = call.args[api.params.indexOf("size")];
      if (
        api.role === "map" && isZero(size) && offset !== undefined && !isZero(offset) &&
        api.params.includes("offset")
      ) {
        yield {
          at: size!,
          say: "empty",
          with: { callee: call.name, offset: fn.file.textOf(offset) },
          wanted: `${fn.file.textOf(size!)}, ${fn.file.textOf(offset)}`,
          subject: call.name,
        };
      }
      for (const [i, wanted] of api.params.entries()) {
        const arg = call.args[i];
        const is = arg === undefined ? null : kindOf(arg);
        if (is === null || is === wanted || SPOKEN[wanted] === undefined) continue;
        // iommu_map() took no flags before v6.3.
        if (call.args.length !== api.params.length) continue;
        yield {
          at: arg!,
          say: "place",
          with: {
            n: String(i + 1),
            callee: call.name,
            wanted: SPOKEN[wanted]!,
            given: fn.file.textOf(arg!),
            is: SPOKEN[is]!,
          },
          subject: `${call.name} ${fn.file.textOf(arg!)}`,
        };
        break;
      }
    }
  },
});

const isZero = (expr: Expr | undefined): boolean => expr?.kind === "number" && expr.value === 0n;

/** What a constant is; null when the expression is none, or of several kinds. */
function kindOf(expr: Expr): Meaning | null {
  if (expr.kind === "binary" && expr.op === "|") {
    const left = kindOf(expr.left);
    return left === kindOf(expr.right) ? left : null;
  }
  if (expr.kind !== "ident") return null;
  if (DIRECTION.has(expr.name)) return "direction";
  if (/^DMA_ATTR_/.test(expr.name)) return "attrs";
  if (/^(?:__)?GFP_/.test(expr.name)) return "gfp";
  return /^IOMMU_(?:READ|WRITE|CACHE|MMIO|NOEXEC|PRIV)$/.test(expr.name) ? "prot" : null;
}
