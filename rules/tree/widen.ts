/**
 * From hunks to whole files: the patch's own lines stand among all the lines of the file that it is for, so that whole
 * functions, structs and helpers are seen. Pure.
 *
 * @module
 */

import type { FileDiff, Hunk, Line } from "../engine/types.ts";
import type { Placed } from "./apply.ts";

/** The lines of a text, without their line ends; what stands behind the last line end is a line unless empty. */
export function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

const strip = (line: string) => line.endsWith("\r") ? line.slice(0, -1) : line;

const treeLine = (text: string, oldNo: number, newNo: number): Line => ({
  kind: "context",
  raw: ` ${text}`,
  text: strip(text),
  bodyNo: null,
  marker: null,
  oldNo,
  newNo,
});

const wholeHunk = (lines: readonly Line[], bodyNo: number): Hunk => ({
  header: "",
  bodyNo,
  oldStart: 1,
  oldCount: lines.filter((line) => line.kind !== "added").length,
  newStart: 1,
  newCount: lines.filter((line) => line.kind !== "removed").length,
  section: "",
  lines,
  whole: true,
});

/**
 * The same diff with all lines of the file. Where fuzz gave a context line up, the file's own line stands.
 *
 * @param before The text that the diff applies to
 * @param placed Where its hunks went
 * @returns null when the hunks change places
 */
export function widen(diff: FileDiff, before: string, placed: readonly Placed[]): FileDiff | null {
  const old = linesOf(before);
  const out: Line[] = [];
  let oldNo = 1;
  let newNo = 1;
  const copyTo = (end: number) => {
    while (oldNo <= end) out.push(treeLine(old[oldNo - 1]!, oldNo++, newNo++));
  };
  for (const { hunk, at, fuzz } of placed) {
    const [start, end] = givenUp(hunk, fuzz);
    if (at + start < oldNo - 1) return null;
    copyTo(at + start);
    for (const line of hunk.lines.slice(start, hunk.lines.length - end)) {
      if (line.kind === "context") out.push({ ...line, oldNo: oldNo++, newNo: newNo++ });
      else if (line.kind === "added") out.push({ ...line, newNo: newNo++ });
      else out.push({ ...line, oldNo: oldNo++ });
    }
  }
  copyTo(old.length);
  return { ...diff, origin: "tree", hunks: [wholeHunk(out, diff.bodyNo)] };
}

/** How many context lines fuzz takes from a hunk's start and end: from the longer run first (GNU patch). */
function givenUp({ lines }: Hunk, fuzz: number): readonly [start: number, end: number] {
  const change = (line: Line) => line.kind !== "context";
  const before = lines.findIndex(change);
  const after = lines.length - 1 - lines.findLastIndex(change);
  const longer = Math.max(before, after);
  return [Math.max(0, fuzz - (longer - before)), Math.max(0, fuzz - (longer - after))];
}

/** A file that nobody changes. */
export function unchanged(path: string, text: string): FileDiff {
  const lines = linesOf(text).map((line, i) => treeLine(line, i + 1, i + 1));
  return {
    oldPath: path,
    newPath: path,
    status: "modified",
    origin: "tree",
    header: [],
    bodyNo: 0,
    oldBlob: null,
    newBlob: null,
    hunks: [wholeHunk(lines, 0)],
    trailer: [],
  };
}
