/**
 * An example of a rule: a few lines of a hunk, and how they become a diff that git would take. Pure.
 *
 * @module
 */

import { cutMarks, type Mark } from "./marks.ts";

/** Code that a rule reports, or leaves alone. */
export interface Example {
  /** What the code does, lower case, no full stop. */
  readonly title: string;
  /**
   * The body of a hunk: each line starts with `+`, `-` or a blank, an empty line is a blank context line. A line
   * that starts with `@@` opens the next hunk, and what follows it on that line is the hunk's section heading.
   * Marks (see marks.ts) may close a line.
   */
  readonly patch: string;
  /** The file that is patched; `drivers/foo/foo.c` unless told. */
  readonly path?: string;
  /** The kernel that the patch is for, such as `6.12`; the newest unless told. */
  readonly kernel?: string;
}

/** The file that an example patches unless it names one. */
export const EXAMPLE_PATH = "drivers/foo/foo.c";

// A gap wide enough that nobody takes two hunks of an example for neighbours.
const HUNK_GAP = 100;

/** An example as a diff. */
export interface ExampleDiff {
  /** The diff, from `diff --git` to the last line, marks cut off. */
  readonly text: string;
  /** 1-based line of `text` to the marks that stood there. */
  readonly marks: ReadonlyMap<number, readonly Mark[]>;
}

interface Piece {
  section: string;
  lines: string[];
}

/** The hunks of an example, without its marks. */
function pieces(patch: string): Piece[] {
  const found: Piece[] = [];
  // A template literal usually opens with a line end and closes with one: neither is code.
  for (const line of patch.replace(/^\n/, "").replace(/\n[ \t]*$/, "").split("\n")) {
    if (line.startsWith("@@")) {
      found.push({ section: line.slice(2).trim(), lines: [] });
      continue;
    }
    if (found.length === 0) found.push({ section: "", lines: [] });
    found.at(-1)!.lines.push(line === "" ? " " : line);
  }
  return found;
}

/**
 * Writes an example as a diff against {@link Example.path}, with hunk headers that count right.
 *
 * @throws {Error} If a line starts with something else than `+`, `-`, a blank or `@@`
 */
export function exampleDiff(example: Example): ExampleDiff {
  const path = example.path ?? EXAMPLE_PATH;
  const out = [`diff --git a/${path} b/${path}`, `--- a/${path}`, `+++ b/${path}`];
  const marks = new Map<number, readonly Mark[]>();
  let shift = 0;
  let oldAt = HUNK_GAP;
  for (const { section, lines } of pieces(example.patch)) {
    const count = { "+": 0, "-": 0, " ": 0 };
    for (const line of lines) {
      const sign = line.charAt(0);
      if (sign !== "+" && sign !== "-" && sign !== " ") {
        throw new Error(`Cannot read example "${example.title}": "${line}" starts with no diff sign`);
      }
      count[sign]++;
    }
    const oldCount = count["-"] + count[" "];
    const newCount = count["+"] + count[" "];
    // An empty side names the line before it (git's convention).
    const oldStart = oldCount === 0 ? oldAt - 1 : oldAt;
    const newStart = newCount === 0 ? oldAt + shift - 1 : oldAt + shift;
    const heading = section === "" ? "" : ` ${section}`;
    out.push(`@@ -${oldStart},${oldCount} +${newStart},${newCount} @@${heading}`);
    for (const line of lines) {
      const cut = cutMarks(line);
      out.push(cut.text === "" ? " " : cut.text);
      if (cut.marks.length > 0) marks.set(out.length, cut.marks);
    }
    shift += newCount - oldCount;
    oldAt += oldCount + HUNK_GAP;
  }
  return { text: out.join("\n") + "\n", marks };
}
