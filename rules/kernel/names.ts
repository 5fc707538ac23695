/**
 * Names and paths: constants, iteration macros, print formats, structure members, the heuristic names of BARs,
 * and the places in the tree where other rules hold. Facts only.
 *
 * @module
 */

import type { Meaning, Version } from "./types.ts";

/**
 * Names that drivers give to the CPU physical address of a BAR. A hint, never a proof: only for a file with PCI or
 * dma-buf evidence (RULES.md 0.2, `BARPHYS?`). Each alternative starts at an underscore, a member or the name's
 * start, so that `bio_start` and `crowbar_base` stay out.
 */
export const BAR_NAME =
  /(?:^|[_.>])(?:aper_base|io_start|bar[0-9_]*(?:addr|base|start|phys)|vram_base|vram_phys|vram_node(?:\.|->)start|cmb_phys|cmb_addr|mw_phys|hpa_base|doorbell_phys)/i;

/** Functions that pass a physical address to firmware or a hypervisor, which is right (RULES.md T07). */
export const FIRMWARE_CALL = /smc|hvc|hypercall|hv_call|ghcb|tdcall|fw_cfg/i;

/**
 * Names that drivers give to a DMA address. A hint, never a proof; `dma_phys` and `phys_dma` say both things and
 * are out.
 */
export const DMA_NAME =
  /^(?:\w*_)?(?:dma|dma_?addr(?:ess)?|dma_?handle|dma_?base|dma_?buf(?:fer)?|iova|busaddr|daddr)\d*$/i;

/** Names that drivers give to a CPU physical address. A hint, never a proof. */
export const PHYS_NAME = /^(?:\w*_)?(?:phys(?:_?addr(?:ess)?|_base)?|paddr)$/i;

/** The strongest of the names in DMA_NAME: nobody calls anything else so. */
export const DMA_HANDLE_NAME = /^(?:\w*_)?dma_?(?:addr(?:ess)?|handle)$/i;

/** Names of private wrappers around writel() and its kin: `foo_writel()`, `foo_reg_write()`, `foo_w32()`. */
export const REGISTER_WRITE =
  /^(?!mem|copy|put_|get_)\w*_(?:write[lq]|write(?:32|64)|iowrite(?:32|64)|wr(?:32|64)?|w(?:32|64)|reg_(?:write|set)|write_reg)(?:_relaxed)?$/;

/** Functions that look up the page or the physical address of a pointer of the linear map. */
export const LINEAR_LOOKUPS: readonly string[] = [
  "virt_to_phys",
  "__pa",
  "virt_to_page",
  "virt_to_head_page",
  "virt_to_pfn",
  "virt_to_bus",
];

/** Functions that put the page of a pointer into a scatterlist, and which argument the pointer is. */
export const LIST_FILLERS: ReadonlyMap<string, number> = new Map([["sg_init_one", 1], ["sg_set_buf", 1]]);

/** One DMA_ATTR_ constant. */
export interface Attribute {
  readonly name: string;
  /** The bit's number. */
  readonly bit: number;
  /** First release that has it; null: older than v4.20 or not known. */
  readonly since: Version | null;
  readonly removed: Version | null;
  readonly effect: string;
  readonly source: string;
}

const DMA = "include/linux/dma-mapping.h, Documentation/core-api/dma-attributes.rst";

