import { deepEqual, equal, match } from "node:assert/strict";
import {
  type Format,
  formats,
  type Judged,
  renderer,
  type RuleText,
  type Summary,
} from "../../bot/render/mod.ts";
import { printable, printableJson } from "../../bot/render/printable.ts";
import type { Report } from "../../rules/engine/types.ts";
import { finding, mail, report, span } from "./reports.ts";

const SUMMARY: Summary = {
  inputs: 1,
  patches: 1,
  files: 0,
  judged: 1,
  findings: { error: 0, warning: 1, note: 0 },
  unseen: 0,
  defects: 0,
  faults: 0,
  passedOver: 0,
  passedOverReason: null,
  config: null,
  suppressed: 0,
  suppressedByPatch: 0,
  disregarded: 0,
  baseline: null,
};

const RULES: readonly RuleText[] = [{
  id: "foo-bar",
  code: "F01",
  severity: "warning",
  confidence: "high",
  category: "foo",
  summary: "foo went wrong",
  why: "Because.",
  page: "# foo-bar\n\nBecause.\n",
}];

function printed(
  format: Format,
  reports: readonly Report[],
  more: { color?: boolean; quiet?: boolean } = {},
) {
  const made = renderer(format);
  const tool = { name: "p2plint", version: "1.2.3" };
  return made.begin({ tool, color: false, quiet: false, rules: () => RULES, ...more }) +
    reports.map((one) => made.report(judged(one))).join("") + made.end(SUMMARY);
}

function judged(one: Report): Judged {
  return { input: one.patch.mail.input, kind: "mail", report: one };
}

Deno.test("textRenderer() prints a finding as gcc does, with a caret below tabs", () => {
  equal(
    printed("text", [report([finding()])], { quiet: true }),
    "drivers/foo/foo.c:7:2: warning: `foo` went wrong [foo-bar]\n" +
      "    7 | \tgo(foo);\n" +
      "      | \t^\n" +
      "  confidence: high\n",
  );
});

Deno.test("textRenderer() prints evidence, the assumption and the wanted code below the finding", () => {
  const one = finding({
    because: [{ at: span(3, 6, "\tfoo = get();"), note: "comes from get()" }],
    unless: "get() is right",
    wanted: "stop(foo);\ngo(foo);",
  });
  deepEqual(printed("text", [report([one])], { quiet: true }).split("\n").slice(3), [
    "drivers/foo/foo.c:3:6: note: comes from get()",
    "    3 | \tfoo = get();",
    "      | \t    ^",
    "  confidence: high, unless get() is right",
    "  wanted: stop(foo);",
    "          go(foo);",
    "",
  ]);
});

Deno.test("textRenderer() marks a line that the patch takes away", () => {
  const one = finding({ at: span(7, 2, "\tcheck(foo);", { side: "old" }) });
  match(
    printed("text", [report([one])]),
    /^drivers\/foo\/foo\.c:7:2: \(removed\) warning: .*\n {4}7 \|-\tcheck/m,
  );
});

Deno.test("textRenderer() names the mail above its findings and counts at the end", () => {
  const lines = printed("text", [report([finding()], {}, mail({ position: 12, input: "box" }))]).split("\n");
  equal(lines[0], "box#12: [PATCH] foo: go");
  equal(lines.at(-2), "1 warning in 1 patch (1 hunk)");
});

Deno.test("textRenderer() says what was damaged or not judged, but not that a mailbox holds prose", () => {
  const defects = [{ damage: "truncated", bodyNo: 9, reason: "hunk ends 2 lines early" }] as const;
  const unseen = [{ what: "", reason: "no diff in it" }];
  const one = report([], { unseen });
  const hurt = { ...one, patch: { ...one.patch, defects } };
  match(printed("text", [hurt]), /^a\.patch: damaged: body line 9: hunk ends 2 lines early \[truncated\]$/m);
  match(printed("text", [hurt]), /^a\.patch: not judged: no diff in it$/m);
  const prose = { ...one.patch, mail: mail({ position: 3 }), files: [] };
  equal(printed("text", [{ ...one, patch: prose }]), "1 warning in 1 patch (1 hunk)\n");
});

Deno.test("textRenderer() paints only when told", () => {
  const escape = "\x1b[";
  equal(printed("text", [report([finding()])]).includes(escape), false);
  equal(printed("text", [report([finding()])], { color: true }).includes(escape), true);
});

