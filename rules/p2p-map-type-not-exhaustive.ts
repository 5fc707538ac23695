/**
 * T05: an answer of p2pdma is ignored, or leads to an address that is wrong for it.
 *
 * @module
 */

import { type Expr, partsOf } from "./engine/ast.ts";
import { asCall, type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type Draft, type FunctionView, type Use } from "./engine/rule.ts";
import { tables } from "./facts/callback.ts";
import { type Flow, flow, type Store } from "./facts/flow.ts";
import { addressPlace, mapsRange, mapTypes, type Question, straightOn, type Way } from "./facts/map_type.ts";
import { mentioned } from "./facts/mention.ts";
import { isGoverned } from "./facts/outcome.ts";
import { isTest } from "./facts/place.ts";

const BUS_MAP = "pci_p2pdma_bus_addr_map";
/** Somebody in the file looks at the route. */
const ASKS = /PCI_P2PDMA_MAP_|pci_p2pdma_(?:map_type|state|map_segment|distance)/;
/** Somebody else in the file refuses what has no route. */
const REFUSES = /PCI_P2PDMA_MAP_NOT_SUPPORTED|pci_p2pdma_distance/;

export default defineRule({
  id: "p2p-map-type-not-exhaustive",
  since: "0.1.0",
  code: "T05",
  severity: "error",
  confidence: "medium",
  category: "translation",
  scope: "function",
  summary: "a P2P map type is ignored, or handled as if it were another",
  why:
    `Each value of \`enum pci_p2pdma_map_type\` wants another address. With \`BUS_ADDR\` the peers reach each other
through a switch and need the PCI bus address, without any mapping: an IOVA would be routed up to the root complex. With
\`THRU_HOST_BRIDGE\` the client needs an ordinary mapping of the CPU physical address, as MMIO. With \`NOT_SUPPORTED\` there
is no route, and whatever address is used, the transfer is lost or hits something else: the mapping has to fail.
\`NONE\` (since v6.16) is memory of the host.

\`pci_p2pdma_bus_addr_map()\` only adds an offset. Since v6.19 it does not even warn when the type is another.`,
  limits:
    `What a function remembers of the answer and tests later is taken for right, and so is what a helper does: only code
that follows the answer without another test is judged. The answer is followed in the function that asks.`,
  unless: "the answers that are left out cannot occur, since the caller has ruled them out",
  sources: [
    "include/linux/pci-p2pdma.h: enum pci_p2pdma_map_type (include/linux/dma-map-ops.h before v6.16)",
    "kernel/dma/direct.c: dma_direct_map_sg(); drivers/iommu/dma-iommu.c: iommu_dma_map_sg()",
    "https://lore.kernel.org/all/YxtJA34l5pYhZaCQ@nvidia.com/",
    "https://lore.kernel.org/all/20260603013723.2439-1-lirongqing@baidu.com/",
  ],
  words: ["p2pdma", "P2PDMA"],
  kernel: { since: [6, 0] },
  messages: {
    "bus-mapped":
      "{callee}() is reached with PCI_P2PDMA_MAP_BUS_ADDR: below a switch the client needs the PCI bus address of pci_p2pdma_bus_addr_map(), an IOVA is routed to the root complex",
    unsupported:
      "PCI_P2PDMA_MAP_NOT_SUPPORTED goes the way of a route that exists: nothing fails, and {what}",
    unguarded:
      "pci_p2pdma_bus_addr_map() is called {when}: its result is right for PCI_P2PDMA_MAP_BUS_ADDR only",
    unassigned:
      "`{place}` is set in the other cases, and for PCI_P2PDMA_MAP_THRU_HOST_BRIDGE it keeps what it held before",
    ignored: "the map type that {callee}() returns is ignored",
  },
  bad: [
    {
      title: "no route and the host bridge are one",
      patch: String.raw`
+static dma_addr_t foo_map(struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys, size_t len)
+{
+	dma_addr_t addr;
+
+	if (pci_p2pdma_map_type(prov, dev) == PCI_P2PDMA_MAP_BUS_ADDR)
+		addr = pci_p2pdma_bus_addr_map(prov, phys);
+	else
+		addr = dma_map_phys(dev, phys, len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* want: unsupported */
+	return addr;
+}`,
    },
    {
      title: "asked whether there is a route, not which",
      patch: String.raw`
+static dma_addr_t foo_map(struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys, size_t len)
+{
+	if (pci_p2pdma_map_type(prov, dev) == PCI_P2PDMA_MAP_NOT_SUPPORTED)
+		return DMA_MAPPING_ERROR;
+	return dma_map_phys(dev, phys, len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* want: bus-mapped */
+}`,
    },
    {
      title: "a switch that lets the rest fall out of it",
      patch: String.raw`
+static int foo_set(struct foo *foo, struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys)
+{
+	dma_addr_t addr = 0;
+
+	pci_p2pdma_map_type(prov, foo->dev); /* want: ignored */
+	switch (pci_p2pdma_map_type(prov, dev)) { /* want: unsupported */
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		addr = pci_p2pdma_bus_addr_map(prov, phys);
+		break;
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		addr = dma_map_phys(dev, phys, foo->len, DMA_TO_DEVICE, DMA_ATTR_MMIO);
+		if (dma_mapping_error(dev, addr))
+			return -EIO;
+		break;
+	}
+	foo_program(foo, addr);
+	return 0;
+}`,
    },
    {
      title: "the bus address for every route",
      patch: String.raw`
+static int foo_set(struct foo *foo, struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys)
+{
+	switch (pci_p2pdma_map_type(prov, dev)) {
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		foo_program(foo, pci_p2pdma_bus_addr_map(prov, phys)); /* want: unguarded */
+		return 0;
+	default:
+		return -EREMOTEIO;
+	}
+}`,
    },
    {
      title: "an address that stays as it was",
      patch: String.raw`
+static int foo_map_sg(struct device *dev, struct scatterlist *sgl, int nents)
+{
+	struct pci_p2pdma_map_state state = {};
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgl, sg, nents, i) {
+		switch (pci_p2pdma_state(&state, dev, sg_page(sg))) {
+		case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE: /* want: unassigned */
+			break;
+		case PCI_P2PDMA_MAP_NONE:
+			sg->dma_address = foo_map_page(dev, sg_page(sg), sg->length);
+			break;
+		case PCI_P2PDMA_MAP_BUS_ADDR:
+			sg_dma_address(sg) = pci_p2pdma_bus_addr_map(state.mem, sg_phys(sg));
+			continue;
+		default:
+			return -EREMOTEIO;
+		}
+		sg_dma_len(sg) = sg->length;
+	}
+	return nents;
+}`,
    },
    {
      title: "the same, and the end of the loop is not shown",
      patch: String.raw`
@@ static int foo_map_sg(struct device *dev, struct scatterlist *sgl, int nents)
 	for_each_sg(sgl, sg, nents, i) {
+		switch (pci_p2pdma_state(&state, dev, sg_page(sg))) {
+		case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE: /* want: unassigned */
+			break;
+		case PCI_P2PDMA_MAP_NONE:
+			sg->dma_address = foo_map_page(dev, sg_page(sg), sg->length);
+			break;
+		case PCI_P2PDMA_MAP_BUS_ADDR:
+			sg->dma_address = pci_p2pdma_bus_addr_map(state.mem, sg_phys(sg));
+			continue;
+		default:
+			return -EREMOTEIO;
+		}
 		sg_dma_len(sg) = sg->length;`,
    },
    {
      title: "an exporter that never asks",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	struct sg_table *sgt = foo_alloc_table(foo);
+
+	if (!sgt)
+		return ERR_PTR(-ENOMEM);
+	sg_dma_address(sgt->sgl) = pci_p2pdma_bus_addr_map(foo->provider, foo->phys); /* want: unguarded */
+	sg_dma_len(sgt->sgl) = foo->len;
+	return sgt;
+}
+
+static const struct dma_buf_ops foo_dmabuf_ops = {
+	.map_dma_buf = foo_map,
+};`,
    },
  ],
  good: [
    {
      title: "each route its address",
      patch: String.raw`
+static int foo_set(struct foo *foo, struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys)
+{
+	dma_addr_t addr;
+
+	switch (pci_p2pdma_map_type(prov, dev)) { /* ok: unsupported */
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		addr = pci_p2pdma_bus_addr_map(prov, phys); /* ok: unguarded */
+		break;
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		addr = dma_map_phys(dev, phys, foo->len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: bus-mapped */
+		if (dma_mapping_error(dev, addr))
+			return -EIO;
+		break;
+	default:
+		return -EREMOTEIO;
+	}
+	foo_program(foo, addr);
+	return 0;
+}`,
    },
    {
      title: "the answer is remembered",
      patch: String.raw`
+static int foo_set(struct foo *foo, struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys)
+{
+	bool is_bus = false;
+	dma_addr_t addr;
+
+	switch (pci_p2pdma_map_type(prov, dev)) {
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		is_bus = true;
+		break;
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		break;
+	default:
+		return -EINVAL;
+	}
+	if (is_bus)
+		addr = pci_p2pdma_bus_addr_map(prov, phys); /* ok: unguarded */
+	else
+		addr = dma_map_phys(dev, phys, foo->len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: bus-mapped */
+	return foo_program(foo, addr);
+}`,
    },
    {
      title: "an exporter whose attach() is not shown",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	return foo_table(foo, pci_p2pdma_bus_addr_map(foo->provider, foo->phys)); /* ok: unguarded */
+}
+
+static const struct dma_buf_ops foo_dmabuf_ops = {
+	.attach = foo_attach,
+	.map_dma_buf = foo_map,
+};`,
    },
    {
      title: "cases that the patch does not show",
      patch: String.raw`
@@ static int foo_set(struct foo *foo, struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys)
 	switch (pci_p2pdma_map_type(prov, dev)) { /* ok: unsupported */
 	case PCI_P2PDMA_MAP_BUS_ADDR:
+		addr = pci_p2pdma_bus_addr_map(prov, phys);
 		break;
@@ static int foo_set(struct foo *foo, struct p2pdma_provider *prov, struct device *dev, phys_addr_t phys)
 	}
+	foo_program(foo, addr);
 	return 0;`,
    },
    {
      title: "the mapping stands behind the switch",
      patch: String.raw`
+static int foo_map_sg(struct device *dev, struct scatterlist *sgl, int nents)
+{
+	struct pci_p2pdma_map_state state = {};
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgl, sg, nents, i) {
+		switch (pci_p2pdma_state(&state, dev, sg_page(sg))) {
+		case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE: /* ok: unassigned */
+		case PCI_P2PDMA_MAP_NONE:
+			break;
+		case PCI_P2PDMA_MAP_BUS_ADDR:
+			sg->dma_address = pci_p2pdma_bus_addr_map(state.mem, sg_phys(sg));
+			continue;
+		default:
+			return -EREMOTEIO;
+		}
+		sg->dma_address = foo_map_page(dev, sg_page(sg), sg->length);
+	}
+	return nents;
+}`,
    },
    {
      title: "a question about the route, refused where there is none",
      patch: String.raw`
+static bool foo_reaches(struct p2pdma_provider *prov, struct device *dev)
+{
+	return pci_p2pdma_map_type(prov, dev) != PCI_P2PDMA_MAP_NOT_SUPPORTED;
+}
+
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	struct foo *foo = buf->priv;
+
+	return foo_reaches(foo->provider, attach->dev) ? 0 : -EOPNOTSUPP;
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	dma_addr_t addr;
+
+	if (pci_p2pdma_map_type(foo->provider, attach->dev) == PCI_P2PDMA_MAP_BUS_ADDR)
+		addr = pci_p2pdma_bus_addr_map(foo->provider, foo->phys);
+	else
+		addr = dma_map_phys(attach->dev, foo->phys, foo->len, dir, DMA_ATTR_MMIO); /* ok: unsupported */
+	return foo_table(foo, addr);
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file) || fn.file.path === "drivers/pci/p2pdma.c") return;
    const values = use(flow, fn);
    const questions = use(mapTypes, fn);
    for (const question of questions) {
      const { call, node, ways } = question;
      if (node.kind === "expr" && node.expr !== null && asCall(node.expr) === call && !readsState(fn)) {
        yield { at: call, say: "ignored", with: { callee: call.name } };
      }
      for (const way of ways) yield* follow(way, question, fn, values);
      yield* unassigned(question, values);
    }
    if (questions.length === 0) yield* unasked(fn, values, use);
  },
});

/** A state keeps the answer: `state.map`. */
const readsState = (fn: FunctionView) =>
  /(?:->|\.)map\b/.test(fn.file.text.slice(fn.node.start, fn.node.end));

type Key = "bus-mapped" | "unsupported" | "unguarded" | "unassigned" | "ignored";

function* follow(
  way: Way,
  { call, ways, within }: Question,
  fn: FunctionView,
  values: Flow,
): Generator<Draft<Key>> {
  const straight = straightOn(way.to);
  const calls = values.calls.filter(({ node }) => straight.includes(node));
  const because = [{ at: call, note: "the type is asked here" }, { at: way.at, note: "and told apart here" }];
  const mapping = calls.find(({ api }) => mapsRange(api))?.call;
  const isNamed = (type: "BUS_ADDR" | "NOT_SUPPORTED") =>
    ways.some(({ types }) => types.size === 1 && types.has(type));
  const { types } = way;
  if (mapping !== undefined && types.has("BUS_ADDR") && (types.size === 1 || !isNamed("BUS_ADDR"))) {
    yield { at: mapping, say: "bus-mapped", with: { callee: mapping.name }, because };
  } else if (types.has("NOT_SUPPORTED") && (types.size === 1 || !isNamed("NOT_SUPPORTED"))) {
    // A comparison leaves more than one answer; another one may have told them apart.
    const isTold = within === null &&
      ways.some((other) => other.types.size === 1 && !other.types.has("BUS_ADDR"));
    if (mapping !== undefined && !isTold && !refusesElsewhere(fn)) {
      yield {
        at: mapping,
        say: "unsupported",
        with: { what: `${mapping.name}() maps for a device that cannot reach the peer` },
        because,
      };
    } else if (way.isLeftOver && within !== null) {
      const place = usedLater(ways, straight, values);
      if (place !== null) {
        yield {
          at: way.at,
          say: "unsupported",
          with: { what: `\`${place}\` is used as it was before the switch` },
        };
      }
    }
  }
  const bus = calls.find(({ call }) => call.name === BUS_MAP)?.call;
  const isRight = types.has("BUS_ADDR") && types.size === 1;
  if (bus !== undefined && !isRight && (within === null ? types.size === 1 : true) && !way.isLeftOver) {
    const others = [...types].filter((type) => type !== "BUS_ADDR");
    yield {
      at: bus,
      say: "unguarded",
      with: { when: `for ${others.map((type) => `PCI_P2PDMA_MAP_${type}`).join(", ")}` },
      because,
    };
  }
}