/** The attributes of a mapping or an allocation. */
export const ATTRIBUTES: readonly Attribute[] = [
  ...([
    ["DMA_ATTR_WEAK_ORDERING", 1, "reads and writes may pass each other"],
    ["DMA_ATTR_WRITE_COMBINE", 2, "dma_alloc_attrs(): writes may be buffered"],
    ["DMA_ATTR_NO_KERNEL_MAPPING", 4, "dma_alloc_attrs(): the result is a cookie, not a pointer"],
    [
      "DMA_ATTR_SKIP_CPU_SYNC",
      5,
      "no cache maintenance and no bounce copy at map or unmap; nothing to skip for MMIO",
    ],
    ["DMA_ATTR_FORCE_CONTIGUOUS", 6, "dma_alloc_attrs(): contiguous in physical memory"],
    ["DMA_ATTR_ALLOC_SINGLE_PAGES", 7, "dma_alloc_attrs(): large pages are not worth the effort"],
    ["DMA_ATTR_NO_WARN", 8, "no report when it fails"],
    ["DMA_ATTR_PRIVILEGED", 9, "IOMMU_PRIV: for privileged masters only"],
  ] as const).map(([name, bit, effect]): Attribute => ({
    name,
    bit,
    since: null,
    removed: null,
    effect,
    source: DMA,
  })),
  {
    name: "DMA_ATTR_NON_CONSISTENT",
    bit: 3,
    since: null,
    removed: [5, 10],
    effect: "dma_alloc_attrs(): the memory may be non-coherent",
    source: "include/linux/dma-mapping.h up to v5.9",
  },
  {
    name: "DMA_ATTR_MMIO",
    bit: 10,
    since: [6, 18],
    removed: null,
    effect: "the memory is MMIO: no cache maintenance, no bouncing, IOMMU_MMIO; needed at unmap as well",
    source: DMA,
  },
  {
    name: "DMA_ATTR_CPU_CACHE_CLEAN",
    bit: 11,
    since: null,
    removed: null,
    effect:
      "debugging: mappings may share a cache line; renamed DMA_ATTR_DEBUGGING_IGNORE_CACHELINES in 2026",
    source: "include/linux/dma-mapping.h (2026; releases not checked)",
  },
  {
    name: "DMA_ATTR_DEBUGGING_IGNORE_CACHELINES",
    bit: 11,
    since: null,
    removed: null,
    effect: "debugging: mappings may share a cache line",
    source: "include/linux/dma-mapping.h (2026; release not checked)",
  },
  {
    name: "DMA_ATTR_REQUIRE_COHERENT",
    bit: 12,
    since: null,
    removed: null,
    effect: "the mapping fails where it would need cache maintenance or bouncing",
    source: "include/linux/dma-mapping.h (2026; release not checked)",
  },
  {
    name: "DMA_ATTR_CC_SHARED",
    bit: 13,
    since: null,
    removed: null,
    effect: "confidential guests: the memory is shared (decrypted)",
    source: "20260325192352.437608-2-jiri@resnulli.us (2026; release not checked)",
  },
];

/** A constant with the number that the compiler sees. */
export interface Constant {
  readonly name: string;
  readonly value: number;
  readonly source: string;
}

/** enum dma_data_direction. */
export const DIRECTIONS: readonly Constant[] = [
  "DMA_BIDIRECTIONAL",
  "DMA_TO_DEVICE",
  "DMA_FROM_DEVICE",
  "DMA_NONE",
].map((name, value) => ({ name, value, source: "include/linux/dma-direction.h" }));

/**
 * enum dma_transfer_direction, for DMA engines. TO_DEVICE and FROM_DEVICE have the same numbers as MEM_TO_DEV and
 * DEV_TO_MEM, so a mix-up works until it is MEM_TO_MEM (0, BIDIRECTIONAL) or DEV_TO_DEV (3, NONE).
 */
export const TRANSFER_DIRECTIONS: readonly Constant[] = [
  "DMA_MEM_TO_MEM",
  "DMA_MEM_TO_DEV",
  "DMA_DEV_TO_MEM",
  "DMA_DEV_TO_DEV",
  "DMA_TRANS_NONE",
].map((name, value) => ({ name, value, source: "include/linux/dmaengine.h" }));

/** The PCI names of DIRECTIONS, gone since v5.18. */
export const PCI_DIRECTIONS: readonly Constant[] = [
  "PCI_DMA_BIDIRECTIONAL",
  "PCI_DMA_TODEVICE",
  "PCI_DMA_FROMDEVICE",
  "PCI_DMA_NONE",
].map((name, value) => ({ name, value, source: "include/linux/pci-dma-compat.h up to v5.17" }));

/** A parameter of type enum dma_transfer_direction. */
export interface TransferParameter {
  readonly name: string;
  readonly argument: number;
  readonly source: string;
}

