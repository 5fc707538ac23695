/**
 * Shared by the tests: C text to sources and facts without a mail around it.
 *
 * @module
 */

import { readGrammar } from "../bot/grammar.ts";
import { createUse, type Use } from "../rules/engine/fact.ts";
import { readDiff } from "../rules/engine/diff.ts";
import { type FunctionView, readSource, type SourceFile } from "../rules/engine/source.ts";
import { type CParser, loadC } from "../rules/engine/syntax.ts";
import type { FileDiff, Hunk, Line } from "../rules/engine/types.ts";

let parser: Promise<CParser> | null = null;

/** The C parser, loaded once for all tests of a file. */
export function cParser(): Promise<CParser> {
  return parser ??= readGrammar().then(loadC);
}

/** A hunk body (lines with their `+`, `-` or blank) as one hunk of `drivers/foo/foo.c`. */
export function hunk(section: string, body: string, start = 100): Hunk {
  let oldNo = start;
  let newNo = start;
  const lines: Line[] = body.replace(/^\n/, "").replace(/\n$/, "").split("\n").map((raw, i) => {
    const base = { raw, text: raw.slice(1), bodyNo: i + 1, marker: null };
    if (raw.startsWith("+")) return { ...base, kind: "added", newNo: newNo++ };
    if (raw.startsWith("-")) return { ...base, kind: "removed", oldNo: oldNo++ };
    return { ...base, kind: "context", oldNo: oldNo++, newNo: newNo++ };
  });
  return {
    header: `@@ -${start},${oldNo - start} +${start},${newNo - start} @@ ${section}`,
    bodyNo: 1,
    oldStart: start,
    oldCount: oldNo - start,
    newStart: start,
    newCount: newNo - start,
    section,
    lines,
    whole: true,
  };
}

/** A file of these hunks. */
export function fileOf(...hunks: Hunk[]): FileDiff {
  return {
    oldPath: "drivers/foo/foo.c",
    newPath: "drivers/foo/foo.c",
    status: "modified",
    origin: "diff",
    header: [],
    bodyNo: 1,
    oldBlob: null,
    newBlob: null,
    hunks,
    all: null,
    trailer: [],
  };
}

/** One side of a diff text's first file, with a memory of facts over all its files. */
export async function sideOf(
  diff: string,
  side: "new" | "old" = "new",
): Promise<{ files: SourceFile[]; use: Use }> {
  const c = await cParser();
  const files = readDiff(diff).files.map((file) => readSource(file, side, c)).filter((file) => file !== null);
  return { files, use: createUse({ side, files, context: [], kernel: null }) };
}

/** Whole C text as one source file. */
export async function sourceOf(text: string): Promise<{ file: SourceFile; use: Use }> {
  const body = text.replace(/^\n/, "").split("\n").map((line) => `+${line}`).join("\n");
  const file = readSource(fileOf(hunk("", body, 1)), "new", await cParser())!;
  return { file, use: createUse({ side: "new", files: [file], context: [], kernel: null }) };
}

/** The function of that name. */
export function functionOf(file: SourceFile, name: string): FunctionView {
  const found = file.functions.find((fn) => fn.name === name);
  if (found === undefined) throw new Error(`Cannot find function "${name}" in ${file.path}`);
  return found;
}
