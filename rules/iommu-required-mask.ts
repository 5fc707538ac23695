/**
 * I07: an IOMMU driver asks the DMA API how much memory a device must reach.
 *
 * @module
 */

import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";

export default defineRule({
  id: "iommu-required-mask",
  since: "0.1.0",
  code: "I07",
  severity: "warning",
  confidence: "medium",
  category: "mask",
  scope: "function",
  summary: "an IOMMU driver calls dma_get_required_mask() to learn how large the memory is",
  why:
    `\`dma_get_required_mask()\` asks whatever DMA operations the device has at the moment. Behind an IOMMU they say
\`DMA_BIT_MASK(32)\`, because the IOVA allocator keeps below 4 GiB, and not where memory ends. A driver that chooses
between an identity and a translating domain by that answer compares with its own output: which domain the device
gets depends on which one it has.

\`dma_direct_get_required_mask()\` looks at memory.`,
  limits:
    "Only code below drivers/iommu/: in other drivers the answer of the present operations is what is wanted.",
  unless: "the device has no DMA operations but the direct ones when this runs",
  sources: [
    "kernel/dma/mapping.c: dma_get_required_mask()",
    "kernel/dma/direct.c: dma_direct_get_required_mask()",
  ],
  messages: {
    ops:
      "dma_get_required_mask() asks the device's present DMA operations, which say 32 bits behind an IOMMU; where memory ends says dma_direct_get_required_mask()",
  },
  bad: [
    {
      title: "identity or not",
      path: "drivers/iommu/foo-iommu.c",
      patch: String.raw`
+static int foo_def_domain_type(struct device *dev)
+{
+	if (dma_get_mask(dev) < dma_get_required_mask(dev)) /* want: ops */
+		return IOMMU_DOMAIN_DMA;
+	return IOMMU_DOMAIN_IDENTITY;
+}`,
    },
  ],
  good: [
    {
      title: "the size of memory",
      path: "drivers/iommu/foo-iommu.c",
      patch: String.raw`
+static bool foo_needs_iommu(struct device *dev)
+{
+	return dma_get_mask(dev) < dma_direct_get_required_mask(dev); /* ok: ops */
+}`,
    },
    {
      title: "a driver that chooses its descriptors",
      patch: String.raw`
+static bool foo_wants_wide(struct foo *foo)
+{
+	return dma_get_required_mask(foo->dev) > DMA_BIT_MASK(32); /* ok: ops */
+}`,
    },
  ],
  *check(fn, use) {
    if (!fn.file.path.startsWith("drivers/iommu/")) return;
    for (const { call } of use(flow, fn).calls) {
      if (call.name !== "dma_get_required_mask") continue;
      yield {
        at: call,
        say: "ops",
        wanted: `dma_direct_get_required_mask(${call.args.map((arg) => fn.file.textOf(arg)).join(", ")})`,
        subject: call.name,
      };
    }
  },
});
