/**
 * I01: MMIO in an IOMMU's page table with the attributes of RAM. Flags that are not all in sight are not judged.
 *
 * @module
 */

import { type Expr, walkExpr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { type Flow, flow } from "./facts/flow.ts";
import type { Origin } from "./facts/origin.ts";
import { isMapper } from "./facts/place.ts";
import { RESOURCE_STARTS } from "./kernel/mod.ts";

/** Finders of registers and of nothing else: a memory region of the device tree may be RAM. */
const REGISTERS = new Set(
  RESOURCE_STARTS.filter(({ start }) => start === "phys-mmio").map(({ name }) => name),
);

export default defineRule({
  id: "iommu-map-mmio-attrs",
  since: "0.1.0",
  code: "I01",
  severity: "warning",
  confidence: "medium",
  category: "iommu",
  scope: "function",
  summary: "iommu_map() of MMIO without IOMMU_MMIO, or with IOMMU_CACHE",
  why:
    `\`iommu_map()\` takes the memory type from its flags. \`IOMMU_CACHE\` asks for the attributes of coherent RAM:
on arm64 the entry is then write-back cacheable, and the accesses of the device to the BAR or the registers may be
looked up in a cache, merged or reordered. \`IOMMU_MMIO\` asks for device memory; the DMA API passes it for
\`dma_map_resource()\`, and iommufd maps the MMIO of a dma-buf with it and without \`IOMMU_CACHE\`. With neither flag
the entry is non-cacheable normal memory, which still allows merging: a note for a BAR, where x86 sees no difference.`,
  limits:
    `The memory is known by its \`pci_resource_start()\` or its platform resource only: not by a pfn that is not
valid, and not by a \`VM_PFNMAP\` area. Whether there is a route between the two PCI devices is asked by neither the
API nor this rule.`,
  unless: "the resource is RAM or on-chip SRAM that is coherent for the device",
  sources: [
    "include/linux/iommu.h: IOMMU_MMIO",
    "drivers/iommu/io-pgtable-arm.c: arm_lpae_prot_to_pte()",
    "drivers/iommu/dma-iommu.c: iommu_dma_map_resource() up to v6.17, iommu_dma_map_phys() since",
    "https://lore.kernel.org/all/8f912671-f1d9-4f73-9c1d-e39938bfc09f@arm.com/",
  ],
  messages: {
    cached: "{callee}() maps {what} with IOMMU_CACHE, as if it were coherent RAM: MMIO wants IOMMU_MMIO",
    plain: "{callee}() maps {what} as normal memory: MMIO wants IOMMU_MMIO",
  },
  bad: [
    {
      title: "a BAR as coherent RAM",
      patch: String.raw`
+static int foo_map_bar(struct iommu_domain *domain, struct pci_dev *pdev, unsigned long iova)
+{
+	int prot = IOMMU_READ | IOMMU_WRITE;
+
+	prot |= IOMMU_CACHE;
+	return iommu_map(domain, iova, pci_resource_start(pdev, 2), /* want: cached */
+			 pci_resource_len(pdev, 2), prot, GFP_KERNEL);
+}`,
    },
    {
      title: "registers of the SoC",
      patch: String.raw`
+static int foo_map_regs(struct iommu_domain *domain, struct platform_device *pdev)
+{
+	struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, 1);
+
+	if (!res)
+		return -ENODEV;
+	return iommu_map(domain, FOO_REGS, res->start, resource_size(res), /* want: cached */
+			 IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE, GFP_KERNEL);
+}`,
    },
    {
      title: "a BAR without any memory type",
      patch: String.raw`
+static int foo_map_doorbell(struct iommu_domain *domain, struct pci_dev *pdev, unsigned long iova)
+{
+	return iommu_map(domain, iova, pci_resource_start(pdev, 0), SZ_4K, IOMMU_WRITE, GFP_KERNEL); /* want: plain */
+}`,
    },
  ],
  good: [
    {
      title: "device memory",
      patch: String.raw`
+static int foo_map_bar(struct iommu_domain *domain, struct pci_dev *pdev, unsigned long iova, int prot)
+{
+	phys_addr_t bar = pci_resource_start(pdev, 2);
+	int ret;
+
+	ret = iommu_map(domain, iova, bar, SZ_64K, IOMMU_READ | IOMMU_WRITE | IOMMU_MMIO, GFP_KERNEL); /* ok: cached */
+	if (ret)
+		return ret;
+	return iommu_map(domain, iova + SZ_64K, bar + SZ_64K, SZ_64K, prot, GFP_KERNEL); /* ok: plain */
+}`,
    },
    {
      title: "a carve-out is RAM",
      patch: String.raw`
+static int foo_map_fw(struct iommu_domain *domain, struct device_node *np)
+{
+	struct resource res;
+	int ret = of_reserved_mem_region_to_resource(np, 0, &res);
+
+	if (ret)
+		return ret;
+	return iommu_map(domain, FOO_FW, res.start, resource_size(&res), /* ok: cached */
+			 IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE, GFP_KERNEL);
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, api } of values.calls) {
      if (api === null || api.role !== "map" || !api.families.includes("iommu")) continue;
      const memory = call.args[api.memory!];
      const prot = call.args[api.params.indexOf("prot")];
      if (api.params[api.memory!] !== "phys" || memory === undefined || prot === undefined) continue;
      const known = values.valueOf(memory).filter(({ meaning }) => meaning !== "param");
      const origin = known[0];
      if (origin === undefined || !known.every(isDeviceMemory)) continue;
      const flags = flagsOf(prot, values);
      if (flags.names.has("IOMMU_MMIO")) continue;
      const isCached = flags.names.has("IOMMU_CACHE");
      const isBar = origin.meaning === "phys-bar";
      if (!isCached && (!flags.isComplete || !isBar)) continue;
      yield {
        at: call,
        say: isCached ? "cached" : "plain",
        with: { callee: call.name, what: isBar ? "a PCI BAR" : "a device's registers" },
        because: chain(origin),
        ...(isCached ? {} : { severity: "note" as const }),
        subject: `${call.name} ${values.canonical(memory)}`,
      };
    }
  },
});

const isDeviceMemory = (origin: Origin) =>
  origin.certainty === "exact" &&
  (origin.meaning === "phys-bar" || (origin.meaning === "phys-mmio" && REGISTERS.has(origin.api)));

/** The IOMMU_ flags that an expression or a local variable may hold, and whether there can be no others. */
function flagsOf(
  expr: Expr,
  values: Flow,
): { readonly names: ReadonlySet<string>; readonly isComplete: boolean } {
  const names = new Set<string>();
  const seen = new Set<string>();
  let isComplete = true;
  const see = (of: Expr): void =>
    walkExpr(of, (inner) => {
      if (inner.kind === "ident") {
        if (/^IOMMU_[A-Z_]+$/.test(inner.name)) return void names.add(inner.name);
        if (seen.has(inner.name)) return;
        seen.add(inner.name);
        const stores = values.stores.filter(({ place }) => place === inner.name);
        if (stores.length === 0) isComplete = false;
        for (const { value } of stores) see(value);
      } else if (inner.kind === "member" || inner.kind === "call" || inner.kind === "index") {
        isComplete = false;
      }
    });
  see(expr);
  return { names, isComplete };
}
