/**
 * M01: a physical address turned into a pointer only to be mapped.
 *
 * @module
 */

import { type Because, defineRule } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { flow } from "./facts/flow.ts";
import type { Origin } from "./facts/origin.ts";
import { isImplementation } from "./facts/place.ts";

const TO_VIRT: ReadonlySet<string> = new Set(["phys_to_virt", "__va", "pfn_to_virt"]);

export default defineRule({
  id: "dma-map-single-of-phys",
  since: "0.1.0",
  code: "M01",
  severity: "warning",
  confidence: "medium",
  category: "memory",
  scope: "function",
  summary: "dma_map_single() of phys_to_virt(): the detour only works for memory in the linear map",
  why:
    `\`dma_map_single()\` turns its pointer into a page again, and is for memory of the linear map. \`phys_to_virt()\`
gives a pointer for any number, also for highmem, for memory without a struct page and for what a hypervisor hides from
the kernel: nothing checks it, and \`virt_to_page()\` then finds the page of something else. Who has a page or a page frame
number maps that: \`dma_map_page()\`, or \`dma_map_phys()\` since v6.18.`,
  limits: "A pointer that another function made is not followed.",
  unless: "the memory is known to lie in the linear map",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: what memory is DMA'able",
    "include/linux/dma-mapping.h: dma_map_single_attrs(), dma_map_phys()",
    "https://lore.kernel.org/all/20210607064312.GB24478@lst.de/",
  ],
  messages: {
    detour:
      "{callee}() of a pointer that {from}() made from a physical address: it is only valid in the linear map; map the page with {wanted}()",
  },
  bad: [
    {
      title: "a page frame number, a pointer, and a page again",
      patch: String.raw`
+static int foo_map(struct foo *foo, unsigned long pfn)
+{
+	void *buf = phys_to_virt(pfn << PAGE_SHIFT);
+
+	foo->dma = dma_map_single(foo->dev, buf, PAGE_SIZE, DMA_TO_DEVICE); /* want: detour */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
  ],
  good: [
    {
      title: "the page itself, and a pointer that was one from the start",
      patch: String.raw`
+static int foo_map(struct foo *foo, unsigned long pfn, void *buf)
+{
+	foo->page = dma_map_page(foo->dev, pfn_to_page(pfn), 0, PAGE_SIZE, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, foo->page))
+		return -ENOMEM;
+	foo->dma = dma_map_single(foo->dev, buf, PAGE_SIZE, DMA_TO_DEVICE); /* ok: detour */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
    {
      title: "there and back",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	foo->buf = phys_to_virt(virt_to_phys(kzalloc(SZ_4K, GFP_KERNEL)));
+	foo->dma = dma_map_single(foo->dev, foo->buf, SZ_4K, DMA_TO_DEVICE); /* ok: detour */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, api } of values.calls) {
      if (api === null || api.role !== "map" || api.memory === null || api.params[api.memory] !== "kva") {
        continue;
      }
      const memory = call.args[api.memory];
      if (memory === undefined) continue;
      const origins = values.valueOf(memory);
      const [origin] = origins;
      if (origin === undefined || origins.some(({ api }) => !TO_VIRT.has(api))) continue;
      const back = origin.expr.kind === "call" ? origin.expr.args[0] : undefined;
      // What is known of the memory is told by the rules for it: a BAR, a DMA address, a page of RAM.
      if (back !== undefined && isKnown(values.valueOf(back))) continue;
      const because: Because[] = chain(origin);
      yield {
        at: call,
        say: "detour",
        with: {
          callee: call.name,
          from: origin.api,
          wanted: call.name.replace(/_single/, "_page"),
        },
        because,
        wanted: `${call.name.replace(/_single/, "_page")}()`,
        subject: `${call.name} ${values.canonical(memory)}`,
      };
    }
  },
});

const isKnown = (origins: readonly Origin[]): boolean =>
  origins.some(({ certainty, meaning }) => certainty === "exact" || meaning === "dma");
