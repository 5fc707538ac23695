/**
 * Writes the rule pages and their index; `--check` only says which are stale, and fails when one is.
 *
 * @module
 */

import { pageName, ruleIndex, rulePage } from "../../rules/engine/page.ts";
import { rules } from "../../rules/mod.ts";

const FOLDER = new URL("../../rules/", import.meta.url);

/** Every page that belongs in `rules/`, by file name. */
export function pages(): Map<string, string> {
  const all = new Map(rules.map((rule) => [pageName(rule.id), rulePage(rule)]));
  all.set("README.md", ruleIndex(rules));
  return all;
}

/** The pages that are missing, differ, or belong to no rule. */
export function stalePages(): string[] {
  const wanted = pages();
  const stale = new Set(wanted.keys());
  for (const { name } of Deno.readDirSync(FOLDER)) {
    if (!name.endsWith(".md")) continue;
    if (wanted.get(name) === Deno.readTextFileSync(new URL(name, FOLDER))) stale.delete(name);
    else stale.add(name);
  }
  return [...stale].sort();
}

if (import.meta.main) {
  const stale = stalePages();
  if (Deno.args.includes("--check")) {
    for (const name of stale) console.error(`rules/${name} is stale: run deno task docs`);
    Deno.exit(stale.length > 0 ? 1 : 0);
  }
  const wanted = pages();
  for (const name of stale) {
    const page = wanted.get(name);
    if (page === undefined) Deno.removeSync(new URL(name, FOLDER));
    else Deno.writeTextFileSync(new URL(name, FOLDER), page);
    console.log(`rules/${name} ${page === undefined ? "removed" : "written"}`);
  }
}