/** Whether another function of the file deals with peers that cannot be reached. */
function refusesElsewhere(fn: FunctionView): boolean {
  return fn.file.functions.some((other) =>
    other !== fn && REFUSES.test(fn.file.text.slice(other.node.start, other.node.end))
  );
}

/** A place that the cases set, and that the way on reads although none of them was taken. */
function usedLater(ways: readonly Way[], straight: readonly CfgNode[], values: Flow): string | null {
  const set = new Set(
    ways.filter(({ isLeftOver }) => !isLeftOver).flatMap(({ to }) => {
      const nodes = straightOn(to);
      return values.stores.filter((store) => nodes.includes(store.node) && isAddressStore(store))
        .map(({ place }) => place);
    }),
  );
  for (const node of straight) {
    const expr = node.expr ?? node.decl?.init ?? null;
    if (expr === null) continue;
    const place = [...set].find((one) => reads(expr, one, values));
    if (place !== undefined) return place;
  }
  return null;
}

function reads(expr: Expr, place: string, values: Flow): boolean {
  if (expr.kind === "assign" && expr.op === "=") return reads(expr.value, place, values);
  if (expr.kind === "ident" ? expr.name === place : values.canonical(expr) === place) return true;
  return partsOf(expr).some((part) => reads(part, place, values));
}

