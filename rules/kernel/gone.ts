/**
 * Names that the kernel no longer has or never had, and names that it has but not for drivers. Facts only.
 *
 * @module
 */

import type { Gone, Version } from "./types.ts";

const V5_0: Version = [5, 0];
const V5_10: Version = [5, 10];
const V5_11: Version = [5, 11];
const V5_18: Version = [5, 18];
const V6_0: Version = [6, 0];
const V6_3: Version = [6, 3];
const V6_5: Version = [6, 5];
const V6_11: Version = [6, 11];
const V6_16: Version = [6, 16];
const V6_18: Version = [6, 18];
const V6_19: Version = [6, 19];
const V7_0: Version = [7, 0];
const V7_1: Version = [7, 1];

const COMPAT =
  "7968778914e5 (PCI: Remove the deprecated pci-dma-compat.h API), YkmRl8McdwST4cII@infradead.org";

/** What each function of pci-dma-compat.h called, with `&pdev->dev` for the pci_dev. */
const PCI_COMPAT: readonly (readonly [name: string, replacement: string])[] = [
  ["pci_map_single", "dma_map_single(&pdev->dev, …)"],
  ["pci_map_page", "dma_map_page(&pdev->dev, …)"],
  ["pci_map_sg", "dma_map_sg(&pdev->dev, …)"],
  ["pci_unmap_single", "dma_unmap_single(&pdev->dev, …)"],
  ["pci_unmap_page", "dma_unmap_page(&pdev->dev, …)"],
  ["pci_unmap_sg", "dma_unmap_sg(&pdev->dev, …)"],
  ["pci_dma_sync_single_for_cpu", "dma_sync_single_for_cpu(&pdev->dev, …)"],
  ["pci_dma_sync_single_for_device", "dma_sync_single_for_device(&pdev->dev, …)"],
  ["pci_dma_sync_sg_for_cpu", "dma_sync_sg_for_cpu(&pdev->dev, …)"],
  ["pci_dma_sync_sg_for_device", "dma_sync_sg_for_device(&pdev->dev, …)"],
  ["pci_dma_mapping_error", "dma_mapping_error(&pdev->dev, …)"],
  ["pci_alloc_consistent", "dma_alloc_coherent(&pdev->dev, …, GFP_KERNEL)"],
  ["pci_zalloc_consistent", "dma_alloc_coherent(&pdev->dev, …, GFP_KERNEL)"],
  ["pci_free_consistent", "dma_free_coherent(&pdev->dev, …)"],
  ["pci_set_dma_mask", "dma_set_mask(&pdev->dev, …)"],
  ["pci_set_consistent_dma_mask", "dma_set_coherent_mask(&pdev->dev, …)"],
];

const PCI_DIRECTIONS: readonly (readonly [name: string, replacement: string])[] = [
  ["PCI_DMA_BIDIRECTIONAL", "DMA_BIDIRECTIONAL"],
  ["PCI_DMA_TODEVICE", "DMA_TO_DEVICE"],
  ["PCI_DMA_FROMDEVICE", "DMA_FROM_DEVICE"],
  ["PCI_DMA_NONE", "DMA_NONE"],
];

/** Row of a function that nothing keeps. */
function gone(name: string, removed: Version | null, replacement: string, source: string): Gone {
  return { name, kind: "function", removed, replacement, keptIn: [], source };
}

/** Where 32-bit Macs and boards still define virt_to_bus(), and the drivers that run on nothing else. */
const BUS_KEPT = [
  "arch/m68k/",
  "arch/powerpc/",
  "drivers/net/ethernet/apple/",
  "drivers/net/ethernet/i825xx/",
  "drivers/scsi/mvme147.c",
  "drivers/tty/serial/cpm_uart.c",
];

const P2P_SERIES = "20220615161233.17527-1-logang@deltatee.com (v6.0)";
const PHYS_SERIES = "cover.1757423202.git.leonro@nvidia.com (v6.18)";
const IOMMU_GFP = "1-v3-76b587fe28df+6e3-iommu_map_gfp_jgg@nvidia.com (v6.3)";
const REVOKE = "20260131-dmabuf-revoke-v7 series; v7.1 by its merge route, not checked against a tag";
const VFIO = "20251120-dmabuf-vfio-v9-0-d7f71607f371@nvidia.com: an earlier round's name";

