/**
 * T02: the CPU physical address of a BAR given to a device as it is.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { attachmentOf, isDeviceOf, rootOf } from "./facts/device.ts";
import { chain, ownerText } from "./facts/evidence.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isAddress, type Origin } from "./facts/origin.ts";
import { physical } from "./facts/physical.ts";
import { removed } from "./facts/removed.ts";
import { isController, isDmaEngine, isImplementation, isTest } from "./facts/place.ts";
import { placeOf, type Sink, sinks } from "./facts/sinks.ts";

/** Names of the pointer to the other one of two devices. */
const PEER = /^(?:\w*_)?(?:peer|gpu|remote|provider|target|other|rdev_peer)\d*$/;

export default defineRule({
  id: "p2p-raw-bar-phys-as-dma-addr",
  since: "0.1.0",
  code: "T02",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "the CPU physical address of a PCI BAR is given to another device as its DMA address",
  why:
    `\`pci_resource_start()\` is where the CPU finds a BAR. A device behind an IOMMU faults on it, since nobody made
a mapping. Below a common switch the request is routed by PCI bus addresses, and where the host bridge has an offset
the CPU's address hits something else. And nothing has checked that there is a route between the two devices at all.

Which address is right depends on the pair of devices: \`dma_map_sgtable()\` of P2PDMA pages of the BAR, or
\`pci_p2pdma_map_type()\` and what it says, know it; an exporter of a dma-buf has \`dma_buf_phys_vec_to_sgt()\`.`,
  limits:
    `Registers and descriptors count only when the BAR's owner is by its name another device: a device that is told
the address of its own BAR is left alone. That a field is a \`dma_addr_t\` is a hint of low confidence: drivers note
where their own BAR is in such fields.`,
  unless: "the address is for the device that owns the BAR",
  sources: [
    "Documentation/driver-api/pci/p2pdma.rst",
    "https://lore.kernel.org/all/20190523095057.GA15185@lst.de/",
    "https://lore.kernel.org/all/Yxi5h09JAzIo4Kh8@infradead.org/",
    "https://lore.kernel.org/all/20220217171452.GA286231@bhelgaas/",
  ],
  messages: {
    list:
      "`{place}` is set to the CPU physical address of a PCI BAR: the importer's device needs a PCI bus address or an IOVA, which p2pdma knows",
    argument:
      "{place}() takes a DMA address and is given the CPU physical address of a PCI BAR: map it for the device that does the DMA",
    handle:
      "`{place}` holds a DMA address and is set to the CPU physical address of a PCI BAR: map it for the device that does the DMA",
    returned:
      "the function returns a dma_addr_t, and the CPU physical address of a PCI BAR is none: map it for the device that does the DMA",
    replaced:
      "`{place}` was the PCI bus address of pci_bus_address() and is now the CPU physical address, which differs behind a host bridge with an offset",
    peer:
      "the CPU physical address of a BAR of `{owner}` is given to another device: map it for that device, or let p2pdma tell the bus address",
  },
  bad: [
    {
      title: "an exporter fills the list with the BAR",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	sg_dma_address(foo->sgt.sgl) = pci_resource_start(foo->pdev, 2) + foo->offset; /* want: list */
+	sg_dma_len(foo->sgt.sgl) = foo->len;
+	return &foo->sgt;
+}`,
    },
    {
      title: "the patch takes the resource in place of the bus address",
      path: "drivers/pci/foo.c",
      patch: String.raw`
@@ static int foo_ranges(struct pci_dev *pdev, struct foo_prop *prop)
 		if (foo_flags(&res[i], &flags))
 			continue;

-		addr = pci_bus_address(pdev, i);
+		addr = res[i].start; /* want: replaced */
 		foo_set(prop, addr, flags);`,
    },
    {
      title: "a DMA engine copies to the BAR",
      patch: String.raw`
+static void foo_copy(struct foo *foo, struct pci_dev *pdev, dma_addr_t src, size_t len)
+{
+	phys_addr_t dst = pci_resource_start(pdev, 4);
+
+	foo->tx = dmaengine_prep_dma_memcpy(foo->chan, dst, src, len, 0); /* want: argument */
+}`,
    },
    {
      title: "kept as a DMA address",
      patch: String.raw`
+struct foo {
+	dma_addr_t doorbell;
+};
+
+static void foo_init(struct foo *foo, struct pci_dev *pdev)
+{
+	foo->doorbell = pci_resource_start(pdev, 2) + FOO_DOORBELL; /* want: handle */
+}
+
+static dma_addr_t foo_addr(struct pci_dev *pdev)
+{
+	return pci_resource_start(pdev, 2); /* want: returned */
+}`,
    },
    {
      title: "one device is told of the other's BAR",
      patch: String.raw`
+static void foo_link(struct foo *nic, struct foo *gpu, struct foo_desc *desc)
+{
+	desc->peer_addr = cpu_to_le64(pci_resource_start(gpu->pdev, 0) + FOO_WINDOW); /* want: peer */
+}`,
    },
  ],
  good: [
    {
      title: "the helper decides",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	struct phys_vec vec = { .paddr = pci_resource_start(foo->pdev, 2), .len = foo->len };
+
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, &vec, 1, foo->len, dir); /* ok: argument */
+}`,
    },
    {
      title: "a device is told where its own BAR is",
      patch: String.raw`
+static void foo_window(struct foo *foo, struct pci_dev *pdev)
+{
+	writel(lower_32_bits(pci_resource_start(pdev, 2)), foo->regs + FOO_WINDOW); /* ok: peer */
+}`,
    },
    {
      title: "a variable of the wrong type that is remapped",
      patch: String.raw`
+static int foo_probe(struct foo *foo, struct pci_dev *pdev)
+{
+	dma_addr_t base = pci_resource_start(pdev, 0); /* ok: handle */
+
+	foo->regs = ioremap(base, pci_resource_len(pdev, 0));
+	return foo->regs ? 0 : -ENOMEM;
+}`,
    },
    {
      title: "a slave's FIFO is physical by definition",
      patch: String.raw`
+static int foo_fifo(struct foo *foo, struct pci_dev *pdev)
+{
+	struct dma_slave_config cfg = { };
+
+	cfg.dst_addr = pci_resource_start(pdev, 0) + FOO_FIFO; /* ok: handle */
+	return dmaengine_slave_config(foo->chan, &cfg);
+}`,
    },
    {
      title: "the CPU address goes to another variable than the bus address did",
      patch: String.raw`
@@ static int foo_ranges(struct pci_dev *pdev, struct resource *res)
-	bus = pci_bus_address(pdev, 0);
+	phys = res->start; /* ok: replaced */
+	bus = pcibios_to_bus(pdev, phys);
 	foo_set(bus);`,
    },
    {
      title: "an endpoint's outbound window",
      path: "drivers/pci/endpoint/functions/pci-epf-foo.c",
      patch: String.raw`
+static void foo_window(struct foo *foo, struct pci_dev *peer, struct foo_desc *desc)
+{
+	desc->addr = cpu_to_le64(pci_resource_start(peer, 0)); /* ok: peer */
+}`,
    },
  ],
  *check(fn, use) {
    const { file } = fn;
    if (isTest(file)) return;
    const values = use(flow, fn);
    const gone = use(removed, file);
    for (const { target, value, place, op } of values.stores) {
      if (op !== "=" || !("kind" in target) || !isResourceStart(value) || !file.isChanged(value)) continue;
      const before = new RegExp(`(?<![\\w>.])${escaped(file.textOf(target))} ?= ?pci_bus_address ?\\(`);
      if (!before.test(gone.at(value))) continue;
      yield {
        at: value,
        say: "replaced",
        with: { place: file.textOf(target) },
        because: [{ at: value, note: "where the CPU finds it; the patch drops pci_bus_address()" }],
        unless: "what takes it wanted a CPU address all along",
        confidence: "medium",
        subject: place,
      };
    }
    if (isImplementation(file) || isController(file)) return;
    const forCpu = new Set(use(physical, fn).map(({ value }) => placeOf(value, values)));
    for (const sink of use(sinks, fn)) {
      const bar = barIn(sink);
      if (bar === null) continue;
      const isName = bar.certainty === "name";
      if (isName && (sink.kind !== "list" || attachmentOf(fn) === null)) continue;
      const say = sayOf(sink, bar, values);
      if (say === null) continue;
      // A dma_addr_t that is only remapped has the wrong type, and no device sees it.
      if (say === "handle" && (forCpu.has(sink.where) || !isKept(sink))) continue;
      if (say === "argument" && isDmaEngine(file)) continue;
      const isSure = !isName && (say === "list" || say === "argument");
      yield {
        at: sink.at,
        say,
        with: {
          place: say === "argument" ? sink.where : sink.text,
          owner: ownerText(bar) ?? "another device",
        },
        because: [...chain(bar), ...(sink.through === null ? [] : [sink.through])],
        ...(isSure ? {} : { severity: "warning" as const, confidence: "medium" as const }),
        // A field may have the wrong type: many drivers note where their own BAR is in a dma_addr_t.
        ...(say === "handle" && sink.certainty !== "exact" ? { confidence: "low" as const } : {}),
        subject: `${sink.kind} ${sink.where} ${bar.owner ?? bar.api}`,
      };
    }
  },
});

