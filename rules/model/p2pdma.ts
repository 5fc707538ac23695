/**
 * Which way the kernel takes between two devices: drivers/pci/p2pdma.c, calc_map_type_and_dist() of v6.12, and the
 * allow list of host bridges. Pure.
 *
 * @module
 */

import type { Endpoint, Fabric, HostBridge, Place, Topology } from "./topology.ts";

/** `enum pci_p2pdma_map_type` (include/linux/dma-map-ops.h up to v6.15, include/linux/pci-p2pdma.h since). */
export type MapType = "BUS_ADDR" | "THRU_HOST_BRIDGE" | "NOT_SUPPORTED";

/** What the kernel makes of a pair of devices. */
export interface Relation {
  readonly type: MapType;
  /** Ports between the two, as pci_p2pdma_distance() counts; it says -1 for NOT_SUPPORTED. */
  readonly distance: number;
  /** Devices on the path with an ACS redirect, in the kernel's order. */
  readonly acs: readonly string[];
  /** The bridge, or the one function, that both are below; null: different root ports. */
  readonly common: string | null;
}

/** drivers/pci/p2pdma.c, pci_p2pdma_whitelist[] of v6.12: `true` means only within one host bridge. */
const ALLOWED: ReadonlyMap<string, boolean> = new Map([
  ["8086:3c00", true],
  ["8086:3c01", true],
  ["8086:2f00", true],
  ["8086:2f01", true],
  ["8086:2030", false],
  ["8086:2031", false],
  ["8086:2032", false],
  ["8086:2033", false],
  ["8086:2020", false],
  ["8086:09a2", false],
]);

/** Whether the kernel knows that two host bridges, or the ports of one, forward requests to each other. */
export function forwards(topology: Topology, a: HostBridge, b: HostBridge): boolean {
  if (topology.cpu === "amd-zen") return true;
  if (a === b) return a.id !== null && ALLOWED.has(a.id);
  return [a, b].every(({ id }) => id !== null && ALLOWED.get(id) === false);
}

/** Why the kernel does not trust the host bridges, for people. */
export function distrust(a: HostBridge, b: HostBridge): string {
  const name = ({ address, id }: HostBridge) => `${address}${id === null ? "" : ` (${id})`}`;
  const unlisted = [a, b].find(({ id }) => id === null || !ALLOWED.has(id));
  if (unlisted !== undefined) return `host bridge ${name(unlisted)} is not in the kernel's allow list`;
  return `host bridges ${name(a)} and ${name(b)} are only allowed within one of them`;
}

const redirects = ({ device }: Place) => device.acs.length > 0;

function upFrom(place: Place): Place[] {
  const out: Place[] = [];
  for (let at: Place | null = place; at !== null; at = at.up) out.push(at);
  return out;
}

/** What the kernel makes of a provider and a client. */
export function relate(fabric: Fabric, provider: Place<Endpoint>, client: Place<Endpoint>): Relation {
  const above = upFrom(client);
  const acs: string[] = [];
  let distance = 0;
  for (const a of upFrom(provider)) {
    // The common bridge counts too: the kernel tests it before it looks for it in the other path.
    if (redirects(a)) acs.push(a.device.address);
    const met = above.indexOf(a);
    if (met === -1) {
      distance++;
      continue;
    }
    acs.push(...above.slice(0, met).filter(redirects).map(({ device }) => device.address));
    return {
      type: acs.length === 0 ? "BUS_ADDR" : throughHost(fabric, provider, client),
      distance: distance + met,
      acs,
      common: a.device.address,
    };
  }
  return {
    type: throughHost(fabric, provider, client),
    distance: distance + above.length,
    acs: [],
    common: null,
  };
}

function throughHost(fabric: Fabric, provider: Place, client: Place): MapType {
  return forwards(fabric.topology, provider.host, client.host) ? "THRU_HOST_BRIDGE" : "NOT_SUPPORTED";
}

/**
 * Whether two devices share an IOMMU group, and with it a domain: what can reach each other below the IOMMU cannot be
 * kept apart by it (drivers/iommu/iommu.c, pci_device_group()).
 */
export function shareGroup(fabric: Fabric, a: Place<Endpoint>, b: Place<Endpoint>): boolean {
  const { common, acs } = relate(fabric, a, b);
  return common !== null && acs.length === 0;
}
