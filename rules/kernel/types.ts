/**
 * The vocabulary of the kernel tables: what a kernel function's arguments and result mean. No code here, only
 * types; every row of every table cites its source.
 *
 * @module
 */

/** A kernel release: `[6, 18]` is v6.18. */
export type Version = readonly [major: number, minor: number];

/**
 * What a value is. The address meanings are the point of the tool: all of them are plain integers or pointers to
 * the C compiler.
 */
export type Meaning =
  // addresses
  | "kva" // kernel virtual, wanted or known to be in the linear map (kmalloc, page_address)
  | "kva-coherent" // CPU side of dma_alloc_*; need not be in the linear map
  | "kva-vmalloc"
  | "kva-stack"
  | "kva-p2p" // pci_alloc_p2pmem(): CPU side of a BAR
  | "iomem" // ioremap() family, __iomem
  | "phys" // CPU physical, of whatever
  | "phys-ram" // CPU physical of RAM: virt_to_phys(), page_to_phys(), sg_phys()
  | "phys-mmio" // CPU physical of a platform device's registers
  | "phys-bar" // CPU physical of a PCI BAR: pci_resource_start()
  | "pci-bus" // what a TLP below the host bridge carries: pci_bus_address()
  | "bus-offset" // pci_bus_address() - pci_resource_start()
  | "dma" // dma_addr_t: what one device must emit
  | "iova" // an I/O virtual address that the driver chose itself (iommu_map())
  | "dt-cell" // raw cell of a reg property: an address of the node's parent bus
  | "pfn"
  // objects
  | "page" // struct page *
  | "page-p2p" // struct page of P2PDMA memory
  | "sg" // struct scatterlist *
  | "sgt" // struct sg_table *
  | "sgt-dmabuf" // the table that dma_buf_map_attachment() gives: its CPU side is off limits
  | "device" // struct device *
  | "pci-dev" // struct pci_dev *
  | "ib-device"
  | "attachment" // struct dma_buf_attachment *
  | "dma-buf"
  | "dma-chan" // struct dma_chan *
  | "iommu-domain"
  | "provider" // struct p2pdma_provider *
  | "iova-state" // struct dma_iova_state *
  | "map-state" // struct pci_p2pdma_map_state *
  | "pool" // struct dma_pool *
  | "resource" // struct resource *
  // numbers
  | "size"
  | "offset"
  | "nents" // entries of the CPU side: what dma_map_sg() is given
  | "nents-mapped" // entries of the DMA side: what dma_map_sg() returns
  | "direction" // enum dma_data_direction
  | "attrs" // DMA_ATTR_*
  | "prot" // IOMMU_*
  | "gfp"
  | "mask"
  | "errno" // 0 or negative
  | "bool"
  | "map-type" // enum pci_p2pdma_map_type
  | "none"; // void, or of no interest

/**
 * How a call tells that it failed.
 * `mapping-error`: only dma_mapping_error() knows. `zero`: 0. `null`: NULL. `errno`: negative, 0 is success.
 * `size-or-errno`: bytes, or negative (ssize_t). `err-ptr`: IS_ERR(). `false`: false. `short`: fewer bytes than asked.
 */
export type Failure =
  | "mapping-error"
  | "zero"
  | "null"
  | "errno"
  | "size-or-errno"
  | "err-ptr"
  | "false"
  | "short"
  | "never";

/** What must undo what: a mapping made by one family is released by the functions of the same family. */
export type Family =
  | "single" // dma_map_single, dma_map_page, dma_map_bvec, skb_frag_dma_map: one page-backed range
  | "resource" // dma_map_resource
  | "phys" // dma_map_phys (v6.18)
  | "sg" // dma_map_sg, dma_map_sgtable: nents decide
  | "coherent" // dma_alloc_coherent, dma_alloc_attrs
  | "managed" // dmam_alloc_*: devres frees it
  | "wc"
  | "noncoherent"
  | "pages" // dma_alloc_pages
  | "noncontiguous"
  | "pool" // dma_pool_alloc
  | "attachment" // dma_buf_map_attachment
  | "attachment-unlocked"
  | "phys-vec-sgt" // dma_buf_phys_vec_to_sgt
  | "iova" // dma_iova_try_alloc, dma_iova_link
  | "iommu" // iommu_map
  | "p2pmem" // pci_alloc_p2pmem
  | "p2p-bus"; // pci_p2pdma_bus_addr_map: nothing may undo it

/** What a call does, as far as address translation is concerned. */
export type Role =
  | "map" // makes a DMA mapping of memory that exists
  | "unmap"
  | "alloc" // allocates memory together with its DMA address
  | "free"
  | "sync"
  | "check" // dma_mapping_error
  | "convert" // turns one kind of address into another, or looks one up; no mapping is made
  | "ioremap"
  | "hardware" // hands a value to a device: writel() and friends
  | "distance" // asks p2pdma whether or how a peer is reached
  | "mask" // dma_set_mask and friends
  | "cpu-use"; // reads or writes memory through a CPU pointer or an sg's CPU side

/** One function (or function-like macro) of the kernel. Argument positions are 0-based. */
export interface Api {
  readonly name: string;
  readonly role: Role;
  /** What each argument must be; shorter than the argument list when the rest does not matter. */
  readonly params: readonly Meaning[];
  readonly returns: Meaning;
  /** Position of the device that the call works for; null when there is none. */
  readonly device: number | null;
  /** Where the DMA address (for sg families: the table) is: an argument, `return`, or nowhere. */
  readonly handle: number | "return" | null;
  /** Position of the memory that is mapped, converted or used: pointer, page, phys, sg list. */
  readonly memory: number | null;
  readonly size: number | null;
  readonly direction: number | null;
  readonly attrs: number | null;
  /** Position of the entry count (sg families). */
  readonly nents: number | null;
  readonly failure: Failure;
  /** map, alloc: the family made. unmap, free, sync, check: the families accepted. Empty otherwise. */
  readonly families: readonly Family[];
  /** map, alloc: the functions that undo it, the usual one first. */
  readonly undo: readonly string[];
  /** First release that has it; null: older than v4.20 or not known. */
  readonly since: Version | null;
  /** First release without it; null: still there. */
  readonly removed: Version | null;
  /** Kernel file and function, document, or Message-ID that says so. */
  readonly source: string;
}

/** An identifier that is gone from the kernel, or that never was in it. */
export interface Gone {
  readonly name: string;
  readonly kind: "function" | "macro" | "type" | "field" | "config";
  /** First release without it; null: it was never merged. */
  readonly removed: Version | null;
  readonly replacement: string;
  /** Path prefixes where a private definition of that name is still right. */
  readonly keptIn: readonly string[];
  readonly source: string;
}

/** Cheap looks at a text: a file or function for which they are false is not even parsed. */
export interface Interest {
  /** Whether a rule may have something to say of this code. */
  readonly direct: (code: string) => boolean;
  /**
   * Whether one may of a function with this code that calls a `direct` one of its own file: what a helper does may be
   * its caller's mistake. True wherever `direct` is.
   */
  readonly caller: (code: string) => boolean;
}
