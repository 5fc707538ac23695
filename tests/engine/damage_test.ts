import assert from "node:assert/strict";
import { readDiff } from "../../rules/engine/diff.ts";

const HEAD = "diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n";

const NEXT = "@@ -50,2 +50,3 @@\n \tx();\n+\ty();\n \tz();\n";

/** Damage with line, and what is kept of the first hunk. */
function judge(hunk: string) {
  const { files, defects } = readDiff(HEAD + hunk);
  const first = files[0]?.hunks[0];
  return {
    defects: defects.map(({ damage, bodyNo, reason }) => `${damage} ${bodyNo}: ${reason}`),
    kept: first?.lines.map(({ text }) => text),
    numbers: first?.lines.map((line) => "newNo" in line ? line.newNo : null),
    whole: first?.whole,
    hunks: files[0]?.hunks.map(({ oldStart, whole }) => [oldStart, whole]),
  };
}

Deno.test("readDiff() names a hunk that is cut, and reads the next", () => {
  const { defects, kept, hunks } = judge(`@@ -1,4 +1,5 @@\n \ta();\n+\tb();\n \tc();\n${NEXT}`);
  assert.deepEqual(defects, ["truncated 7: hunk ends 2 lines early"]);
  assert.deepEqual(kept, ["\ta();", "\tb();", "\tc();"]);
  assert.deepEqual(hunks, [[1, false], [50, true]]);
});

Deno.test("readDiff() names a hunk that the signature cuts", () => {
  assert.deepEqual(judge("@@ -1,3 +1,4 @@\n \ta();\n+\tb();\n \tc();\n-- \n2.40.1\n").defects, [
    "truncated 7: hunk ends 1 line early",
  ]);
});

Deno.test("readDiff() says which count is wrong", () => {
  assert.deepEqual(judge(`@@ -1,2 +1,4 @@\n \ta();\n+\tb();\n \tc();\n${NEXT}`).defects, [
    "wrong-counts 4: hunk says 4 new lines, has 3",
  ]);
  const grown = judge(`@@ -1,2 +1,3 @@\n \ta();\n+\tb();\n+\tb2();\n \tc();\n${NEXT}`);
  assert.deepEqual(grown.defects, ["wrong-counts 4: hunk says 3 new lines, has 4"]);
  assert.deepEqual(grown.kept, ["\ta();", "\tb();", "\tb2();", "\tc();"]);
});

Deno.test("readDiff() finds lines behind counts that are too small", () => {
  const { defects, kept } = judge("@@ -1,1 +1,2 @@\n \ta();\n+\tb();\n+\tc();\n-- \n");
  assert.deepEqual(defects, ["wrong-counts 4: hunk says 2 new lines, has 3"]);
  assert.deepEqual(kept, ["\ta();", "\tb();", "\tc();"]);
});

Deno.test("readDiff() leaves a wrapped line out and counts it", () => {
  const { defects, kept, numbers, hunks } = judge(
    `@@ -1,3 +1,4 @@ int x(void)\n \ta();\n+\tb(one,\ntwo);\n \tc();\n \td();\n${NEXT}`,
  );
  assert.deepEqual(defects, ["wrapped-lines 7: 1 line wrapped"]);
  assert.deepEqual(kept, ["\ta();", "\tc();", "\td();"]);
  assert.deepEqual(numbers, [1, 3, 4]);
  assert.deepEqual(hunks, [[1, false], [50, true]]);
});

Deno.test("readDiff() reads a hunk whose @@ line is wrapped", () => {
  const { defects, kept } = judge("@@ -1,2 +1,3 @@ static int x(struct y\n*z)\n \ta();\n+\tb();\n \tc();\n");
  assert.deepEqual(defects, ["wrapped-lines 5: 1 line wrapped"]);
  assert.deepEqual(kept, ["\ta();", "\tb();", "\tc();"]);
});

