import { deepEqual, equal } from "node:assert/strict";
import { readDiff } from "../../rules/engine/diff.ts";
import type { Line } from "../../rules/engine/types.ts";
import { applyDiff, isApplied } from "../../rules/tree/apply.ts";
import { unchanged, widen } from "../../rules/tree/widen.ts";

const BEFORE = "a\nb\nc\nd\ne\nf\ng\n";
const DIFF = `diff --git a/x.c b/x.c
--- a/x.c
+++ b/x.c
@@ -2,3 +2,3 @@
 b
-c
+C
 d
@@ -6,2 +6,3 @@
 f
+F
 g
`;

function widened(before: string, diff: string, fuzz: 0 | 1 | 2 = 0) {
  const file = readDiff(diff).files[0]!;
  const applied = applyDiff(before, file, { fuzz });
  if (!isApplied(applied)) throw new Error(`Cannot apply: ${applied.reason}`);
  return { file: widen(file, before, applied.placed)!, text: applied.text };
}

const side = (lines: readonly Line[], not: Line["kind"]) =>
  lines.filter(({ kind }) => kind !== not).map(({ text }) => `${text}\n`).join("");

Deno.test("widen() shows every line of both sides", () => {
  const { file, text } = widened(BEFORE, DIFF);
  equal(side(file.all!, "added"), BEFORE);
  equal(side(file.all!, "removed"), text);
  equal(file.hunks.every(({ lines }) => lines.every((line) => file.all!.includes(line))), true);
});

Deno.test("widen() numbers the lines, and keeps the mail's line of those that the mail shows", () => {
  const { file } = widened("0\n" + BEFORE, DIFF);
  const row = file.all!.map((line) => [
    line.text,
    line.kind === "added" ? null : line.oldNo,
    line.kind === "removed" ? null : line.newNo,
    line.bodyNo === null,
  ]);
  deepEqual(file.hunks.map(({ oldStart, newStart }) => [oldStart, newStart]), [[3, 3], [7, 7]]);
  deepEqual(row.slice(1, 6), [
    ["a", 2, 2, true],
    ["b", 3, 3, false],
    ["c", 4, null, false],
    ["C", null, 4, false],
    ["d", 5, 5, false],
  ]);
});

Deno.test("widen() takes the file's own line where fuzz gave the hunk's up", () => {
  const { file, text } = widened("a\nB\nc\nd\ne\nf\ng\n", DIFF, 2);
  equal(side(file.all!, "removed"), text);
  equal(file.all![1]!.text, "B");
});

Deno.test("unchanged() has the same text on both sides", () => {
  const { all } = unchanged("x.c", "a\r\nb");
  deepEqual(all!.map(({ text, kind }) => [text, kind]), [["a", "context"], ["b", "context"]]);
});
