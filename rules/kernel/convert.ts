/**
 * The functions that turn one kind of address into another or look one up, the ioremap() family, the questions
 * put to p2pdma, and what reads or writes memory through its CPU side. Facts only.
 *
 * @module
 */

import { row } from "./row.ts";
import type { Api, Failure, Meaning, Version } from "./types.ts";

const IO = "include/asm-generic/io.h";
const PAGE = "include/asm-generic/memory_model.h, include/linux/pfn.h";
const MM = "include/linux/mm.h";
const SG = "include/linux/scatterlist.h";
const BVEC = "include/linux/bvec.h";
const PCI = "include/linux/pci.h";
const BRIDGE = "drivers/pci/host-bridge.c";
const DIRECT = "include/linux/dma-direct.h";
const P2P = "include/linux/pci-p2pdma.h, drivers/pci/p2pdma.c";
const IOMMU = "include/linux/iommu.h, drivers/iommu/iommu.c";
const DMA = "include/linux/dma-mapping.h";
const ENGINE = "include/linux/dmaengine.h";
const DEVRES = "include/linux/io.h, lib/devres.c";
const IOMAP = "include/asm-generic/pci_iomap.h, lib/pci_iomap.c";
const PLATFORM = "include/linux/platform_device.h, drivers/base/platform.c";
const OF = "include/linux/of_address.h, drivers/of/address.c";
const IOPORT = "include/linux/ioport.h";

const V4_20: Version = [4, 20];
const V6_0: Version = [6, 0];
const V6_16: Version = [6, 16];
const V6_19: Version = [6, 19];

/** A conversion of one argument (`memory`, the first unless said otherwise). */
function turns(name: string, params: readonly Meaning[], returns: Meaning, source: string, memory = 0): Api {
  return row({ name, role: "convert", params, returns, memory, source });
}

const CPU_ADDRESS: readonly Api[] = [
  ...["virt_to_phys", "__pa"].map((name) => turns(name, ["kva"], "phys-ram", IO)),
  ...["phys_to_virt", "__va"].map((name) => turns(name, ["phys-ram"], "kva", IO)),
  turns("page_to_phys", ["page"], "phys-ram", "asm/io.h, include/asm-generic/memory_model.h since v6.13"),
  turns("phys_to_page", ["phys-ram"], "page", "asm/io.h, include/asm-generic/memory_model.h since v6.13"),
  turns(
    "slow_virt_to_phys",
    ["none"],
    "phys-ram",
    "arch/x86/mm/pat/set_memory.c: any kernel virtual address",
  ),
  turns("page_to_pfn", ["page"], "pfn", PAGE),
  turns("pfn_to_page", ["pfn"], "page", PAGE),
  turns("PFN_PHYS", ["pfn"], "phys", PAGE),
  turns("PHYS_PFN", ["phys"], "pfn", PAGE),
  turns("virt_to_pfn", ["kva"], "pfn", PAGE),
  turns("pfn_to_virt", ["pfn"], "kva", PAGE),
  turns("virt_to_page", ["kva"], "page", MM),
  turns("virt_to_head_page", ["kva"], "page", MM),
  turns("page_address", ["page"], "kva", MM),
  turns("page_to_virt", ["page"], "kva", MM),
  turns("folio_page", ["none"], "page", "include/linux/page-flags.h"),
  turns("folio_pfn", ["none"], "pfn", MM),
  turns("folio_address", ["none"], "kva", MM),
  ...["kmap", "kmap_local_page", "kmap_atomic"].map((name) =>
    turns(
      name,
      ["page"],
      "kva",
      "include/linux/highmem.h: for the CPU only, outside the linear map with HIGHMEM",
    )
  ),
  turns("kmap_local_folio", ["none", "offset"], "kva", "include/linux/highmem.h"),
  turns("vmalloc_to_page", ["kva-vmalloc"], "page", "include/linux/vmalloc.h"),
  turns("vmalloc_to_pfn", ["kva-vmalloc"], "pfn", "include/linux/vmalloc.h"),
  {
    ...turns("virt_to_bus", ["kva"], "phys-ram", `${IO} up to v5.19; m68k and powerpc keep their own`),
    removed: V6_0,
  },
  {
    ...turns("bus_to_virt", ["phys-ram"], "kva", `${IO} up to v5.19; m68k and powerpc keep their own`),
    removed: V6_0,
  },
  turns("isa_virt_to_bus", ["kva"], "phys-ram", "arch/x86/include/asm/io.h: ISA DMA below 16 MiB"),
  turns("gen_pool_virt_to_phys", ["none", "none"], "phys", "include/linux/genalloc.h", 1),
];

