/**
 * Where a finding stands in the diff of a pull request, the only lines that take a comment. Pure.
 *
 * @module
 */

import { readPatch } from "../../rules/engine/diff.ts";
import { mailFromText } from "../../rules/engine/mail.ts";
import type { Line, Span } from "../../rules/engine/types.ts";
import type { ChangedFile } from "./port.ts";

/** A line of the pull request's diff. */
export interface DiffPlace {
  readonly line: number;
  readonly side: "LEFT" | "RIGHT";
}

/** Answers for the files of a pull request; null: the line is not in its diff. */
export type PlaceOf = (span: Span) => DiffPlace | null;

/** Reads the diffs of the files. */
export function placesIn(files: readonly ChangedFile[]): PlaceOf {
  const lines = new Map<string, readonly Line[]>();
  for (const { path, patch } of files) if (patch !== null) lines.set(path, linesOf(path, patch));
  return ({ path, line, side, text }) => {
    const known = lines.get(path) ?? [];
    if (side === "new") {
      return known.some((one) => one.kind !== "removed" && one.newNo === line)
        ? { line, side: "RIGHT" }
        : null;
    }
    const found = removedAt(known, line, text);
    return found === null ? null : { line: found, side: "LEFT" };
  };
}

function linesOf(path: string, patch: string): readonly Line[] {
  const text = `--- a/x\n+++ b/x\n${patch}\n`;
  const { files } = readPatch(mailFromText(text, { input: path, position: null }));
  return files.flatMap(({ hunks }) => hunks.flatMap((hunk) => hunk.lines));
}

/** The old number of a removed line, by its text and the line of the new side where it stood. */
function removedAt(lines: readonly Line[], stood: number, text: string): number | null {
  let next = 0;
  let best: { readonly oldNo: number; readonly distance: number } | null = null;
  for (const line of lines) {
    if (line.kind !== "removed") {
      next = line.newNo + 1;
      continue;
    }
    const distance = Math.abs(next - stood);
    if (line.text === text && distance < (best?.distance ?? Infinity)) best = { oldNo: line.oldNo, distance };
  }
  return best?.oldNo ?? null;
}
