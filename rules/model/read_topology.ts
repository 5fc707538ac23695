/**
 * A topology from JSON, schema p2plint-topology/1. Strict: an unknown key, a wrong type or a machine that cannot be is a
 * problem that names its place. Nothing is guessed but the windows of ports, which follow from the BARs below. Pure.
 *
 * @module
 */

import { hex, overlaps, type Range } from "./range.ts";
import {
  type AcsBit,
  type Bar,
  cpuAddress,
  type Device,
  fullAddress,
  type HostBridge,
  type Iommu,
  type Port,
  type Topology,
  type Window,
} from "./topology.ts";

/** Names the shape of the document. */
export const TOPOLOGY_SCHEMA = "p2plint-topology/1";

/** A topology, or what is wrong with the document: `hostBridges[0].windows[1].size: "4x" is no number`. */
export type TopologyRead =
  | { readonly topology: Topology; readonly problems: readonly [] }
  | { readonly topology: null; readonly problems: readonly string[] };

const MAX_DEVICES = 4096;
// Buses nest: 256 of them at most in a domain.
const MAX_DEPTH = 256;
const MIB = 1n << 20n;
const FOUR_GIB = 1n << 32n;
const ADDRESS_SPACE = 1n << 64n;

type Json = Readonly<Record<string, unknown>>;

/** Reads a topology from the text of a JSON document. */
export function readTopology(text: string): TopologyRead {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { topology: null, problems: [`no JSON: ${(error as Error).message}`] };
  }
  return topologyFrom(value);
}

/** {@link readTopology} of a document that is parsed already. */
export function topologyFrom(value: unknown): TopologyRead {
  const reader = new Reader();
  const topology = reader.topology(value);
  return reader.problems.length > 0 || topology === null
    ? { topology: null, problems: reader.problems }
    : { topology, problems: [] };
}

class Reader {
  readonly problems: string[] = [];
  private readonly seen = new Set<string>();

  topology(value: unknown): Topology | null {
    const json = this.object(value, "", ["schema", "name", "title", "ram", "hostBridges"], [
      "cpu",
      "from",
      "to",
      "note",
    ]);
    if (json === null) return null;
    if (json.schema !== TOPOLOGY_SCHEMA) this.complain("schema", `is not "${TOPOLOGY_SCHEMA}"`);
    const topology: Topology = {
      name: this.text(json.name, "name"),
      title: this.text(json.title, "title"),
      cpu: this.choice(json.cpu ?? null, "cpu", ["amd-zen", null]),
      ram: this.list(json.ram, "ram", (each, at) => this.range(each, at)),
      hostBridges: this.list(json.hostBridges, "hostBridges", (each, at) => this.hostBridge(each, at)),
      from: this.optionalText(json.from, "from"),
      to: this.optionalText(json.to, "to"),
    };
    if (this.problems.length === 0) this.together(topology);
    return topology;
  }

  private hostBridge(value: unknown, at: string): HostBridge | null {
    const json = this.object(value, at, ["address", "id", "windows", "below"], ["inbound"]);
    if (json === null) return null;
    const address = this.text(json.address, `${at}.address`).toLowerCase();
    if (!/^[0-9a-f]{4,8}:[0-9a-f]{2}$/.test(address)) {
      this.complain(`${at}.address`, `"${address}" is no domain and bus, as in 0000:80`);
    }
    const id = json.id === null ? null : this.text(json.id, `${at}.id`).toLowerCase();
    if (id !== null && !/^[0-9a-f]{4}:[0-9a-f]{4}$/.test(id)) {
      this.complain(`${at}.id`, `"${id}" is no vendor and device, as in 8086:2030`);
    }
    const windows = (list: unknown, where: string) =>
      this.list(list, where, (each, at) => this.window(each, at));
    return {
      address,
      id,
      windows: windows(json.windows, `${at}.windows`),
      inbound: json.inbound === undefined || json.inbound === null
        ? null
        : windows(json.inbound, `${at}.inbound`),
      below: this.devices(json.below, `${at}.below`, 0),
    };
  }

  private devices(value: unknown, at: string, depth: number): Device[] {
    if (depth > MAX_DEPTH) {
      this.complain(at, `ports nest deeper than ${MAX_DEPTH}`);
      return [];
    }
    return this.list(value, at, (each, at) => this.device(each, at, depth));
  }

