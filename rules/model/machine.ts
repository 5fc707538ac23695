/**
 * A real machine as a topology document: lspci says what hangs where, /proc/iomem where the CPU sees it. Each gap that
 * had to be filled is a note. Pure.
 *
 * @module
 */

import { allOf, type Iomem, type Resource } from "./iomem.ts";
import type { Lspci, PciFunction } from "./lspci.ts";
import { bytes, contains, hex, type Range } from "./range.ts";
import { TOPOLOGY_SCHEMA } from "./read_topology.ts";
import type { Iommu } from "./topology.ts";

/** What neither text tells. */
export interface MachineOptions {
  readonly name: string;
  /** null: translating for what has an IOMMU group. */
  readonly iommu: Iommu | null;
  readonly cpu: "amd-zen" | null;
}

/** A document for readTopology(), and what it does not know. */
export interface MachineRead {
  readonly document: unknown;
  readonly notes: readonly string[];
}

const MIB = 1n << 20n;

/** Puts the two texts together; `iomem` is null when there is none. */
export function machineFrom(lspci: Lspci, iomem: Iomem | null, options: MachineOptions): MachineRead {
  return new Machine(lspci, iomem, options).read();
}

class Machine {
  private readonly notes: string[] = [];
  private readonly onBus = new Map<string, PciFunction[]>();
  private readonly resources: readonly Resource[];

  constructor(
    private readonly lspci: Lspci,
    private readonly iomem: Iomem | null,
    private readonly options: MachineOptions,
  ) {
    this.notes.push(...lspci.notes, ...(iomem?.notes ?? []));
    this.resources = iomem === null ? [] : [...allOf(iomem.resources)];
    for (const each of lspci.functions) {
      const bus = busOf(each.address);
      const regions = lspci.hasBlocks ? each.regions : this.regionsOf(each.address);
      this.onBus.set(bus, [...this.onBus.get(bus) ?? [], { ...each, regions }]);
    }
  }

  /** Without blocks: what iomem has for a device, numbered as it comes. */
  private regionsOf(address: string): PciFunction["regions"] {
    return this.resources.filter(({ name }) => name === address).slice(0, 6)
      .map(({ start, size }, index) => ({ index, address: start, size }));
  }

  read(): MachineRead {
    const below = new Set(this.lspci.functions.map(({ secondary }) => secondary));
    const roots = this.lspci.roots.length > 0
      ? this.lspci.roots
      : [...this.onBus.keys()].filter((bus) => !below.has(bus));
    const used = roots.filter((root) => this.onBus.has(root));
    const hostBridges = used.map((root) => this.hostBridge(root));
    const ram = this.resources.filter(({ name }) => name === "System RAM").map(range);
    if (this.iomem === null) this.notes.push("without /proc/iomem, RAM and bus offsets are not known");
    if (this.lspci.functions.some(({ id }) => id?.startsWith("1022:")) && this.options.cpu === null) {
      this.notes.push("AMD: the kernel trusts CPUs from Zen on, say --cpu amd-zen if this is one");
    }
    if (this.options.iommu === null && this.lspci.functions.some(({ hasIommuGroup }) => hasIommuGroup)) {
      this.notes.push("the IOMMU is taken to translate, say --iommu passthrough if it does not");
    }
    return {
      document: {
        schema: TOPOLOGY_SCHEMA,
        name: this.options.name,
        title: this.options.name,
        cpu: this.options.cpu,
        ram,
        hostBridges,
      },
      notes: this.notes,
    };
  }

  private hostBridge(root: string): unknown {
    const first = this.onBus.get(root)![0]!;
    const isAsked = first.address.endsWith(":00.0") || first.port === "root-port";
    if (isAsked && first.id === null) {
      this.notes.push(
        `${root}: without vendor and device, run lspci with -nn, the kernel's allow list cannot be asked`,
      );
    }
    const windows = this.windows(root);
    return {
      address: root,
      id: isAsked ? first.id : null,
      windows: windows.map(({ cpu, bus, size }) => ({ cpu: hex(cpu), bus: hex(bus), size: hex(size) })),
      below: this.devices(root, windows, new Set()),
    };
  }