/** Every identifier that is gone. */
export const GONE_ROWS: readonly Gone[] = [
  ...PCI_COMPAT.map(([name, replacement]) => gone(name, V5_18, replacement, COMPAT)),
  ...PCI_DIRECTIONS.map(([name, replacement]): Gone => ({
    name,
    kind: "macro",
    removed: V5_18,
    replacement,
    keptIn: [],
    source: COMPAT,
  })),
  ...["virt_to_bus", "bus_to_virt"].map((name): Gone => ({
    name,
    kind: "function",
    removed: V6_0,
    replacement: name === "virt_to_bus"
      ? "dma_map_single() or dma_alloc_coherent()"
      : "the pointer kept beside the DMA address",
    keptIn: BUS_KEPT,
    source: "20220624155226.2889613-1-arnd@kernel.org (v6.0)",
  })),
  ...["pci_p2pdma_map_sg", "pci_p2pdma_map_sg_attrs"].map((name) =>
    gone(name, V6_0, "dma_map_sgtable(), which accepts P2PDMA pages", P2P_SERIES)
  ),
  ...["pci_p2pdma_unmap_sg", "pci_p2pdma_unmap_sg_attrs"].map((name) =>
    gone(name, V6_0, "dma_unmap_sgtable()", P2P_SERIES)
  ),
  gone(
    "pci_p2pdma_map_segment",
    V6_16,
    "pci_p2pdma_state() with pci_p2pdma_bus_addr_map()",
    "a25e7962db0d (PCI/P2PDMA: Refactor the p2pdma mapping helpers, v6.16)",
  ),
  gone(
    "sg_is_dma_bus_address",
    V6_5,
    "sg_dma_is_bus_address()",
    "cb147bbe22d2 (dma-mapping: name SG DMA flag helpers consistently, v6.5)",
  ),
  gone("iommu_map_atomic", V6_3, "iommu_map(…, GFP_ATOMIC)", IOMMU_GFP),
  gone("iommu_map_sg_atomic", V6_3, "iommu_map_sg(…, GFP_ATOMIC)", IOMMU_GFP),
  {
    ...gone(
      "QUEUE_FLAG_PCI_P2PDMA",
      V6_11,
      "BLK_FEAT_PCI_P2PDMA in struct queue_limits",
      "9c1e42e3c876 (block: move the pci_p2pdma flag to queue_limits, v6.11)",
    ),
    kind: "macro",
  },
  gone("dma_buf_move_notify", V7_1, "dma_buf_invalidate_mappings()", REVOKE),
  {
    ...gone("move_notify", V7_1, "invalidate_mappings", `${REVOKE}; member of struct dma_buf_attach_ops`),
    kind: "field",
  },
  ...["map_resource", "unmap_resource"].map((name): Gone => ({
    ...gone(
      name,
      V6_19,
      `${name.replace("resource", "phys")}`,
      "member of struct dma_map_ops; v6.19 not checked",
    ),
    kind: "field",
  })),
  gone("dma_direct_map_resource", V6_18, "dma_direct_map_phys() with DMA_ATTR_MMIO", PHYS_SERIES),
  gone("iommu_dma_map_resource", V6_18, "iommu_dma_map_phys() with DMA_ATTR_MMIO", PHYS_SERIES),
  gone("iommu_dma_unmap_resource", V6_18, "iommu_dma_unmap_phys() with DMA_ATTR_MMIO", PHYS_SERIES),
  {
    ...gone(
      "dma_virt_ops",
      V5_11,
      "a NULL dma_device in ib_register_device()",
      "5a7a9e038b03 (RDMA/core: remove use of dma_virt_ops, v5.11)",
    ),
    kind: "type",
  },
  {
    ...gone("CONFIG_DMA_VIRT_OPS", V5_11, "CONFIG_INFINIBAND_VIRT_DMA", "5a7a9e038b03 (v5.11)"),
    kind: "config",
  },
  {
    ...gone(
      "dma_buf_phys_vec",
      V7_0,
      "struct phys_vec of <linux/types.h>",
      "20251217-nvme-phys-types-v3 series; include/linux/dma-buf-mapping.h",
    ),
    kind: "type",
  },
  gone("pcim_p2pdma_enable", null, "pcim_p2pdma_init() and pcim_p2pdma_provider()", VFIO),
  gone(
    "pci_p2pdma_map_resource",
    null,
    "pci_p2pdma_map_type() and dma_map_phys(…, DMA_ATTR_MMIO)",
    "20190722230859.5436-15-logang@deltatee.com: an RFC",
  ),
  gone(
    "dma_map_p2p",
    null,
    "pci_p2pdma_map_type() and dma_map_phys(…, DMA_ATTR_MMIO)",
    "Yxi3cFfs0SA4XWJw@nvidia.com: a proposal",
  ),
  gone("dma_buf_map", null, "dma_buf_phys_vec_to_sgt()", VFIO),
  gone("dma_buf_unmap", null, "dma_buf_free_sgt()", VFIO),
  {
    ...gone(
      "DMA_ATTR_NON_CONSISTENT",
      V5_10,
      "dma_alloc_noncoherent()",
      "include/linux/dma-mapping.h: there in v5.9, not in v5.10",
    ),
    kind: "macro",
  },
  gone(
    "dma_cache_sync",
    V5_10,
    "dma_alloc_noncoherent() with dma_sync_single_for_device()",
    "include/linux/dma-mapping.h: there in v5.9, not in v5.10",
  ),
  gone(
    "dma_zalloc_coherent",
    V5_0,
    "dma_alloc_coherent(), which zeroes",
    "66c56cfa64d9 (merge of remove-dma_zalloc_coherent-5.0)",
  ),
];

