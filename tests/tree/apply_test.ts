import { deepEqual, equal, match, ok } from "node:assert/strict";
import { applyDiff, isApplied } from "../../rules/tree/apply.ts";
import type { FileDiff } from "../../rules/engine/types.ts";
import { diffOf, hunksOf } from "./diffs.ts";

/** `a` to `z`, a line each. */
const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => `${letter}\n`).join("");

/** The text, and `at offset fuzz` of each hunk. */
function apply(text: string | null, diff: FileDiff, fuzz: 0 | 1 | 2 = 0): [string | null, ...string[]] {
  const result = applyDiff(text, diff, { fuzz });
  if (!isApplied(result)) throw new Error(result.reason);
  return [result.text, ...result.placed.map(({ at, offset, fuzz }) => `${at} ${offset} ${fuzz}`)];
}

function refuse(text: string | null, diff: FileDiff, fuzz: 0 | 1 | 2 = 0): string {
  const result = applyDiff(text, diff, { fuzz });
  if (isApplied(result)) throw new Error("was applied");
  return result.reason;
}

const C_TO_X = "@@ -2,3 +2,3 @@\n b\n-c\n+X\n d\n";

Deno.test("applyDiff() puts each hunk where its header says", () => {
  const diff = hunksOf(C_TO_X, "@@ -24,3 +24,4 @@\n x\n+Y\n y\n z\n");
  deepEqual(apply(LETTERS, diff), [
    LETTERS.replace("c", "X").replace("x\n", "x\nY\n"),
    "1 0 0",
    "23 0 0",
  ]);
});

Deno.test("applyDiff() finds a hunk whose lines have moved, nearest place first, the later of two", () => {
  const diff = hunksOf("@@ -5,2 +5,3 @@\n {\n+X\n }\n");
  deepEqual(apply("1\n2\n3\n4\n5\n{\n}\n", diff), ["1\n2\n3\n4\n5\n{\nX\n}\n", "5 1 0"]);
  deepEqual(apply("{\n}\n3\n4\n5\n6\n7\n{\n}\n", diff), ["{\n}\n3\n4\n5\n6\n7\n{\nX\n}\n", "7 3 0"]);
  deepEqual(apply("1\n2\n{\n}\n5\n6\n{\n}\n", diff), ["1\n2\n{\n}\n5\n6\n{\nX\n}\n", "6 2 0"]);
});

Deno.test("applyDiff() gives places in the old text, whatever the hunks before added", () => {
  const diff = hunksOf("@@ -2,2 +2,4 @@\n b\n+1\n+2\n c\n", "@@ -10,2 +12,2 @@\n-j\n+J\n k\n");
  const [text, ...places] = apply(`0\n${LETTERS}`, diff);
  deepEqual(places, ["2 1 0", "10 1 0"]);
  equal(text, `0\n${LETTERS}`.replace("b\n", "b\n1\n2\n").replace("j", "J"));
});

Deno.test("applyDiff() does not match a line that an earlier hunk has", () => {
  const twice = hunksOf("@@ -2,2 +2,3 @@\n a\n+X\n b\n", "@@ -3,2 +4,3 @@\n b\n+Y\n c\n");
  match(
    refuse("0\na\nb\nc\n", twice),
    /^hunk 2 of 2 does not apply: its lines are in the file only where a hunk before/,
  );
});

Deno.test("applyDiff() keeps a hunk at the start or the end that has no context beyond", () => {
  const first = hunksOf("@@ -1,2 +1,3 @@\n+X\n a\n b\n");
  equal(apply(LETTERS, first)[0], `X\n${LETTERS}`);
  match(refuse(`0\n${LETTERS}`, first), /not at its start/);
  const last = hunksOf("@@ -25,2 +25,3 @@\n y\n z\n+X\n");
  equal(apply(LETTERS, last)[0], `${LETTERS}X\n`);
  deepEqual(apply(`0\n${LETTERS}`, last), [`0\n${LETTERS}X\n`, "25 1 0"]);
  match(refuse(`${LETTERS}0\n`, last), /not at its end/);
});

Deno.test("applyDiff() tells a last line with an end from one without", () => {
  const NO_END = "\\ No newline at end of file\n";
  const gains = hunksOf(`@@ -1,2 +1,2 @@\n a\n-b\n${NO_END}+b\n`);
  equal(apply("a\nb", gains)[0], "a\nb\n");
  match(refuse("a\nb\n", gains), /new lines are in the file already/);
  const loses = hunksOf(`@@ -1,2 +1,2 @@\n a\n-b\n+b\n${NO_END}`);
  equal(apply("a\nb\n", loses)[0], "a\nb");
  refuse("a\nb", loses);
  refuse("0\na\nb\nc\n", hunksOf(`@@ -2,2 +2,2 @@\n-a\n+A\n b\n${NO_END}`));
});

Deno.test("applyDiff() takes carriage returns for part of the line, as git does", () => {
  const diff = hunksOf("@@ -1,3 +1,3 @@\n a\r\n-b\r\n+X\r\n c\r\n");
  equal(apply("a\r\nb\r\nc\r\n", diff)[0], "a\r\nX\r\nc\r\n");
  match(refuse("a\nb\nc\n", diff), /has no line "a"/);
});

Deno.test("applyDiff() takes a blank context line that lost its blank", () => {
  equal(apply("a\n\nb\n", hunksOf("@@ -1,3 +1,3 @@\n a\n\n-b\n+X\n"))[0], "a\n\nX\n");
});

