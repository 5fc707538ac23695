/**
 * A machine as PCI peer-to-peer DMA sees it: host bridges, ports, endpoints, memory. Addresses of ports, windows and
 * BARs are PCI bus addresses unless a name says `cpu`; the host bridge's windows tie the two together. Pure.
 *
 * @module
 */

import { contains, type Range } from "./range.ts";

/** What is done to the requests of a device at the root complex. */
export type Iommu = "none" | "passthrough" | "translating";

/** The ACS controls that redirect peer-to-peer traffic (PCIe 6.12.1.1): Request Redirect, Completion Redirect, Egress Control. */
export type AcsBit = "RR" | "CR" | "EC";

/** A piece of CPU address space that is another piece of PCI bus address space. */
export interface Window {
  readonly cpu: bigint;
  readonly bus: bigint;
  readonly size: bigint;
}

/** A memory BAR. */
export interface Bar {
  /** 0 to 5. */
  readonly index: number;
  /** What stands in the BAR register: `pci_bus_address()`. */
  readonly bus: bigint;
  readonly size: bigint;
}

/** A function of a device: it issues requests, and its BARs answer them. */
export interface Endpoint {
  readonly kind: "endpoint";
  /** `0000:81:00.0` */
  readonly address: string;
  /** What it is, for people: `NIC`. */
  readonly title: string;
  readonly acs: readonly AcsBit[];
  readonly bars: readonly Bar[];
  readonly iommu: Iommu;
  /** Bits of its DMA mask. */
  readonly maskBits: number;
}

/** A port of the root complex or of a switch. */
export interface Port {
  readonly kind: "root-port" | "upstream" | "downstream";
  readonly address: string;
  /** The ACS redirect bits that are set. */
  readonly acs: readonly AcsBit[];
  /** The memory windows: what the port sends down. */
  readonly claims: readonly Range[];
  readonly below: readonly Device[];
}

/** What may stand on a bus. */
export type Device = Endpoint | Port;

/** A host bridge and the root bus below it. */
export interface HostBridge {
  /** Domain and root bus: `0000:80`. */
  readonly address: string;
  /**
   * `vendor:device` of the first device on the root bus when that is 00.0 or a root port, which is what the kernel
   * looks up in its allow list (drivers/pci/p2pdma.c, pci_host_bridge_dev()); null when it is neither.
   */
  readonly id: string | null;
  /** Outbound: where the CPU reaches what is below. */
  readonly windows: readonly Window[];
  /**
   * Inbound, `dma-ranges`: which addresses of a request mean which CPU addresses. null: every address means itself, as
   * on PCs and servers.
   */
  readonly inbound: readonly Window[] | null;
  readonly below: readonly Device[];
}

/** A machine. */
export interface Topology {
  readonly name: string;
  /** A few words for people: `PCIe switch, IOMMU on`. */
  readonly title: string;
  /** `amd-zen` where the kernel trusts the CPU itself (drivers/pci/p2pdma.c, cpu_supports_p2pdma()); null otherwise. */
  readonly cpu: "amd-zen" | null;
  /** CPU addresses. */
  readonly ram: readonly Range[];
  readonly hostBridges: readonly HostBridge[];
  /** Who issues the DMA unless told: `0000:81:00.0`; null when nobody is named. */
  readonly from: string | null;
  /** Whose BAR is wanted unless told: `0000:82:00.0/bar2`; null when none is named. */
  readonly to: string | null;
}

/** A device with its way up. */
export interface Place<D extends Device = Device> {
  readonly device: D;
  /** The port above; null on a root bus. pci_upstream_bridge(). */
  readonly up: Place<Port> | null;
  readonly host: HostBridge;
}

/** A topology by address. */
export interface Fabric {
  readonly topology: Topology;
  /** In order of the topology. */
  readonly places: ReadonlyMap<string, Place>;
}

/** Makes a topology searchable. */
export function fabricOf(topology: Topology): Fabric {
  const places = new Map<string, Place>();
  const add = (devices: readonly Device[], up: Place<Port> | null, host: HostBridge) => {
    for (const device of devices) {
      const place: Place = { device, up, host };
      places.set(device.address, place);
      if (device.kind !== "endpoint") add(device.below, place as Place<Port>, host);
    }
  };
  for (const host of topology.hostBridges) add(host.below, null, host);
  return { topology, places };
}

/** The endpoint with an address; null when there is none, or it is a port. */
export function endpointAt(fabric: Fabric, address: string): Place<Endpoint> | null {
  const place = fabric.places.get(address);
  return place?.device.kind === "endpoint" ? place as Place<Endpoint> : null;
}

/** `0000:81:00.0` from `81:00.0`: the domain may be left out, as lspci does. */
export function fullAddress(address: string): string {
  return /^[0-9a-f]{2}:/i.test(address) ? `0000:${address.toLowerCase()}` : address.toLowerCase();
}

/** The address as lspci prints it: without domain 0000. */
export function shortAddress(address: string): string {
  return address.replace(/^0000:/, "");
}

/** The CPU address that a host bridge shows for a bus address; null outside of its windows. */
export function cpuAddress(host: HostBridge, bus: bigint): bigint | null {
  const window = host.windows.find((each) => contains({ start: each.bus, size: each.size }, bus));
  return window === undefined ? null : bus - window.bus + window.cpu;
}

/** The window that decodes a CPU address, with its host bridge; null when none does. */
export function windowFor(
  topology: Topology,
  cpu: bigint,
): { readonly host: HostBridge; readonly window: Window } | null {
  for (const host of topology.hostBridges) {
    const window = host.windows.find((each) => contains({ start: each.cpu, size: each.size }, cpu));
    if (window !== undefined) return { host, window };
  }
  return null;
}

/** The number of a PCI device's function stripped: functions with the same slot are one device. */
export function slotOf(address: string): string {
  return address.replace(/\.\d$/, "");
}