/** A name that exists, for the implementation of the DMA API. */
export interface Internal {
  /** Identifier, header as in the `#include`, or Kconfig symbol; a trailing `*` stands for any ending. */
  readonly name: string;
  readonly kind: "function" | "include" | "config";
  readonly instead: string;
  /** Path prefixes where it is in place, on top of IMPLEMENTATION_PATHS of names.ts. */
  readonly keptIn: readonly string[];
  readonly source: string;
}

const DIRECT =
  'include/linux/dma-direct.h: "Internals of the DMA direct mapping implementation. Only for use by the DMA mapping code and IOMMU drivers."';
const OPS =
  'include/linux/dma-map-ops.h: "for implementations of dma_map_ops and related code. It should not be included in drivers just using the DMA API."';
const SWIOTLB = "include/linux/swiotlb.h: reached through the DMA API only";

/** Buses and firmware glue: they set up the DMA of devices they enumerate (dma_configure callbacks). */
const BUSES = [
  "drivers/acpi/",
  "drivers/amba/",
  "drivers/base/",
  "drivers/bus/",
  "drivers/cdx/",
  "drivers/hv/",
  "drivers/of/",
  "drivers/parisc/",
  "drivers/pci/",
];

/** Every name that a driver is not to use. */
export const INTERNAL: readonly Internal[] = [
  ...["phys_to_dma", "phys_to_dma_unencrypted"].map((name): Internal => ({
    name,
    kind: "function",
    instead: "dma_map_single(), dma_map_page() or dma_alloc_coherent()",
    keptIn: BUSES,
    source: DIRECT,
  })),
  {
    name: "dma_to_phys",
    kind: "function",
    instead: "the page or physical address that was mapped",
    keptIn: BUSES,
    source: DIRECT,
  },
  ...["dma_capable", "force_dma_unencrypted", "translate_phys_to_dma", "dma_direct_*"].map((
    name,
  ): Internal => ({
    name,
    kind: "function",
    instead: "the DMA API of <linux/dma-mapping.h>",
    keptIn: BUSES,
    source: DIRECT,
  })),
  ...[
    "dma_alloc_from_contiguous",
    "dma_release_from_contiguous",
    "dma_alloc_from_dev_coherent",
    "dma_common_contiguous_remap",
    "dma_common_pages_remap",
    "set_dma_ops",
    "get_dma_ops",
    "arch_sync_dma_for_device",
    "arch_sync_dma_for_cpu",
  ].map((name): Internal => ({
    name,
    kind: "function",
    instead: "the DMA API of <linux/dma-mapping.h>",
    keptIn: [...BUSES, "drivers/dma-buf/heaps/"],
    source: OPS,
  })),
  {
    name: "__dma_sync_*",
    kind: "function",
    instead: "dma_sync_single_for_cpu() and its kin",
    keptIn: ["net/core/page_pool.c"],
    source: "include/linux/dma-mapping.h: called by the inlines that test dma_dev_need_sync()",
  },
  ...["is_swiotlb_force_bounce", "swiotlb_*"].map((name): Internal => ({
    name,
    kind: "function",
    instead: "dma_max_mapping_size() for the limit; the DMA API bounces by itself",
    keptIn: BUSES,
    source: SWIOTLB,
  })),
  ...["iommu_dma_map_*", "iommu_dma_unmap_*"].map((name): Internal => ({
    name,
    kind: "function",
    instead: "the DMA API of <linux/dma-mapping.h>",
    keptIn: [],
    source: "include/linux/iommu-dma.h: called by kernel/dma/mapping.c",
  })),
  {
    name: "linux/dma-direct.h",
    kind: "include",
    instead: "<linux/dma-mapping.h>",
    keptIn: BUSES,
    source: DIRECT,
  },
  {
    name: "linux/dma-map-ops.h",
    kind: "include",
    instead: "<linux/dma-mapping.h>",
    keptIn: [...BUSES, "drivers/dma-buf/heaps/"],
    source: OPS,
  },
  {
    name: "asm/dma-mapping.h",
    kind: "include",
    instead: "<linux/dma-mapping.h>",
    keptIn: [],
    source: "Documentation/core-api/dma-api-howto.rst: include <linux/dma-mapping.h>",
  },
  {
    name: "NEED_SG_DMA_LENGTH",
    kind: "config",
    instead: "nothing: architectures and IOMMU code select it",
    keptIn: [],
    source: "kernel/dma/Kconfig",
  },
];
