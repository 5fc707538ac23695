/**
 * What a patch takes away around a place of the new side. Where it shows only part of a function, the line that it
 * replaces tells what the rest expects: a cast that widened, a `%pad`, a check. Empty on the old side. Knows no
 * kernel function by name, and concludes nothing itself.
 *
 * @module
 */

import type { At } from "../engine/ast.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";
import type { Hunk, Line } from "../engine/types.ts";

/** The removed lines of a file, asked for by place. Texts have white space folded and comment lines left out. */
export interface Removed {
  /** What stood where `at` stands: the changes that `at` covers, to their first and last line. */
  at(at: At): string;
  /** The same, and all that the hunk removes further down. */
  from(at: At): string;
  /** The lines that are removed at most `distance` lines of the patch away, one text each. */
  near(at: At, distance: number): readonly string[];
  /** All that is removed from a function. */
  of(fn: FunctionView): string;
}

const COMMENT = /^\s*(?:\/\*|\*|\/\/)/;

/** Collects them. */
export const removed: Fact<Removed, SourceFile> = {
  name: "removed",
  derive(file) {
    const places = new Map<Line, { hunk: Hunk; index: number }>();
    if (file.takesAway) {
      for (const hunk of file.diff.hunks) {
        hunk.lines.forEach((line, index) => places.set(line, { hunk, index }));
      }
    }
    const find = (offset: number) => {
      const line = file.lineAt(offset);
      return line === null ? undefined : places.get(line);
    };
    const text = (lines: readonly Line[]) =>
      lines.filter((line) => line.kind === "removed" && !COMMENT.test(line.text))
        .map((line) => line.text.replace(/\s+/g, " ").trim());
    const folded = (lines: readonly Line[]) => text(lines).join(" ");
    const isChange = (line: Line | undefined) => line !== undefined && line.kind !== "context";
    /** Where the change begins that the line at `index` is part of. */
    const startOf = (hunk: Hunk, index: number) => {
      let start = index;
      if (isChange(hunk.lines[index])) { while (isChange(hunk.lines[start - 1])) start--; }
      return start;
    };
    const between = (at: At): readonly Line[] => {
      const first = find(at.start);
      const last = find(Math.max(at.start, at.end - 1));
      if (first === undefined || last === undefined || first.hunk !== last.hunk) return [];
      const { lines } = first.hunk;
      let end = last.index;
      if (isChange(lines[end])) { while (isChange(lines[end + 1])) end++; }
      return lines.slice(startOf(first.hunk, first.index), end + 1);
    };
    return {
      at: (at) => folded(between(at)),
      from(at) {
        const place = find(at.start);
        return place === undefined ? "" : folded(place.hunk.lines.slice(startOf(place.hunk, place.index)));
      },
      near(at, distance) {
        const place = find(at.start);
        return place === undefined ? [] : text(
          place.hunk.lines.filter((_, index) => Math.abs(index - place.index) <= distance),
        );
      },
      of: (fn) => folded(file.removedIn(fn.node)),
    };
  },
};