const LISTS: readonly Api[] = [
  turns("sg_phys", ["sg"], "phys-ram", SG),
  turns("sg_virt", ["sg"], "kva", SG),
  turns("sg_page", ["sg"], "page", SG),
  turns("sg_page_iter_page", ["none"], "page", SG),
  turns("bvec_phys", ["none"], "phys-ram", BVEC),
  turns("bvec_virt", ["none"], "kva", BVEC),
  turns("skb_frag_page", ["none"], "page", "include/linux/skbuff.h"),
  turns("skb_frag_address", ["none"], "kva", "include/linux/skbuff.h"),
  // The DMA side: valid between map and unmap, for the first nents-mapped entries.
  { ...turns("sg_dma_address", ["sg"], "dma", SG), handle: "return" },
  turns("sg_dma_len", ["sg"], "size", SG),
  { ...turns("sg_page_iter_dma_address", ["none"], "dma", SG), handle: "return" },
  { ...turns("rdma_block_iter_dma_address", ["none"], "dma", "include/rdma/iter.h"), handle: "return" },
  {
    ...turns("page_pool_get_dma_addr", ["page"], "dma", "include/net/page_pool/helpers.h"),
    handle: "return",
  },
  {
    ...turns("page_pool_get_dma_addr_netmem", ["none"], "dma", "include/net/page_pool/helpers.h"),
    handle: "return",
  },
  { ...turns("xsk_buff_xdp_get_dma", ["none"], "dma", "include/net/xdp_sock_drv.h"), handle: "return" },
  {
    ...turns("xsk_buff_raw_get_dma", ["none", "none"], "dma", "include/net/xdp_sock_drv.h", 1),
    handle: "return",
  },
];

/** Bodies of the DMA API: an implementation may use them, a driver may not. */
const IMPLEMENTATION: readonly Api[] = [
  { ...turns("phys_to_dma", ["device", "phys-ram"], "dma", DIRECT, 1), handle: "return" },
  { ...turns("phys_to_dma_unencrypted", ["device", "phys-ram"], "dma", DIRECT, 1), handle: "return" },
  { ...turns("dma_to_phys", ["device", "dma"], "phys-ram", DIRECT, 1), handle: 1 },
];

const PCI_ADDRESS: readonly Api[] = [
  ...["pci_resource_start", "pci_resource_end"].map((name) =>
    turns(name, ["pci-dev", "none"], "phys-bar", PCI)
  ),
  turns("pci_resource_len", ["pci-dev", "none"], "size", PCI),
  turns("pci_resource_n", ["pci-dev", "none"], "resource", PCI),
  turns("pci_bus_address", ["pci-dev", "none"], "pci-bus", PCI),
  // The results go where the second argument points: region->start and res->start.
  { ...turns("pcibios_resource_to_bus", ["none", "pci-bus", "resource"], "none", BRIDGE, 2), handle: 1 },
  { ...turns("pcibios_bus_to_resource", ["none", "resource", "pci-bus"], "none", BRIDGE, 2), handle: 2 },
  {
    ...turns("pci_p2pmem_virt_to_bus", ["pci-dev", "kva-p2p"], "pci-bus", P2P, 1),
    failure: "zero",
    since: V4_20,
  },
];