  private device(value: unknown, at: string, depth: number): Device | null {
    if (typeof value !== "object" || value === null || !("kind" in value)) {
      this.complain(at, "is no object with a kind");
      return null;
    }
    const kind = this.choice(value.kind, `${at}.kind`, ["endpoint", "root-port", "upstream", "downstream"]);
    const isEndpoint = kind === "endpoint";
    const json = this.object(
      value,
      at,
      isEndpoint ? ["kind", "address", "title", "bars", "iommu"] : ["kind", "address", "below"],
      isEndpoint ? ["acs", "maskBits"] : ["acs", "claims"],
    );
    if (json === null) return null;
    const address = this.deviceAddress(json.address, `${at}.address`);
    const acs = this.list(
      json.acs ?? [],
      `${at}.acs`,
      (bit, at) => this.choice<AcsBit>(bit, at, ["RR", "CR", "EC"]),
    );
    if (isEndpoint) {
      const maskBits = json.maskBits ?? 64;
      if (typeof maskBits !== "number" || !Number.isInteger(maskBits) || maskBits < 20 || maskBits > 64) {
        this.complain(`${at}.maskBits`, "is no whole number from 20 to 64");
      }
      return {
        kind,
        address,
        title: this.text(json.title, `${at}.title`),
        acs,
        bars: this.list(json.bars, `${at}.bars`, (each, at) => this.bar(each, at)),
        iommu: this.choice<Iommu>(json.iommu, `${at}.iommu`, ["none", "passthrough", "translating"]),
        maskBits: maskBits as number,
      };
    }
    const below = this.devices(json.below, `${at}.below`, depth + 1);
    return {
      kind,
      address,
      acs,
      claims: json.claims === undefined
        ? windowsAround(below)
        : this.list(json.claims, `${at}.claims`, (each, at) => this.range(each, at)),
      below,
    };
  }

