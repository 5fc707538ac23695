import { deepEqual } from "node:assert/strict";
import { createHistory } from "../../rules/engine/history.ts";
import { readSubject } from "../../rules/engine/subject.ts";
import type { Finding, Report } from "../../rules/engine/types.ts";
import { finding, mail, report } from "../bot/reports.ts";

const from = { name: "", address: "Ada@example.org" };
const posting = (subject: string, ...findings: Finding[]) => [
  report(findings, {}, mail({ subject: readSubject(subject), author: from, from })),
];
const A = finding({ fingerprint: "a", subject: "a" });
const B = finding({ fingerprint: "b", subject: "b" });

Deno.test("compare() tells the new, the old and the fixed", () => {
  const history = createHistory();
  deepEqual(history.compare(posting("[PATCH] foo: go", A), true)[0]!.fixed, []);
  const [v2] = history.compare(posting("[PATCH v2] foo: Go", { ...B, key: "other" }), true);
  deepEqual(v2!.findings.map(({ since }) => since), [null]);
  deepEqual(v2!.fixed, [{ finding: A, version: 1 }]);
  const [v3] = history.compare(posting("[PATCH v3] foo: go", { ...B, key: "other" }, A), true);
  deepEqual(v3!.findings.map(({ since }) => since), [2, null]);
});

Deno.test("compare() follows code to another file and to another function, and calls nothing fixed that was moved", () => {
  const history = createHistory();
  const at = { ...A.at, path: "drivers/foo/map.c" };
  const since = (report: Report) => report.findings.map((f) => f.since);
  history.compare(posting("[PATCH] foo: go", A), true);
  const [v2] = history.compare(posting("[PATCH v2] foo: go", { ...A, fingerprint: "a2", at }), true);
  deepEqual([since(v2!), v2!.fixed], [[1], []]);
  const helper = { ...A, fingerprint: "a3", at, function: "foo_helper" };
  const [v3] = history.compare(posting("[PATCH v3] foo: go", helper), true);
  deepEqual([since(v3!), v3!.fixed], [[1], []]);
  const rewritten = { ...helper, fingerprint: "a4", subject: "another name" };
  const [v4] = history.compare(posting("[PATCH v4] foo: go", rewritten), true);
  deepEqual([since(v4!), v4!.fixed], [[null], []]);
  const [v5] = history.compare(posting("[PATCH v5] foo: go"), true);
  deepEqual(v5!.fixed.map(({ version }) => version), [4]);
});

Deno.test("compare() knows a finding whose line was edited, and keeps the first version", () => {
  const history = createHistory();
  history.compare(posting("[PATCH] foo: go", A), true);
  history.compare(posting("[PATCH v2] foo: go", { ...A, fingerprint: "a2" }), true);
  const [v3] = history.compare(posting("[PATCH v3] foo: go", { ...A, fingerprint: "a3" }), true);
  deepEqual(v3!.findings.map(({ since }) => since), [1]);
  deepEqual(v3!.fixed, []);
});

Deno.test("compare() claims nothing fixed while patches are missing, nor across authors or backwards", () => {
  const history = createHistory();
  history.compare(posting("[PATCH v2] foo: go", A), true);
  deepEqual(history.compare(posting("[PATCH v3] foo: go"), false)[0]!.fixed, []);
  deepEqual(history.compare(posting("[PATCH v4] bar: go"), true)[0]!.fixed, []);
  deepEqual(history.compare(posting("[PATCH] foo: go", A), true)[0]!.findings[0]!.since, null);
  const other = report(
    [],
    {},
    mail({ subject: readSubject("[PATCH v4] foo: go"), from: { name: "", address: "b@example.org" } }),
  );
  deepEqual(history.compare([other], true)[0]!.fixed, []);
});

Deno.test("compare() does not call fixed what a comment allows now", () => {
  const history = createHistory();
  history.compare(posting("[PATCH] foo: go", A), true);
  const [v2] = posting("[PATCH v2] foo: go");
  const suppressed = [{ finding: A, reason: "it stays", at: A.at, byPatch: true }];
  deepEqual(history.compare([{ ...v2!, suppressed }], true)[0]!.fixed, []);
});
