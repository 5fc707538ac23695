/**
 * Reads what lspci prints: the tree of `-t`, and the blocks of `-vvv`. What is not there, or not readable without being
 * root, is said. Pure.
 *
 * @module
 */

import { type AcsBit, fullAddress } from "./topology.ts";

/** A memory region of a function. */
export interface Region {
  readonly index: number;
  readonly address: bigint;
  readonly size: bigint;
}

/** A function as lspci shows it. */
export interface PciFunction {
  /** `0000:81:00.0` */
  readonly address: string;
  /** `Ethernet controller`; "" when only the tree shows it. */
  readonly title: string;
  /** `8086:2030`; null without `-n` or `-nn`. */
  readonly id: string | null;
  /** The bus below a bridge, `0000:81`; null for what is no bridge. */
  readonly secondary: string | null;
  /** What the PCI Express capability calls it; null when it is not shown. */
  readonly port: "root-port" | "upstream" | "downstream" | null;
  /** null when the ACS control is not shown. */
  readonly acs: readonly AcsBit[] | null;
  readonly regions: readonly Region[];
  readonly claims: readonly { readonly start: bigint; readonly size: bigint }[];
  readonly hasIommuGroup: boolean;
}

/** What could be read. */
export interface Lspci {
  readonly functions: readonly PciFunction[];
  /** From the tree; empty without one: `0000:00`. */
  readonly roots: readonly string[];
  /** Blocks of `-vvv` were among it. */
  readonly hasBlocks: boolean;
  /** Capabilities were shown, so it ran as root. */
  readonly hasCapabilities: boolean;
  readonly notes: readonly string[];
}

const HEAD = /^((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]) (.*)$/i;

/** Reads the output of one lspci run, or of several one after another. */
export function readLspci(text: string): Lspci {
  const notes: string[] = [];
  const functions = new Map<string, PciFunction>();
  const lines = text.split("\n").map((line) => line.trimEnd());
  const tree = readTree(lines.filter((line) => /^[ |]*[-+\\]/.test(line)));
  for (const device of tree.devices) functions.set(device.address, bare(device));
  let block: string[] = [];
  let hasBlocks = false;
  let hasCapabilities = false;
  const close = () => {
    if (block.length === 0) return;
    const found = readBlock(block);
    hasBlocks ||= block.length > 1;
    hasCapabilities ||= block.some((line) => /^\tCapabilities: \[/.test(line));
    // The tree knows the bus below a bridge even where the block hides it.
    const secondary = found.secondary ?? functions.get(found.address)?.secondary ?? null;
    functions.set(found.address, { ...found, secondary });
    block = [];
  };
  for (const line of lines) {
    if (HEAD.test(line)) {
      close();
      block = [line];
    } else if (block.length > 0 && line.startsWith("\t")) block.push(line);
    else close();
  }
  close();
  if (functions.size === 0) notes.push("the lspci text names no device");
  else if (!hasBlocks) {
    notes.push(
      "a tree shows neither ACS nor which BAR is which: add the output of lspci -vvv -nn, run as root",
    );
  } else if (!hasCapabilities) {
    notes.push("no capabilities are shown: run lspci as root, or ACS redirect is not seen");
  }
  return {
    functions: [...functions.values()].sort((a, b) => a.address < b.address ? -1 : 1),
    roots: tree.roots,
    hasBlocks,
    hasCapabilities,
    notes,
  };
}

/** A function as the tree shows it; with -v a name stands behind those that are no bridge, with -nn ids, too. */
function bare({ address, secondary, text }: TreeDevice): PciFunction {
  return {
    address,
    title: text.replace(/ \[[0-9a-f]{4}:[0-9a-f]{4}\].*/i, "").slice(0, MAX_TITLE),
    id: idIn(text),
    secondary,
    port: null,
    acs: null,
    regions: [],
    claims: [],
    hasIommuGroup: false,
  };
}

function readBlock([head = "", ...rest]: readonly string[]): PciFunction {
  const [, at = "", what = ""] = HEAD.exec(head) ?? [];
  const address = fullAddress(at);
  const domain = address.slice(0, address.indexOf(":"));
  let secondary: string | null = null;
  let acs: AcsBit[] | null = null;
  let port: PciFunction["port"] = null;
  let hasIommuGroup = false;
  const regions: Region[] = [];
  const claims: { start: bigint; size: bigint }[] = [];
  for (const line of rest) {
    const bus = /^\tBus: primary=[0-9a-f]{2}, secondary=([0-9a-f]{2}),/.exec(line);
    if (bus !== null) secondary = `${domain}:${bus[1]}`;
    const region = /^\tRegion (\d): Memory at ([0-9a-f]+) .*\[size=(\d+)([KMGT]?)\]/.exec(line);
    if (region !== null) {
      const [, index = "", start = "", count = "", unit = ""] = region;
      regions.push({ index: Number(index), address: BigInt(`0x${start}`), size: sizeOf(count, unit) });
    }
    const claim = /^\t(?:Prefetchable m|M)emory behind bridge: ([0-9a-f]+)-([0-9a-f]+)/.exec(line);
    if (claim !== null) {
      const [start, end] = [BigInt(`0x${claim[1]}`), BigInt(`0x${claim[2]}`)];
      // A window that ends before it starts is closed.
      if (end > start) claims.push({ start, size: end - start + 1n });
    }
    if (/^\tIOMMU group: \d/.test(line)) hasIommuGroup = true;
    const express = /^\tCapabilities: \[[^\]]*\] Express .*?\b(Root Port|Upstream Port|Downstream Port)\b/
      .exec(line);
    if (express !== null) {
      port = express[1] === "Root Port"
        ? "root-port"
        : express[1] === "Upstream Port"
        ? "upstream"
        : "downstream";
    }
    const control = /^\t\tACSCtl:\t?(.*)$/.exec(line);
    if (control !== null) {
      const isOn = (name: string) => control[1]!.includes(`${name}+`);
      acs = [];
      if (isOn("ReqRedir")) acs.push("RR");
      if (isOn("CmpltRedir")) acs.push("CR");
      if (isOn("EgressCtrl")) acs.push("EC");
    }
  }
  return {
    address,
    title: what.split(":")[0]!.replace(/ \[[0-9a-f]{4}\]$/i, "").slice(0, MAX_TITLE),
    id: idIn(what),
    secondary,
    port,
    acs,
    regions,
    claims,
    hasIommuGroup,
  };
}

