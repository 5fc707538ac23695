/**
 * T11: a DMA address taken for a CPU physical one: mapped a second time, looked up, remapped.
 *
 * @module
 */

import { type Expr, walkExpr } from "./engine/ast.ts";
import { type At, type Because, defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { type Flow, flow, mentions } from "./facts/flow.ts";
import type { Certainty, Origin } from "./facts/origin.ts";
import { physical } from "./facts/physical.ts";
import { mentioned } from "./facts/mention.ts";
import { isImplementation, takesPhysical } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";
import { DMA_HANDLE_NAME } from "./kernel/names.ts";

/** Make a DMA mapping of a physical address. */
const MAPS = /^(?:dma_map_resource|dma_map_phys|dma_iova_(?:link|try_alloc)|pci_p2pdma_bus_addr_map)$/;
/** Find the memory behind a physical address or a page frame number. */
const FINDS = /^(?:phys_to_virt|__va|phys_to_page|pfn_to_page|pfn_to_virt)$/;
/** Put physical memory into a process. */
const MMAPS = /^(?:(?:io_)?remap_pfn_range|vmf_insert_|vm_iomap_memory)/;
/** Fill the DMA side of a list by hand. */
const FILLS = /\bsg_dma_address\s*\([^;=]*\)\s*=(?!=)|(?:->|\.)dma_address\s*=(?!=)/;
const REMAPS = /ioremap|memremap|request_mem_region/;

export default defineRule({
  id: "dma-addr-mapped-again",
  since: "0.1.0",
  code: "T11",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "a DMA address is used where a CPU physical address belongs",
  why:
    `\`dma_addr_t\` is what one device must emit, \`phys_addr_t\` is where the CPU finds memory; both are plain
integers and convert without a word from compiler or sparse. Without an IOMMU, and with all memory at the same place
for both, they are equal. Behind an IOMMU a DMA address taken for a physical one points at memory of somebody else:
\`phys_to_virt()\` lets the CPU write there, \`remap_pfn_range()\` hands it to a process, and \`dma_map_resource()\`
gives another device access to it.

There is no way back from a DMA address. A driver keeps the pointer or the page beside it, maps memory from
\`dma_alloc_coherent()\` into a process with \`dma_mmap_coherent()\`, and has the exporter of a dma-buf map the memory
once more for the second device. \`iommu_iova_to_phys()\` is no way out: see iommu-map-into-dma-domain.`,
  limits:
    `An address that comes from another file with neither its type nor its name shown is not known. What is mapped into
a process from a field is reported with low confidence unless the patch takes \`dma_mmap_coherent()\` away: sound and
framebuffer code keeps on-chip memory's physical address in the same fields.`,
  unless: "the variable is misnamed and holds a physical address",
  sources: [
    "include/linux/dma-mapping.h: a dma_addr_t can hold any valid DMA address for the platform, it is specific to a given device",
    "Documentation/core-api/dma-api-howto.rst: CPU and DMA addresses",
  ],
  messages: {
    mapped:
      "{callee}() takes a CPU physical address, and `{value}` is a DMA address already: it is mapped twice",
    found:
      "{callee}() of the DMA address `{value}`: there is no way back from a DMA address, keep the pointer or the page beside it",
    mmap:
      "{callee}() takes what the CPU sees, and `{value}` is a DMA address: use dma_mmap_coherent() or dma_mmap_attrs()",
    remapped: "{callee}() takes a CPU physical address, and `{value}` is a DMA address",
    domain:
      "{callee}() puts the DMA address `{value}` into an IOMMU domain as if it were a CPU physical address: behind another IOMMU it is not",
    stored: "`{place}` is a CPU physical address by definition and is set to the DMA address `{value}`",
  },
  bad: [
    {
      title: "the address of one device is mapped for another",
      patch: String.raw`
+static int foo_share(struct foo *foo, struct bar *bar, struct scatterlist *sg)
+{
+	bar->peer = dma_map_resource(bar->dev, sg_dma_address(sg), sg_dma_len(sg), DMA_BIDIRECTIONAL, 0); /* want: mapped */
+	return dma_mapping_error(bar->dev, bar->peer);
+}`,
    },
    {
      title: "the way back from a completion",
      patch: String.raw`
+static struct sk_buff *foo_complete(struct foo *foo, dma_addr_t addr)
+{
+	void *data = phys_to_virt(addr); /* want: found */
+
+	return build_skb(data, foo->size);
+}`,
    },
    {
      title: "a coherent buffer in user space",
      patch: String.raw`
+static int foo_mmap(struct foo *foo, struct vm_area_struct *vma)
+{
+	dma_addr_t handle;
+
+	foo->cpu = dma_alloc_coherent(foo->dev, SZ_64K, &handle, GFP_KERNEL);
+	if (!foo->cpu)
+		return -ENOMEM;
+	return remap_pfn_range(vma, vma->vm_start, handle >> PAGE_SHIFT, SZ_64K, vma->vm_page_prot); /* want: mmap */
+}`,
    },
    {
      title: "only the name says what it is",
      patch: String.raw`
+static int foo_mmap(struct file *file, struct vm_area_struct *vma)
+{
+	struct foo_buffer *buf = file->private_data;
+
+	return vm_iomap_memory(vma, buf->dma_handle, buf->size); /* want: mmap */
+}`,
    },
    {
      title: "remapped",
      patch: String.raw`
+static int foo_window(struct foo *foo, struct page *page)
+{
+	dma_addr_t addr = dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL);
+
+	foo->window = ioremap(addr, PAGE_SIZE); /* want: remapped */
+	return foo->window ? 0 : -ENOMEM;
+}`,
    },
    {
      title: "a handle in a domain of the driver",
      patch: String.raw`
+static int foo_firmware(struct foo *foo)
+{
+	foo->cpu = dma_alloc_coherent(foo->dev, SZ_1M, &foo->fw_dma, GFP_KERNEL);
+	if (!foo->cpu)
+		return -ENOMEM;
+	return iommu_map(foo->domain, FOO_FW, foo->fw_dma, SZ_1M, IOMMU_READ, GFP_KERNEL); /* want: domain */
+}`,
    },
    {
      title: "a range of physical memory",
      patch: String.raw`
+static void foo_ranges(struct phys_vec *vec, struct scatterlist *sg)
+{
+	vec->paddr = sg_dma_address(sg); /* want: stored */
+	vec->len = sg_dma_len(sg);
+}`,
    },
    {
      title: "dma_mmap_coherent() is taken away",
      patch: String.raw`
 static int foo_mmap(struct foo *foo, struct vm_area_struct *vma)
 {
-	return dma_mmap_coherent(foo->dev, vma, foo->cpu, foo->dma_handle, foo->size);
+	return vm_iomap_memory(vma, foo->dma_handle, foo->size); /* want: mmap */
 }`,
    },
  ],
  good: [
    {
      title: "the exporter maps for the second device",
      patch: String.raw`
+static int foo_share(struct bar *bar, struct dma_buf_attachment *attach)
+{
+	bar->sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
+	return PTR_ERR_OR_ZERO(bar->sgt);
+}`,
    },
    {
      title: "a variable of the wrong type that holds a physical address",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct page *page)
+{
+	dma_addr_t addr = page_to_phys(page);
+
+	foo->virt = phys_to_virt(addr); /* ok: found */
+	return 0;
+}`,
    },
    {
      title: "a page frame number in the variable that takes the address",
      patch: String.raw`
+static int foo_map(struct foo *foo, u64 entry)
+{
+	dma_addr_t addr;
+
+	addr = entry >> FOO_PFN_SHIFT;
+	addr = dma_map_page(foo->dev, pfn_to_page(addr), 0, PAGE_SIZE, DMA_BIDIRECTIONAL); /* ok: found */
+	return dma_mapping_error(foo->dev, addr);
+}`,
    },
    {
      title: "translated before it is looked up",
      patch: String.raw`
+static phys_addr_t foo_phys(struct foo *foo, dma_addr_t addr)
+{
+	return foo->domain ? iommu_iova_to_phys(foo->domain, addr) : addr;
+}
+
+static void *foo_virt(struct foo *foo, dma_addr_t addr)
+{
+	return phys_to_virt(foo_phys(foo, addr)); /* ok: found */
+}`,
    },
    {
      title: "the DMA code itself",
      path: "drivers/iommu/foo.c",
      patch: String.raw`
+static void foo_sync(struct foo *foo, dma_addr_t addr)
+{
+	foo_clean(phys_to_virt(addr)); /* ok: found */
+}`,
    },
  ],
  *check(fn, use) {
    const { file } = fn;
    if (isImplementation(file)) return;
    const values = use(flow, fn);
    for (const used of use(physical, fn)) {
      // A dma_slave_config with a mapped FIFO works with some engines; other stores are too weak.
      if (used.callee === null && (used.certainty !== "exact" || !/\bpaddr$/.test(used.place ?? ""))) {
        continue;
      }
      const origin = dmaIn(used.origins);
      const certainty = origin?.certainty ??
        (isHandleByName(used.value, used.origins, values) ? "name" : null);
      if (certainty === null) continue;
      // Declared as the one and named as the other: who knows.
      const isDoubtful = certainty !== "exact" || origin?.viaField === true;
      if (isDoubtful && isNamedPhysical(used.value)) continue;
      const { callee } = used;
      const say = callee === null
        ? "stored"
        : callee.startsWith("iommu_map")
        ? "domain"
        : MAPS.test(callee)
        ? "mapped"
        : FINDS.test(callee)
        ? "found"
        : MMAPS.test(callee)
        ? "mmap"
        : REMAPS.test(callee)
        ? "remapped"
        : null;
      if (say === null || takesPhysical(file)) continue;
      // What is looked up without a shift is a page frame number, in a variable of the wrong type.
      if (/^pfn_/.test(callee ?? "") && certainty !== "exact" && isWhole(used.value)) continue;
      // Domains of the driver are often filled with what is called a DMA address for want of a better type.
      if (say === "domain" && certainty !== "exact") continue;
      const because: Because[] = origin === null
        ? [{ at: used.value, note: "by its name the DMA address" }]
        : chain(origin);
      yield {
        at: used.at,
        say,
        with: { callee: callee ?? "", place: file.textOf(used.at), value: file.textOf(used.value) },
        because,
        ...weaken(certainty, say === "domain" || origin?.viaField === true),
        // A list that the file fills itself holds what was put there.
        ...(isOfList(origin) && mentioned(file, FILLS)
          ? { ...weaken("name", true), unless: "the list was filled by hand, with a physical address" }
          : {}),
        // Sound and framebuffers keep either address in a field of that name and type.
        ...(say === "mmap" && isDoubtful && !wasMmapped(used.at, used.value, fn, use)
          ? { confidence: "low" as const }
          : {}),
        subject: `${callee ?? used.place} ${values.canonical(used.value)}`,
      };
    }
  },
});

/** Whether the patch puts the call where dma_mmap_coherent() or its kin took the same handle. */
const wasMmapped = (at: At, value: Expr, fn: FunctionView, use: Use): boolean =>
  /\bdma_mmap_(?:coherent|wc|attrs)\s*\(/.test(use(removed, fn.file).at(at)) &&
  mentions(use(removed, fn.file).at(at), fn.file.textOf(value));

const isOfList = (origin: Origin | null): boolean =>
  (origin?.expr.kind === "member" && origin.expr.field === "dma_address") ||
  (origin?.expr.kind === "call" && origin.expr.name === "sg_dma_address");

const isWhole = (value: Expr): boolean =>
  value.kind === "cast" ? isWhole(value.value) : value.kind === "ident" || value.kind === "member";

/** The DMA address, when all that is known of the value are DMA addresses; null otherwise. */
function dmaIn(origins: readonly Origin[]): Origin | null {
  const known = origins.filter(({ meaning }) => meaning !== "param");
  if (known.length === 0 || known.some(({ meaning }) => meaning !== "dma")) return null;
  return known.find(({ certainty }) => certainty === "exact") ?? known[0]!;
}

/** A field of a struct that is not shown, with a name that only a DMA address has. */
function isHandleByName(value: Expr, origins: readonly Origin[], values: Flow): boolean {
  let expr = value;
  while (expr.kind === "cast" || (expr.kind === "binary" && expr.op === ">>")) {
    expr = expr.kind === "cast" ? expr.value : expr.left;
  }
  return origins.length === 0 && expr.kind === "member" && values.typeOf(expr) === null &&
    DMA_HANDLE_NAME.test(expr.field);
}

const NAMED_PHYSICAL = /phys|phy_|paddr|bus_?addr|^pa(?:_|$)/i;

/** `map->phys_addr`, whatever its type. */
function isNamedPhysical(value: Expr): boolean {
  let isNamed = false;
  walkExpr(value, (expr) => {
    const name = expr.kind === "ident" ? expr.name : expr.kind === "member" ? expr.field : "";
    if (NAMED_PHYSICAL.test(name)) isNamed = true;
  });
  return isNamed;
}

function weaken(
  certainty: Certainty,
  isHabit: boolean,
): { readonly severity?: "warning"; readonly confidence?: "medium" } {
  return certainty === "exact" && !isHabit ? {} : { severity: "warning", confidence: "medium" };
}
