/**
 * The functions that say what a device can address. Facts only.
 *
 * @module
 */

import { row } from "./row.ts";
import type { Api, Version } from "./types.ts";

const DMA = "include/linux/dma-mapping.h, kernel/dma/mapping.c";
const COMPAT = "include/linux/pci-dma-compat.h up to v5.17; removed by 7968778914e5 (v5.18)";
const V5_18: Version = [5, 18];

/** Functions that set a mask; a mask of 32 bits or more cannot fail (Documentation/core-api/dma-api-howto.rst). */
const SET: readonly Api[] = [
  "dma_set_mask",
  "dma_set_mask_and_coherent",
  "dma_set_coherent_mask",
  "dma_coerce_mask_and_coherent",
].map((name) =>
  row({ name, role: "mask", params: ["device", "mask"], returns: "errno", failure: "errno", source: DMA })
);

const SET_PCI: readonly Api[] = ["pci_set_dma_mask", "pci_set_consistent_dma_mask"].map((name) =>
  row({
    name,
    role: "mask",
    params: ["pci-dev", "mask"],
    returns: "errno",
    failure: "errno",
    removed: V5_18,
    source: COMPAT,
  })
);

const GET: readonly Api[] = [
  row({ name: "dma_get_mask", role: "mask", params: ["device"], returns: "mask", source: DMA }),
  row({ name: "dma_get_required_mask", role: "mask", params: ["device"], returns: "mask", source: DMA }),
  row({ name: "dma_addressing_limited", role: "mask", params: ["device"], returns: "bool", source: DMA }),
  row({ name: "DMA_BIT_MASK", role: "mask", params: ["none"], returns: "mask", source: DMA }),
];

/** Limits of one segment. The setters returned an int (-EIO without dma_parms) before v6.12. */
const SEGMENT: readonly Api[] = [
  row({ name: "dma_set_max_seg_size", role: "mask", params: ["device", "size"], source: DMA }),
  row({ name: "dma_set_seg_boundary", role: "mask", params: ["device", "mask"], source: DMA }),
  row({ name: "dma_set_min_align_mask", role: "mask", params: ["device", "mask"], source: DMA }),
  row({ name: "dma_get_max_seg_size", role: "mask", params: ["device"], returns: "size", source: DMA }),
  row({ name: "dma_max_mapping_size", role: "mask", params: ["device"], returns: "size", source: DMA }),
  row({ name: "dma_opt_mapping_size", role: "mask", params: ["device"], returns: "size", source: DMA }),
];

/** Every function of this file. */
export const MASK: readonly Api[] = [...SET, ...SET_PCI, ...GET, ...SEGMENT];
