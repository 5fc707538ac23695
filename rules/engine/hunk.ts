/**
 * One `@@` block, read by its counts. May not look at file headers or guess: what does not fit the counts goes
 * to `damage.ts`.
 *
 * @module
 */

import { isExcessAt, readDamagedHunk } from "./damage.ts";
import { addMarker, type HunkRange, type HunkRead, lineKind, makeLine } from "./hunk_line.ts";
import type { Line } from "./types.ts";

/** Reads the hunk whose `@@` line stands at index `at`. The text of the `\` line is in the sender's language. */
export function readHunk(lines: readonly string[], at: number, range: HunkRange): HunkRead {
  const into: Line[] = [];
  let oldLeft = range.oldCount;
  let newLeft = range.newCount;
  let oldNo = range.oldStart;
  let newNo = range.newStart;
  let i = at + 1;
  for (; oldLeft > 0 || newLeft > 0; i++) {
    const raw = lines[i];
    const kind = raw === undefined ? null : lineKind(raw);
    if (raw === undefined || kind === null) return readDamagedHunk(lines, at, range);
    if (kind === "marker") {
      if (!addMarker(into, raw)) return readDamagedHunk(lines, at, range);
      continue;
    }
    if (kind !== "added" && --oldLeft < 0) return readDamagedHunk(lines, at, range);
    if (kind !== "removed" && --newLeft < 0) return readDamagedHunk(lines, at, range);
    into.push(makeLine(kind, raw, 1, i + 1, oldNo, newNo));
    if (kind !== "added") oldNo++;
    if (kind !== "removed") newNo++;
  }
  if (lines[i]?.startsWith("\\ ") && addMarker(into, lines[i] as string)) i++;
  if (isExcessAt(lines, i)) return readDamagedHunk(lines, at, range);
  return { hunk: { ...range, bodyNo: at + 1, lines: into, whole: true }, next: i, defects: [] };
}