const isAddressStore = (store: Store): boolean =>
  store.op === "=" &&
  (store.origins.some(({ meaning }) => meaning === "dma" || meaning === "pci-bus") ||
    /(?:->|\.)dma_address$/.test(addressPlace(store.place)));

function* unassigned({ call, node, ways, within }: Question, values: Flow): Generator<Draft<Key>> {
  if (within === null) return;
  const storesOf = ({ to }: Way) => {
    const nodes = straightOn(to);
    return new Set(
      values.stores.filter((store) => nodes.includes(store.node) && isAddressStore(store))
        .map(({ place }) => addressPlace(place)),
    );
  };
  const bus = ways.find(({ types }) => types.size === 1 && types.has("BUS_ADDR"));
  const none = ways.find(({ types }) => types.size === 1 && types.has("NONE"));
  const bridge = ways.find(({ types }) => types.size === 1 && types.has("THRU_HOST_BRIDGE"));
  if (bus === undefined || none === undefined || bridge === undefined) return;
  const places = storesOf(bus).intersection(storesOf(none)).difference(storesOf(bridge));
  for (const place of places) {
    const writes = new Set(
      values.stores.filter((store) => addressPlace(store.place) === place).map((store) => store.node),
    );
    if (writes.has(bridge.to) || !keeps(bridge.to, place, writes, node, values)) continue;
    yield {
      at: bridge.at,
      say: "unassigned",
      with: { place },
      because: [
        { at: call, note: "the next entry is asked about" },
        ...values.stores.filter((store) => addressPlace(store.place) === place).slice(0, 2)
          .map((store) => ({ at: store.value, note: "set here" })),
      ],
      unless: "something else sets the address of such an entry",
      subject: place,
    };
  }
}