const MAX_TITLE = 60;

/** `8086:2030` in brackets with -nn, bare with -n; null when there is none. */
function idIn(text: string): string | null {
  return /\b([0-9a-f]{4}:[0-9a-f]{4})\b/i.exec(text)?.[1]?.toLowerCase() ?? null;
}

function sizeOf(count: string, unit: string): bigint {
  return BigInt(count) << BigInt(10 * " KMGT".indexOf(unit === "" ? " " : unit));
}

interface TreeDevice {
  readonly address: string;
  readonly secondary: string | null;
  /** What stands behind it on the line. */
  readonly text: string;
}

/**
 * The tree of `lspci -t`. A node stands in the column where its bus begins: `+-01.0-[81-84]--+-00.0` puts the buses
 * below 01.0 behind the bracket, and the lines below continue there.
 */
function readTree(lines: readonly string[]): { readonly roots: string[]; readonly devices: TreeDevice[] } {
  const roots: string[] = [];
  const devices: TreeDevice[] = [];
  /** Column to the bus whose devices begin there; deeper columns are closed by a line that begins further left. */
  let open: { column: number; bus: string }[] = [];
  for (const line of lines) {
    let column = /^[ |]*/.exec(line)![0].length;
    open = open.filter((each) => each.column <= column);
    let bus = open.at(-1)?.bus ?? null;
    let rest = line.slice(column);
    for (;;) {
      const root = /^[-+\\]*-?\[([0-9a-f]{4,8}:[0-9a-f]{2})(?:-[0-9a-f]{2})?\]-*/i.exec(rest);
      if (root !== null) {
        bus = root[1]!.toLowerCase();
        roots.push(bus);
        column += root[0].length;
        rest = rest.slice(root[0].length);
        open.push({ column, bus });
        continue;
      }
      const device = /^[-+\\]*([01][0-9a-f]\.[0-7])(?:-\[([0-9a-f]{2})(?:-[0-9a-f]{2})?\]-*)?/i.exec(rest);
      if (device === null || bus === null) break;
      const secondary: string | null = device[2] === undefined
        ? null
        : `${bus.slice(0, bus.indexOf(":"))}:${device[2].toLowerCase()}`;
      const text = secondary === null ? rest.slice(device[0].length).trim() : "";
      devices.push({ address: `${bus}:${device[1]!.toLowerCase()}`, secondary, text });
      if (secondary === null) break;
      bus = secondary;
      column += device[0].length;
      rest = rest.slice(device[0].length);
      open.push({ column, bus });
    }
  }
  return { roots, devices };
}
