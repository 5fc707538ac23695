/**
 * The dma-buf locking convention: which functions want the buffer's reservation lock held, and which take it
 * themselves. Facts only.
 *
 * @module
 */

import type { Version } from "./types.ts";

/** A function of the dma-buf API and the reservation lock. */
export interface Locking {
  readonly name: string;
  /** `held`: the caller holds the lock; `taken`: the function takes it; `free`: it must not be held all the same. */
  readonly resv: "held" | "taken" | "free";
  /** Whether the first argument is the buffer or an attachment to it; null: neither. */
  readonly of: "dma-buf" | "attachment" | null;
  readonly source: string;
}

/** Since this release every exporter and importer has to follow the convention. */
export const LOCKING_SINCE: Version = [6, 2];

const DOC = "drivers/dma-buf/dma-buf.c DOC: locking convention, Convention for importers";
const EXPORTERS = "drivers/dma-buf/dma-buf.c DOC: locking convention, Convention for exporters";
const MAPPING = "drivers/dma-buf/dma-buf-mapping.c: dma_resv_assert_held() (v6.19)";

const rows = (
  resv: Locking["resv"],
  of: Locking["of"],
  source: string,
  names: readonly string[],
): Locking[] => names.map((name) => ({ name, resv, of, source }));

/** Every function of the convention. */
export const LOCKING: readonly Locking[] = [
  ...rows("held", "attachment", DOC, [
    "dma_buf_pin",
    "dma_buf_unpin",
    "dma_buf_map_attachment",
    "dma_buf_unmap_attachment",
  ]),
  ...rows("held", "dma-buf", DOC, ["dma_buf_vmap", "dma_buf_vunmap"]),
  ...rows("held", "dma-buf", EXPORTERS, ["dma_buf_move_notify", "dma_buf_invalidate_mappings"]),
  ...rows("held", "attachment", MAPPING, ["dma_buf_phys_vec_to_sgt", "dma_buf_free_sgt"]),
  ...rows("taken", "dma-buf", DOC, [
    "dma_buf_attach",
    "dma_buf_dynamic_attach",
    "dma_buf_detach",
    "dma_buf_vmap_unlocked",
    "dma_buf_vunmap_unlocked",
  ]),
  ...rows("taken", "attachment", DOC, [
    "dma_buf_map_attachment_unlocked",
    "dma_buf_unmap_attachment_unlocked",
  ]),
  ...rows("free", null, DOC, ["dma_buf_get", "dma_buf_export"]),
  ...rows("free", "dma-buf", DOC, [
    "dma_buf_fd",
    "dma_buf_put",
    "dma_buf_mmap",
    "dma_buf_begin_cpu_access",
    "dma_buf_end_cpu_access",
  ]),
];

/** Callbacks that the core calls with the lock held, of struct dma_buf_ops and of struct dma_buf_attach_ops. */
export const LOCKED_CALLBACKS: readonly string[] = [
  "pin",
  "unpin",
  "map_dma_buf",
  "unmap_dma_buf",
  "vmap",
  "vunmap",
  "move_notify",
  "invalidate_mappings",
];
