/**
 * T09: P2P memory is mapped with a function that takes it for RAM, or through the host bridge without
 * DMA_ATTR_MMIO.
 *
 * @module
 */

import { type Call, type Expr, walkExpr } from "./engine/ast.ts";
import { asCall, search } from "./engine/cfg.ts";
import { type Because, defineRule, type Draft, type FunctionView } from "./engine/rule.ts";
import { compare } from "./engine/version.ts";
import { describe } from "./facts/evidence.ts";
import { type CallSite, type Flow, flow } from "./facts/flow.ts";
import { mapsRange, mapTypes, straightOn } from "./facts/map_type.ts";
import { isImplementation } from "./facts/place.ts";
import type { Api, Version } from "./kernel/mod.ts";

const MMIO = "DMA_ATTR_MMIO";
const MMIO_SINCE: Version = [6, 18];

export default defineRule({
  id: "p2p-page-mapped-as-ram",
  since: "0.1.0",
  code: "T09",
  severity: "warning",
  confidence: "medium",
  category: "translation",
  scope: "function",
  summary: "P2P memory is mapped like RAM: by a function that never asks p2pdma, or without DMA_ATTR_MMIO",
  why:
    `\`dma_map_page()\`, \`dma_map_bvec()\` and \`dma_map_single()\` never ask p2pdma: for a page of a peer's BAR they return an
IOVA or a translated CPU address, whatever the route is, and they do so for a peer that cannot be reached at all.
\`dma_map_sg()\` and \`dma_map_sgtable()\` look at each page.

Through the host bridge P2P memory is mapped like other memory, but it is MMIO. Without \`DMA_ATTR_MMIO\` (v6.18) the entry
in the IOMMU is a cacheable one, a device that is not coherent flushes CPU caches over the BAR, and with
\`swiotlb=force\` the mapping bounces it. \`DMA_ATTR_SKIP_CPU_SYNC\` only keeps the caches from being flushed. The attribute
is wanted at the unmapping as well.`,
  limits:
    `Pages that were pinned with \`FOLL_PCI_P2PDMA\` are not followed to where they are mapped. Attributes that come in as an
argument or from a structure are taken for right.`,
  unless:
    "the page is known to be no P2PDMA page, or the kernel is older than v6.18, which has no DMA_ATTR_MMIO",
  sources: [
    "kernel/dma/mapping.c: dma_map_page_attrs(); kernel/dma/direct.h: dma_direct_map_page()",
    "Documentation/core-api/dma-attributes.rst: DMA_ATTR_MMIO (v6.18)",
    "https://lore.kernel.org/all/998251caf3f9d1a3f6f8205f1f494c707fb4d8fa.1757423202.git.leonro@nvidia.com/",
    "https://lore.kernel.org/all/8f912671-f1d9-4f73-9c1d-e39938bfc09f@arm.com/",
  ],
  messages: {
    page:
      "{callee}() never asks p2pdma, and {what}; use dma_map_sgtable(), which maps by the route to the peer",
    attrs:
      "{callee}() maps P2P memory through the host bridge without DMA_ATTR_MMIO: the memory is MMIO, and must not be cached, flushed or bounced",
    sync:
      "DMA_ATTR_SKIP_CPU_SYNC only keeps caches from being flushed; P2P memory through the host bridge is MMIO and needs DMA_ATTR_MMIO",
  },
  bad: [
    {
      title: "known to be P2P memory and mapped like a page",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page *page)
+{
+	if (is_pci_p2pdma_page(page)) {
+		foo->dma = dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE); /* want: page */
+		return dma_mapping_error(foo->dev, foo->dma);
+	}
+	return -EINVAL;
+}
+
+static int foo_fill(struct foo *foo, struct pci_dev *pdev)
+{
+	void *buf = pci_alloc_p2pmem(pdev, SZ_4K);
+
+	if (!buf)
+		return -ENOMEM;
+	foo->dma = dma_map_page(foo->dev, virt_to_page(buf), 0, SZ_4K, DMA_TO_DEVICE); /* want: page */
+	foo->dma2 = dma_map_single(foo->dev, buf, SZ_4K, DMA_TO_DEVICE); /* want: page */
+	return dma_mapping_error(foo->dev, foo->dma) || dma_mapping_error(foo->dev, foo->dma2);
+}`,
    },
    {
      title: "through the host bridge like RAM",
      patch: String.raw`
+static dma_addr_t foo_map(struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys, size_t len)
+{
+	unsigned long attrs = 0;
+
+	switch (pci_p2pdma_map_type(prov, dev)) {
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		return pci_p2pdma_bus_addr_map(prov, phys);
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		attrs |= DMA_ATTR_SKIP_CPU_SYNC; /* want: sync */
+		break;
+	default:
+		return DMA_MAPPING_ERROR;
+	}
+	return dma_map_phys(dev, phys, len, DMA_TO_DEVICE, attrs);
+}
+
+static dma_addr_t foo_map_more(struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys, size_t len)
+{
+	switch (pci_p2pdma_map_type(prov, dev)) {
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		return pci_p2pdma_bus_addr_map(prov, phys);
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		return dma_map_phys(dev, phys, len, DMA_TO_DEVICE, 0); /* want: attrs */
+	default:
+		return DMA_MAPPING_ERROR;
+	}
+}`,
    },
    {
      title: "one address, a bus address or a mapping",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	if (!foo->state)
+		foo->addr = pci_p2pdma_bus_addr_map(foo->provider, foo->vec.paddr);
+	else
+		foo->addr = dma_map_phys(attach->dev, foo->vec.paddr, foo->vec.len, dir, DMA_ATTR_SKIP_CPU_SYNC); /* want: attrs */
+	return foo->state ? dma_mapping_error(attach->dev, foo->addr) : 0;
+}`,
    },
  ],
  good: [
    {
      title: "P2P memory goes another way",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page *page)
+{
+	if (is_pci_p2pdma_page(page))
+		return foo_map_sg(foo, page);
+	foo->dma = dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE); /* ok: page */
+	return dma_mapping_error(foo->dev, foo->dma);
+}
+
+static int foo_count(struct foo *foo, struct page *page)
+{
+	if (is_pci_p2pdma_page(page))
+		foo->p2p++;
+	foo->dma = dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE); /* ok: page */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
    {
      title: "as MMIO, or as the caller says",
      patch: String.raw`
+static dma_addr_t foo_map(struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys, size_t len)
+{
+	unsigned long attrs = DMA_ATTR_SKIP_CPU_SYNC;
+
+	switch (pci_p2pdma_map_type(prov, dev)) {
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		return pci_p2pdma_bus_addr_map(prov, phys);
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		attrs |= DMA_ATTR_MMIO; /* ok: sync */
+		return dma_map_phys(dev, phys, len, DMA_TO_DEVICE, attrs); /* ok: attrs */
+	default:
+		return DMA_MAPPING_ERROR;
+	}
+}
+
+static dma_addr_t foo_map_with(struct foo *foo, struct device *dev, phys_addr_t phys, unsigned long attrs)
+{
+	if (!foo->state)
+		return pci_p2pdma_bus_addr_map(foo->provider, phys);
+	return dma_map_phys(dev, phys, foo->len, DMA_TO_DEVICE, attrs); /* ok: attrs */
+}`,
    },
    {
      title: "a BAR that is known for one is one mistake",
      patch: String.raw`
+static dma_addr_t foo_map(struct foo *foo, struct p2pdma_provider *prov, struct device *dev)
+{
+	phys_addr_t phys = pci_resource_start(foo->pdev, 2);
+
+	if (!foo->state)
+		return pci_p2pdma_bus_addr_map(prov, phys);
+	return dma_map_phys(dev, phys, foo->len, DMA_TO_DEVICE, 0); /* want: dma-mmio-attr-misuse.missing */ /* ok: attrs */
+}`,
    },
    {
      title: "a kernel without the attribute",
      kernel: "6.16",
      patch: String.raw`
+static dma_addr_t foo_map(struct foo *foo, struct device *dev, struct page *page)
+{
+	switch (pci_p2pdma_state(&foo->state, dev, page)) {
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		return dma_map_page_attrs(dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE, DMA_ATTR_SKIP_CPU_SYNC); /* ok: attrs */
+	default:
+		return DMA_MAPPING_ERROR;
+	}
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    yield* pages(fn, values);
    const { kernel } = use.side;
    if (kernel !== null && compare(kernel, MMIO_SINCE) < 0) return;
    const bridges = use(mapTypes, fn).flatMap(({ ways }) =>
      ways.filter(({ types }) => types.size === 1 && types.has("THRU_HOST_BRIDGE"))
        .map(({ to, at }) => ({
          straight: straightOn(to),
          because: [{ at, note: "through the host bridge" }],
        }))
    );
    // One word for one variable, where it gets its bits.
    const skips = new Set<string>();
    for (const { straight, because } of bridges) {
      for (const { node, op, value, place } of values.stores) {
        const isSkip = op === "|=" && names(value).includes("DMA_ATTR_SKIP_CPU_SYNC");
        if (!isSkip || !straight.includes(node) || isGivenMmio(place, values)) continue;
        skips.add(place);
        yield { at: value, say: "sync", because, subject: place };
      }
    }
    for (const { call, api, node } of values.calls) {
      if (!mapsRange(api)) continue;
      const attrs = call.args[api!.attrs ?? -1];
      if (!lacksMmio(attrs, fn, values) || names(attrs!).some((name) => skips.has(name))) continue;
      if (isSaidElsewhere(call, api!, attrs!, values)) continue;
      const because = bridges.find(({ straight }) => straight.includes(node))?.because ??
        sameAddress(call, api!, values);
      if (because !== null) yield { at: call, say: "attrs", with: { callee: call.name }, because };
    }
  },
});

/** dma-mmio-attr-misuse reports what is known to be a BAR's address and is mapped with constant attributes. */
function isSaidElsewhere(call: Call, api: Api, attrs: Expr, values: Flow): boolean {
  const phys = api.memory !== null && api.params[api.memory] === "phys" ? call.args[api.memory] : undefined;
  const origins = phys === undefined ? [] : values.valueOf(phys);
  return origins.length > 0 && names(attrs).every((name) => name.startsWith("DMA_ATTR_")) &&
    origins.every(({ meaning, certainty }) => meaning === "phys-bar" && certainty === "exact");
}

/** The address becomes a bus address elsewhere in the function: it is P2P memory. */
function sameAddress(call: Call, api: Api, values: Flow): Because[] | null {
  const phys = api.memory !== null && api.params[api.memory] === "phys" ? call.args[api.memory] : undefined;
  if (phys === undefined) return null;
  const form = values.canonical(phys);
  const bus = values.calls.find((other) =>
    other.call.name === "pci_p2pdma_bus_addr_map" && other.call.args[1] !== undefined &&
    values.canonical(other.call.args[1]) === form
  );
  return bus === undefined
    ? null
    : [{ at: bus.call, note: `\`${form}\` is P2P memory: here it becomes a bus address` }];
}

