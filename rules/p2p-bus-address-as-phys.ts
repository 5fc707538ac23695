/**
 * T03: a bus address where the CPU's view is wanted: a PCI bus address, or a raw cell of the device tree.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { type Because, defineRule, type FunctionView } from "./engine/rule.ts";
import { chain, ownerText } from "./facts/evidence.ts";
import { flow } from "./facts/flow.ts";
import type { Origin } from "./facts/origin.ts";
import { physical } from "./facts/physical.ts";
import { isImplementation } from "./facts/place.ts";

export default defineRule({
  id: "p2p-bus-address-as-phys",
  since: "0.1.0",
  code: "T03",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "a bus address is used as a CPU physical address",
  why: `\`pci_bus_address()\` is what a TLP below the host bridge carries and what the BAR register holds.
\`dma_map_resource()\`, \`ioremap()\`, \`iommu_map()\` and a \`phys_vec\` take the CPU's view of the same memory,
\`pci_resource_start()\`. The two differ by the offset of the host bridge's window; it is 0 on most machines, which
hides the mistake. A p2pdma helper applied to a bus address adds the offset twice.

The cells of a \`reg\` property are addresses of the bus that the node sits on. \`of_translate_address()\`, or
simply the \`struct resource\` of the device, has the CPU physical address; each \`ranges\` on the way up may change
it. dmaengine translates the CPU physical address of a slave's FIFO itself.`,
  limits: "A bus address that was stored by another file is known by its type only.",
  unless: "the bus has no offset on any machine with this device",
  sources: [
    "drivers/pci/host-bridge.c: pcibios_resource_to_bus()",
    "include/linux/pci-p2pdma.h: pci_p2pdma_bus_addr_map()",
    "https://lore.kernel.org/all/20190523095057.GA15185@lst.de/",
    "drivers/of/address.c: of_translate_address()",
    "Documentation/driver-api/dmaengine/client.rst: slave addresses",
  ],
  messages: {
    bus:
      "{callee}() takes the CPU physical address, and `{value}` is a PCI bus address: use pci_resource_start()",
    stored:
      "`{place}` is a CPU physical address and is set to the PCI bus address `{value}`: use pci_resource_start()",
    twice:
      "{callee}() adds the bus offset, and `{value}` is a PCI bus address already: give it the CPU physical address",
    named:
      "{function}() returns a PCI bus address under the name of a CPU physical address: name it and type it as what it is, a pci_bus_addr_t",
    cell:
      "`{value}` is a raw cell of the device tree, an address of the parent bus, and is used as a CPU physical address: take the start of the struct resource",
  },
  bad: [
    {
      title: "mapped and remapped",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct pci_dev *pdev)
+{
+	pci_bus_addr_t bar = pci_bus_address(pdev, 2);
+
+	foo->regs = ioremap(bar, SZ_4K); /* want: bus */
+	foo->dma = dma_map_resource(foo->dev, bar + FOO_FIFO, SZ_4K, DMA_TO_DEVICE, 0); /* want: bus */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
    {
      title: "in a range of physical memory",
      patch: String.raw`
+static void foo_range(struct phys_vec *vec, struct pci_dev *pdev)
+{
+	vec->paddr = pci_bus_address(pdev, 4); /* want: stored */
+	vec->len = pci_resource_len(pdev, 4);
+}`,
    },
    {
      title: "the offset is added twice",
      patch: String.raw`
+static dma_addr_t foo_bus(struct p2pdma_provider *provider, struct pci_dev *pdev)
+{
+	return pci_p2pdma_bus_addr_map(provider, pci_bus_address(pdev, 4)); /* want: twice */
+}`,
    },
    {
      title: "a cell of the device tree",
      patch: String.raw`
+static int foo_dma(struct foo *foo, struct device_node *np)
+{
+	const __be32 *reg = of_get_address(np, 0, NULL, NULL);
+	struct dma_slave_config cfg = { };
+
+	cfg.dst_addr = be32_to_cpup(reg) + FOO_FIFO; /* want: cell */
+	return dmaengine_slave_config(foo->chan, &cfg);
+}`,
    },
    {
      title: "a helper named after the other space",
      patch: String.raw`
+static u64 foo_bar_phys_addr(struct foo *foo, struct pci_dev *pdev, int bar) /* want: named */
+{
+	if (foo->is_fixed)
+		return foo->fixed;
+	return pci_bus_address(pdev, bar);
+}`,
    },
  ],
  good: [
    {
      title: "a helper named for what it returns",
      patch: String.raw`
+static u64 foo_bar_bus_addr(struct foo *foo, struct pci_dev *pdev, int bar)
+{
+	return pci_bus_address(pdev, bar); /* ok: named */
+}
+
+static phys_addr_t foo_bar_phys(struct pci_dev *pdev, int bar)
+{
+	return pci_resource_start(pdev, bar); /* ok: named */
+}`,
    },
    {
      title: "the CPU's view",
      patch: String.raw`
+static void foo_range(struct phys_vec *vec, struct pci_dev *pdev)
+{
+	vec->paddr = pci_resource_start(pdev, 4); /* ok: stored */
+	vec->len = pci_resource_len(pdev, 4);
+}`,
    },
    {
      title: "a device is told the bus address of its own BAR",
      patch: String.raw`
+static void foo_window(struct foo *foo, struct pci_dev *pdev)
+{
+	pci_bus_addr_t bar = pci_bus_address(pdev, 2);
+
+	foo->cmb_bus = bar;
+	writel(lower_32_bits(bar), foo->regs + FOO_WINDOW); /* ok: bus */
+}`,
    },
    {
      title: "the cell is translated",
      patch: String.raw`
+static int foo_reg(struct foo *foo, struct device_node *np)
+{
+	const __be32 *reg = of_get_address(np, 0, NULL, NULL);
+
+	foo->phys = of_translate_address(np, reg); /* ok: cell */
+	return foo->phys == OF_BAD_ADDR ? -EINVAL : 0;
+}`,
    },
    {
      title: "the bus address is turned back first",
      patch: String.raw`
+static void foo_back(struct foo *foo, struct pci_dev *pdev, struct pci_bus_region *region)
+{
+	struct resource res;
+
+	pcibios_bus_to_resource(pdev->bus, &res, region);
+	foo->regs = ioremap(res.start, resource_size(&res)); /* ok: bus */
+}`,
    },
  ],
  *check(fn, use) {
    const { file } = fn;
    if (isImplementation(file)) return;
    const returned = isNamedPhysical(fn)
      ? use(flow, fn).returns.find(({ origins }) =>
        origins.some((o) => o.meaning === "pci-bus" && o.certainty === "exact")
      )
      : undefined;
    if (returned !== undefined) {
      yield {
        at: { start: fn.node.start, end: fn.node.body.start },
        say: "named",
        with: { function: fn.name },
        because: [{ at: returned.value, note: "PCI bus address" }],
        severity: "warning",
        confidence: "medium",
        subject: fn.name,
      };
    }
    // A cell is translated once, however many registers are found by it.
    const told = new Set<Expr>();
    for (const used of use(physical, fn)) {
      const known = used.origins.filter(({ meaning }) => meaning !== "param");
      const origin = known.find(({ certainty }) => certainty === "exact") ?? known[0];
      if (origin === undefined || known.some(({ meaning }) => meaning !== origin.meaning)) continue;
      const say = origin.meaning === "dt-cell"
        ? "cell"
        : origin.meaning !== "pci-bus"
        ? null
        : used.callee === null
        ? "stored"
        : used.callee === "pci_p2pdma_bus_addr_map"
        ? "twice"
        : "bus";
      if (say === null) continue;
      // Drivers keep bus addresses in fields of all types; only a phys_vec is physical by definition.
      if (say === "stored" && used.certainty !== "exact") continue;
      if (say === "cell" && told.has(origin.expr)) continue;
      told.add(origin.expr);
      const owner = ownerText(origin);
      const because: Because[] = chain(origin);
      yield {
        at: used.at,
        say,
        with: { callee: used.callee ?? "", place: file.textOf(used.at), value: file.textOf(used.value) },
        because,
        ...(owner === null || say === "cell" ? {} : { wanted: `pci_resource_start(${owner}, …)` }),
        ...weaken(origin, say === "cell"),
        subject: `${used.callee ?? used.place} ${origin.meaning} ${origin.owner ?? origin.api}`,
      };
    }
  },
});

/** Whether the function says by its name or its type that it returns a CPU physical address. */
const isNamedPhysical = (fn: FunctionView): boolean =>
  /phys_addr_t$/.test(fn.node.returns) || /(?:^|_)phys(?:_?addr(?:ess)?)?$/.test(fn.name);

function weaken(
  origin: Origin,
  isWeak: boolean,
): { readonly severity?: "warning"; readonly confidence?: "medium" } {
  return origin.certainty === "exact" && !isWeak ? {} : { severity: "warning", confidence: "medium" };
}
