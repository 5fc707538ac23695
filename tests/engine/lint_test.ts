import assert from "node:assert/strict";
import { readGrammar } from "../../bot/grammar.ts";
import { createLinter, type LinterOptions } from "../../rules/engine/lint.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { mailFromText } from "../../rules/engine/mail.ts";
import { defineRule, type Rule } from "../../rules/engine/rule.ts";
import type { Report } from "../../rules/engine/types.ts";
import { flow } from "../../rules/facts/flow.ts";

const toy = defineRule({
  id: "toy-call",
  since: "0.1.0",
  code: "Z01",
  severity: "warning",
  confidence: "medium",
  category: "toy",
  scope: "function",
  summary: "bad() is called",
  why: "because",
  limits: "none",
  unless: "never",
  sources: ["nowhere"],
  messages: { called: "{name}() is called" },
  bad: [{ title: "a call", patch: "+void foo(void)\n+{\n+\tbad(1); /* want: called */\n+}" }],
  good: [{ title: "no call", patch: "+void foo(void)\n+{\n+\tgood(1);\n+}" }],
  *check(fn, use) {
    for (const { call } of use(flow, fn).calls) {
      if (call.name === "bad") yield { at: call, say: "called", with: { name: call.name } };
      if (call.name === "crash") throw new Error("our bug");
    }
  },
});

const isOfInterest = (code: string) => /bad|crash/.test(code);

function lint(diff: string, options: Partial<LinterOptions> = {}): Promise<Report> {
  const rules: readonly Rule[] = [toy];
  const linter = createLinter({
    rules,
    interest: { direct: isOfInterest, caller: isOfInterest },
    load: readGrammar,
    ...options,
  });
  return linter.lint(readPatch(mailFromText(diff, { input: "x.patch", position: null })));
}

const file = (path: string, ...hunks: string[]) => `--- a/${path}\n+++ b/${path}\n${hunks.join("")}`;
const C = "drivers/foo/foo.c";

Deno.test("lint() reports what an added line brings, on its line", async () => {
  const report = await lint(
    file(C, "@@ -10,2 +10,3 @@ static int foo(int a)\n \tone();\n+\tbad(a);\n \ttwo();\n"),
  );
  assert.deepEqual(
    report.findings.map((f) => [f.rule, f.key, f.at.path, f.at.line, f.at.column, f.function]),
    [
      ["toy-call", "called", C, 11, 2, "foo"],
    ],
  );
  assert.equal(report.judged, 1);
});

Deno.test("lint() leaves alone what was there before", async () => {
  const before = "@@ -10,3 +10,4 @@ static int foo(int a)\n \tbad(a);\n+\tmore();\n \ttwo();\n \tthree();\n";
  assert.deepEqual((await lint(file(C, before))).findings, []);
});

Deno.test("lint() leaves alone code that only moved to another function or file", async () => {
  const from = file(C, "@@ -10,3 +10,2 @@ static int foo(int a)\n \tone();\n-\tbad(a);\n \ttwo();\n");
  const to = file(
    "drivers/foo/bar.c",
    "@@ -10,2 +10,3 @@ static int bar(int a)\n \tone();\n+\tbad(a);\n \ttwo();\n",
  );
  assert.deepEqual((await lint(from + to)).findings, []);
});

Deno.test("lint() leaves alone an unchanged line of a function that is renamed, hunks of which keep the old name", async () => {
  const naming: Rule = {
    ...toy,
    scope: "function",
    *check(fn, use) {
      const values = use(flow, fn);
      for (const { call } of values.calls) {
        if (call.name !== "bad") continue;
        yield { at: call, say: "called", with: { name: "bad" }, subject: values.canonical(call.args[0]!) };
      }
    },
  };
  const renamed =
    "@@ -10,4 +10,4 @@ static int before(void)\n \n-int foo(struct foo *foo)\n+int foo_do(struct foo *foo)\n" +
    " {\n \tstruct bar *bar = foo->bar;\n";
  const inside = (added: string) =>
    `@@ -20,2 +20,3 @@ int foo(struct foo *foo)\n \tbad(bar->x);\n+\t${added};\n \tthree();\n`;
  const lines = async (added: string) =>
    (await lint(file(C, renamed, inside(added)), { rules: [naming] })).findings.map(({ at }) => at.line);
  assert.deepEqual(await lines("more()"), []);
  assert.deepEqual(await lines("bad(bar->x)"), [21]);
});

