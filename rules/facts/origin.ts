/**
 * What a value is and where it came from. Pure data and set operations; no kernel function by name.
 *
 * @module
 */

import type { At, Expr } from "../engine/ast.ts";
import type { SourceFile } from "../engine/source.ts";
import type { Meaning } from "../kernel/types.ts";

/** One step on the way of a value, for the chain of evidence. */
export interface Step {
  readonly file: SourceFile;
  readonly at: At;
  readonly note: string;
}

/**
 * How sure we are. `exact`: a kernel function of known meaning made it. `declared`: the C type says so.
 * `name`: only its name suggests it.
 */
export type Certainty = "exact" | "declared" | "name";

/** One possible source of a value. Several origins mean: one of these, depending on the path. */
export interface Origin {
  /** `param` stands for what the caller passes as parameter `index`. */
  readonly meaning: Meaning | "param";
  readonly certainty: Certainty;
  /** The expression that made it. */
  readonly expr: Expr;
  readonly file: SourceFile;
  /** The kernel function that made it; the C type or the name otherwise. */
  readonly api: string;
  /** `dma`: the device that it was mapped for, in normal form; null when not known. */
  readonly device: string | null;
  /** `phys-bar`, `pci-bus`: the PCI device that owns the BAR, in normal form; null when not known. */
  readonly owner: string | null;
  /** Position of the parameter for `param`, -1 otherwise. */
  readonly index: number;
  /** Whether it came through a struct field that another function of the patch set. */
  readonly viaField: boolean;
  /** From the source to here, oldest first; the source itself is not among them. */
  readonly steps: readonly Step[];
}

/** More origins than this for one value say nothing any more. */
const MAX_ORIGINS = 6;

const keyOf = (o: Origin) => `${o.meaning}|${o.expr.start}|${o.file.path}|${o.device}|${o.owner}|${o.index}`;

/** All origins of both, each once, in the order in which they were found. */
export function union(a: readonly Origin[], b: readonly Origin[]): readonly Origin[] {
  if (b.length === 0 || a === b) return a;
  if (a.length === 0) return b;
  const keys = new Set(a.map(keyOf));
  const more = b.filter((origin) => !keys.has(keyOf(origin)));
  return more.length === 0 ? a : [...a, ...more].slice(0, MAX_ORIGINS);
}

/** Whether both hold the same origins, in any order. */
export function sameOrigins(a: readonly Origin[], b: readonly Origin[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  const keys = new Set(a.map(keyOf));
  return b.every((origin) => keys.has(keyOf(origin)));
}

/** The meanings that are an address that somebody may put on a bus or in a page table. */
const ADDRESSES: ReadonlySet<string> = new Set([
  "phys",
  "phys-ram",
  "phys-mmio",
  "phys-bar",
  "pci-bus",
  "dma",
  "iova",
]);

/** Whether the origin is an integer address, of whatever space. */
export const isAddress = (origin: Pick<Origin, "meaning">): boolean => ADDRESSES.has(origin.meaning);

/** Whether the origin is an address as the CPU sees it. */
export const isPhys = (origin: Origin): boolean => origin.meaning.startsWith("phys");