/** Where a DMA engine's direction goes. */
export const TRANSFER_PARAMETERS: readonly TransferParameter[] = [
  { name: "dmaengine_prep_slave_single", argument: 3, source: "include/linux/dmaengine.h" },
  { name: "dmaengine_prep_slave_sg", argument: 3, source: "include/linux/dmaengine.h" },
  { name: "dmaengine_prep_peripheral_dma_vec", argument: 3, source: "include/linux/dmaengine.h" },
  { name: "dmaengine_prep_dma_cyclic", argument: 4, source: "include/linux/dmaengine.h" },
];

/** A loop macro over a scatterlist. */
export interface Iterator {
  readonly name: string;
  /** Position of the list or table. */
  readonly list: number;
  /** Position of the variable that walks. */
  readonly entry: number;
  /** Position of the entry count; null when the macro takes it from the table. */
  readonly count: number | null;
  /** Which side may be read in the body; `either`: the count decides. */
  readonly side: "cpu" | "dma" | "either";
  readonly source: string;
}

const SG = "include/linux/scatterlist.h";

/** The loops. */
export const ITERATORS: readonly Iterator[] = [
  { name: "for_each_sg", list: 0, entry: 1, count: 2, side: "either", source: SG },
  { name: "for_each_sgtable_sg", list: 0, entry: 1, count: null, side: "cpu", source: SG },
  { name: "for_each_sgtable_dma_sg", list: 0, entry: 1, count: null, side: "dma", source: SG },
  { name: "for_each_sg_page", list: 0, entry: 1, count: 2, side: "cpu", source: SG },
  { name: "for_each_sg_dma_page", list: 0, entry: 1, count: 2, side: "dma", source: SG },
  { name: "for_each_sgtable_page", list: 0, entry: 1, count: null, side: "cpu", source: SG },
  { name: "for_each_sgtable_dma_page", list: 0, entry: 1, count: null, side: "dma", source: SG },
  { name: "rdma_for_each_block", list: 0, entry: 1, count: 2, side: "dma", source: "include/rdma/iter.h" },
  {
    name: "rdma_umem_for_each_dma_block",
    list: 0,
    entry: 1,
    count: null,
    side: "dma",
    source: "include/rdma/ib_umem.h",
  },
];

/** A printk() conversion for an address. */
export interface Format {
  readonly conversion: string;
  readonly meaning: Meaning;
  readonly source: string;
}

const PRINTK = "Documentation/core-api/printk-formats.rst: passed by reference";

/** The conversions, the longer first. */
export const FORMATS: readonly Format[] = [
  { conversion: "%pad", meaning: "dma", source: PRINTK },
  { conversion: "%pap", meaning: "phys", source: PRINTK },
  { conversion: "%pa", meaning: "phys", source: PRINTK },
];

/** A member of a kernel structure whose kind of address is fixed. */
export interface Field {
  /** Tag of the structure, without `struct`. */
  readonly structType: string;
  readonly member: string;
  readonly meaning: Meaning;
  readonly source: string;
}

