/**
 * The functions that make, use and undo a mapping: streaming DMA, RDMA's wrappers, PCI's old ones, the IOVA
 * steps, dma-buf attachments, the IOMMU's own map, peer-to-peer memory. Facts only; no judgement.
 *
 * An argument list may be shorter than `params`: skb_frag_dma_map() has defaults for its last three since v6.13.
 *
 * @module
 */

import { row } from "./row.ts";
import type { Api, Meaning, Version } from "./types.ts";

const DMA = "include/linux/dma-mapping.h";
const IB = "include/rdma/ib_verbs.h";
const COMPAT = "include/linux/pci-dma-compat.h up to v5.17; removed by 7968778914e5 (v5.18)";
const BUF = "include/linux/dma-buf.h, drivers/dma-buf/dma-buf.c";
const IOMMU = "include/linux/iommu.h, drivers/iommu/iommu.c";
const P2P = "include/linux/pci-p2pdma.h, drivers/pci/p2pdma.c";
const IOVA = "include/linux/dma-mapping.h, drivers/iommu/dma-iommu.c";
const ENGINE = "include/linux/dmaengine.h";

const V4_20: Version = [4, 20];
const V5_4: Version = [5, 4];
const V5_5: Version = [5, 5];
const V5_8: Version = [5, 8];
const V5_18: Version = [5, 18];
const V6_0: Version = [6, 0];
const V6_2: Version = [6, 2];
const V6_3: Version = [6, 3];
const V6_16: Version = [6, 16];
const V6_18: Version = [6, 18];
const V6_19: Version = [6, 19];

/** Undo lists: the usual function first. One family has one implementation (dma_unmap_page_attrs()). */
const UNMAP_SINGLE = ["dma_unmap_single", "dma_unmap_single_attrs", "dma_unmap_page", "dma_unmap_page_attrs"];
const UNMAP_PAGE = ["dma_unmap_page", "dma_unmap_page_attrs", "dma_unmap_single", "dma_unmap_single_attrs"];
const UNMAP_FRAG = [...UNMAP_PAGE, "netmem_dma_unmap_page_attrs"];
const UNMAP_SG = ["dma_unmap_sg", "dma_unmap_sg_attrs", "dma_unmap_sgtable"];
const UNMAP_SGTABLE = ["dma_unmap_sgtable", "dma_unmap_sg", "dma_unmap_sg_attrs"];
const IB_UNMAP_SINGLE = ["ib_dma_unmap_single", "ib_dma_unmap_page"];
const IB_UNMAP_PAGE = ["ib_dma_unmap_page", "ib_dma_unmap_single"];
const IB_UNMAP_SG = ["ib_dma_unmap_sg", "ib_dma_unmap_sg_attrs", "ib_dma_unmap_sgtable_attrs"];
const IB_UNMAP_SGTABLE = ["ib_dma_unmap_sgtable_attrs", "ib_dma_unmap_sg", "ib_dma_unmap_sg_attrs"];
const PCI_UNMAP_SINGLE = ["pci_unmap_single", "pci_unmap_page", ...UNMAP_SINGLE];
const PCI_UNMAP_PAGE = ["pci_unmap_page", "pci_unmap_single", ...UNMAP_PAGE];
const IOMMU_UNMAP = ["iommu_unmap", "iommu_unmap_fast"];

/** A mapping of one range that returns its address. */
function mapped(name: string, params: readonly Meaning[], undo: readonly string[], source: string): Api {
  return row({
    name,
    role: "map",
    params,
    returns: "dma",
    handle: "return",
    memory: 1,
    failure: "mapping-error",
    families: ["single"],
    undo,
    source,
  });
}

const RANGE: readonly Api[] = [
  mapped("dma_map_single", ["device", "kva", "size", "direction"], UNMAP_SINGLE, DMA),
  mapped("dma_map_single_attrs", ["device", "kva", "size", "direction", "attrs"], UNMAP_SINGLE, DMA),
  mapped("dma_map_page", ["device", "page", "offset", "size", "direction"], UNMAP_PAGE, DMA),
  mapped("dma_map_page_attrs", ["device", "page", "offset", "size", "direction", "attrs"], UNMAP_PAGE, DMA),
  mapped("dma_map_bvec", ["device", "none", "direction", "attrs"], UNMAP_PAGE, "include/linux/blkdev.h"),
  mapped(
    "skb_frag_dma_map",
    ["device", "none", "offset", "size", "direction"],
    UNMAP_FRAG,
    "include/linux/skbuff.h",
  ),
  {
    ...mapped(
      "dma_map_resource",
      ["device", "phys", "size", "direction", "attrs"],
      ["dma_unmap_resource"],
      DMA,
    ),
    families: ["resource"],
  },
  {
    ...mapped("dma_map_phys", ["device", "phys", "size", "direction", "attrs"], ["dma_unmap_phys"], DMA),
    families: ["phys"],
    since: V6_18,
  },
];