/** Mappings of pages that are P2PDMA pages for sure. */
function* pages(fn: FunctionView, values: Flow): Generator<Draft<"page">> {
  for (const site of values.calls) {
    const { call, api } = site;
    if (api?.role !== "map" || !api.families.includes("single") || api.memory === null) continue;
    const memory = call.args[api.memory];
    if (memory === undefined) continue;
    const origins = values.valueOf(memory);
    const origin = origins.find(({ meaning, certainty }) =>
      certainty === "exact" && (meaning === "page-p2p" || meaning === "kva-p2p")
    );
    if (origin !== undefined && origins.length === 1) {
      yield {
        at: call,
        say: "page",
        with: { callee: call.name, what: `\`${fn.file.textOf(memory)}\` is memory of a PCI BAR` },
        because: [{ at: origin.expr, note: describe(origin), file: origin.file }],
      };
      continue;
    }
    const form = values.canonical(memory);
    const page = api.params[api.memory] === "page" ? form : `${form.replace(/^&/, "")}.bv_page`;
    const test = values.cfg.nodes.find((node) =>
      node.kind === "test" && node.expr !== null && asksOf(node.expr, values) === page &&
      isBehind(node, site, page, values)
    );
    if (test === undefined) continue;
    yield {
      at: call,
      say: "page",
      with: { callee: call.name, what: `\`${page}\` is a P2PDMA page here` },
      because: [{ at: test.at, note: "tested here" }],
    };
  }
}