/** The members. struct resource is not among them: see RESOURCE_STARTS of convert.ts. */
export const FIELDS: readonly Field[] = [
  { structType: "scatterlist", member: "dma_address", meaning: "dma", source: SG },
  { structType: "scatterlist", member: "dma_length", meaning: "size", source: SG },
  { structType: "scatterlist", member: "length", meaning: "size", source: SG },
  { structType: "sg_table", member: "sgl", meaning: "sg", source: SG },
  { structType: "sg_table", member: "nents", meaning: "nents-mapped", source: SG },
  { structType: "sg_table", member: "orig_nents", meaning: "nents", source: SG },
  { structType: "bio_vec", member: "bv_page", meaning: "page", source: "include/linux/bvec.h" },
  { structType: "phys_vec", member: "paddr", meaning: "phys", source: "include/linux/types.h (v7.0)" },
  {
    structType: "dma_buf_phys_vec",
    member: "paddr",
    meaning: "phys",
    source: "include/linux/dma-buf.h (v6.19 only)",
  },
  { structType: "dma_iova_state", member: "addr", meaning: "dma", source: "include/linux/dma-mapping.h" },
  {
    structType: "dma_slave_config",
    member: "src_addr",
    meaning: "phys",
    source: "include/linux/dmaengine.h: physical by definition",
  },
  {
    structType: "dma_slave_config",
    member: "dst_addr",
    meaning: "phys",
    source: "include/linux/dmaengine.h: physical by definition",
  },
  { structType: "urb", member: "transfer_dma", meaning: "dma", source: "include/linux/usb.h" },
  { structType: "urb", member: "setup_dma", meaning: "dma", source: "include/linux/usb.h" },
  { structType: "spi_transfer", member: "tx_dma", meaning: "dma", source: "include/linux/spi/spi.h" },
  { structType: "spi_transfer", member: "rx_dma", meaning: "dma", source: "include/linux/spi/spi.h" },
  { structType: "ib_sge", member: "addr", meaning: "dma", source: "include/rdma/ib_verbs.h" },
  {
    structType: "p2pdma_provider",
    member: "bus_offset",
    meaning: "bus-offset",
    source: "include/linux/pci-p2pdma.h (v6.19)",
  },
  {
    structType: "pci_dev",
    member: "rom",
    meaning: "phys-mmio",
    source: "include/linux/pci.h: physical address of a ROM that the firmware told of",
  },
  { structType: "pci_bus_region", member: "start", meaning: "pci-bus", source: "include/linux/pci.h" },
];

/** Where the DMA API, p2pdma and their like are implemented (RULES.md 0.6): path prefixes. */
export const IMPLEMENTATION_PATHS: readonly string[] = [
  "arch/",
  "drivers/dma-buf/dma-buf-mapping.c",
  "drivers/iommu/",
  "drivers/pci/p2pdma.c",
  "drivers/vdpa/",
  "drivers/vhost/",
  "drivers/xen/",
  "include/linux/dma-mapping.h",
  "include/linux/dma-direct.h",
  "include/linux/dma-map-ops.h",
  "include/linux/iommu",
  "include/linux/pci-p2pdma.h",
  "include/linux/swiotlb.h",
  "kernel/dma/",
];

/** Of these, the code below the DMA API: its own calls of dma_map_sg() and friends look wrong on purpose. */
export const MAPPER_PATHS: readonly string[] = [
  "arch/",
  "drivers/iommu/",
  "drivers/pci/p2pdma.c",
  "drivers/xen/grant-dma-ops.c",
  "drivers/xen/swiotlb-xen.c",
  "include/linux/dma-mapping.h",
  "include/linux/dma-direct.h",
  "include/linux/dma-map-ops.h",
  "kernel/dma/",
  "lib/scatterlist.c",
];

/** DMA engine providers: they map FIFOs of other devices with dma_map_resource(), which is right (RULES.md 0.6). */
export const DMAENGINE_PATHS: readonly string[] = ["drivers/dma/"];

/** PCI endpoint side: an outbound window takes CPU physical addresses (RULES.md T02). */
export const ENDPOINT_PATHS: readonly string[] = ["drivers/pci/endpoint/", "drivers/pci/controller/"];

/**
 * Where hardware or firmware takes CPU physical addresses by its architecture, with no IOMMU and often no struct
 * device in between: interrupt controllers, firmware and hypervisor calls, channel programs, chipset apertures.
 */
export const PHYSICAL_PATHS: readonly string[] = [
  "block/",
  "crypto/",
  "drivers/acpi/",
  "drivers/cache/",
  "drivers/char/agp/",
  "drivers/char/powernv",
  "drivers/cpuidle/",
  "drivers/crypto/ccp/",
  "drivers/edac/",
  "drivers/firmware/",
  "drivers/hv/",
  "drivers/irqchip/",
  "drivers/misc/cxl/",
  "drivers/misc/ocxl/",
  "drivers/mtd/devices/powernv",
  "drivers/nvdimm/",
  "drivers/platform/goldfish/",
  "drivers/power/",
  "drivers/remoteproc/",
  "drivers/s390/",
  "drivers/soc/",
  "drivers/tee/",
  "drivers/usb/early/",
  "drivers/virt/",
  "drivers/virtio/",
  "fs/",
  "include/",
  "init/",
  "kernel/",
  "lib/",
  "mm/",
  "security/",
  "virt/",
];

