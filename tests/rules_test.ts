/**
 * Every example of every rule, then every fixture of its folder. A rule test has no permissions: a rule that reads
 * a file or a clock fails at once.
 *
 * @module
 */

import { equal } from "node:assert/strict";
import { readPatch } from "../rules/engine/diff.ts";
import { exampleDiff } from "../rules/engine/example.ts";
import { createLinter } from "../rules/engine/lint.ts";
import { mailFromText, readMail } from "../rules/engine/mail.ts";
import type { Rule } from "../rules/engine/rule.ts";
import type { Mail } from "../rules/engine/types.ts";
import { concerns, narrowed } from "../rules/kernel/mod.ts";
import type { Version } from "../rules/kernel/types.ts";
import { rules } from "../rules/mod.ts";
import { loadGrammar } from "./grammar.ts";
import { type Marked, markedRules, mismatches, readMarks } from "./marks.ts";

async function wrongAbout(rule: Rule, mail: Mail, marks: Marked["marks"], kernel: Version | null) {
  const also = markedRules(marks);
  const chosen = rules.filter((other) => other === rule || also.has(other.id));
  const linter = createLinter({
    rules: chosen,
    interest: narrowed(concerns, chosen.map(({ words }) => words)),
    kernel,
    load: loadGrammar,
  });
  const { findings, faults, patch } = await linter.lint(readPatch(mail));
  return [
    ...faults.map(({ rule, error }) => `${rule} threw: ${error.stack}`),
    ...patch.defects.map(({ reason }) => `damaged: ${reason}`),
    ...mismatches(rule.id, findings, marks),
  ];
}

function versionOf(kernel: string | undefined): Version | null {
  if (kernel === undefined) return null;
  const [major = 0, minor = 0] = kernel.split(".").map(Number);
  return [major, minor];
}

for (const rule of rules) {
  for (const [kind, examples] of [["reports", rule.bad], ["leaves alone", rule.good]] as const) {
    for (const example of examples) {
      Deno.test({
        name: `${rule.id} ${kind}: ${example.title}`,
        permissions: "none",
        async fn() {
          const { text, marks } = exampleDiff(example);
          const mail = mailFromText(text, { input: "example", position: null });
          const wrong = await wrongAbout(rule, mail, marks, versionOf(example.kernel));
          equal(wrong.length, 0, [...wrong, text].join("\n"));
        },
      });
    }
  }
}

/** The patches of a rule's fixture folder, read while this module still may. */
function fixturesOf(rule: Rule): { readonly name: string; readonly file: string }[] {
  const folder = new URL(`../fixtures/rules/${rule.id}/`, import.meta.url);
  try {
    return [...Deno.readDirSync(folder)]
      .filter(({ name }) => name.endsWith(".patch"))
      .map(({ name }) => ({ name, file: Deno.readTextFileSync(new URL(name, folder)) }));
  } catch (error) {
    // Examples may be all that a rule needs.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

for (const rule of rules) {
  for (const { name, file } of fixturesOf(rule)) {
    Deno.test({
      name: `${rule.id} on fixture ${name}`,
      permissions: "none",
      async fn() {
        const { text, marks } = readMarks(file);
        const mail = await readMail(new TextEncoder().encode(text), { input: name, position: null });
        const wrong = await wrongAbout(rule, mail, marks, null);
        equal(wrong.length, 0, wrong.join("\n"));
      },
    });
  }
}
