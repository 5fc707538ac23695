/**
 * T01: a BAR of one PCI device mapped for another with an API that knows only one of them.
 *
 * @module
 */

import { compare } from "./engine/version.ts";
import type { Expr } from "./engine/ast.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { isDeviceOf, isImporter, relate } from "./facts/device.ts";
import { chain, ownerText } from "./facts/evidence.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import { isDmaEngine, isImplementation } from "./facts/place.ts";

const MAPS = new Set(["dma_map_resource", "dma_map_phys"]);
const ROUTE = /\b(?:__)?pci_p2pdma_(?:map_type|state|map_segment|update_state)\s*\(/;
const DISTANCE = /^pci_p2pdma_distance/;
const OTHER_DEVICE = /^(?:peer|importer|client|target)(?:_?dev)?$/;

export default defineRule({
  id: "p2p-dma-map-resource-on-bar",
  since: "0.1.0",
  code: "T01",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "a PCI BAR of one device is mapped for another with dma_map_resource()",
  why:
    `Peer-to-peer traffic takes one of two ways. Below a common PCIe switch without ACS redirect it never reaches
the root complex: the switch routes on PCI bus addresses and no IOMMU sees the request. Between connected root ports it
goes up to the host bridge, through the IOMMU of the device that issues it, and down again. Which of the two it is
depends on the pair of devices, and \`dma_map_resource()\` (since v6.18 a wrapper for \`dma_map_phys()\` with
\`DMA_ATTR_MMIO\`) is told about one of them only. It returns an IOVA, or without an IOMMU the CPU physical address:
the first is routed the wrong way below a switch, the second misses the BAR when the host bridge has an offset between
CPU and bus addresses, and neither is refused where there is no route at all.

\`pci_p2pdma_distance()\` beforehand removes the last problem only: it accepts both ways, and one of them must not be
mapped.`,
  limits:
    `A BAR address that comes from another file is not followed. A device is called another one only when the
patch proves it: the importer of a dma-buf, or the device of another pointer.`,
  unless: "both names stand for the same PCI device, which then maps its own BAR",
  sources: [
    "https://lore.kernel.org/all/YxiJcQ72ogLBpY25@infradead.org/",
    "https://lore.kernel.org/all/Yxs+k6psNfBLDqdv@infradead.org/",
    "https://lore.kernel.org/all/YxtJA34l5pYhZaCQ@nvidia.com/",
    "drivers/pci/p2pdma.c: calc_map_type_and_dist()",
    "drivers/dma-buf/dma-buf-mapping.c: dma_buf_phys_vec_to_sgt() (v6.19)",
  ],
  messages: {
    bar:
      "{callee}() maps a BAR of `{owner}` for `{device}`: it knows neither whether the route between the two needs a PCI bus address or an IOVA, nor whether there is a route; use the p2pdma API",
    named:
      "{callee}() seems to map a PCI BAR (`{name}`) for the importer `{device}`: it knows neither whether the route between the two devices needs a PCI bus address or an IOVA, nor whether there is a route; use the p2pdma API",
  },
  bad: [
    {
      title: "an exporter maps its BAR for the importer of a dma-buf",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	dma_addr_t addr;
+
+	addr = dma_map_resource(attach->dev, pci_resource_start(foo->pdev, 2), foo->len, dir, 0); /* want: bar */
+	if (dma_mapping_error(attach->dev, addr))
+		return ERR_PTR(-ENOMEM);
+	return foo_table(foo, addr);
+}`,
    },
    {
      title: "the address takes a detour through a field, and the distance is known",
      patch: String.raw`
+static void foo_init(struct foo *foo, struct pci_dev *pdev)
+{
+	foo->window = pci_resource_start(pdev, 4);
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	phys_addr_t phys = foo->window + foo->offset;
+	dma_addr_t addr;
+
+	if (pci_p2pdma_distance(foo->pdev, attach->dev, true) < 0)
+		return ERR_PTR(-EOPNOTSUPP);
+	addr = dma_map_phys(attach->dev, phys, foo->len, dir, DMA_ATTR_MMIO); /* want: bar */
+	return foo_table(foo, attach->dev, addr);
+}`,
    },
    {
      title: "a helper fills the table for a device that it is told",
      patch: String.raw`
+static int foo_fill(struct foo *foo, struct device *dev, struct scatterlist *sg, enum dma_data_direction dir)
+{
+	dma_addr_t addr = dma_map_resource(dev, foo->vram_base + foo->offset, foo->len, dir, 0); /* want: named */
+
+	if (dma_mapping_error(dev, addr))
+		return -ENOMEM;
+	sg_set_page(sg, NULL, foo->len, 0);
+	sg_dma_address(sg) = addr;
+	return 0;
+}`,
    },
    {
      title: "only the name says that it is a BAR",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	foo->addr = dma_map_resource(attach->dev, foo->bar_base, foo->len, dir, 0); /* want: named */
+	return foo_table(foo, attach->dev);
+}`,
    },
  ],
  good: [
    {
      title: "the helper of v6.19 decides",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	struct phys_vec vec = { .paddr = pci_resource_start(foo->pdev, 2), .len = foo->len };
+
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, &vec, 1, foo->len, dir);
+}`,
    },
    {
      title: "a device maps its own BAR",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	struct device *dev = &pdev->dev;
+	dma_addr_t addr = dma_map_resource(dev, pci_resource_start(pdev, 0), SZ_4K, DMA_BIDIRECTIONAL, 0); /* ok: bar */
+
+	return dma_mapping_error(dev, addr);
+}`,
    },
    {
      title: "the map type is asked first",
      patch: String.raw`
+static dma_addr_t foo_addr(struct foo *foo, struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	phys_addr_t phys = pci_resource_start(foo->pdev, 2);
+
+	switch (pci_p2pdma_map_type(foo->provider, attach->dev)) {
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		return pci_p2pdma_bus_addr_map(foo->provider, phys);
+	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
+		return dma_map_phys(attach->dev, phys, foo->len, dir, DMA_ATTR_MMIO); /* ok: bar */
+	default:
+		return DMA_MAPPING_ERROR;
+	}
+}`,
    },
    {
      title: "the route was asked for when the importer attached",
      patch: String.raw`
+static int foo_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
+{
+	struct foo *foo = dmabuf->priv;
+
+	foo->type = pci_p2pdma_map_type(foo->provider, attach->dev);
+	return foo->type == PCI_P2PDMA_MAP_THRU_HOST_BRIDGE ? 0 : -EOPNOTSUPP;
+}
+
+static dma_addr_t foo_addr(struct foo *foo, struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	return dma_map_phys(attach->dev, pci_resource_start(foo->pdev, 2), foo->len, dir, DMA_ATTR_MMIO); /* ok: bar */
+}`,
    },
    {
      title: "an on-chip FIFO is what the function was made for",
      patch: String.raw`
+static int foo_fifo(struct foo *foo, struct resource *res, struct dma_chan *chan)
+{
+	foo->fifo = dma_map_resource(chan->device->dev, res->start, SZ_4K, DMA_TO_DEVICE, 0); /* ok: bar */
+	return dma_mapping_error(chan->device->dev, foo->fifo);
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file) || isDmaEngine(fn.file)) return;
    const values = use(flow, fn);
    // Whoever asks for the route, be it when the importer attaches, knows what he maps.
    if (mentioned(fn.file, ROUTE)) return;
    for (const { call } of values.calls) {
      if (!MAPS.has(call.name)) continue;
      const [deviceExpr, memory] = call.args;
      if (deviceExpr === undefined || memory === undefined) continue;
      const device = values.canonical(deviceExpr);
      const isForImporter = isImporter(device, fn) || fillsTableFor(fn, values, device);
      for (const origin of values.valueOf(memory)) {
        if (origin.meaning !== "phys-bar") continue;
        const isName = origin.certainty === "name";
        if (isName && !isForImporter) continue;
        if (!isName) {
          if (origin.owner !== null && isDeviceOf(device, origin.owner)) continue;
          const isOther = isForImporter || OTHER_DEVICE.test(device) ||
            (origin.owner !== null && !origin.viaField &&
              relate(fn, device, `&${origin.owner}->dev`) === "different");
          if (!isOther) continue;
        }
        const distance = values.calls.find(({ call }) => DISTANCE.test(call.name));
        const isNewest = use.side.kernel === null || compare(use.side.kernel, [6, 19]) >= 0;
        yield {
          at: call,
          say: isName ? "named" : "bar",
          with: {
            callee: call.name,
            owner: ownerText(origin) ?? "another device",
            device: fn.file.textOf(deviceExpr),
            name: origin.api,
          },
          because: [
            ...chain(origin),
            {
              at: deviceExpr,
              note: isForImporter
                ? `mapped for \`${fn.file.textOf(deviceExpr)}\`, the importer: it issues the DMA`
                : `mapped for \`${fn.file.textOf(deviceExpr)}\``,
            },
            ...(distance === undefined ? [] : [{
              at: distance.call,
              note:
                `${distance.call.name}() accepts both routes; only the one through the host bridge may be mapped`,
            }]),
          ],
          wanted: isForImporter && isNewest
            ? "dma_buf_phys_vec_to_sgt(attach, provider, phys_vec, nr_ranges, size, dir)"
            : "dma_map_sgtable() of P2PDMA pages of the BAR (pci_p2pdma_add_resource())",
          ...(isName ? { severity: "warning" as const, confidence: "medium" as const } : {}),
          subject: `${call.name} ${device} ${origin.owner ?? origin.api}`,
        };
        break;
      }
    }
  },
});

/**
 * Whether the function has the shape of an exporter's helper: it is told a device and a direction, and writes
 * addresses into a table without pages. The device is the importer's then.
 */
function fillsTableFor(fn: FunctionView, values: Flow, device: string): boolean {
  const { params } = fn.node;
  return params.some((param) => param.name === device && param.type === "struct device *") &&
    params.some((param) => param.type === "enum dma_data_direction") &&
    (values.stores.some((store) => store.place.startsWith("sg_dma_address(")) ||
      values.calls.some(({ call }) => call.name === "sg_set_page" && isNull(call.args[1])));
}

const isNull = (expr: Expr | undefined) => expr?.kind === "ident" && expr.name === "NULL";