/** Guests and firmware clients that lie among other drivers: what they fill is read by the hypervisor's CPU. */
export const PHYSICAL_FILE =
  /(?:^|[/_-])(?:opal|powernv|pseries|hyperv|virtio|virtgpu|vmwgfx|xen)(?:[/_.-]|$)/;

/** Code that is never built for a machine with 32-bit addresses, by its Kconfig: `%llx` fits there. */
export const WIDE_PATHS: readonly string[] = [
  "arch/alpha/",
  "arch/arm64/",
  "arch/loongarch/",
  "arch/s390/",
  "arch/x86/coco/",
  "arch/x86/virt/",
  "drivers/accel/habanalabs/",
  "drivers/accel/ivpu/",
  "drivers/acpi/numa/",
  "drivers/crypto/cavium/",
  "drivers/crypto/hisilicon/",
  "drivers/crypto/intel/iaa/",
  "drivers/crypto/marvell/octeontx",
  "drivers/dma/idxd/",
  "drivers/dma/ppc4xx/",
  "drivers/gpu/drm/amd/amdgpu/amdgpu_amdkfd",
  "drivers/gpu/drm/amd/amdkfd/",
  "drivers/infiniband/hw/bnxt_re/",
  "drivers/infiniband/hw/efa/",
  "drivers/infiniband/hw/erdma/",
  "drivers/infiniband/hw/hfi1/",
  "drivers/infiniband/hw/hns/",
  "drivers/infiniband/hw/mana/",
  "drivers/infiniband/hw/qib/",
  "drivers/iommu/amd/",
  "drivers/iommu/arm/arm-smmu-v3/",
  "drivers/iommu/intel/",
  "drivers/iommu/riscv/",
  "drivers/misc/ocxl/",
  "drivers/misc/sgi-gru/",
  "drivers/net/ethernet/cavium/",
  "drivers/net/ethernet/ibm/ehea/",
  "drivers/net/ethernet/ibm/ibmv",
  "drivers/net/ethernet/marvell/octeon",
  "drivers/net/ethernet/microsoft/mana/",
  "drivers/net/ethernet/pasemi/",
  "drivers/net/mdio/mdio-cavium",
  "drivers/net/mdio/mdio-octeon",
  "drivers/net/mdio/mdio-thunder",
  "drivers/ntb/hw/amd/",
  "drivers/ntb/hw/intel/",
  "drivers/pci/controller/pci-hyperv",
  "drivers/pci/controller/pci-thunder",
  "drivers/pcmcia/electra_cf",
  "drivers/remoteproc/xlnx_r5_remoteproc",
  "drivers/s390/",
  "drivers/scsi/ibmvscsi",
  "drivers/tee/amdtee/",
  "drivers/vfio/pci/nvgrace-gpu/",
  "drivers/virt/coco/",
];

/**
 * Code that is only built where DMA and physical addresses have 32 bits, by its Kconfig: ARCH_IXP4XX is ARM v5, and
 * ARM_LPAE, which widens them, needs v7.
 */
export const NARROW_PATHS: readonly string[] = [
  "arch/arm/mach-ixp4xx/",
  "drivers/net/ethernet/xscale/",
  "drivers/net/wan/ixp4xx",
  "drivers/soc/ixp4xx/",
];

/** Code that never runs in a driver. */
export const TEST_PATHS: readonly string[] = [
  "Documentation/",
  "kernel/dma/map_benchmark.c",
  "lib/kunit/",
  "lib/tests/",
  "rust/",
  "samples/",
  "scripts/",
  "tools/",
];

/** File names of tests that lie beside what they test. The NTB "tests" are drivers that move real data. */
export const TEST_FILE =
  /^(?!drivers\/ntb\/test\/)(?:.*\/)?(?:tests?|selftests?|kunit)\/|[_-](?:test|tests|kunit|selftest)\.[ch]$/;

/** Whether a path of the tree starts with one of the prefixes. */
export function isUnder(path: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => path.startsWith(prefix));
}