const PEER: readonly Api[] = [
  row({
    name: "pci_p2pdma_add_resource",
    role: "convert",
    params: ["pci-dev", "none", "size", "offset"],
    returns: "errno",
    failure: "errno",
    since: V4_20,
    source: `${P2P}: -EOPNOTSUPP without CONFIG_PCI_P2PDMA`,
  }),
  {
    ...turns("is_pci_p2pdma_page", ["page"], "bool", "include/linux/memremap.h"),
    since: V4_20,
  },
  row({
    name: "pcim_p2pdma_init",
    role: "convert",
    params: ["pci-dev"],
    returns: "errno",
    failure: "errno",
    since: V6_19,
    source: P2P,
  }),
  row({
    name: "pcim_p2pdma_provider",
    role: "convert",
    params: ["pci-dev", "none"],
    returns: "provider",
    failure: "null",
    since: V6_19,
    source: P2P,
  }),
  // The provider is the first argument of these; `device` is the client, who issues the DMA.
  row({
    name: "pci_p2pdma_map_type",
    role: "distance",
    params: ["provider", "device"],
    returns: "map-type",
    since: V6_19,
    source: `${P2P} (not exported to modules; static with a pagemap up to v6.18)`,
  }),
  row({
    name: "pci_p2pdma_state",
    role: "distance",
    params: ["map-state", "device", "page"],
    returns: "map-type",
    memory: 2,
    since: V6_16,
    source: P2P,
  }),
  row({
    name: "pci_p2pdma_map_segment",
    role: "distance",
    params: ["map-state", "device", "sg"],
    returns: "map-type",
    memory: 2,
    since: V6_0,
    removed: V6_16,
    source: "include/linux/dma-map-ops.h, v6.0 to v6.15",
  }),
  row({
    name: "pci_p2pdma_distance",
    role: "distance",
    params: ["pci-dev", "device", "bool"],
    device: 1,
    failure: "errno",
    since: V4_20,
    source: `${P2P}: a distance, or -1 when there is no route`,
  }),
  row({
    name: "pci_p2pdma_distance_many",
    role: "distance",
    params: ["pci-dev", "none", "none", "bool"],
    device: null,
    failure: "errno",
    since: V4_20,
    source: `${P2P}: a distance, or -1 when there is no route for one of the clients`,
  }),
  row({
    name: "pci_p2pmem_find",
    role: "distance",
    params: ["device"],
    returns: "pci-dev",
    failure: "null",
    since: V4_20,
    source: P2P,
  }),
  row({
    name: "pci_p2pmem_find_many",
    role: "distance",
    params: ["none", "none"],
    returns: "pci-dev",
    failure: "null",
    since: V4_20,
    source: P2P,
  }),
  row({
    name: "dma_pci_p2pdma_supported",
    role: "distance",
    params: ["device"],
    returns: "bool",
    since: V6_0,
    source: "kernel/dma/mapping.c",
  }),
  row({
    name: "ib_dma_pci_p2p_dma_supported",
    role: "distance",
    params: ["ib-device"],
    returns: "bool",
    since: V6_0,
    source: "include/rdma/ib_verbs.h",
  }),
];

const DOMAIN: readonly Api[] = [
  {
    ...turns("iommu_iova_to_phys", ["iommu-domain", "iova"], "phys", IOMMU, 1),
    handle: 1,
    failure: "zero",
  },
  row({
    name: "iommu_get_domain_for_dev",
    role: "convert",
    params: ["device"],
    returns: "iommu-domain",
    failure: "null",
    source: IOMMU,
  }),
  row({
    name: "iommu_get_dma_domain",
    role: "convert",
    params: ["device"],
    returns: "iommu-domain",
    source: IOMMU,
  }),
  row({
    name: "iommu_paging_domain_alloc",
    role: "convert",
    params: ["device"],
    returns: "iommu-domain",
    failure: "err-ptr",
    since: [6, 11],
    source: IOMMU,
  }),
  row({
    name: "iommu_domain_alloc",
    role: "convert",
    params: ["none"],
    returns: "iommu-domain",
    failure: "null",
    source: IOMMU,
  }),
];

