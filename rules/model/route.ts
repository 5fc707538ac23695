/**
 * Where a request goes that a device emits with some address: hop by hop, by address alone, as switches and bridges
 * decide. Knows nothing of what the driver meant. Pure.
 *
 * @module
 */

import { isMappedFor, type Mapping } from "./operation.ts";
import { distrust, forwards } from "./p2pdma.ts";
import { contains, hex, type Range } from "./range.ts";
import {
  type Device,
  type Endpoint,
  type Fabric,
  type Place,
  type Port,
  shortAddress,
  slotOf,
  windowFor,
} from "./topology.ts";

/** One stop of a request. */
export interface Hop {
  /** The address of a port or endpoint, or `iommu`, `host 0000:80`, `ram`. */
  readonly at: string;
  /** What the request carries when it leaves here. */
  readonly address: bigint;
  /** Which kind of address that is from here on. */
  readonly space: "dma" | "cpu" | "bus";
  /** What happens here, a sentence without a full stop. */
  readonly text: string;
}

/** Where a request ends. */
export type End =
  | { readonly kind: "bar"; readonly device: Place<Endpoint>; readonly bar: number; readonly offset: bigint }
  | { readonly kind: "ram"; readonly cpu: bigint }
  /** Nobody answers: Unsupported Request, or a fault of the IOMMU. */
  | { readonly kind: "aborts"; readonly why: string }
  /** It would have to pass host bridges that are not known to forward requests between their ports. */
  | { readonly kind: "unknown"; readonly why: string };

/** The way of a request. */
export interface Route {
  readonly hops: readonly Hop[];
  readonly end: End;
  /** It has come to the root complex. */
  readonly isThroughHost: boolean;
}

/** Follows a request of `client` that carries `address`; `mapping` is what the driver's call put into an IOMMU domain. */
export function follow(
  fabric: Fabric,
  client: Place<Endpoint>,
  address: bigint,
  mapping: Mapping | null,
): Route {
  const hops: Hop[] = [];
  const hop = (at: string, space: Hop["space"], address: bigint, text: string) =>
    void hops.push({ at, space, address, text });
  const name = (device: Device) => shortAddress(device.address);
  hop(client.device.address, "dma", address, `${client.device.title} emits ${hex(address)}`);

  const inside = withinDevice(fabric, client, address);
  if (inside !== null) {
    hop(inside.place.device.address, "bus", address, inside.text);
    return { hops, end: inside.end, isThroughHost: false };
  }
  // Up. A request that ACS has redirected goes all the way: "traffic between the devices will go through the host
  // bridge" (drivers/pci/p2pdma.c, calc_map_type_and_dist()).
  let isRedirected = sendsUp(client.device);
  for (let port = client.up; port !== null; port = port.up) {
    const { device } = port;
    if (device.kind === "upstream") {
      const why = isRedirected ? "redirected already" : "no window of the switch claims it";
      hop(device.address, "dma", address, `${why}: up`);
      continue;
    }
    if (isRedirected || sendsUp(device)) {
      const text = isRedirected ? "redirected already: up" : "ACS redirect: up, whatever the address says";
      isRedirected = true;
      hop(device.address, "dma", address, text);
      continue;
    }
    if (device.kind === "root-port") {
      hop(device.address, "dma", address, "up to the root complex");
      continue;
    }
    const peer = port.up === null ? null : claimant(port.up.device.below, address);
    if (peer !== null && peer !== device && peer.kind !== "endpoint") {
      hop(device.address, "dma", address, `the window of ${name(peer)} claims it: across the switch`);
      const end = descend(fabric, peer, address, hop);
      return { hops, end, isThroughHost: false };
    }
    hop(device.address, "dma", address, "claimed by no port beside it: up");
  }
  const end = atRoot(fabric, client, address, mapping, hop);
  return { hops, end, isThroughHost: true };
}

type Add = (at: string, space: Hop["space"], address: bigint, text: string) => void;

const sendsUp = ({ acs }: Device) => acs.includes("RR") || acs.includes("EC");

/** A function's own BARs, and those of its sister functions unless ACS sends what is for them up. */
function withinDevice(fabric: Fabric, client: Place<Endpoint>, address: bigint) {
  for (const place of fabric.places.values()) {
    const { device } = place;
    if (device.kind !== "endpoint" || slotOf(device.address) !== slotOf(client.device.address)) continue;
    if (device !== client.device && sendsUp(client.device)) continue;
    const end = inBar(place as Place<Endpoint>, address);
    if (end === null) continue;
    const own = device === client.device ? "its own" : "its sister function's";
    return { place, end, text: `${own} BAR: the request stays inside the device` };
  }
  return null;
}