  private bar(value: unknown, at: string): Bar | null {
    const json = this.object(value, at, ["index", "bus", "size"], []);
    if (json === null) return null;
    const { index } = json;
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index > 5) {
      this.complain(`${at}.index`, "is no whole number from 0 to 5");
    }
    return { index: index as number, ...this.span(json.bus, json.size, at, "bus") };
  }

  private window(value: unknown, at: string): Window | null {
    const json = this.object(value, at, ["cpu", "bus", "size"], []);
    if (json === null) return null;
    const { bus, size } = this.span(json.bus, json.size, at, "bus");
    return { cpu: this.span(json.cpu, json.size, at, "cpu").cpu, bus, size };
  }

  private range(value: unknown, at: string): Range | null {
    const json = this.object(value, at, ["start", "size"], []);
    return json === null ? null : this.span(json.start, json.size, at, "start");
  }

  /** A start and a size, neither of which may leave 64 bits. */
  private span<Name extends "bus" | "cpu" | "start">(
    start: unknown,
    size: unknown,
    at: string,
    name: Name,
  ): Record<Name, bigint> & { size: bigint } {
    const first = this.number(start, `${at}.${name}`) ?? 0n;
    // A size that is no number has been named already.
    const count = this.number(size, `${at}.size`) ?? 1n;
    if (count === 0n) this.complain(`${at}.size`, "is zero");
    else if (first + count > ADDRESS_SPACE) this.complain(at, "does not fit into 64 bits");
    return { [name]: first, size: count } as Record<Name, bigint> & { size: bigint };
  }

  /** What no field tells alone. */
  private together(topology: Topology): void {
    const cpuRanges = topology.hostBridges.flatMap(({ address, windows }) =>
      windows.map(({ cpu, size }) => ({ owner: `a window of ${address}`, start: cpu, size }))
    ).concat(topology.ram.map((range) => ({ owner: "RAM", ...range })));
    for (const [i, a] of cpuRanges.entries()) {
      const b = cpuRanges.slice(i + 1).find((each) => overlaps(a, each));
      if (b !== undefined) {
        this.complain(
          "",
          `${a.owner} and ${b.owner} are both at CPU address ${hex(a.start > b.start ? a.start : b.start)}`,
        );
      }
    }
    for (const host of topology.hostBridges) {
      const bars: (Range & { owner: string })[] = [];
      const walk = (devices: readonly Device[]) => {
        for (const device of devices) {
          if (device.kind !== "endpoint") {
            walk(device.below);
            continue;
          }
          for (const { index, bus, size } of device.bars) {
            const owner = `bar${index} of ${device.address}`;
            const last = cpuAddress(host, bus + size - 1n);
            if (
              cpuAddress(host, bus) === null || last === null || last - cpuAddress(host, bus)! !== size - 1n
            ) {
              this.complain("", `${owner} at ${hex(bus)} is in no window of ${host.address}`);
            }
            const other = bars.find((each) => overlaps(each, { start: bus, size }));
            if (other !== undefined) this.complain("", `${owner} and ${other.owner} overlap at ${hex(bus)}`);
            bars.push({ owner, start: bus, size });
          }
        }
      };
      walk(host.below);
    }
  }

  private deviceAddress(value: unknown, at: string): string {
    const address = fullAddress(this.text(value, at));
    if (!/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(address)) {
      this.complain(at, `"${address}" is no PCI address, as in 0000:81:00.0`);
    } else if (this.seen.has(address)) this.complain(at, `"${address}" is there twice`);
    this.seen.add(address);
    if (this.seen.size > MAX_DEVICES) this.complain(at, `is one of more than ${MAX_DEVICES} devices`);
    return address;
  }

  private object(value: unknown, at: string, needed: string[], allowed: string[]): Json | null {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.complain(at, "is no object");
      return null;
    }
    for (const key of needed) if (!Object.hasOwn(value, key)) this.complain(at, `has no "${key}"`);
    for (const key of Object.keys(value)) {
      if (!needed.includes(key) && !allowed.includes(key)) this.complain(at, `has an unknown key "${key}"`);
    }
    return value as Json;
  }

  private list<Item>(value: unknown, at: string, read: (each: unknown, at: string) => Item | null): Item[] {
    if (!Array.isArray(value)) {
      // That a key is missing has been said.
      if (value !== undefined) this.complain(at, "is no list");
      return [];
    }
    if (value.length > MAX_DEVICES) {
      this.complain(at, `has more than ${MAX_DEVICES} entries`);
      return [];
    }
    return value.map((each, i) => read(each, `${at}[${i}]`)).filter((each) => each !== null);
  }

  private text(value: unknown, at: string): string {
    if (typeof value === "string" && value !== "" && value.length <= 200) return value;
    this.complain(at, "is no text of 1 to 200 characters");
    return "";
  }

  private optionalText(value: unknown, at: string): string | null {
    return value === undefined || value === null ? null : this.text(value, at);
  }

  /** `"0x80000000"`: JSON's own numbers end at 53 bits. */
  private number(value: unknown, at: string): bigint | null {
    if (typeof value === "string" && /^0x[0-9a-fA-F]{1,16}$/.test(value)) return BigInt(value);
    this.complain(at, `${JSON.stringify(value) ?? "nothing"} is no address or size, as in "0x80000000"`);
    return null;
  }

  private choice<Choice extends string | null>(
    value: unknown,
    at: string,
    choices: readonly Choice[],
  ): Choice {
    if (choices.includes(value as Choice)) return value as Choice;
    this.complain(at, `is none of ${choices.map(String).join(", ")}`);
    return choices[0]!;
  }

  private complain(at: string, what: string): void {
    this.problems.push(at === "" ? what : `${at}: ${what}`);
  }
}

/** The windows that a port needs for what is below: one under 4 GiB and one over it, in steps of 1 MiB (PCI-to-PCI Bridge 3.2.5.8). */
export function windowsAround(below: readonly Device[]): Range[] {
  const inside = below.flatMap((device): readonly Range[] =>
    device.kind === "endpoint"
      ? device.bars.map(({ bus, size }) => ({ start: bus, size }))
      : (device as Port).claims
  );
  const around = (ranges: readonly Range[]): Range[] => {
    if (ranges.length === 0) return [];
    const first = ranges.reduce((least, { start }) => start < least ? start : least, ranges[0]!.start);
    const last = ranges.reduce((most, { start, size }) => start + size > most ? start + size : most, 0n);
    const start = first / MIB * MIB;
    return [{ start, size: (last + MIB - 1n) / MIB * MIB - start }];
  };
  return [
    ...around(inside.filter(({ start }) => start < FOUR_GIB)),
    ...around(inside.filter(({ start }) => start >= FOUR_GIB)),
  ];
}
