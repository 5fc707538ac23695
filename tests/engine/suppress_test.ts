import { deepEqual, equal, ok } from "node:assert/strict";
import { fileFromSource, readPatch } from "../../rules/engine/diff.ts";
import { mailFromText } from "../../rules/engine/mail.ts";
import { suppress, withSeries } from "../../rules/engine/suppress.ts";
import type { FileDiff } from "../../rules/engine/types.ts";
import { finding, span } from "../bot/reports.ts";

const PATH = "drivers/foo/foo.c";
const ruleNamed = (name: string) =>
  name === "F01" ? "foo-bar" : ["foo-bar", "foo-baz"].includes(name) ? name : null;

/** A finding of `foo-bar` in a line that ends with `!`. */
function found(code: string, fn = "foo_start") {
  const lines = code.split("\n");
  return lines.flatMap((text, index) =>
    text.endsWith("!") ? [finding({ at: span(index + 1, 1, text), function: fn })] : []
  );
}

const source = (code: string) => [fileFromSource(PATH, code)];

function diffs(text: string): readonly FileDiff[] {
  return readPatch(mailFromText(text, { input: "a.patch", position: null })).files;
}

const TITLE = "\tgo(foo); !";
for (
  const [what, code, reason] of [
    ["beside the code", "\tgo(foo); /* p2plint: allow foo-bar: it stays */ !", "it stays"],
    ["behind //", "\tgo(foo); // p2plint: allow foo-bar: it stays !", "it stays !"],
    ["by its code", `\t/* p2plint: allow F01: it stays */\n${TITLE}`, "it stays"],
    ["among several", `\t// p2plint: allow foo-baz, foo-bar: it: stays\n${TITLE}`, "it: stays"],
    [
      "over several lines",
      `\t/*\n\t * p2plint: allow foo-bar: it\n\t *   stays\n\t */\n${TITLE}`,
      "it stays",
    ],
    ["above another comment", `\t/* p2plint: allow foo-bar: it stays */\n\t/* go */\n${TITLE}`, "it stays"],
    ["two in a row", `\t/* p2plint: allow foo-bar: x */\n\t/* p2plint: allow foo-baz: y */\n${TITLE}`, "x"],
    [
      "above the function",
      `/* p2plint: allow foo-bar: it stays */\nstatic int\nfoo_start(struct foo *foo,\n\t  int n)\n{\n\n${TITLE}`,
      "it stays",
    ],
    [
      "above the function's kernel-doc",
      `/* p2plint: allow foo-bar: it stays */\n/**\n * foo_start() - go\n *\n */\nint foo_start(void) {\n\n${TITLE}`,
      "it stays",
    ],
  ] as const
) {
  Deno.test(`suppress() takes a finding that a comment allows ${what}`, () => {
    const { findings, suppressed, disregarded } = suppress(found(code), source(code), ruleNamed);
    deepEqual([findings, disregarded], [[], []]);
    deepEqual(suppressed.map((one) => one.reason), [reason]);
  });
}

for (
  const [what, code] of [
    ["for another rule", `\t/* p2plint: allow foo-baz: it stays */\n${TITLE}`],
    ["two lines above", `\t/* p2plint: allow foo-bar: it stays */\n\tfoo = get();\n${TITLE}`],
    ["above a blank line", `\t/* p2plint: allow foo-bar: it stays */\n\n${TITLE}`],
    ["beside the line above", `\tfoo = get(); /* p2plint: allow foo-bar: it stays */\n${TITLE}`],
    ["below", `${TITLE}\n\t/* p2plint: allow foo-bar: it stays */`],
    ["in a string", `\tputs("/* p2plint: allow foo-bar: it stays */");\n${TITLE}`],
    ["above another function", `/* p2plint: allow foo-bar: it stays */\nint foo_stop(void)\n{\n${TITLE}`],
    ["above a prototype", `/* p2plint: allow foo-bar: it stays */\nint foo_start(void);\nint x;\n${TITLE}`],
    ["above a label", `/* p2plint: allow foo-bar: it stays */\nout:\n\tif (foo_start(x)) {\n${TITLE}`],
  ] as const
) {
  Deno.test(`suppress() leaves a finding when a comment stands ${what}`, () => {
    const { findings, suppressed, disregarded } = suppress(found(code), source(code), ruleNamed);
    deepEqual([findings.length, suppressed, disregarded], [1, [], []]);
  });
}

for (
  const [comment, problem] of [
    ["/* p2plint: allow foo-bar */", /^no reason is given/],
    ["/* p2plint: allow foo-bar: */", /^no reason is given/],
    ["/* p2plint: allow foo-bar: ... */", /^no reason is given/],
    ["// p2plint: allow foo-bra: it stays", /^there is no rule "foo-bra"$/],
    ["// p2plint: allow foo-bar, foo-bra: it stays", /^there is no rule "foo-bra"$/],
    ["/* p2plint: allow: it stays */", /^no rule is named/],
    ["/* p2plint: allow foo-bar,: it stays */", /^no rule is named/],
    ["/* p2plint: ignore foo-bar: it stays */", /^no "allow" in it/],
    ["/* p2plint allow foo-bar */", /^no reason is given/],
  ] as const
) {
  Deno.test(`suppress() disregards ${comment}`, () => {
    const code = `\t${comment}\n${TITLE}`;
    const { findings, disregarded } = suppress(found(code), source(code), ruleNamed);
    equal(findings.length, 1);
    deepEqual(disregarded.map(({ at }) => [at.line, at.column]), [[1, 5]]);
    ok(problem.test(disregarded[0]!.problem), disregarded[0]!.problem);
  });
}