/** `res->start`, `pci_resource_start()`: an address of the CPU. */
function isResourceStart(value: Expr): boolean {
  return (value.kind === "member" && value.field === "start") ||
    (value.kind === "call" && value.name === "pci_resource_start");
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The BAR, when nothing else can flow into the sink; null otherwise. */
function barIn(sink: Sink): Origin | null {
  const addresses = sink.origins.filter(isAddress);
  return addresses.length > 0 && addresses.every(({ meaning }) => meaning === "phys-bar")
    ? addresses[0]!
    : null;
}

function sayOf(
  sink: Sink,
  bar: Origin,
  values: Flow,
): "list" | "argument" | "handle" | "returned" | "peer" | null {
  switch (sink.kind) {
    case "list":
    case "argument":
      return sink.kind;
    case "handle":
      return sink.certainty === "name" ? null : "handle";
    case "return":
      return "returned";
    default: {
      if (bar.owner === null || bar.viaField) return null;
      const isPeer = bar.owner.split(/->|\./).some((name) => PEER.test(name));
      const base = sink.base === null ? null : values.canonical(sink.base);
      const isOwn = base !== null && (rootOf(base) === rootOf(bar.owner) || isDeviceOf(base, bar.owner));
      return isPeer && !isOwn && rootOf(sink.where) !== rootOf(bar.owner) ? "peer" : null;
    }
  }
}

/** A place that outlives the function, or that the DMA API is given: a plain variable may be anything. */
const isKept = (sink: Sink): boolean => sink.certainty === "exact" || /->|\./.test(sink.where);
