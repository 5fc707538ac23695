import assert from "node:assert/strict";
import { addMarker, lineKind, makeLine, readRange } from "../../rules/engine/hunk_line.ts";

Deno.test("readRange() reads missing counts as 1, and the section", () => {
  const range = readRange("@@ -1 +2 @@ int foo(void)\r");
  assert.deepEqual(range, {
    header: "@@ -1 +2 @@ int foo(void)\r",
    oldStart: 1,
    oldCount: 1,
    newStart: 2,
    newCount: 1,
    section: "int foo(void)",
  });
  assert.deepEqual([readRange("@@ -0,0 +1,7 @@")?.oldCount, readRange("@@ -0,0 +1,7 @@")?.newCount], [0, 7]);
});

Deno.test("readRange() gives null for other lines", () => {
  for (const line of ["@@", "@@ -1,2 @@", "@@@ -1 -1 +1 @@@", " @@ -1 +1 @@", "@@ -1 +99999999999 @@"]) {
    assert.equal(readRange(line), null, line);
  }
});

Deno.test("lineKind() takes an empty line for context that lost its blank", () => {
  assert.deepEqual(["", "\r", " x", "+x", "-x", "\\ x"].map(lineKind), [
    "context",
    "context",
    "context",
    "added",
    "removed",
    "marker",
  ]);
  assert.deepEqual(["x", "\tx", "\\x", "@@"].map(lineKind), [null, null, null, null]);
});

Deno.test("makeLine() keeps the carriage return in raw only", () => {
  const line = makeLine("added", "+x;\r", 1, 4, 2, 3);
  assert.deepEqual(line, { kind: "added", raw: "+x;\r", text: "x;", bodyNo: 4, marker: null, newNo: 3 });
  assert.equal(makeLine("context", "\r", 1, 1, 1, 1).text, "");
});

Deno.test("addMarker() marks a line once", () => {
  const lines = [makeLine("added", "+x", 1, 1, 1, 1)];
  assert.ok(addMarker(lines, "\\ Pas de fin de ligne"));
  assert.equal(lines[0]?.marker, "\\ Pas de fin de ligne");
  assert.ok(!addMarker(lines, "\\ again"));
  assert.ok(!addMarker([], "\\ nothing before"));
});
