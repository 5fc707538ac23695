/**
 * Files and diffs that chance makes, for the oracles of patch application.
 *
 * @module
 */

import type { FileDiff } from "../../rules/engine/types.ts";
import { generator } from "../random.ts";
import { hunksOf } from "./diffs.ts";

/** A diff of one file, and the file. */
export interface Case {
  readonly name: string;
  readonly diff: FileDiff;
  /** The text that the diff was read from. */
  readonly source: string;
  /** `diff` is what takes `source` back. */
  readonly isReversed: boolean;
  /** The file's content; null when there is none. */
  readonly bytes: Uint8Array | null;
}

type Random = (below: number) => number;

/** Texts that were changed at some places, and diffs of other changes to them. */
export function* madeCases(rounds: number): Generator<Case, void, void> {
  for (let round = 1; round <= rounds; round++) {
    const random = generator(round * 2654435761);
    random(2);
    // What repeats is what a search may take for another.
    const alphabet = ["{", "}", "", "a", "b", "c\r"].slice(0, 2 + random(5));
    const some = (count: number) => Array.from({ length: count }, () => alphabet[random(alphabet.length)]!);
    const old = some(3 + random(20));
    const hunks = hunksOfEdits(editsBetween(old, edited(old, 1 + random(3), random, some)), 1 + random(3));
    if (hunks.length === 0) continue;
    // Twice the same text: a hunk may find itself as far above as below.
    const base = random(3) === 0 ? [...old.slice(random(20)), ...old] : old;
    const target = edited(base, random(4), random, some).map((line) => `${line}\n`).join("");
    yield {
      name: `round ${round}`,
      diff: hunksOf(...hunks),
      source: `--- a/x.c\n+++ b/x.c\n${hunks.join("")}`,
      isReversed: false,
      // The file's last line may have lost its end.
      bytes: new TextEncoder().encode(random(4) === 0 ? target.slice(0, -1) : target),
    };
  }
}

/** Takes lines out and puts others in at some places. */
function edited(
  lines: readonly string[],
  places: number,
  random: Random,
  some: (count: number) => string[],
): string[] {
  const out = [...lines];
  for (let n = 0; n < places; n++) {
    out.splice(random(out.length + 1), random(3), ...some(random(4)));
  }
  return out;
}

/** A line of one text on the way to another. */
interface Edit {
  readonly kind: " " | "-" | "+";
  readonly line: string;
}

/** A line is kept where it comes again soon: no short way, but a true one. */
function editsBetween(old: readonly string[], now: readonly string[]): Edit[] {
  if (old.length === 0) return now.map((line) => ({ kind: "+", line }));
  const [line, ...rest] = old as [string, ...string[]];
  const at = now.indexOf(line);
  if (at === -1 || at > 3) return [{ kind: "-", line }, ...editsBetween(rest, now)];
  return [
    ...now.slice(0, at).map((line): Edit => ({ kind: "+", line })),
    { kind: " ", line },
    ...editsBetween(rest, now.slice(at + 1)),
  ];
}

function hunksOfEdits(edits: readonly Edit[], context: number): string[] {
  const hunks: string[] = [];
  for (let end = 0;;) {
    const first = edits.findIndex(({ kind }, at) => at >= end && kind !== " ");
    if (first === -1) return hunks;
    let last = first;
    for (let at = first; at < edits.length && at <= last + 2 * context; at++) {
      if (edits[at]!.kind !== " ") last = at;
    }
    const from = Math.max(end, first - context);
    end = Math.min(edits.length, last + 1 + context);
    const lines = edits.slice(from, end);
    const range = (other: Edit["kind"]) => {
      const [before, count] = [edits.slice(0, from), lines].map((part) =>
        part.filter(({ kind }) => kind !== other).length
      );
      return `${before! + (count === 0 ? 0 : 1)},${count}`;
    };
    hunks.push(
      `@@ -${range("+")} +${range("-")} @@\n${lines.map(({ kind, line }) => `${kind}${line}\n`).join("")}`,
    );
  }
}