  private devices(bus: string, windows: readonly Window[], above: ReadonlySet<string>): unknown[] {
    // A bus that is below itself: the text is damaged.
    if (above.has(bus)) return [];
    return (this.onBus.get(bus) ?? []).flatMap((each): unknown[] => {
      const { address, secondary, acs, claims } = each;
      if (secondary !== null) {
        const below = this.devices(secondary, windows, new Set([...above, bus]));
        // A bridge whose capability is not shown: a root port on the root bus, else the way up of a switch.
        const kind = each.port ?? (above.size === 0 ? "root-port" : "upstream");
        return [{
          kind,
          address,
          acs: acs ?? [],
          ...(claims.length === 0 ? {} : { claims: claims.map(range) }),
          below,
        }];
      }
      const bars = each.regions.filter((region) => {
        const isThere = windows.some(({ bus, size }) => contains({ start: bus, size }, region.address));
        if (!isThere) {
          this.notes.push(
            `${address}: region ${region.index} at ${hex(region.address)} is in no window, left out`,
          );
        }
        return isThere;
      });
      if (bars.length === 0 && each.title === "") return [];
      return [{
        kind: "endpoint",
        address,
        title: each.title === "" ? "device" : each.title,
        acs: acs ?? [],
        iommu: this.options.iommu ?? (each.hasIommuGroup ? "translating" : "none"),
        bars: bars.map(({ index, address, size }) => ({ index, bus: hex(address), size: hex(size) })),
      }];
    });
  }

  /** Where the CPU reaches what is below a root bus, and what the BARs in there say of the offset. */
  private windows(root: string): Window[] {
    const functions = this.below(root);
    const regions = functions.flatMap(({ address, regions }) =>
      regions.map((each) => ({ owner: address, ...each }))
    );
    if (this.iomem === null) return around(regions);
    const named = this.resources.filter(({ name }) => name === `PCI Bus ${root}`);
    // Other architectures name the window after the device tree's node: it is what the BARs of the bus are in.
    const outer = named.length > 0
      ? named
      : this.iomem.resources.filter((top) =>
        [...allOf(top.inside)].some(({ name }) => functions.some(({ address }) => name === address))
      );
    if (outer.length === 0) this.notes.push(`${root}: no window in the iomem text`);
    return outer.map(({ start, size }): Window => {
      const offsets = new Set<bigint>();
      for (const { owner, address, size: length } of regions) {
        const seen = this.resources.find((each) =>
          each.name === owner && each.size === length && contains({ start, size }, each.start)
        );
        if (seen !== undefined) offsets.add(address - seen.start);
      }
      if (offsets.size > 1) {
        this.notes.push(
          `${root}: the BARs in the window at ${hex(start)} disagree about its offset, none is assumed`,
        );
      }
      const offset = offsets.size === 1 ? [...offsets][0]! : 0n;
      if (offset !== 0n) {
        this.notes.push(`${root}: the ${bytes(size)} window at ${hex(start)} has a bus offset`);
      }
      return { cpu: start, bus: start + offset, size };
    });
  }

  private below(bus: string, above: ReadonlySet<string> = new Set()): PciFunction[] {
    if (above.has(bus)) return [];
    return (this.onBus.get(bus) ?? []).flatMap((each) =>
      each.secondary === null ? [each] : [each, ...this.below(each.secondary, new Set([...above, bus]))]
    );
  }
}

interface Window {
  readonly cpu: bigint;
  readonly bus: bigint;
  readonly size: bigint;
}

/** Without iomem: whole MiBs around each BAR, joined where they touch, bus address and CPU address the same. */
function around(regions: readonly { readonly address: bigint; readonly size: bigint }[]): Window[] {
  const out: { start: bigint; end: bigint }[] = [];
  const parts = regions.map(({ address, size }) => ({
    start: address / MIB * MIB,
    end: (address + size + MIB - 1n) / MIB * MIB,
  })).sort((a, b) => a.start < b.start ? -1 : 1);
  for (const { start, end } of parts) {
    const last = out.at(-1);
    if (last !== undefined && start <= last.end) last.end = end > last.end ? end : last.end;
    else out.push({ start, end });
  }
  return out.map(({ start, end }) => ({ cpu: start, bus: start, size: end - start }));
}

function range({ start, size }: Range): { start: string; size: string } {
  return { start: hex(start), size: hex(size) };
}

function busOf(address: string): string {
  return address.replace(/:[^:]*$/, "");
}
