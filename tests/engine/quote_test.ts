import assert from "node:assert/strict";
import { readDiff } from "../../rules/engine/diff.ts";
import { readQuotedDiff } from "../../rules/engine/quote.ts";
import type { FileDiff } from "../../rules/engine/types.ts";

const DIFF = `diff --git a/drivers/x.c b/drivers/x.c
index 1234567..89abcde 100644
--- a/drivers/x.c
+++ b/drivers/x.c
@@ -10,4 +10,6 @@ int x(void)
 {
-\ta();
+\tb(one,
+\t  two);
+\tc();

 \td();
@@ -40,2 +42,3 @@ int y(void)
 \te();
+\tf();
 \tg();
`;

function quote(text: string, mark: string): string {
  return text.split("\n").map((line) => mark + line).join("\n");
}

function shown(files: readonly FileDiff[]) {
  return files.map(({ newPath, hunks }) => [
    newPath,
    hunks.map(({ oldStart, newStart, whole, lines }) => [
      oldStart,
      newStart,
      whole,
      lines.map((
        line,
      ) => [line.kind, line.text, "oldNo" in line && line.oldNo, "newNo" in line && line.newNo]),
    ]),
  ]);
}

Deno.test("readQuotedDiff() reads a quoted diff like the diff itself, in each style of quoting", () => {
  for (const mark of ["> ", ">", "> > ", ">> ", ">>", "> >> "]) {
    const files = readQuotedDiff(`On Monday Jane wrote:\n${quote(DIFF, mark)}\n\nNo.\n`);
    assert.deepEqual(shown(files), shown(readDiff(DIFF).files), mark);
    assert.deepEqual(files.map(({ origin }) => origin), ["quote"]);
  }
});

Deno.test("readQuotedDiff() keeps the body's line, quote mark included", () => {
  const [file] = readQuotedDiff(`Hello\n${quote(DIFF, "> ")}\n`);
  const line = file?.hunks[0]?.lines[2];
  assert.equal(line?.raw, "> +\tb(one,");
  assert.equal(line?.bodyNo, 9);
  assert.equal(file?.header[0], "> diff --git a/drivers/x.c b/drivers/x.c");
});

Deno.test("readQuotedDiff() goes on counting over a reviewer's remarks", () => {
  const body = quote(DIFF, "> ").replace("> +\tc();\n", "> +\tc();\n\nWhy c()?\n- it is slow;\n\n");
  assert.deepEqual(shown(readQuotedDiff(body)), shown(readDiff(DIFF).files));
});

Deno.test("readQuotedDiff() leaves a hole at a marked cut", () => {
  for (const cut of ["> [...]\n", "[snip]\n", "...\n"]) {
    const [file] = readQuotedDiff(quote(DIFF, "> ").replace("> +\tc();\n", cut));
    assert.deepEqual(file?.hunks.map(({ header, newStart, whole }) => [header !== "", newStart, whole]), [
      [true, 10, false],
      [false, 14, false],
      [true, 42, true],
    ]);
  }
});

Deno.test("readQuotedDiff() gives a fragment the mail's line numbers", () => {
  const body = "Hi,\n\n> +\tret = foo(a,\n> +\t\t  b);\n> +\tif (ret)\n> +\t\treturn ret;\n\nThis leaks.\n";
  const [file] = readQuotedDiff(body);
  assert.equal(file?.newPath, "(quoted)");
  assert.equal(file?.hunks.length, 1);
  assert.equal(file?.hunks[0]?.header, "");
  assert.deepEqual(file?.hunks[0]?.lines.map((line) => "newNo" in line && line.newNo), [3, 4, 5, 6]);
});

Deno.test("readQuotedDiff() reads lines pasted into prose, indented with blanks", () => {
  const body =
    "It is here:\n\n+       addr = map_it(\n+               dev,\n+               start + offset);\n\nand so on.\n";
  const [file] = readQuotedDiff(body);
  assert.deepEqual(file?.hunks[0]?.lines.map(({ kind, text, bodyNo }) => [kind, text, bodyNo]), [
    ["added", "       addr = map_it(", 3],
    ["added", "               dev,", 4],
    ["added", "               start + offset);", 5],
  ]);
});

Deno.test("readQuotedDiff() finds the file of a fragment in its quoted header", () => {
  const [file] = readQuotedDiff("> +++ b/drivers/x.c\n[...]\n> +\tfoo();\n> +\tbar();\n");
  assert.equal(file?.newPath, "drivers/x.c");
  assert.equal(file?.hunks[0]?.newStart, 3);
});

Deno.test("readQuotedDiff() hides a hostile path", () => {
  const [file] = readQuotedDiff("> --- a/../../x.c\n> +++ b/../../x.c\n> @@ -1 +1 @@\n> -a();\n> +b();\n");
  assert.equal(file?.newPath, "(quoted)");
});

Deno.test("readQuotedDiff() takes no prose for code", () => {
  const prose = [
    "> - first point\n> - second point\n",
    "- it breaks foo()\n- it is slow (very)\n",
    "> +1\n+1\n",
    "> -- \n> Jane\n-- \nJohn\n",
    "> I see. What about x = y;\n>\n> it works;\n",
  ];
  for (const body of prose) assert.deepEqual(readQuotedDiff(body), [], body);
});

Deno.test("readQuotedDiff() drops a line that quoting wrapped", () => {
  const body = quote(DIFF, "> ").replace("> +\tb(one,\n", "> +\tb(o\n> ne,\n");
  const [file] = readQuotedDiff(body);
  assert.equal(file?.hunks[0]?.whole, false);
  assert.ok(!file?.hunks[0]?.lines.some(({ text }) => text.includes("b(o")));
  assert.deepEqual(file?.hunks[0]?.lines.map((line) => "newNo" in line && line.newNo), [
    10,
    false,
    12,
    13,
    14,
    15,
  ]);
});
