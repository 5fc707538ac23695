/**
 * Starts a rule: its file, its row in the catalogue, its fixture folder. `deno task new-rule dma-foo-bar T12`
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

/** The name of a rule's import in the catalogue. */
export function importName(id: string): string {
  return id.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The catalogue with one more rule, sorted by id. */
export function withRule(catalogue: string, id: string): string {
  const row = `import ${importName(id)} from "./${id}.ts";`;
  const known = [...catalogue.matchAll(/^import (\w+) from "\.\/([a-z0-9-]+)\.ts";$/gm)];
  const rows = [...known.map(([text]) => text), row].sort((a, b) => stem(a) < stem(b) ? -1 : 1);
  const names = rows.map((text) => `  ${text.split(" ")[1]},`);
  const [head = ""] = catalogue.split(/^import \w+ from "\.\//m);
  const doc = catalogue.indexOf("/** Every rule");
  const open = catalogue.indexOf("[\n", doc);
  const close = catalogue.indexOf("\n];", open);
  if (doc === -1 || open === -1 || close === -1) {
    throw new Error("Cannot read rules/mod.ts: no list of rules");
  }
  return head + rows.join("\n") + "\n\n" + catalogue.slice(doc, open + 2) + names.join("\n") +
    catalogue.slice(close);
}

const stem = (row: string) => row.slice(row.indexOf('"'));

/** A rule that compiles, loads and fails its one bad example. */
export function template(id: string, code: string, since: string): string {
  return `/**
 * ${code}: what the rule looks for, and what it may not conclude.
 *
 * @module
 */

import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";

export default defineRule({
  id: "${id}",
  since: "${since}",
  code: "${code}",
  severity: "warning",
  confidence: "medium",
  category: "translation",
  scope: "function",
  summary: "what is wrong, on one line",
  why: \`Why the kernel's documentation or code says so.\`,
  limits: "What the rule does not see.",
  unless: "the assumption under which a finding is wrong",
  sources: ["Documentation/core-api/dma-api.rst"],
  messages: { wrong: "{callee}() is wrong here" },
  bad: [
    {
      title: "the plain case",
      patch: String.raw\`
+static void foo_start(struct foo *foo)
+{
+	foo_wrong(foo); /* want: wrong */
+}\`,
    },
  ],
  good: [
    {
      title: "the nearest thing that is right",
      patch: String.raw\`
+static void foo_start(struct foo *foo)
+{
+	foo_right(foo); /* ok: wrong */
+}\`,
    },
  ],
  *check(fn, use) {
    for (const { call } of use(flow, fn).calls) {
      if (call.name === "") yield { at: call, say: "wrong", with: { callee: call.name } };
    }
  },
});
`;
}

if (import.meta.main) {
  const [id, code] = Deno.args;
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(id ?? "") || !/^[A-Z]\d\d$/.test(code ?? "")) {
    console.error("usage: deno task new-rule RULE-ID CODE, such as dma-mapping-unchecked E01");
    Deno.exit(2);
  }
  const { version } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as { version: string };
  Deno.writeTextFileSync(new URL(`rules/${id}.ts`, ROOT), template(id!, code!, version), { createNew: true });
  const catalogue = new URL("rules/mod.ts", ROOT);
  Deno.writeTextFileSync(catalogue, withRule(Deno.readTextFileSync(catalogue), id!));
  Deno.mkdirSync(new URL(`fixtures/rules/${id}/`, ROOT), { recursive: true });
  console.log(`rules/${id}.ts written; next: its check, then deno task test, then deno task docs`);
}
