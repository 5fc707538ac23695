/**
 * Diffs for the tests of `rules/tree/`, written as text.
 *
 * @module
 */

import { readDiff } from "../../rules/engine/diff.ts";
import type { FileDiff } from "../../rules/engine/types.ts";

/** The only file diff of a text. */
export function diffOf(text: string): FileDiff {
  const { files } = readDiff(text);
  if (files.length !== 1) throw new Error(`${files.length} files in the diff`);
  return files[0]!;
}

/** A diff of `x.c` with these hunks. */
export const hunksOf = (...hunks: readonly string[]): FileDiff =>
  diffOf(`--- a/x.c\n+++ b/x.c\n${hunks.join("")}`);