Deno.test("applyDiff() creates, deletes, renames and changes modes", () => {
  const created = diffOf(
    "diff --git a/x.c b/x.c\nnew file mode 100644\n--- /dev/null\n+++ b/x.c\n@@ -0,0 +1 @@\n+a\n",
  );
  deepEqual(apply(null, created), ["a\n", "0 0 0"]);
  match(refuse("", created), /there already/);
  const deleted = diffOf(
    "diff --git a/x.c b/x.c\ndeleted file mode 100644\n--- a/x.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
  );
  deepEqual(apply("a\n", deleted), [null, "0 0 0"]);
  match(refuse("a\nb\n", deleted), /but not as all of it/);
  match(refuse(null, deleted), /no such file/);
  const renamed = "diff --git a/x.c b/y.c\nsimilarity index 90%\nrename from x.c\nrename to y.c\n";
  deepEqual(apply("a\n", diffOf(renamed)), ["a\n"]);
  const changed = diffOf(`${renamed}--- a/x.c\n+++ b/y.c\n@@ -1 +1 @@\n-a\n+b\n`);
  deepEqual(apply("a\n", changed), ["b\n", "0 0 0"]);
  deepEqual(apply("a\n", diffOf("diff --git a/x.c b/x.c\nold mode 100644\nnew mode 100755\n")), ["a\n"]);
});

Deno.test("applyDiff() says which hunk it refuses, and why, in words", () => {
  const fine = "@@ -9,2 +9,3 @@\n i\n+X\n j\n";
  equal(
    refuse(LETTERS, hunksOf(C_TO_X, "@@ -10,2 +10,3 @@\n \tmissing();\n+X\n k\n")),
    'hunk 2 of 2 does not apply: the file has no line "missing();"',
  );
  equal(
    refuse(LETTERS.replace("c", "X"), hunksOf(C_TO_X)),
    "the hunk does not apply: its new lines are in the file already",
  );
  equal(
    refuse(LETTERS, hunksOf("@@ -9,2 +9,3 @@\n i\n+X\n k\n")),
    "the hunk does not apply: its lines are in the file, but not in a row",
  );
  equal(
    refuse(LETTERS, hunksOf(fine, "@@ -20,5 +21,6 @@\n t\n+X\n u\n")),
    "hunk 2 of 2 is damaged: its lines do not fit its header",
  );
  equal(refuse(LETTERS, hunksOf("@@ -9,2 +9,2 @@\n i\n j\n")), "the hunk changes nothing");
  equal(
    refuse(LETTERS, hunksOf("@@ -9,0 +10 @@\n+X\n")),
    "the hunk does not apply: it has no context that would tell its place",
  );
  equal(refuse(null, hunksOf(fine)), "there is no such file");
  const binary = diffOf(
    "diff --git a/x b/x\nindex 1234567..89abcde 100644\nBinary files a/x and b/x differ\n",
  );
  equal(refuse("", binary), "a binary diff");
});

Deno.test("applyDiff() gives up outer context only when asked, the longer one first", () => {
  const diff = hunksOf("@@ -3,6 +3,7 @@\n c\n d\n e\n+X\n f\n g\n h\n");
  const text = LETTERS.replace("c", "C");
  match(refuse(text, diff), /has no line "c"/);
  deepEqual(apply(text, diff, 1), [text.replace("e\n", "e\nX\n"), "2 0 1"]);
  const further = text.replace("d", "D").replace("h", "H");
  match(refuse(further, diff, 1), /has no line/);
  deepEqual(apply(further, diff, 2), [further.replace("e\n", "e\nX\n"), "2 0 2"]);
  match(refuse(further.replace("e", "E"), diff, 2), /has no line/);
  // Two lines of context behind, three before: the first line goes first, and the end is not the file's.
  const uneven = hunksOf("@@ -3,5 +3,6 @@\n c\n d\n e\n+X\n f\n g\n");
  deepEqual(apply(text, uneven, 1), [text.replace("e\n", "e\nX\n"), "2 0 1"]);
  match(refuse(LETTERS.replace("g", "G"), uneven, 1), /has no line "g"/);
});

Deno.test("applyDiff() with fuzz ends a last line that has no end, when lines come behind it", () => {
  deepEqual(apply("a\nb\nc", hunksOf("@@ -3 +3,2 @@\n c\n+X\n"), 1), ["a\nb\nc\nX\n", "2 0 1"]);
});

Deno.test("applyDiff() with fuzz expects a hunk as far off as the one before", () => {
  const diff = hunksOf(C_TO_X, "@@ -8,2 +8,3 @@\n {\n+X\n }\n");
  const text = "0\n0\n0\na\nb\nc\nd\n{\n}\n0\n{\n}\n0\n";
  const far = apply(text, diff, 1);
  deepEqual(far, ["0\n0\n0\na\nb\nX\nd\n{\n}\n0\n{\nX\n}\n0\n", "4 3 0", "10 3 0"]);
  deepEqual(apply(text, diff).slice(1), ["4 3 0", "7 0 0"]);
});

Deno.test("applyDiff() ends on a diff that is made to take long", () => {
  const text = "x\n".repeat(60_000);
  const hunk = `@@ -30000,2000 +30000,2001 @@\n${" x\n".repeat(1_000)}+y\n${" x\n".repeat(999)} z\n`;
  const result = applyDiff(`${text}z\n`, hunksOf(hunk.replace("+y\n", "-y\n").replace("2001", "1999")));
  ok(!isApplied(result));
  match(result.reason, /has no line "y"|too many places/);
});