/** Who the device is: channels and attachments carry one. */
const CARRIER: readonly Api[] = [
  ...["dma_request_chan", "devm_dma_request_chan"].map((name) =>
    row({
      name,
      role: "convert",
      params: ["device", "none"],
      returns: "dma-chan",
      // The device asks for a channel; the DMA is done by the channel's own (dmaengine_get_dma_device()).
      device: null,
      failure: "err-ptr",
      source: ENGINE,
    })
  ),
  row({
    name: "dma_request_slave_channel",
    role: "convert",
    params: ["device", "none"],
    returns: "dma-chan",
    device: null,
    failure: "null",
    source: ENGINE,
  }),
  row({
    name: "dma_request_channel",
    role: "convert",
    params: ["none", "none", "none"],
    returns: "dma-chan",
    failure: "null",
    source: ENGINE,
  }),
  ...["dma_buf_attach", "dma_buf_dynamic_attach"].map((name) =>
    row({
      name,
      role: "convert",
      params: ["dma-buf", "device"],
      returns: "attachment",
      failure: "err-ptr",
      source: "include/linux/dma-buf.h: the device becomes attach->dev, the importer",
    })
  ),
  row({
    name: "dma_buf_get",
    role: "convert",
    params: ["none"],
    returns: "dma-buf",
    failure: "err-ptr",
    source: "include/linux/dma-buf.h",
  }),
  row({
    name: "dma_buf_export",
    role: "convert",
    params: ["none"],
    returns: "dma-buf",
    failure: "err-ptr",
    source: "include/linux/dma-buf.h",
  }),
];

/** A function that makes device memory reachable for the CPU. */
function remaps(
  names: readonly string[],
  params: readonly Meaning[],
  failure: Failure,
  memory: number | null,
  source: string,
): Api[] {
  return names.map((name) =>
    row({ name, role: "ioremap", params, returns: "iomem", memory, failure, source })
  );
}

const IOREMAP: readonly Api[] = [
  ...remaps(
    ["ioremap", "ioremap_wc", "ioremap_wt", "ioremap_np", "ioremap_uc", "ioremap_cache", "ioremap_encrypted"],
    ["phys", "size"],
    "null",
    0,
    IO,
  ),
  ...remaps(["ioremap_prot"], ["phys", "size", "none"], "null", 0, IO),
  ...remaps(["acpi_os_ioremap"], ["phys", "size"], "null", 0, "include/acpi/acpi_io.h"),
  ...remaps(
    ["devm_ioremap", "devm_ioremap_uc", "devm_ioremap_wc"],
    ["device", "phys", "size"],
    "null",
    1,
    DEVRES,
  ),
  ...remaps(
    ["devm_ioremap_resource", "devm_ioremap_resource_wc"],
    ["device", "resource"],
    "err-ptr",
    1,
    DEVRES,
  ),
  ...remaps(["devm_platform_ioremap_resource"], ["none", "none"], "err-ptr", null, PLATFORM),
  ...remaps(["devm_platform_ioremap_resource_byname"], ["none", "none"], "err-ptr", null, PLATFORM),
  ...remaps(
    ["devm_platform_get_and_ioremap_resource"],
    ["none", "none", "resource"],
    "err-ptr",
    null,
    PLATFORM,
  ),
  ...remaps(["of_iomap"], ["none", "none"], "null", null, OF),
  ...remaps(["of_io_request_and_map"], ["none", "none", "none"], "err-ptr", null, OF),
  ...remaps(["devm_of_iomap"], ["device", "none", "none", "none"], "err-ptr", null, OF),
  ...remaps(["pci_iomap", "pci_iomap_wc"], ["pci-dev", "none", "size"], "null", null, IOMAP),
  ...remaps(
    ["pci_iomap_range", "pci_iomap_wc_range"],
    ["pci-dev", "none", "offset", "size"],
    "null",
    null,
    IOMAP,
  ),
  ...remaps(["pci_ioremap_bar", "pci_ioremap_wc_bar"], ["pci-dev", "none"], "null", null, PCI),
  ...remaps(["pcim_iomap"], ["pci-dev", "none", "size"], "null", null, "drivers/pci/devres.c"),
  ...remaps(["pcim_iomap_region"], ["pci-dev", "none", "none"], "err-ptr", null, "drivers/pci/devres.c"),
  ...remaps(
    ["pcim_iomap_range"],
    ["pci-dev", "none", "offset", "size"],
    "err-ptr",
    null,
    "drivers/pci/devres.c",
  ),
  ...remaps(["pcim_iomap_table"], ["pci-dev"], "null", null, "drivers/pci/devres.c: an array, one per BAR"),
  ...remaps(["devm_pci_remap_cfgspace"], ["device", "phys", "size"], "null", 1, PCI),
  // Plain pointers, outside the linear map as far as anybody may rely on it.
  row({
    name: "memremap",
    role: "ioremap",
    params: ["phys", "size", "none"],
    returns: "kva-vmalloc",
    memory: 0,
    failure: "null",
    source: "include/linux/io.h, kernel/iomem.c",
  }),
  row({
    name: "devm_memremap",
    role: "ioremap",
    params: ["device", "phys", "size", "none"],
    returns: "kva-vmalloc",
    memory: 1,
    failure: "err-ptr",
    source: "include/linux/io.h, kernel/iomem.c",
  }),
];

