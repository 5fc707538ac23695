/**
 * M03: pfn_valid() asked of the page frame number of a page.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isTest } from "./facts/place.ts";

export default defineRule({
  id: "pfn-valid-of-page",
  since: "0.1.0",
  code: "M03",
  severity: "warning",
  confidence: "medium",
  category: "memory",
  scope: "function",
  summary: "pfn_valid() of what page_to_pfn() or page_to_phys() gave: it is always true",
  why:
    `\`pfn_valid()\` says whether there is a \`struct page\` for a page frame number. Computed from a \`struct page\` the
number has one, so that the test says nothing. What is meant is mostly one of two other questions: whether the page is
ordinary RAM (\`is_zone_device_page()\`, \`is_pci_p2pdma_page()\` say no), or whether an address that came without a page
has one, which must be asked of that address.`,
  limits:
    "The page must be seen in the same function. The memory management and architecture code is left alone.",
  unless: "the pointer may be no struct page at all",
  sources: [
    "include/linux/mmzone.h: pfn_valid()",
    "https://lore.kernel.org/all/20250806154415.GK184255@nvidia.com/",
  ],
  messages: {
    always:
      "pfn_valid() of the number of `{page}` is always true: a page has one; ask is_zone_device_page() or the like",
  },
  bad: [
    {
      title: "a check that checks nothing",
      patch: String.raw`
+static dma_addr_t foo_map(struct foo *foo, struct page *page, size_t offset)
+{
+	phys_addr_t phys = page_to_phys(page) + offset;
+
+	if (WARN_ON_ONCE(!pfn_valid(PHYS_PFN(phys)))) /* want: always */
+		return DMA_MAPPING_ERROR;
+	return dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE);
+}`,
    },
  ],
  good: [
    {
      title: "an address that came without a page",
      patch: String.raw`
+static bool foo_is_ram(phys_addr_t phys)
+{
+	return pfn_valid(PHYS_PFN(phys)); /* ok: always */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file) || /^(?:mm|arch)\//.test(fn.file.path)) return;
    const values = use(flow, fn);
    for (const { call } of values.calls) {
      const [pfn] = call.args;
      if (call.name !== "pfn_valid" || pfn === undefined) continue;
      const page = pageOf(pfn, values);
      if (page === null) continue;
      yield {
        at: call,
        say: "always",
        with: { page: fn.file.textOf(page) },
        because: [{ at: page, note: "the page whose number is tested" }],
        wanted: `is_zone_device_page(${fn.file.textOf(page)})`,
        subject: call.name,
      };
    }
  },
});

/** The page that a page frame number was computed from; null when it may come from elsewhere. */
function pageOf(pfn: Expr, values: Flow): Expr | null {
  const origins = values.valueOf(pfn);
  if (pfn.kind === "call" && pfn.name === "page_to_pfn") return pfn.args[0] ?? null;
  const inner = pfn.kind === "call" && pfn.name === "PHYS_PFN"
    ? pfn.args[0]
    : pfn.kind === "binary" && pfn.op === ">>"
    ? pfn.left
    : pfn;
  if (inner === undefined) return null;
  // An offset that the caller gives is added to the address of the page.
  const made = (inner === pfn ? origins : values.valueOf(inner)).filter(({ meaning }) => meaning !== "param");
  const [first] = made;
  if (first === undefined || made.some(({ api }) => !/^page_to_(?:pfn|phys)$/.test(api))) return null;
  return first.expr.kind === "call" ? first.expr.args[0] ?? null : null;
}