/** The page that is_pci_p2pdma_page() is asked of; null when the expression is something else. */
function asksOf(expr: Expr, values: Flow): string | null {
  const call = asCall(expr);
  return call?.name === "is_pci_p2pdma_page" && call.args[0] !== undefined
    ? values.canonical(call.args[0])
    : null;
}

/** Whether the mapping is reached when the test is true, and in no other way. */
function isBehind(test: CallSite["node"], { node }: CallSite, page: string, values: Flow): boolean {
  const writes = new Set(values.stores.filter((store) => store.place === page).map((store) => store.node));
  const yes = test.succ.find((edge) => edge.when === true)?.to;
  if (yes === undefined) return false;
  const reached = yes === node ||
    search(
        yes,
        (at) => at === node ? "hit" : at === test || writes.has(at) || at.kind === "hole" ? "stop" : "go",
      ).hit !==
      null;
  if (!reached) return false;
  return search(
    values.cfg.entry,
    (at) => at === node ? "hit" : "go",
    (at) => at === test ? at.succ.filter((edge) => edge.when === false) : at.succ,
  ).hit === null;
}

function names(expr: Expr): string[] {
  const out: string[] = [];
  walkExpr(expr, (part) => {
    if (part.kind === "ident") out.push(part.name);
  });
  return out;
}

/** Whether the attributes are all shown and DMA_ATTR_MMIO is not among them. */
function lacksMmio(attrs: Expr | undefined, fn: FunctionView, values: Flow): boolean {
  if (attrs === undefined) return false;
  return names(attrs).every((name) => {
    if (name.startsWith("DMA_ATTR_")) return name !== MMIO;
    if (fn.node.params.some((param) => param.name === name)) return false;
    const stores = values.stores.filter((store) => store.place === name);
    return fn.whole && stores.length > 0 &&
      stores.every(({ value }) =>
        names(value).every((part) => part.startsWith("DMA_ATTR_") && part !== MMIO) && value.kind !== "call"
      );
  }) && attrs.kind !== "call" && attrs.kind !== "member";
}

const isGivenMmio = (place: string, values: Flow): boolean =>
  values.stores.some((store) => store.place === place && names(store.value).includes(MMIO));