Deno.test("suppress() takes prose about the tool for prose", () => {
  const code = `\t/* p2plint reports this one, see the commit */\n\t/* what p2plint: allow does */\n${TITLE}`;
  deepEqual(suppress(found(code), source(code), ruleNamed).disregarded, []);
});

function patch(comment: string): string {
  const body = ` \tint a;\n${comment}\n+\tgo(foo); !\n \tint b;`;
  const count = (other: string) => body.split("\n").filter((line) => !line.startsWith(other)).length;
  return `--- a/${PATH}\n+++ b/${PATH}\n@@ -1,${count("+")} +1,${
    count("-")
  } @@ int foo_start(void)\n${body}\n`;
}

Deno.test("suppress() tells a comment that the patch adds from one that was there", () => {
  for (const [sign, byPatch] of [["+", true], [" ", false]] as const) {
    const files = diffs(patch(`${sign}\t/* p2plint: allow foo-bar: it stays */`));
    const { suppressed } = suppress([finding({ at: span(3, 1, TITLE) })], files, ruleNamed);
    deepEqual(suppressed.map((one) => [one.byPatch, one.at.line]), [[byPatch, 2]]);
  }
});

Deno.test("suppress() disregards aloud only what the patch adds, and nothing that it removes", () => {
  for (const [sign, count] of [["+", 1], [" ", 0], ["-", 0]] as const) {
    const files = diffs(patch(`${sign}\t/* p2plint: allow foo-bar */`));
    const { findings, disregarded } = suppress([finding({ at: span(3, 1, TITLE) })], files, ruleNamed);
    deepEqual([findings.length, disregarded.length], [1, count]);
  }
});

Deno.test("withSeries() knows a comment that an earlier patch of the series adds", () => {
  const comment = (sign: string, words: string) => patch(`${sign}\t/* ${words} */`);
  const stays = "p2plint: allow foo-bar: it stays";
  const { suppressed } = suppress(
    [finding({ at: span(3, 1, TITLE) })],
    diffs(comment(" ", stays)),
    ruleNamed,
  );
  deepEqual(suppressed.map((one) => [one.byPatch, one.at.line]), [[false, 2]]);
  const seen = (text: string) => {
    const mail = mailFromText(text, { input: "a.patch", position: null });
    return withSeries(suppressed, [readPatch(mail)]).map((one) => one.byPatch);
  };
  deepEqual(seen(comment("+", stays)), [true]);
  deepEqual(seen(comment(" ", stays)), [false]);
  deepEqual(seen(comment("+", "p2plint: allow foo-bar: it went")), [false]);
  deepEqual(seen(comment("+", stays).replaceAll("foo.c", "bar.c")), [false]);
});

Deno.test("suppress() sees all of a file whose lines are known", () => {
  const code = `/* p2plint: allow foo-bar: it stays */\nint foo_start(void)\n{\n\tint a;\n\tint b;\n${TITLE}`;
  const [whole] = source(code);
  const lines = whole!.hunks[0]!.lines;
  const file = { ...whole!, hunks: [{ ...whole!.hunks[0]!, lines: lines.slice(4) }] };
  equal(suppress(found(code), [{ ...file, all: null }], ruleNamed).suppressed.length, 0);
  equal(suppress(found(code), [{ ...file, all: lines }], ruleNamed).suppressed.length, 1);
});

Deno.test("suppress() does not reach over what the patch does not show", () => {
  const two =
    `--- a/${PATH}\n+++ b/${PATH}\n@@ -1 +1,2 @@\n int a;\n+/* p2plint: allow foo-bar: it stays */\n` +
    `@@ -9 +10,2 @@\n+\tgo(foo); !\n int b;\n`;
  const { findings } = suppress([finding({ at: span(10, 1, TITLE) })], diffs(two), ruleNamed);
  equal(findings.length, 1);
});

for (
  const [what, comment] of [
    ["comments", "\t/* p2plint: allow foo-bar: x */\n".repeat(50_000)],
    ["stars", `\t/* p2plint: allow foo-bar: ${"*".repeat(200_000)} x **/\n`],
    ["blanks", `\t/* p2plint: allow foo-bar ${" ".repeat(200_000)}: x */\n`],
    ["names", `\t/* p2plint: allow ${"foo-bar, ".repeat(20_000)}foo-bar: x */\n`],
    ["lines", `\t/*${"\n\t *".repeat(50_000)} p2plint: allow foo-bar: x */\n`],
  ] as const
) {
  Deno.test(`suppress() takes many ${what} in a time in proportion`, () => {
    const code = comment + TITLE;
    const files = source(code);
    const start = performance.now();
    equal(suppress(found(code), files, ruleNamed).suppressed.length, 1);
    ok(performance.now() - start < 3000);
  });
}
