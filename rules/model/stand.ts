/**
 * Which operation a rule's message stands for. Only messages whose operation is clear have a row. Pure.
 *
 * @module
 */

import type { ApiName, Operation } from "./operation.ts";

/** An operation that a message is about. */
export interface Stand {
  readonly api: ApiName;
  readonly target: "bar" | "ram";
  readonly given: Operation["given"];
  /** The device argument: who issues the DMA, or the owner of the BAR by mistake. */
  readonly device: "client" | "provider";
}

interface Row {
  readonly rule: string;
  readonly keys: readonly string[];
  /** The functions for which the row holds; absent: whatever is called. */
  readonly callees?: readonly string[];
  readonly stand: Stand;
}

const PEER: Omit<Stand, "api"> = { target: "bar", given: "cpu", device: "client" };

const ROWS: readonly Row[] = [
  {
    rule: "p2p-dma-map-resource-on-bar",
    keys: ["bar", "named"],
    callees: ["dma_map_resource"],
    stand: { ...PEER, api: "dma_map_resource" },
  },
  {
    rule: "p2p-dma-map-resource-on-bar",
    keys: ["bar", "named"],
    callees: ["dma_map_phys"],
    stand: { ...PEER, api: "dma_map_phys_mmio" },
  },
  {
    rule: "p2p-raw-bar-phys-as-dma-addr",
    keys: ["list", "argument", "handle", "returned", "replaced", "peer"],
    stand: { ...PEER, api: "pci_resource_start" },
  },
  {
    rule: "p2p-bus-address-as-phys",
    keys: ["bus"],
    callees: ["dma_map_resource", "dma_map_phys"],
    stand: { ...PEER, api: "dma_map_resource", given: "bus" },
  },
  {
    rule: "p2p-bus-address-as-phys",
    keys: ["twice"],
    stand: { ...PEER, api: "pci_p2pdma_bus_addr_map", given: "bus" },
  },
  { rule: "p2p-page-mapped-as-ram", keys: ["page"], stand: { ...PEER, api: "dma_map_page" } },
  {
    rule: "p2p-map-type-not-exhaustive",
    keys: ["unguarded"],
    stand: { ...PEER, api: "pci_p2pdma_bus_addr_map" },
  },
  { rule: "p2p-open-coded-bus-offset", keys: ["applied"], stand: { ...PEER, api: "pci_bus_address" } },
  {
    rule: "dma-map-on-iomem-pointer",
    keys: ["map"],
    callees: ["dma_map_single", "dma_map_single_attrs"],
    stand: { ...PEER, api: "dma_map_single" },
  },
  { rule: "dma-mmio-attr-misuse", keys: ["missing"], stand: { ...PEER, api: "dma_map_phys" } },
  {
    rule: "phys-used-as-dma-addr",
    keys: ["register", "descriptor", "handle", "list", "returned", "unmapped"],
    stand: { ...PEER, api: "virt_to_phys", target: "ram" },
  },
  {
    rule: "dma-addr-mapped-again",
    keys: ["mapped"],
    callees: ["dma_map_resource", "dma_map_phys"],
    stand: { ...PEER, api: "dma_map_resource", target: "ram", given: "dma" },
  },
  {
    rule: "dmabuf-map-for-exporter-device",
    keys: ["map"],
    callees: ["dma_map_resource", "dma_map_phys"],
    stand: { ...PEER, api: "dma_map_resource", device: "provider" },
  },
  {
    rule: "dmabuf-map-for-exporter-device",
    keys: ["map"],
    callees: ["dma_map_sgtable", "dma_map_sg", "dma_map_sg_attrs"],
    stand: { ...PEER, api: "dma_map_sgtable", target: "ram", device: "provider" },
  },
];

/** Rules and keys that the table names: a test holds them against the catalogue. */
export const STANDS: readonly Pick<Row, "rule" | "keys" | "callees">[] = ROWS;

/** The operation that a message is about; null when it stands for no one operation. */
export function standFor(rule: string, key: string, callee: string | null): Stand | null {
  const row = ROWS.find((each) =>
    each.rule === rule && each.keys.includes(key) &&
    (each.callees === undefined || (callee !== null && each.callees.includes(callee)))
  );
  return row?.stand ?? null;
}

/** Every operation that a rule's messages stand for. */
export function standsOf(rule: string): Stand[] {
  return ROWS.filter((row) => row.rule === rule).map(({ stand }) => stand);
}