Deno.test("terseRenderer() prints checkpatch's lines", () => {
  const one = report([finding({ severity: "note" }), finding({ at: span(3, 1, "x"), severity: "error" })]);
  equal(
    printed("terse", [one], { quiet: true }),
    "drivers/foo/foo.c:3: ERROR: `foo` went wrong [foo-bar]\n" +
      "drivers/foo/foo.c:7: CHECK: `foo` went wrong [foo-bar]\n",
  );
});

Deno.test("jsonRenderer() prints one document with the keys of p2plint/1", () => {
  const one = finding({ because: [{ at: span(3, 6, "\tfoo = get();"), note: "comes from get()" }] });
  const unseen = [{ what: "drivers/foo/foo.c:9", reason: "damaged hunk" }];
  const document = JSON.parse(printed("json", [report([one], { unseen })]));
  equal(document.schema, "p2plint/1");
  deepEqual(document.tool, { name: "p2plint", version: "1.2.3" });
  deepEqual({ ...document.summary, baseline: document.baseline }, SUMMARY);
  deepEqual(Object.keys(document), [
    "schema",
    "tool",
    "inputs",
    "findings",
    "suppressed",
    "disregarded",
    "unseen",
    "faults",
    "fixed",
    "mended",
    "baseline",
    "summary",
  ]);
  const subset = (row: Record<string, unknown>, keys: string) => keys.split(" ").map((key) => row[key]);
  deepEqual(subset(document.inputs[0], "input kind messageId subject judged defects"), [
    "a.patch",
    "mail",
    "1@example.org",
    "[PATCH] foo: go",
    1,
    [],
  ]);
  deepEqual(
    subset(document.findings[0], "rule key severity confidence path line column text side message input"),
    [
      "foo-bar",
      "wrong",
      "warning",
      "high",
      "drivers/foo/foo.c",
      7,
      2,
      "\tgo(foo);",
      "new",
      "`foo` went wrong",
      "a.patch",
    ],
  );
  deepEqual(subset(document.findings[0], "messageId fingerprint help"), [
    "1@example.org",
    "f00",
    "rules/foo-bar.md",
  ]);
  deepEqual(subset(document.findings[0].because[0], "path line note"), [
    "drivers/foo/foo.c",
    3,
    "comes from get()",
  ]);
  deepEqual(subset(document.unseen[0], "input what reason"), [
    "a.patch",
    "drivers/foo/foo.c:9",
    "damaged hunk",
  ]);
});

// Every way in which a mail could steer a terminal: C0, DEL, C1 and the bidirectional controls.
const HOSTILE = "\x1b]0;owned\x07\x9b31m\x7f\r\n\u202e\u2066\0";
// deno-lint-ignore no-control-regex
const STEERS = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

for (const format of formats) {
  Deno.test(`renderer("${format}") prints no control of a mail`, () => {
    const at = span(7, 4, `\t${HOSTILE}go`, { path: `drivers/${HOSTILE}.c` });
    const one = report(
      [finding({
        at,
        message: HOSTILE,
        unless: HOSTILE,
        wanted: HOSTILE,
        because: [{ at: { ...at, line: 2 }, note: HOSTILE }],
      })],
      { unseen: [{ what: HOSTILE, reason: HOSTILE }] },
      mail({ input: HOSTILE, messageId: HOSTILE, subject: { ...mail().subject, text: HOSTILE } }),
    );
    const defects = [{ damage: "charset", bodyNo: 1, reason: HOSTILE }] as const;
    const text = printed(format, [{ ...one, patch: { ...one.patch, defects } }]);
    equal(STEERS.exec(text), null);
  });
}

Deno.test("printable() keeps tabs and letters of every script and shows the rest", () => {
  equal(printable("a\tб漢\u{1f600}"), "a\tб漢\u{1f600}");
  equal(printable("\x1b[2J\n\x9b\u202e\ud800"), "\\x1b[2J\\x0a\\x9b\\u{202e}\\u{d800}");
});

Deno.test("printableJson() means what JSON.stringify() means", () => {
  const value = { text: `${HOSTILE}\u{e0041}\t"` };
  deepEqual(JSON.parse(printableJson(value)), value);
  equal(STEERS.exec(printableJson(value)), null);
});
