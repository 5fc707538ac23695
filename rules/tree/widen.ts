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

/** A line that only the tree shows. There are many: each holds no more than it must. */
class TreeLine {
  constructor(private readonly whole: string, readonly oldNo: number, readonly newNo: number) {}

  get text(): string {
    return strip(this.whole);
  }

  get kind(): "context" {
    return "context";
  }

  get raw(): string {
    return ` ${this.whole}`;
  }

  get bodyNo(): null {
    return null;
  }

  get marker(): null {
    return null;
  }
}

/**
 * The same diff with all lines of the file, its hunks where they went. Where fuzz gave a context line up, the file's own line stands.
 *
 * @param before The text that the diff applies to
 * @param placed Where its hunks went
 * @returns null when the hunks change places
 */
export function widen(diff: FileDiff, before: string, placed: readonly Placed[]): FileDiff | null {
  const old = linesOf(before);
  const all: Line[] = [];
  const hunks: Hunk[] = [];
  let oldNo = 1;
  let newNo = 1;
  const copyTo = (end: number) => {
    while (oldNo <= end) all.push(new TreeLine(old[oldNo - 1]!, oldNo++, newNo++));
  };
  for (const { hunk, at, dropped: { leading, trailing } } of placed) {
    if (at + leading < oldNo - 1) return null;
    copyTo(at + leading);
    const [oldStart, newStart] = [oldNo, newNo];
    const lines = hunk.lines.slice(leading, hunk.lines.length - trailing).map((line): Line => {
      if (line.kind === "context") return { ...line, oldNo: oldNo++, newNo: newNo++ };
      return line.kind === "added" ? { ...line, newNo: newNo++ } : { ...line, oldNo: oldNo++ };
    });
    all.push(...lines);
    const counts = { oldCount: oldNo - oldStart, newCount: newNo - newStart };
    hunks.push({ ...hunk, oldStart, newStart, ...counts, lines });
  }
  copyTo(old.length);
  return { ...diff, hunks, all };
}

/** A file that nobody changes. */
export function unchanged(path: string, text: string): FileDiff {
  return {
    oldPath: path,
    newPath: path,
    status: "modified",
    origin: "diff",
    header: [],
    bodyNo: 0,
    oldBlob: null,
    newBlob: null,
    hunks: [],
    all: linesOf(text).map((line, i) => new TreeLine(line, i + 1, i + 1)),
    trailer: [],
  };
}