Deno.test("readDiff() names joined lines and keeps the others' numbers", () => {
  const { defects, kept, numbers } = judge("@@ -1,3 +1,4 @@\n \ta(); +\tb();\n \tc();\n \td();\n");
  assert.deepEqual(defects, ["flowed-joins 5: 1 line with the next diff line joined on"]);
  assert.deepEqual(kept, ["\tc();", "\td();"]);
  assert.deepEqual(numbers, [3, 4]);
});

Deno.test("readDiff() ends a hunk at a line with the next hunk's header joined on", () => {
  const { defects, kept } = judge(
    "@@ -1,2 +1,3 @@\n \ta();\n+\tb();\n \tc(); @@ -9,2 +10,3 @@ int y(void)\n \td();\n",
  );
  assert.deepEqual(defects, ["flowed-joins 7: 1 line with the next diff line joined on"]);
  assert.deepEqual(kept, ["\ta();", "\tb();"]);
});

Deno.test("readDiff() keeps context lines that lost their blank", () => {
  const { defects, kept, numbers } = judge("@@ -1,4 +1,5 @@\nint x;\n\n\ta();\n+\tb();\n\tc();\n-- \n");
  assert.deepEqual(defects, ["flowed-joins 5: 3 context lines lost the leading blank"]);
  assert.deepEqual(kept, ["int x;", "", "\ta();", "\tb();", "\tc();"]);
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
});

Deno.test("readDiff() reads no-break spaces as blanks", () => {
  const { defects, kept } = judge("@@ -1,2 +1,3 @@\n\u00a0\ta();\n+\t\u00a0b();\n\u00a0\tc();\n");
  assert.deepEqual(defects, ["encoding 5: 2 lines with no-break spaces for blanks"]);
  assert.deepEqual(kept, ["\ta();", "\t b();", "\tc();"]);
});

Deno.test("readDiff() leaves out lines in quoted-printable", () => {
  const whole = judge("@@ -1,2 +1,3 @@\n \ta();\n+\tb =3D 1;\n \tc();\n");
  assert.deepEqual(whole.defects, ["encoding 6: 1 line still in quoted-printable"]);
  assert.deepEqual(whole.kept, ["\ta();", "\tc();"]);
  assert.equal(whole.whole, false);
  const broken = judge("@@ -1,2 +1,3 @@\n \ta();\n+\tb =3D call(one, =\ntwo);\n \tc();=20\n");
  assert.deepEqual(broken.defects, ["encoding 6: 2 lines still in quoted-printable"]);
});

Deno.test("readDiff() leaves `=20` outside C alone", () => {
  const { files, defects } = readDiff(
    "--- a/x_defconfig\n+++ b/x_defconfig\n@@ -1 +1 @@\n-CONFIG_X=10\n+CONFIG_X=20\n",
  );
  assert.deepEqual(defects, []);
  assert.ok(files[0]?.hunks[0]?.whole);
});

const BLANKS = "@@ -1,3 +1,4 @@\n         a();\n         b();\n+        c();\n         d();\n";

Deno.test("readDiff() names tabs that became blanks", () => {
  const { defects, whole } = judge(BLANKS);
  assert.deepEqual(defects, ["tabs-to-blanks 5: 4 lines indented with blanks where the kernel has tabs"]);
  assert.equal(whole, true);
});

Deno.test("readDiff() leaves files alone that use blanks themselves", () => {
  assert.deepEqual(judge(BLANKS + NEXT).defects, [], "mixed");
  const other = "--- a/y.c\n+++ b/y.c\n" + NEXT;
  assert.deepEqual(readDiff(HEAD + BLANKS + other).defects, [], "tabs in another file of the mail");
  assert.deepEqual(readDiff(`--- a/y.yaml\n+++ b/y.yaml\n${BLANKS}`).defects, [], "no C");
  assert.deepEqual(judge(`@@ -0,0 +1,3 @@\n${"+        x();\n".repeat(3)}`).defects, [], "only added lines");
});

Deno.test("readDiff() stops a damaged hunk at the text behind it", () => {
  const { kept } = judge("@@ -1,9 +1,9 @@\n \ta();\n-\tb();\n+\tc();\n\nThanks, and see you\n- soon\n");
  assert.deepEqual(kept, ["\ta();", "\tb();", "\tc();"]);
});
