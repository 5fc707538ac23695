/**
 * The words of a hunk: its `@@` line, and one line with its prefix. May not count lines.
 *
 * @module
 */

import type { Defect, Hunk, Line } from "./types.ts";

/** The numbers of an `@@ -a,b +c,d @@ section` line. A missing count is 1. */
export interface HunkRange {
  readonly header: string;
  readonly oldStart: number;
  readonly oldCount: number;
  readonly newStart: number;
  readonly newCount: number;
  readonly section: string;
}

/** A hunk, the index of the first line behind it, and what was wrong with it. */
export interface HunkRead {
  readonly hunk: Hunk;
  readonly next: number;
  readonly defects: readonly Defect[];
}

const HEADER = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@([^]*)$/;

const [BLANK, PLUS, MINUS, BACKSLASH, RETURN] = [0x20, 0x2b, 0x2d, 0x5c, 0x0d];

/** Reads an `@@` line; null when it is none. */
export function readRange(line: string): HunkRange | null {
  if (line.charCodeAt(0) !== 0x40 /* @ */) return null;
  const parts = HEADER.exec(line);
  if (parts === null) return null;
  return {
    header: line,
    oldStart: Number(parts[1]),
    oldCount: parts[2] === undefined ? 1 : Number(parts[2]),
    newStart: Number(parts[3]),
    newCount: parts[4] === undefined ? 1 : Number(parts[4]),
    section: (parts[5] as string).trim(),
  };
}

/** What the prefix of a line inside a hunk says; null when it has none of the prefixes. */
export function lineKind(raw: string): Line["kind"] | "marker" | null {
  switch (raw.charCodeAt(0)) {
    case BLANK:
      return "context";
    case PLUS:
      return "added";
    case MINUS:
      return "removed";
    case BACKSLASH:
      return raw.charCodeAt(1) === BLANK ? "marker" : null;
    case RETURN:
      return raw.length === 1 ? "context" : null;
    default:
      // A blank context line may have lost its blank on the way (git apply takes it, too).
      return raw === "" ? "context" : null;
  }
}

/** A hunk line from its raw text. `skip` is the length of everything in front of the code. */
export function makeLine(
  kind: Line["kind"],
  raw: string,
  skip: number,
  bodyNo: number,
  oldNo: number,
  newNo: number,
): Line {
  const end = raw.charCodeAt(raw.length - 1) === RETURN ? raw.length - 1 : raw.length;
  const text = raw.slice(Math.min(skip, end), end);
  if (kind === "context") return { kind, raw, text, bodyNo, marker: null, oldNo, newNo };
  if (kind === "added") return { kind, raw, text, bodyNo, marker: null, newNo };
  return { kind, raw, text, bodyNo, marker: null, oldNo };
}

/** Puts a `\ No newline at end of file` line on the line before it; false when there is none that may take it. */
export function addMarker(into: Line[], marker: string): boolean {
  const last = into.at(-1);
  if (last === undefined || last.marker !== null) return false;
  into[into.length - 1] = { ...last, marker };
  return true;
}
