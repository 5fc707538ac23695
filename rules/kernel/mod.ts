/**
 * The kernel tables as maps, and the words that tell from a mail's bytes whether any of them can matter. A name
 * that stands in two rows is our mistake and is refused at import.
 *
 * @module
 */

import { ALLOC } from "./alloc.ts";
import { createConcerns } from "./concerns.ts";
import { CONVERT } from "./convert.ts";
import { GONE_ROWS, INTERNAL } from "./gone.ts";
import { HARDWARE, LOADS, STORES, TRANSPARENT } from "./hardware.ts";
import { MAPPING } from "./mapping.ts";
import { MASK } from "./mask.ts";
import { type Since, SINCE_ROWS } from "./since.ts";
import type { Api, Gone, Interest } from "./types.ts";
import type { Load, Store } from "./hardware.ts";

/** A map by name. @throws {Error} If two rows have one name. */
function byName<Row extends { readonly name: string }>(rows: readonly Row[]): ReadonlyMap<string, Row> {
  const map = new Map<string, Row>();
  for (const row of rows) {
    if (map.has(row.name)) throw new Error(`Cannot build a kernel table: "${row.name}" has two rows`);
    map.set(row.name, row);
  }
  return map;
}

/** Every function of which the tool knows what its arguments mean; also the removed ones. */
export const API: ReadonlyMap<string, Api> = byName([
  ...MAPPING,
  ...ALLOC,
  ...CONVERT,
  ...HARDWARE,
  ...MASK,
]);

/** Every identifier that is gone or never was. */
export const GONE: ReadonlyMap<string, Gone> = byName(GONE_ROWS);

/** Every constant, type and member of which the first release is known. */
export const SINCE: ReadonlyMap<string, Since> = byName(SINCE_ROWS);

/** Macros that store, by name. */
export const STORE: ReadonlyMap<string, Store> = byName(STORES);

/** Macros that read a member, by name. */
export const LOAD: ReadonlyMap<string, Load> = byName(LOADS);

/** Positions of the arguments that a function hands on, by its name. */
export const PASSES: ReadonlyMap<string, readonly number[]> = new Map(
  Object.entries(Object.groupBy(TRANSPARENT, (row) => row.name))
    .map(([name, rows]) => [name, (rows ?? []).map((row) => row.argument)]),
);

/**
 * A text with none of these, byte for byte, has no identifier that a finding could start from: a mapping, a mask,
 * a removed or internal name, an address that somebody might give to a device by mistake. It may still call
 * writel(), kmalloc(), ioremap() or memcpy(): alone they are no finding. `map_resource` and `unmap_resource` of
 * GONE are left out: a struct dma_map_ops does not come without the word. The order is that of frequency in patches,
 * for a reader that stops at the first hit.
 */
export const WORDS: readonly string[] = [
  "dma_",
  "DMA_",
  "dmam_",
  "_phys",
  "phys_addr_t",
  "iommu_map",
  "iommu_get_domain",
  "ib_map_mr_sg",
  "pci_res",
  "P2PDMA",
  "p2pm",
  "swiotlb",
  "_PHYS",
  "__pa(",
  "_to_bus",
  "bus_to_",
  "pci_bus_add",
  "pci_map_",
  "pci_unmap_",
  "_consistent",
  // usb_alloc_coherent()
  "_coherent",
  // phys_to_dma()
  "phys_to_",
  "iommu_unmap",
  "iommu_get_d",
  "sg_init_one",
  "sg_set_buf",
  "dmaengine_",
  "move_notify",
  // #include <linux/dma-direct.h>, <linux/dma-map-ops.h>, <asm/dma-mapping.h>
  "linux/dma-",
  "asm/dma-",
  // xsk_buff_xdp_get_dma(), xsk_buff_raw_get_dma()
  "get_dma",
  "of_get_address",
  // dma_slave_config: the address of a FIFO
  "cfg.src_addr",
  "cfg.dst_addr",
  // pdev->resource[bar].start
  "resource[",
  "%pa",
];

/** Whether code could hold anything that a rule has to say something of. */
export const concerns: (code: string) => boolean = createConcerns(
  WORDS,
  API.values(),
  GONE.values(),
  INTERNAL,
);

/** What any rule may have something to say of. */
export const INTEREST: Interest = { direct: concerns, caller: concerns };

export { ALLOC, MAY_BE_LINEAR } from "./alloc.ts";
export { narrowed } from "./concerns.ts";
export { CONVERT, RESOURCE_STARTS } from "./convert.ts";
export { LOCKED_CALLBACKS, LOCKING, LOCKING_SINCE } from "./dmabuf.ts";
export { CONTAINERS, DEVICE_CALLS, DEVICE_MEMBERS, INERT_MEMBERS, PARENT_SETTERS } from "./device.ts";
export { GONE_ROWS, INTERNAL } from "./gone.ts";
export { HARDWARE, LOADS, STORES, TRANSPARENT } from "./hardware.ts";
export { MAPPING } from "./mapping.ts";
export { MASK } from "./mask.ts";
export * from "./names.ts";
export { BACKPORTED, DMA_BUF_SYMBOLS } from "./since.ts";
export type { Container, DeviceCall, DeviceMember, ParentSetter } from "./device.ts";
export type { Locking } from "./dmabuf.ts";
export type { Internal } from "./gone.ts";
export type { Load, Store, Transparent } from "./hardware.ts";
export type { ResourceStart } from "./convert.ts";
export type { Since } from "./since.ts";
export type * from "./types.ts";
