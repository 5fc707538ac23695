/**
 * Reads the text of /proc/iomem: who is where in CPU address space. Pure.
 *
 * @module
 */

import type { Range } from "./range.ts";

/** One line, with the lines that are set in below it. */
export interface Resource extends Range {
  readonly name: string;
  readonly inside: readonly Resource[];
}

/** What could be read. */
export interface Iomem {
  readonly resources: readonly Resource[];
  /** Why a line was left out: `line 3: …`. */
  readonly notes: readonly string[];
}

const LINE = /^( *)([0-9a-f]{1,16})-([0-9a-f]{1,16}) : (.+)$/;

/** Reads /proc/iomem. */
export function readIomem(text: string): Iomem {
  const notes: string[] = [];
  const top: Resource[] = [];
  const open: { depth: number; list: Resource[] }[] = [{ depth: -1, list: top }];
  let zeros = 0;
  let count = 0;
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const found = LINE.exec(line);
    if (found === null) {
      notes.push(`line ${i + 1} of the iomem text is no resource`);
      continue;
    }
    const [, lead = "", from = "", to = "", name = ""] = found;
    const [start, end] = [BigInt(`0x${from}`), BigInt(`0x${to}`)];
    count++;
    if (start === 0n && end === 0n) zeros++;
    if (end < start) {
      notes.push(`line ${i + 1} of the iomem text ends before it starts`);
      continue;
    }
    while (open.at(-1)!.depth >= lead.length) open.pop();
    const inside: Resource[] = [];
    open.at(-1)!.list.push({ start, size: end - start + 1n, name, inside });
    open.push({ depth: lead.length, list: inside });
  }
  if (count > 0 && zeros === count) {
    notes.push("the iomem text hides all addresses: read /proc/iomem as root");
    return { resources: [], notes };
  }
  return { resources: top, notes };
}

/** Every resource, outer before inner. */
export function* allOf(resources: readonly Resource[]): Generator<Resource> {
  for (const resource of resources) {
    yield resource;
    yield* allOf(resource.inside);
  }
}