function inBar(place: Place<Endpoint>, address: bigint): End | null {
  const bar = place.device.bars.find(({ bus, size }) => contains({ start: bus, size }, address));
  return bar === undefined ? null : { kind: "bar", device: place, bar: bar.index, offset: address - bar.bus };
}

/** What claims an address among the devices of a bus; null when nothing does. */
function claimant(devices: readonly Device[], address: bigint): Device | null {
  const holds = (ranges: readonly Range[]) => ranges.some((range) => contains(range, address));
  return devices.find((device) =>
    device.kind === "endpoint"
      ? holds(device.bars.map(({ bus, size }) => ({ start: bus, size })))
      : holds(device.claims)
  ) ?? null;
}

/** Down from a port that has claimed the request. */
function descend(fabric: Fabric, port: Port, address: bigint, hop: Add): End {
  hop(port.address, "bus", address, "its window claims it: down");
  const next = claimant(port.below, address);
  if (next === null) {
    return { kind: "aborts", why: `nothing below ${shortAddress(port.address)} answers to ${hex(address)}` };
  }
  return next.kind === "endpoint" ? arrive(fabric, next, address, hop) : descend(fabric, next, address, hop);
}

function arrive(fabric: Fabric, device: Endpoint, address: bigint, hop: Add): End {
  const place = fabric.places.get(device.address) as Place<Endpoint>;
  const end = inBar(place, address) as Extract<End, { kind: "bar" }>;
  hop(device.address, "bus", address, `bar${end.bar} of the ${device.title} answers`);
  return end;
}

/** At the root complex: the IOMMU, the address decoder, and down again where the kernel knows that it works. */
function atRoot(
  fabric: Fabric,
  client: Place<Endpoint>,
  address: bigint,
  mapping: Mapping | null,
  hop: Add,
): End {
  const { topology } = fabric;
  const cpu = toCpu(fabric, client, address, mapping, hop);
  if (typeof cpu !== "bigint") return cpu;
  if (topology.ram.some((range) => contains(range, cpu))) {
    if (client.device.iommu === "none") {
      hop(`host ${client.host.address}`, "cpu", cpu, `CPU address ${hex(cpu)} is RAM's`);
    }
    hop("ram", "cpu", cpu, `RAM at ${hex(cpu)} answers`);
    return { kind: "ram", cpu };
  }
  const found = windowFor(topology, cpu);
  if (found === null) {
    return { kind: "aborts", why: `neither RAM nor a host bridge's window is at CPU address ${hex(cpu)}` };
  }
  const { host, window } = found;
  if (!forwards(topology, client.host, host)) {
    hop(`host ${host.address}`, "cpu", cpu, "may or may not forward a request from one port to another");
    return { kind: "unknown", why: distrust(client.host, host) };
  }
  const bus = cpu - window.cpu + window.bus;
  const shift = bus === cpu ? "the bus address is the same" : `the window makes it bus address ${hex(bus)}`;
  hop(`host ${host.address}`, "bus", bus, `its window decodes ${hex(cpu)}: ${shift}`);
  const next = claimant(host.below, bus);
  if (next === null) return { kind: "aborts", why: `nothing below ${host.address} answers to ${hex(bus)}` };
  return next.kind === "endpoint" ? arrive(fabric, next, bus, hop) : descend(fabric, next, bus, hop);
}

/** The CPU address that the root complex takes a request's address for. */
function toCpu(
  fabric: Fabric,
  client: Place<Endpoint>,
  address: bigint,
  mapping: Mapping | null,
  hop: Add,
): bigint | End {
  if (client.device.iommu === "translating") {
    const isMapped = mapping !== null && isMappedFor(fabric, mapping, client) &&
      contains({ start: mapping.iova, size: mapping.size }, address);
    if (!isMapped) {
      hop(
        "iommu",
        "dma",
        address,
        `no mapping of ${hex(address)} in the domain of the ${client.device.title}`,
      );
      return {
        kind: "aborts",
        why: `the IOMMU faults: ${hex(address)} is no IOVA of the ${client.device.title}`,
      };
    }
    const cpu = address - mapping.iova + mapping.cpu;
    hop("iommu", "cpu", cpu, `translates ${hex(address)} to CPU address ${hex(cpu)}`);
    return cpu;
  }
  const { inbound } = client.host;
  if (client.device.iommu === "passthrough") hop("iommu", "cpu", address, "passes it through");
  if (inbound === null) return address;
  const range = inbound.find(({ bus, size }) => contains({ start: bus, size }, address));
  if (range === undefined) {
    hop(`host ${client.host.address}`, "dma", address, "no inbound window holds it");
    return {
      kind: "aborts",
      why: `no inbound window of host bridge ${client.host.address} holds ${hex(address)}`,
    };
  }
  return address - range.bus + range.cpu;
}