Deno.test("lint() reports the second of two alike when only the first was there", async () => {
  const report = await lint(
    file(C, "@@ -10,3 +10,4 @@ static int foo(int a)\n \tbad(a);\n \tone();\n+\tbad(a);\n \ttwo();\n"),
  );
  assert.deepEqual(report.findings.map((f) => f.at.line), [12]);
});

Deno.test("lint() gives a finding the same fingerprint when the code around it moves", async () => {
  const at = (start: number, context: string) =>
    file(C, `@@ -${start},2 +${start},3 @@ static int foo(int a)\n \t${context}();\n+\tbad(a);\n \ttwo();\n`);
  const [a, b] = [await lint(at(10, "one")), await lint(at(90, "other"))];
  assert.equal(a.findings[0]!.fingerprint, b.findings[0]!.fingerprint);
  assert.match(a.findings[0]!.fingerprint, /^[0-9a-f]{20}$/);
});

Deno.test("lint() does not load the grammar for a patch that holds no word", async () => {
  const report = await lint(file(C, "@@ -1,1 +1,2 @@ int foo(void)\n \tone();\n+\ttwo();\n"), {
    load: () => Promise.reject(new Error("must not be loaded")),
  });
  assert.equal(report.judged, 1);
});

Deno.test("lint() turns a rule that throws into a fault and goes on", async () => {
  const report = await lint(
    file(
      C,
      "@@ -1,1 +1,2 @@ int foo(void)\n \tone();\n+\tcrash();\n",
      "@@ -90,1 +91,2 @@ int bar(void)\n \tone();\n+\tbad(1);\n",
    ),
  );
  assert.deepEqual(report.faults.map((f) => [f.rule, f.error.message]), [["toy-call", "our bug"]]);
  assert.equal(report.findings.length, 1);
});

Deno.test("lint() drops findings below the wanted confidence", async () => {
  const diff = file(C, "@@ -10,2 +10,3 @@ static int foo(int a)\n \tone();\n+\tbad(a);\n \ttwo();\n");
  assert.equal((await lint(diff, { minConfidence: "high" })).findings.length, 0);
  assert.equal((await lint(diff, { minConfidence: "medium" })).findings.length, 1);
});

Deno.test("lint() names a merge's combined diff as not judged", async () => {
  const report = await lint(
    "diff --cc drivers/foo/foo.c\nindex 1,2..3\n--- a/drivers/foo/foo.c\n+++ b/drivers/foo/foo.c\n@@@ -1,1 -1,1 +1,2 @@@\n  \tone();\n++\tbad(1);\n",
  );
  assert.equal(report.findings.length, 0);
  assert.ok(report.unseen.some(({ what, reason }) => what.includes("foo.c") && /combined/.test(reason)));
});

Deno.test("lint() reads no C out of files that are not C", async () => {
  assert.deepEqual(
    (await lint(file("Documentation/foo.rst", "@@ -1,1 +1,2 @@\n one\n+bad(1);\n"))).findings,
    [],
  );
});

Deno.test("lint() gives two findings that are alike to the letter two fingerprints", async () => {
  const { findings } = await lint(
    file(C, "@@ -10,2 +10,4 @@ static int foo(int a)\n \tone();\n+\tbad(a);\n+\tbad(a);\n \ttwo();\n"),
  );
  assert.equal(findings.length, 2);
  assert.notEqual(findings[0]!.fingerprint, findings[1]!.fingerprint);
});

Deno.test("lint() names what it cannot read: other languages and binary files", async () => {
  const rust = await lint(file("drivers/foo/foo.rs", "@@ -1,1 +1,2 @@\n one\n+bad(1);\n"));
  assert.equal(rust.judged, 0);
  assert.deepEqual(rust.unseen.map(({ what }) => what), ["drivers/foo/foo.rs"]);
  const binary = await lint(
    "diff --git a/x.bin b/x.bin\nindex 1111111..2222222 100644\nBinary files a/x.bin and b/x.bin differ\n",
  );
  assert.equal(binary.judged, 0);
  assert.deepEqual(binary.unseen.map(({ what }) => what), ["x.bin"]);
});
