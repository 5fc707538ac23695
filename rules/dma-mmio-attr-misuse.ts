/**
 * Y03: attributes and calls for RAM used on MMIO, and the other way round.
 *
 * @module
 */

import { type Expr, walkExpr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { flow } from "./facts/flow.ts";
import { handling } from "./facts/mappings.ts";
import { isImplementation } from "./facts/place.ts";
import { API } from "./kernel/mod.ts";

const RESOURCE = new Set(["dma_map_resource", "dma_unmap_resource"]);

/** The functions that map a physical address as RAM unless they are told that it is MMIO (v6.18). */
const TAKE_ATTR = new Set(["dma_map_phys", "dma_iova_link"]);

export default defineRule({
  id: "dma-mmio-attr-misuse",
  since: "0.1.0",
  code: "Y03",
  severity: "warning",
  confidence: "high",
  category: "type",
  scope: "function",
  summary: "an attribute or a sync that means nothing on MMIO, or MMIO mapping of RAM",
  why:
    `\`dma_map_resource()\` maps registers and BARs. No CPU cache holds them, so there is nothing to sync and nothing to
skip: \`DMA_ATTR_SKIP_CPU_SYNC\` has no effect there and only shows where the line was copied from, and a later
\`dma_sync_*()\` would clean the cache of an address that has no page. Where the architecture does maintain caches by
physical address, doing so on MMIO can hang the bus.

RAM is not to be mapped that way: the function refuses it where it can tell (\`pfn_valid()\`), and \`DMA_ATTR_MMIO\` makes
the IOMMU mapping of it uncached, which the CPU's own mapping of the same memory is not.`,
  limits: "RAM counts when it was allocated, or its address taken from a page or pointer, in the same patch.",
  unless: "the memory is carved out of RAM and has no struct page",
  sources: [
    "https://lore.kernel.org/all/YxcYGzPv022G2vLm@infradead.org/",
    "https://lore.kernel.org/all/YxeKb9qxFXodg832@nvidia.com/",
    "kernel/dma/mapping.c: dma_map_resource(), dma_map_phys()",
    "include/linux/dma-mapping.h: DMA_ATTR_MMIO",
  ],
  messages: {
    skip: "DMA_ATTR_SKIP_CPU_SYNC means nothing to {callee}(): MMIO has no cache to sync",
    ram: "{callee}() of RAM{as}: `{memory}` is the physical address of memory that has a struct page",
    missing: "{callee}() of a BAR without DMA_ATTR_MMIO maps registers as cacheable RAM",
    sync: "{callee}() on a mapping of MMIO: there is no cache to sync",
  },
  bad: [
    {
      title: "an attribute copied from the neighbour",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	foo->dma = dma_map_resource(foo->dev, foo->phys, foo->len, DMA_BIDIRECTIONAL,
+				    DMA_ATTR_SKIP_CPU_SYNC); /* want: skip */
+	return dma_mapping_error(foo->dev, foo->dma);
+}
+
+static void foo_unmap(struct foo *foo)
+{
+	dma_unmap_resource(foo->dev, foo->dma, foo->len, DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC); /* want: skip */
+}`,
    },
    {
      title: "RAM as MMIO",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page *page)
+{
+	foo->ring = kzalloc(FOO_RING, GFP_KERNEL);
+	if (!foo->ring)
+		return -ENOMEM;
+	foo->dma = dma_map_resource(foo->dev, virt_to_phys(foo->ring), FOO_RING, DMA_TO_DEVICE, 0); /* want: ram */
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	foo->page = alloc_page(GFP_KERNEL);
+	foo->page_dma = dma_map_phys(foo->dev, page_to_phys(foo->page), PAGE_SIZE, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* want: ram */
+	return dma_mapping_error(foo->dev, foo->page_dma);
+}`,
    },
    {
      title: "a BAR as RAM",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct pci_dev *pdev)
+{
+	foo->dma = dma_map_phys(&pdev->dev, pci_resource_start(pdev, 2), foo->len, DMA_BIDIRECTIONAL, 0); /* want: missing */
+	return dma_mapping_error(&pdev->dev, foo->dma);
+}`,
    },
    {
      title: "a sync of a FIFO",
      patch: String.raw`
+static int foo_read(struct foo *foo)
+{
+	foo->dma = dma_map_resource(foo->dev, foo->fifo, FOO_LEN, DMA_FROM_DEVICE, 0);
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	foo_wait(foo);
+	dma_sync_single_for_cpu(foo->dev, foo->dma, FOO_LEN, DMA_FROM_DEVICE); /* want: sync */
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "no attribute",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	foo->dma = dma_map_resource(foo->dev, foo->phys, foo->len, DMA_BIDIRECTIONAL, 0); /* ok: skip */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
    {
      title: "a BAR as MMIO, and attributes that are chosen elsewhere",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct pci_dev *pdev)
+{
+	phys_addr_t bar = pci_resource_start(pdev, 2);
+
+	foo->dma = dma_map_phys(&pdev->dev, bar, foo->len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: missing */
+	if (dma_mapping_error(&pdev->dev, foo->dma))
+		return -ENOMEM;
+	foo->peer = dma_map_phys(&pdev->dev, bar, foo->len, DMA_TO_DEVICE, foo->attrs); /* ok: missing */
+	return dma_mapping_error(&pdev->dev, foo->peer);
+}`,
    },
    {
      title: "RAM may skip the sync",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	foo->dma = dma_map_single_attrs(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE, DMA_ATTR_SKIP_CPU_SYNC); /* ok: skip */
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	dma_sync_single_for_device(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE); /* ok: sync */
+	return 0;
+}`,
    },
    {
      title: "a page whose kind nobody shows, and RAM mapped as RAM",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page *page)
+{
+	foo->dma = dma_map_phys(foo->dev, page_to_phys(page), PAGE_SIZE, DMA_TO_DEVICE, foo->attrs); /* ok: ram */
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	foo->mmio = dma_map_phys(foo->dev, page_to_phys(page), PAGE_SIZE, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: ram */
+	return dma_mapping_error(foo->dev, foo->mmio);
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, api } of values.calls) {
      if (api === null || api.attrs === null) continue;
      const attrs = call.args[api.attrs];
      if (attrs === undefined) continue;
      const skip = RESOURCE.has(call.name) ? named(attrs, "DMA_ATTR_SKIP_CPU_SYNC") : null;
      if (skip !== null) {
        yield {
          at: skip,
          say: "skip",
          with: { callee: call.name },
          wanted: "0",
          // True, and harmless: half of the exporters do it.
          severity: "note",
          confidence: "medium",
          subject: `${call.name} ${fn.file.textOf(attrs)}`,
        };
      }
      const phys = TAKE_ATTR.has(call.name) && api.memory !== null ? call.args[api.memory] : undefined;
      if (phys !== undefined && isConstant(attrs) && named(attrs, "DMA_ATTR_MMIO") === null) {
        const origins = values.valueOf(phys);
        const bar = origins.find((origin) => origin.meaning === "phys-bar");
        if (bar !== undefined && origins.every((o) => o.meaning === "phys-bar" && o.certainty === "exact")) {
          yield {
            at: call,
            say: "missing",
            with: { callee: call.name },
            because: chain(bar),
            severity: "error",
            wanted: "DMA_ATTR_MMIO",
            subject: `${call.name} ${values.canonical(phys)}`,
          };
        }
      }
      const isMmio = call.name === "dma_map_resource" || named(attrs, "DMA_ATTR_MMIO") !== null;
      const memory = isMmio && api.role === "map" && api.memory !== null ? call.args[api.memory] : undefined;
      if (memory === undefined) continue;
      const origins = values.valueOf(memory);
      const ram = origins.find((origin) => origin.meaning === "phys-ram" && origin.certainty === "exact");
      if (ram === undefined || origins.length !== 1 || !isAllocated(ram.expr, values)) continue;
      yield {
        at: call,
        say: "ram",
        with: {
          callee: call.name,
          as: call.name === "dma_map_resource" ? "" : " with DMA_ATTR_MMIO",
          memory: fn.file.textOf(memory),
        },
        because: chain(ram),
        severity: "error",
        subject: `${call.name} ${values.canonical(memory)}`,
      };
    }
    for (const sync of use(handling, fn).syncs) {
      if (sync.handleExpr === null) continue;
      const origins = values.valueOf(sync.handleExpr);
      if (origins.length === 0 || !origins.every((origin) => origin.api === "dma_map_resource")) continue;
      yield {
        at: sync.call,
        say: "sync",
        with: { callee: sync.call.name },
        because: chain(origins[0]!),
        subject: `${sync.call.name} ${sync.handle}`,
      };
    }
  },
});

/** 0 and constants of the kernel: what is not named here is not set. */
function isConstant(attrs: Expr): boolean {
  let is = true;
  walkExpr(attrs, (inner) => {
    if (
      inner.kind === "ident"
        ? !/^[A-Z0-9_]+$/.test(inner.name)
        : inner.kind !== "number" && inner.kind !== "binary"
    ) {
      is = false;
    }
  });
  return is;
}

function named(expr: Expr, name: string): Expr | null {
  let found: Expr | null = null;
  walkExpr(expr, (inner) => {
    if (inner.kind === "ident" && inner.name === name) found ??= inner;
  });
  return found;
}

/** Whether the conversion's argument is memory from one of the kernel's allocators, as the patch shows. */
function isAllocated(
  expr: Expr,
  values: { valueOf(expr: Expr): readonly { api: string; certainty: string }[] },
): boolean {
  if (expr.kind !== "call" || expr.args[0] === undefined) return false;
  const origins = values.valueOf(expr.args[0]);
  return origins.length > 0 && origins.every((origin) => {
    const api = API.get(origin.api);
    return origin.certainty === "exact" && api?.role === "alloc" && api.families.length === 0;
  });
}
