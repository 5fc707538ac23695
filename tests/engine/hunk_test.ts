import assert from "node:assert/strict";
import { readHunk } from "../../rules/engine/hunk.ts";
import { type HunkRange, readRange } from "../../rules/engine/hunk_line.ts";

function read(text: string) {
  const lines = text.split("\n");
  return readHunk(lines, 0, readRange(lines[0] as string) as HunkRange);
}

Deno.test("readHunk() numbers both sides", () => {
  const { hunk, next, defects } = read("@@ -10,3 +20,3 @@ foo\n a\n-b\n+c\n d\ntext");
  assert.ok(hunk.whole);
  assert.equal(next, 5);
  assert.deepEqual(defects, []);
  assert.deepEqual(
    hunk.lines.map((
      line,
    ) => [line.kind, line.text, "oldNo" in line && line.oldNo, "newNo" in line && line.newNo]),
    [["context", "a", 10, 20], ["removed", "b", 11, false], ["added", "c", false, 21], [
      "context",
      "d",
      12,
      22,
    ]],
  );
});

Deno.test("readHunk() takes `--- ` and `-- ` inside the counts for removed lines", () => {
  const { hunk, next } = read("@@ -1,3 +1,2 @@\n--- x\n-- \n+++ y\n z\n-- \n2.40");
  assert.ok(hunk.whole);
  assert.deepEqual(hunk.lines.map(({ kind, text }) => [kind, text]), [
    ["removed", "-- x"],
    ["removed", "- "],
    ["added", "++ y"],
    ["context", "z"],
  ]);
  assert.equal(next, 5);
});

Deno.test("readHunk() keeps the end-of-file mark of each side, in any language", () => {
  const { hunk, next } = read(
    "@@ -1 +1 @@\n-a\n\\ Kein Zeilenumbruch am Dateiende.\n+b\n\\ No newline at end of file\n",
  );
  assert.ok(hunk.whole);
  assert.deepEqual(hunk.lines.map(({ marker }) => marker), [
    "\\ Kein Zeilenumbruch am Dateiende.",
    "\\ No newline at end of file",
  ]);
  assert.equal(next, 5);
});

Deno.test("readHunk() keeps a blank context line that lost its blank", () => {
  const { hunk, defects } = read("@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n-- ");
  assert.ok(hunk.whole);
  assert.deepEqual(defects, []);
  assert.equal(hunk.lines[1]?.kind, "context");
  assert.equal(hunk.lines[1]?.raw, "");
});

Deno.test("readHunk() does not take prose or a signature behind a full hunk for more of it", () => {
  for (
    const after of [
      "-- ",
      "--",
      "",
      "-Jane",
      "- an item",
      "diff --git a/x b/x",
      "--- a/x\n+++ b/x\n@@ -1 +1 @@",
    ]
  ) {
    assert.ok(read(`@@ -1 +1 @@\n-a\n+b\n${after}`).hunk.whole, after);
  }
});