/** Whether an entry is done with, and the next one is asked about, without a new address in its place. */
function keeps(
  from: CfgNode,
  place: string,
  writes: ReadonlySet<CfgNode>,
  next: CfgNode,
  values: Flow,
): boolean {
  const follow = (start: CfgNode, isIt: (at: CfgNode) => boolean) =>
    search(start, (at) => isIt(at) ? "hit" : writes.has(at) || at.kind === "hole" ? "stop" : "go").hit;
  if (follow(from, (at) => at === next) !== null) return true;
  // Where the end of the loop is not shown: who sets the length has set the address.
  const entry = place.replace(/(?:->|\.)dma_address$/, "");
  const lengths = new Set(
    values.stores.filter((store) =>
      store.place === `sg_dma_len(${entry})` || store.place === `${entry}->dma_length`
    ).map((store) => store.node),
  );
  const length = lengths.has(from) ? from : follow(from, (at) => lengths.has(at));
  return length !== null &&
    search(length, (at) => writes.has(at) ? "hit" : at === next ? "stop" : "go").hit === null;
}

/** An exporter's callback that hands out bus addresses while nobody in the file asks for the route. */
function* unasked(fn: FunctionView, values: Flow, use: Use): Generator<Draft<Key>> {
  if (!fn.whole || mentioned(fn.file, ASKS)) return;
  const table = use(tables, fn.file).find(({ struct, callee }) =>
    struct === "dma_buf_ops" && callee("map_dma_buf") === fn.name
  );
  const attach = table?.callee("attach") ?? null;
  // attach() may refuse a peer without a route where it is not shown.
  if (
    table === undefined || (attach !== null && !fn.file.functions.some(({ name }) => name === attach))
  ) return;
  for (const { call, node } of values.calls) {
    if (call.name !== BUS_MAP || isGoverned(node, values)) continue;
    yield { at: call, say: "unguarded", with: { when: "and nobody asks for the route" } };
  }
}