/** A function that finds a struct resource. */
function finds(name: string, params: readonly Meaning[], failure: Failure, source: string): Api {
  const returns = failure === "errno" ? "errno" : "resource";
  return row({ name, role: "convert", params, returns, failure, source });
}

const RESOURCE: readonly Api[] = [
  finds("platform_get_resource", ["none", "none", "none"], "null", PLATFORM),
  finds("platform_get_resource_byname", ["none", "none", "none"], "null", PLATFORM),
  finds("platform_get_mem_or_io", ["none", "none"], "null", PLATFORM),
  finds("of_address_to_resource", ["none", "none", "resource"], "errno", OF),
  finds(
    "of_reserved_mem_region_to_resource",
    ["none", "none", "resource"],
    "errno",
    "include/linux/of_reserved_mem.h",
  ),
  finds("request_mem_region", ["phys", "size", "none"], "null", IOPORT),
  finds("devm_request_mem_region", ["device", "phys", "size", "none"], "null", IOPORT),
  turns("resource_size", ["resource"], "size", IOPORT),
  // A pointer to big-endian cells, untranslated: of_translate_address() makes a CPU physical address of them.
  { ...turns("of_get_address", ["none"], "dt-cell", OF), failure: "null" },
];

/** What `->start` of a resource is, by the function that finds it. */
export interface ResourceStart {
  readonly name: string;
  /** The parameter that points to the resource, or the result. */
  readonly at: number | "return";
  readonly start: Meaning;
  readonly source: string;
}

/**
 * Where a struct resource comes from decides what its start is. A memory region of the device tree is RAM or not:
 * plain `phys`. The platform_get_resource() rows hold for IORESOURCE_MEM only: an IRQ's start is its number.
 */
export const RESOURCE_STARTS: readonly ResourceStart[] = [
  { name: "pci_resource_n", at: "return", start: "phys-bar", source: PCI },
  { name: "pcibios_bus_to_resource", at: 1, start: "phys-bar", source: BRIDGE },
  { name: "platform_get_resource", at: "return", start: "phys-mmio", source: PLATFORM },
  { name: "platform_get_resource_byname", at: "return", start: "phys-mmio", source: PLATFORM },
  { name: "platform_get_mem_or_io", at: "return", start: "phys-mmio", source: PLATFORM },
  { name: "devm_platform_get_and_ioremap_resource", at: 2, start: "phys-mmio", source: PLATFORM },
  { name: "of_address_to_resource", at: 2, start: "phys", source: OF },
  {
    name: "of_reserved_mem_region_to_resource",
    at: 2,
    start: "phys",
    source: "include/linux/of_reserved_mem.h",
  },
];

