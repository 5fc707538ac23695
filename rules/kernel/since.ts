/**
 * Since when the kernel has the constants, types and members of the P2P and dma-buf interfaces; for functions the
 * API tables say it. Facts only.
 *
 * @module
 */

import type { Gone, Version } from "./types.ts";

/** A name that older kernels do not have. */
export interface Since {
  readonly name: string;
  readonly kind: Gone["kind"];
  readonly since: Version;
  /** What an older kernel has instead; "" where there is nothing. */
  readonly before: string;
  readonly source: string;
}

const P2P = "include/linux/pci-p2pdma.h";

/** The names. */
export const SINCE_ROWS: readonly Since[] = [
  {
    name: "DMA_ATTR_MMIO",
    kind: "macro",
    since: [6, 18],
    before: "dma_map_resource()",
    source: "eadaa8b255f3 (v6.18)",
  },
  {
    name: "PCI_P2PDMA_MAP_NONE",
    kind: "macro",
    since: [6, 16],
    before: "is_pci_p2pdma_page()",
    source: "a25e7962db0d (PCI/P2PDMA: Refactor the p2pdma mapping helpers, v6.16)",
  },
  ...["FOLL_PCI_P2PDMA", "ITER_ALLOW_P2PDMA"].map((name): Since => ({
    name,
    kind: "macro",
    since: [6, 2],
    before: "",
    source: "20221021174116.7200-1-logang@deltatee.com (v6.2)",
  })),
  {
    name: "BLK_FEAT_PCI_P2PDMA",
    kind: "macro",
    since: [6, 11],
    before: "QUEUE_FLAG_PCI_P2PDMA",
    source: "9c1e42e3c876 (block: move the pci_p2pdma flag to queue_limits, v6.11)",
  },
  { name: "p2pdma_provider", kind: "type", since: [6, 19], before: "", source: P2P },
  { name: "pci_p2pdma_map_state", kind: "type", since: [6, 0], before: "", source: P2P },
  { name: "dma_iova_state", kind: "type", since: [6, 16], before: "", source: "include/linux/dma-mapping.h" },
  {
    name: "invalidate_mappings",
    kind: "field",
    since: [7, 1],
    before: ".move_notify",
    source: "20260131-dmabuf-revoke-v7 series; v7.1 by its merge route, not checked against a tag",
  },
];

/** The stable kernels that got a function before the release that brought it, by name. */
export const BACKPORTED: ReadonlyMap<string, Version> = new Map(
  [
    "dma_buf_map_attachment_unlocked",
    "dma_buf_unmap_attachment_unlocked",
    "dma_buf_vmap_unlocked",
    "dma_buf_vunmap_unlocked",
  ].map((name) => [name, [6, 1]]),
);

/** The symbols of drivers/dma-buf/, which are in the namespace DMA_BUF since v5.16 (16b0314aa746). */
export const DMA_BUF_SYMBOLS: ReadonlySet<string> = new Set([
  "dma_buf_attach",
  "dma_buf_begin_cpu_access",
  "dma_buf_detach",
  "dma_buf_dynamic_attach",
  "dma_buf_end_cpu_access",
  "dma_buf_export",
  "dma_buf_fd",
  "dma_buf_free_sgt",
  "dma_buf_get",
  "dma_buf_invalidate_mappings",
  "dma_buf_map_attachment",
  "dma_buf_map_attachment_unlocked",
  "dma_buf_mmap",
  "dma_buf_move_notify",
  "dma_buf_phys_vec_to_sgt",
  "dma_buf_pin",
  "dma_buf_put",
  "dma_buf_unmap_attachment",
  "dma_buf_unmap_attachment_unlocked",
  "dma_buf_unpin",
  "dma_buf_vmap",
  "dma_buf_vmap_unlocked",
  "dma_buf_vunmap",
  "dma_buf_vunmap_unlocked",
]);
