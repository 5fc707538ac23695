/**
 * Y05: the cache maintenance that DMA_ATTR_SKIP_CPU_SYNC is to skip is done when it is set.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { asCall, type CfgNode, type Edge } from "./engine/cfg.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { constant } from "./facts/outcome.ts";
import { isMapper, isTest } from "./facts/place.ts";

const SKIP = "DMA_ATTR_SKIP_CPU_SYNC";
/** Cache maintenance and bouncing by whatever name. */
const SYNCS =
  /sync_\w*(?:for_(?:cpu|device)|dma)|dma_\w*cache\w*|_inv_range|_flush_range|_wback|swiotlb_sync/;

export default defineRule({
  id: "dma-skip-sync-inverted",
  since: "0.1.0",
  code: "Y05",
  severity: "error",
  confidence: "high",
  category: "type",
  scope: "function",
  summary: "an implementation of map or unmap syncs exactly when it was told to skip that",
  why:
    `\`DMA_ATTR_SKIP_CPU_SYNC\` says that the caller has handed the memory over already, or does so himself for the part
that was used. The body of a map or unmap function does its cache maintenance when the attribute is absent. The test
turned round leaves every ordinary mapping without any: on a machine that is not coherent the device reads old memory,
the CPU old cache lines, and on one that is nothing is seen. \`!(attrs & X) == 0\` is such a test: the \`!\` belongs to
the left side only.`,
  limits:
    "Only functions that take the attributes and a direction, or files that implement the DMA API: a driver may sync himself what he had skipped.",
  unless: "the call is not the one that the attribute is about",
  sources: [
    "Documentation/core-api/dma-attributes.rst: DMA_ATTR_SKIP_CPU_SYNC",
    "kernel/dma/direct.h: dma_direct_unmap_page()",
  ],
  messages: {
    inverted:
      "{callee}() is called when DMA_ATTR_SKIP_CPU_SYNC is set, and left out when it is not: the test is the wrong way round",
  },
  bad: [
    {
      title: "a negation too many",
      path: "drivers/iommu/foo-dma.c",
      patch: String.raw`
+static void foo_unmap_sg(struct device *dev, struct scatterlist *sg, int nents,
+			 enum dma_data_direction dir, unsigned long attrs)
+{
+	if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC) == 0)
+		foo_sync_sg_for_cpu(dev, sg, nents, dir); /* want: inverted */
+	foo_release(dev, sg);
+}`,
    },
    {
      title: "none at all",
      patch: String.raw`
+static dma_addr_t foo_map_page(struct device *dev, struct page *page, unsigned long offset, size_t size,
+			       enum dma_data_direction dir, unsigned long attrs)
+{
+	phys_addr_t phys = page_to_phys(page) + offset;
+
+	if (attrs & DMA_ATTR_SKIP_CPU_SYNC)
+		arch_sync_dma_for_device(phys, size, dir); /* want: inverted */
+	return foo_translate(dev, phys);
+}`,
    },
  ],
  good: [
    {
      title: "synced when it is not set",
      path: "arch/foo/mm/dma.c",
      patch: String.raw`
+static void foo_unmap_page(struct device *dev, dma_addr_t addr, size_t size,
+			   enum dma_data_direction dir, unsigned long attrs)
+{
+	if ((attrs & DMA_ATTR_SKIP_CPU_SYNC) == 0)
+		arch_sync_dma_for_cpu(foo_phys(addr), size, dir); /* ok: inverted */
+	if (attrs & DMA_ATTR_SKIP_CPU_SYNC)
+		return;
+	arch_sync_dma_for_cpu(foo_phys(addr), size, dir); /* ok: inverted */
+}`,
    },
    {
      title: "a driver that syncs the part that was written",
      patch: String.raw`
+static void foo_rx(struct foo_ring *ring, unsigned int len)
+{
+	if (ring->attrs & DMA_ATTR_SKIP_CPU_SYNC)
+		dma_sync_single_for_cpu(ring->dev, ring->dma, len, DMA_FROM_DEVICE); /* ok: inverted */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file) || !(isMapper(fn.file) || takesAttrs(fn))) return;
    const values = use(flow, fn);
    for (const node of values.cfg.nodes) {
      if (node.kind !== "test" || node.expr === null) continue;
      const isSet = saysSet(node.expr);
      const edge = isSet === null ? undefined : node.succ.find(({ when }) => when === isSet);
      const call = edge === undefined ? null : syncOn(edge);
      if (call === null) continue;
      yield {
        at: call,
        say: "inverted",
        with: { callee: call.kind === "call" ? call.name : "" },
        because: [{ at: node.expr, note: `${isSet ? "true" : "false"} when the attribute is set` }],
        wanted: `if (!(attrs & ${SKIP}))`,
        subject: fn.file.textOf(node.expr),
      };
    }
  },
});

/** Whether the function is given the attributes of a mapping together with its direction. */
const takesAttrs = ({ node }: FunctionView): boolean =>
  node.params.some(({ type }) => /^enum dma_data_direction$/.test(type)) &&
  node.params.some(({ name, type }) => /attrs?$/.test(name) && type === "unsigned long");

/** The outcome of the test that means that the attribute is set; null when it is about something else. */
function saysSet(expr: Expr): boolean | null {
  switch (expr.kind) {
    case "cast":
      return saysSet(expr.value);
    case "unary": {
      const inner = expr.op === "!" ? saysSet(expr.operand) : null;
      return inner === null ? null : !inner;
    }
    case "binary": {
      if (expr.op === "&") {
        return [expr.left, expr.right].some((side) => side.kind === "ident" && side.name === SKIP)
          ? true
          : null;
      }
      const inner = expr.op === "==" || expr.op === "!=" ? saysSet(expr.left) : null;
      if (inner === null || constant(expr.right) !== 0n) return null;
      return expr.op === "==" ? !inner : inner;
    }
    default:
      return null;
  }
}

/** The sync that stands on this way alone, before anything else; null when there is none. */
function syncOn(edge: Edge): Expr | null {
  const node: CfgNode = edge.to;
  if (node.pred.length !== 1 || node.kind !== "expr" || node.expr === null) return null;
  const call = asCall(node.expr);
  return call !== null && SYNCS.test(call.name) ? call : null;
}