/** A function that touches memory with the CPU or maps it for one; `memory` says which argument. */
function touches(name: string, params: readonly Meaning[], memory: number, source: string): Api {
  return row({ name, role: "cpu-use", params, memory, source });
}

const CPU_USE: readonly Api[] = [
  ...[
    "sg_copy_to_buffer",
    "sg_copy_from_buffer",
    "sg_pcopy_to_buffer",
    "sg_pcopy_from_buffer",
    "sg_copy_buffer",
  ].map(
    (name) => touches(name, ["sg", "nents", "none", "size"], 0, "lib/scatterlist.c"),
  ),
  touches("sg_zero_buffer", ["sg", "nents", "size"], 0, "lib/scatterlist.c"),
  touches("sg_miter_start", ["none", "sg", "nents"], 1, "lib/scatterlist.c"),
  touches("drm_prime_sg_to_page_array", ["sgt", "none", "none"], 0, "drivers/gpu/drm/drm_prime.c"),
  touches("for_each_sgtable_sg", ["sgt", "none", "none"], 0, SG),
  touches("for_each_sgtable_page", ["sgt", "none", "none"], 0, SG),
  touches("for_each_sg_page", ["sg", "none", "nents", "none"], 0, SG),
  ...["memcpy", "memmove"].map((name) => touches(name, ["kva", "kva", "size"], 0, "include/linux/string.h")),
  touches("memset", ["kva", "none", "size"], 0, "include/linux/string.h"),
  touches("memcpy_toio", ["iomem", "none", "size"], 0, IO),
  touches("memcpy_fromio", ["none", "iomem", "size"], 1, IO),
  touches("memset_io", ["iomem", "none", "size"], 0, IO),
  touches("copy_to_user", ["none", "kva", "size"], 1, "include/linux/uaccess.h"),
  touches("copy_from_user", ["kva", "none", "size"], 0, "include/linux/uaccess.h"),
  // User page tables: they take what the CPU puts on its bus.
  ...["remap_pfn_range", "io_remap_pfn_range"].map((name) =>
    touches(name, ["none", "none", "pfn", "size", "none"], 2, MM)
  ),
  ...["vmf_insert_pfn", "vmf_insert_pfn_prot", "vmf_insert_mixed"].map((name) =>
    touches(name, ["none", "none", "pfn"], 2, MM)
  ),
  touches("vm_iomap_memory", ["none", "phys", "size"], 1, MM),
  touches("vm_insert_page", ["none", "none", "page"], 2, MM),
  ...["dma_mmap_coherent", "dma_mmap_wc"].map((name) => ({
    ...touches(name, ["device", "none", "kva-coherent", "dma", "size"], 2, DMA),
    handle: 3,
  })),
  {
    ...touches("dma_mmap_attrs", ["device", "none", "kva-coherent", "dma", "size", "attrs"], 2, DMA),
    handle: 3,
  },
  touches("dma_mmap_pages", ["device", "none", "size", "page"], 3, DMA),
  touches("dma_mmap_noncontiguous", ["device", "none", "size", "sgt"], 3, DMA),
  ...["dma_get_sgtable", "dma_get_sgtable_attrs"].map((name) => ({
    ...touches(name, ["device", "sgt", "kva-coherent", "dma", "size"], 2, `${DMA}: fills a CPU side`),
    role: "convert" as const,
    returns: "errno" as const,
    failure: "errno" as const,
    handle: 3,
  })),
];

/** Every function of this file. */
export const CONVERT: readonly Api[] = [
  ...CPU_ADDRESS,
  ...LISTS,
  ...IMPLEMENTATION,
  ...PCI_ADDRESS,
  ...PEER,
  ...DOMAIN,
  ...CARRIER,
  ...IOREMAP,
  ...RESOURCE,
  ...CPU_USE,
];