const LIST: readonly Api[] = [
  row({
    name: "dma_map_sg",
    role: "map",
    params: ["device", "sg", "nents", "direction"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: UNMAP_SG,
    source: DMA,
  }),
  row({
    name: "dma_map_sg_attrs",
    role: "map",
    params: ["device", "sg", "nents", "direction", "attrs"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: UNMAP_SG,
    source: "kernel/dma/mapping.c dma_map_sg_attrs()",
  }),
  row({
    name: "dma_map_sgtable",
    role: "map",
    params: ["device", "sgt", "direction", "attrs"],
    returns: "errno",
    handle: 1,
    memory: 1,
    failure: "errno",
    families: ["sg"],
    undo: UNMAP_SGTABLE,
    since: V5_8,
    source: "kernel/dma/mapping.c dma_map_sgtable()",
  }),
];

/** A function that ends a mapping, given its address or its table as second argument. */
function unmapped(name: string, params: readonly Meaning[], family: Api["families"], source: string): Api {
  return row({ name, role: "unmap", params, handle: 1, families: family, source });
}

const UNMAP: readonly Api[] = [
  unmapped("dma_unmap_single", ["device", "dma", "size", "direction"], ["single"], DMA),
  unmapped("dma_unmap_single_attrs", ["device", "dma", "size", "direction", "attrs"], ["single"], DMA),
  unmapped("dma_unmap_page", ["device", "dma", "size", "direction"], ["single"], DMA),
  unmapped("dma_unmap_page_attrs", ["device", "dma", "size", "direction", "attrs"], ["single"], DMA),
  {
    ...unmapped(
      "netmem_dma_unmap_page_attrs",
      ["device", "dma", "size", "direction", "attrs"],
      ["single"],
      "include/net/netmem.h",
    ),
    since: V6_16,
  },
  unmapped("dma_unmap_resource", ["device", "dma", "size", "direction", "attrs"], ["resource"], DMA),
  {
    ...unmapped("dma_unmap_phys", ["device", "dma", "size", "direction", "attrs"], ["phys"], DMA),
    since: V6_18,
  },
  unmapped("dma_unmap_sg", ["device", "sg", "nents", "direction"], ["sg"], DMA),
  unmapped("dma_unmap_sg_attrs", ["device", "sg", "nents", "direction", "attrs"], ["sg"], DMA),
  { ...unmapped("dma_unmap_sgtable", ["device", "sgt", "direction", "attrs"], ["sg"], DMA), since: V5_8 },
];

/** A function that hands a mapping from the device to the CPU or back. */
function synced(name: string, params: readonly Meaning[], families: Api["families"], source: string): Api {
  return row({ name, role: "sync", params, handle: 1, families, source });
}

const SYNC: readonly Api[] = [
  // dma_alloc_noncoherent() and dma_alloc_pages() memory is synced with these as well
  // (Documentation/core-api/dma-api.rst, part "Non-coherent DMA allocations").
  ...["dma_sync_single_for_cpu", "dma_sync_single_for_device"].map((name) =>
    synced(name, ["device", "dma", "size", "direction"], ["single", "phys", "noncoherent", "pages"], DMA)
  ),
  ...["dma_sync_single_range_for_cpu", "dma_sync_single_range_for_device"].map((name) =>
    synced(
      name,
      ["device", "dma", "offset", "size", "direction"],
      ["single", "phys", "noncoherent", "pages"],
      DMA,
    )
  ),
  ...["dma_sync_sg_for_cpu", "dma_sync_sg_for_device"].map((name) =>
    synced(name, ["device", "sg", "nents", "direction"], ["sg", "noncontiguous"], DMA)
  ),
  ...["dma_sync_sgtable_for_cpu", "dma_sync_sgtable_for_device"].map((name) => ({
    ...synced(name, ["device", "sgt", "direction"], ["sg", "noncontiguous"], DMA),
    since: V5_8,
  })),
];

const CHECK: readonly Api[] = [
  row({
    name: "dma_mapping_error",
    role: "check",
    params: ["device", "dma"],
    returns: "errno",
    handle: 1,
    failure: "errno",
    families: ["single", "resource", "phys"],
    source: DMA,
  }),
];

const RDMA: readonly Api[] = [
  mapped("ib_dma_map_single", ["ib-device", "kva", "size", "direction"], IB_UNMAP_SINGLE, IB),
  mapped("ib_dma_map_page", ["ib-device", "page", "offset", "size", "direction"], IB_UNMAP_PAGE, IB),
  mapped("ib_dma_map_bvec", ["ib-device", "none", "direction"], ["ib_dma_unmap_bvec"], `${IB} (merged 2026)`),
  row({
    name: "ib_dma_map_sg",
    role: "map",
    params: ["ib-device", "sg", "nents", "direction"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: IB_UNMAP_SG,
    source: IB,
  }),
  row({
    name: "ib_dma_virt_map_sg",
    role: "map",
    params: ["ib-device", "sg", "nents"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: IB_UNMAP_SG,
    source: "include/rdma/ib_verbs.h: the DMA side gets the CPU side's addresses",
  }),
  row({
    name: "ib_dma_map_sg_attrs",
    role: "map",
    params: ["ib-device", "sg", "nents", "direction", "attrs"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: IB_UNMAP_SG,
    source: IB,
  }),
  row({
    name: "ib_dma_map_sgtable_attrs",
    role: "map",
    params: ["ib-device", "sgt", "direction", "attrs"],
    returns: "errno",
    handle: 1,
    memory: 1,
    failure: "errno",
    families: ["sg"],
    undo: IB_UNMAP_SGTABLE,
    source: IB,
  }),
  unmapped("ib_dma_unmap_single", ["ib-device", "dma", "size", "direction"], ["single"], IB),
  unmapped("ib_dma_unmap_page", ["ib-device", "dma", "size", "direction"], ["single"], IB),
  unmapped("ib_dma_unmap_bvec", ["ib-device", "dma", "size", "direction"], ["single"], `${IB} (merged 2026)`),
  unmapped("ib_dma_unmap_sg", ["ib-device", "sg", "nents", "direction"], ["sg"], IB),
  unmapped("ib_dma_unmap_sg_attrs", ["ib-device", "sg", "nents", "direction", "attrs"], ["sg"], IB),
  unmapped("ib_dma_unmap_sgtable_attrs", ["ib-device", "sgt", "direction", "attrs"], ["sg"], IB),
  synced("ib_dma_sync_single_for_cpu", ["ib-device", "dma", "size", "direction"], ["single"], IB),
  synced("ib_dma_sync_single_for_device", ["ib-device", "dma", "size", "direction"], ["single"], IB),
  row({
    name: "ib_dma_mapping_error",
    role: "check",
    params: ["ib-device", "dma"],
    returns: "errno",
    handle: 1,
    failure: "errno",
    families: ["single"],
    source: IB,
  }),
];

/** Rows that left the kernel together with pci-dma-compat.h. */
const PCI_COMPAT: readonly Api[] = [
  mapped("pci_map_single", ["pci-dev", "kva", "size", "direction"], PCI_UNMAP_SINGLE, COMPAT),
  mapped("pci_map_page", ["pci-dev", "page", "offset", "size", "direction"], PCI_UNMAP_PAGE, COMPAT),
  row({
    name: "pci_map_sg",
    role: "map",
    params: ["pci-dev", "sg", "nents", "direction"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: ["pci_unmap_sg", ...UNMAP_SG],
    source: COMPAT,
  }),
  unmapped("pci_unmap_single", ["pci-dev", "dma", "size", "direction"], ["single"], COMPAT),
  unmapped("pci_unmap_page", ["pci-dev", "dma", "size", "direction"], ["single"], COMPAT),
  unmapped("pci_unmap_sg", ["pci-dev", "sg", "nents", "direction"], ["sg"], COMPAT),
  synced("pci_dma_sync_single_for_cpu", ["pci-dev", "dma", "size", "direction"], ["single"], COMPAT),
  synced("pci_dma_sync_single_for_device", ["pci-dev", "dma", "size", "direction"], ["single"], COMPAT),
  synced("pci_dma_sync_sg_for_cpu", ["pci-dev", "sg", "nents", "direction"], ["sg"], COMPAT),
  synced("pci_dma_sync_sg_for_device", ["pci-dev", "sg", "nents", "direction"], ["sg"], COMPAT),
  row({
    name: "pci_dma_mapping_error",
    role: "check",
    params: ["pci-dev", "dma"],
    returns: "errno",
    handle: 1,
    failure: "errno",
    families: ["single"],
    source: COMPAT,
  }),
  ...["pci_alloc_consistent", "pci_zalloc_consistent"].map((name) =>
    row({
      name,
      role: "alloc",
      params: ["pci-dev", "size", "dma"],
      returns: "kva-coherent",
      handle: 2,
      failure: "null",
      families: ["coherent"],
      undo: ["pci_free_consistent", "dma_free_coherent"],
      source: COMPAT,
    })
  ),
  row({
    name: "pci_free_consistent",
    role: "free",
    params: ["pci-dev", "size", "kva-coherent", "dma"],
    handle: 3,
    memory: 2,
    families: ["coherent"],
    source: COMPAT,
  }),
].map((api) => ({ ...api, removed: V5_18 }));

/** The three steps of v6.16: reserve IOVA space, link ranges into it, sync. */
const IOVA_STEPS: readonly Api[] = [
  row({
    name: "dma_iova_try_alloc",
    role: "map",
    // The physical address only tells the alignment.
    params: ["device", "iova-state", "phys", "size"],
    returns: "bool",
    handle: 1,
    failure: "false",
    families: ["iova"],
    undo: ["dma_iova_free", "dma_iova_destroy"],
    source: `${IOVA}: false means the streaming API has to be used, it is no error`,
  }),
  row({
    name: "dma_iova_link",
    role: "map",
    params: ["device", "iova-state", "phys", "offset", "size", "direction", "attrs"],
    returns: "errno",
    handle: 1,
    memory: 2,
    failure: "errno",
    families: ["iova"],
    undo: ["dma_iova_unlink", "dma_iova_destroy"],
    source: IOVA,
  }),
  row({
    name: "dma_iova_sync",
    role: "sync",
    params: ["device", "iova-state", "offset", "size"],
    returns: "errno",
    handle: 1,
    failure: "errno",
    families: ["iova"],
    source: IOVA,
  }),
  row({
    name: "dma_iova_unlink",
    role: "unmap",
    params: ["device", "iova-state", "offset", "size", "direction", "attrs"],
    handle: 1,
    families: ["iova"],
    source: IOVA,
  }),
  row({
    name: "dma_iova_destroy",
    role: "unmap",
    params: ["device", "iova-state", "size", "direction", "attrs"],
    handle: 1,
    families: ["iova"],
    source: IOVA,
  }),
  row({
    name: "dma_iova_free",
    role: "unmap",
    params: ["device", "iova-state"],
    handle: 1,
    families: ["iova"],
    source: IOVA,
  }),
  row({
    name: "dma_use_iova",
    role: "check",
    params: ["iova-state"],
    returns: "bool",
    handle: 0,
    families: ["iova"],
    source: DMA,
  }),
].map((api) => ({ ...api, since: V6_16 }));

/** The device of an attachment is `attach->dev`: the importer. */
const DMA_BUF: readonly Api[] = [
  row({
    name: "dma_buf_map_attachment",
    role: "map",
    params: ["attachment", "direction"],
    returns: "sgt-dmabuf",
    handle: "return",
    failure: "err-ptr",
    families: ["attachment"],
    undo: ["dma_buf_unmap_attachment"],
    source: BUF,
  }),
  row({
    name: "dma_buf_map_attachment_unlocked",
    role: "map",
    params: ["attachment", "direction"],
    returns: "sgt-dmabuf",
    handle: "return",
    failure: "err-ptr",
    families: ["attachment-unlocked"],
    undo: ["dma_buf_unmap_attachment_unlocked"],
    since: V6_2,
    source: BUF,
  }),
  row({
    name: "dma_buf_unmap_attachment",
    role: "unmap",
    params: ["attachment", "sgt-dmabuf", "direction"],
    handle: 1,
    families: ["attachment"],
    source: BUF,
  }),
  row({
    name: "dma_buf_unmap_attachment_unlocked",
    role: "unmap",
    params: ["attachment", "sgt-dmabuf", "direction"],
    handle: 1,
    families: ["attachment-unlocked"],
    since: V6_2,
    source: BUF,
  }),
  row({
    name: "dma_buf_phys_vec_to_sgt",
    role: "map",
    params: ["attachment", "provider", "none", "none", "size", "direction"],
    // The table has a DMA side only: every page is NULL and orig_nents is 0, so that nobody walks it.
    returns: "sgt-dmabuf",
    handle: "return",
    memory: 2,
    failure: "err-ptr",
    families: ["phys-vec-sgt"],
    undo: ["dma_buf_free_sgt"],
    since: V6_19,
    source: "include/linux/dma-buf-mapping.h, drivers/dma-buf/dma-buf-mapping.c",
  }),
  row({
    name: "dma_buf_free_sgt",
    role: "unmap",
    params: ["attachment", "sgt-dmabuf", "direction"],
    handle: 1,
    families: ["phys-vec-sgt"],
    since: V6_19,
    source: "include/linux/dma-buf-mapping.h, drivers/dma-buf/dma-buf-mapping.c",
  }),
];

/** The IOMMU API proper: the driver chooses the IOVA. */
const IOMMU_MAP: readonly Api[] = [
  row({
    name: "iommu_map",
    role: "map",
    params: ["iommu-domain", "iova", "phys", "size", "prot", "gfp"],
    returns: "errno",
    handle: 1,
    memory: 2,
    failure: "errno",
    families: ["iommu"],
    undo: IOMMU_UNMAP,
    source: `${IOMMU} (gfp since v6.3)`,
  }),
  row({
    name: "iommu_map_nosync",
    role: "map",
    params: ["iommu-domain", "iova", "phys", "size", "prot", "gfp"],
    returns: "errno",
    handle: 1,
    memory: 2,
    failure: "errno",
    families: ["iommu"],
    undo: IOMMU_UNMAP,
    since: V6_16,
    source: IOMMU,
  }),
  row({
    name: "iommu_map_atomic",
    role: "map",
    params: ["iommu-domain", "iova", "phys", "size", "prot"],
    returns: "errno",
    handle: 1,
    memory: 2,
    failure: "errno",
    families: ["iommu"],
    undo: IOMMU_UNMAP,
    since: V5_5,
    removed: V6_3,
    source: IOMMU,
  }),
  row({
    name: "iommu_map_sg",
    role: "map",
    params: ["iommu-domain", "iova", "sg", "nents", "prot", "gfp"],
    returns: "size",
    handle: 1,
    memory: 2,
    failure: "size-or-errno",
    families: ["iommu"],
    undo: IOMMU_UNMAP,
    source: `${IOMMU} (gfp since v6.3; a size_t with 0 for failure before v5.15)`,
  }),
  row({
    name: "iommu_map_sg_atomic",
    role: "map",
    params: ["iommu-domain", "iova", "sg", "nents", "prot"],
    returns: "size",
    handle: 1,
    memory: 2,
    failure: "size-or-errno",
    families: ["iommu"],
    undo: IOMMU_UNMAP,
    since: V5_5,
    removed: V6_3,
    source: IOMMU,
  }),
  row({
    name: "iommu_map_sgtable",
    role: "map",
    params: ["iommu-domain", "iova", "sgt", "prot"],
    returns: "size",
    handle: 1,
    memory: 2,
    failure: "size-or-errno",
    families: ["iommu"],
    undo: IOMMU_UNMAP,
    since: V5_8,
    source: IOMMU,
  }),
  row({
    name: "iommu_unmap",
    role: "unmap",
    params: ["iommu-domain", "iova", "size"],
    returns: "size",
    handle: 1,
    failure: "short",
    families: ["iommu"],
    source: IOMMU,
  }),
  row({
    name: "iommu_unmap_fast",
    role: "unmap",
    params: ["iommu-domain", "iova", "size", "none"],
    returns: "size",
    handle: 1,
    failure: "short",
    families: ["iommu"],
    source: IOMMU,
  }),
];

const PEER: readonly Api[] = [
  row({
    name: "pci_p2pdma_map_sg",
    role: "map",
    params: ["device", "sg", "nents", "direction"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: ["pci_p2pdma_unmap_sg", "pci_p2pdma_unmap_sg_attrs"],
    since: V4_20,
    removed: V6_0,
    source: `${P2P} up to v5.19`,
  }),
  row({
    name: "pci_p2pdma_map_sg_attrs",
    role: "map",
    params: ["device", "sg", "nents", "direction", "attrs"],
    returns: "nents-mapped",
    handle: 1,
    memory: 1,
    failure: "zero",
    families: ["sg"],
    undo: ["pci_p2pdma_unmap_sg_attrs", "pci_p2pdma_unmap_sg"],
    since: V5_4,
    removed: V6_0,
    source: `${P2P} up to v5.19`,
  }),
  row({
    name: "pci_p2pdma_unmap_sg",
    role: "unmap",
    params: ["device", "sg", "nents", "direction"],
    handle: 1,
    families: ["sg"],
    since: V5_4,
    removed: V6_0,
    source: `${P2P} up to v5.19`,
  }),
  row({
    name: "pci_p2pdma_unmap_sg_attrs",
    role: "unmap",
    params: ["device", "sg", "nents", "direction", "attrs"],
    handle: 1,
    families: ["sg"],
    since: V5_4,
    removed: V6_0,
    source: `${P2P} up to v5.19`,
  }),
  row({
    name: "pci_p2pdma_bus_addr_map",
    role: "map",
    // v6.16 to v6.18 took the struct pci_p2pdma_map_state instead.
    params: ["provider", "phys"],
    returns: "pci-bus",
    handle: "return",
    memory: 1,
    families: ["p2p-bus"],
    since: V6_16,
    source: P2P,
  }),
  row({
    name: "pci_alloc_p2pmem",
    role: "alloc",
    params: ["pci-dev", "size"],
    returns: "kva-p2p",
    failure: "null",
    families: ["p2pmem"],
    undo: ["pci_free_p2pmem"],
    since: V4_20,
    source: P2P,
  }),
  row({
    name: "pci_free_p2pmem",
    role: "free",
    params: ["pci-dev", "kva-p2p", "size"],
    memory: 1,
    families: ["p2pmem"],
    since: V4_20,
    source: P2P,
  }),
  row({
    name: "pci_p2pmem_alloc_sgl",
    role: "alloc",
    // The second argument is where the entry count goes.
    params: ["pci-dev", "none", "size"],
    returns: "sg",
    failure: "null",
    families: ["p2pmem"],
    undo: ["pci_p2pmem_free_sgl"],
    since: V4_20,
    source: P2P,
  }),
  row({
    name: "pci_p2pmem_free_sgl",
    role: "free",
    params: ["pci-dev", "sg"],
    memory: 1,
    families: ["p2pmem"],
    since: V4_20,
    source: P2P,
  }),
];

/** Descriptors of a DMA engine: the addresses must have been mapped for the channel's device. */
const DMA_ENGINE: readonly Api[] = [
  row({
    name: "dmaengine_prep_slave_single",
    role: "hardware",
    params: ["dma-chan", "dma", "size"],
    memory: 1,
    failure: "null",
    source: ENGINE,
  }),
  row({
    name: "dmaengine_prep_slave_sg",
    role: "hardware",
    params: ["dma-chan", "sg", "nents-mapped"],
    memory: 1,
    nents: 2,
    failure: "null",
    source: ENGINE,
  }),
  ...["ib_map_mr_sg", "ib_map_mr_sg_zbva"].map((name) =>
    row({
      name,
      role: "hardware",
      params: ["none", "sg", "nents-mapped"],
      memory: 1,
      nents: 2,
      failure: "short",
      source: "drivers/infiniband/core/verbs.c: maps a DMA mapped list into a memory region",
    })
  ),
  row({
    name: "dmaengine_prep_dma_cyclic",
    role: "hardware",
    params: ["dma-chan", "dma", "size", "size"],
    memory: 1,
    failure: "null",
    source: ENGINE,
  }),
  row({
    name: "dmaengine_prep_dma_memset",
    role: "hardware",
    params: ["dma-chan", "dma", "none", "size"],
    memory: 1,
    failure: "null",
    source: ENGINE,
  }),
  row({
    name: "dmaengine_prep_dma_memcpy",
    role: "hardware",
    // Destination, then source: both are DMA addresses.
    params: ["dma-chan", "dma", "dma", "size"],
    memory: 1,
    failure: "null",
    source: ENGINE,
  }),
];

/** Every function of this file. */
export const MAPPING: readonly Api[] = [
  ...RANGE,
  ...LIST,
  ...UNMAP,
  ...SYNC,
  ...CHECK,
  ...RDMA,
  ...PCI_COMPAT,
  ...IOVA_STEPS,
  ...DMA_BUF,
  ...IOMMU_MAP,
  ...PEER,
  ...DMA_ENGINE,
];
