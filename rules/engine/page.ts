/**
 * A rule as a Markdown page, and the index of all rules. Pure: what the page says comes from the rule alone, so a
 * stale page can be told by writing it again.
 *
 * @module
 */

import type { Version } from "../kernel/types.ts";
import { type Example, EXAMPLE_PATH, exampleDiff } from "./example.ts";
import type { Rule } from "./rule.ts";

const EDIT_NOTICE = "<!-- Written by `deno task docs`. Edit the rule, not this page. -->";

/** The file name of a rule's page, inside `rules/`. */
export function pageName(id: string): string {
  return `${id}.md`;
}

function kernels(rule: Rule): string {
  const say = ([major, minor]: Version) => `v${major}.${minor}`;
  const { since, until } = rule.kernel ?? {};
  if (since !== undefined && until !== undefined) return `${say(since)} up to, not including, ${say(until)}`;
  if (since !== undefined) return `${say(since)} and newer`;
  if (until !== undefined) return `older than ${say(until)}`;
  return "all";
}

/** One example: the hunks as an author would send them, and what is said of which line. */
function exampleSection(rule: Rule, example: Example): string[] {
  const { text, marks } = exampleDiff(example);
  const lines = text.trimEnd().split("\n");
  // The file's three header lines and made-up line numbers tell nothing; the section heading does.
  const body = lines.slice(3).map((line) => line.replace(/^@@ [^@]* @@/, "@@"));
  const shown = body[0] === "@@" && body.filter((line) => line.startsWith("@@")).length === 1 ? 4 : 3;
  const about = [
    example.path === undefined || example.path === EXAMPLE_PATH ? "" : `In \`${example.path}\`.`,
    example.kernel === undefined ? "" : `For v${example.kernel}.`,
  ].filter((part) => part !== "");
  const out = [`### ${example.title}`, ""];
  if (about.length > 0) out.push(about.join(" "), "");
  out.push("```diff", ...body.slice(shown - 3), "```", "");
  const said: string[] = [];
  for (const [no, ofLine] of marks) {
    const code = lines[no - 1]!.slice(1).trim();
    for (const { kind, rule: owner, key } of ofLine) {
      const name = owner === null || owner === rule.id ? `\`${key}\`` : `\`${owner}.${key}\``;
      if (kind === "want") said.push(`- reported as ${name}: \`\`${code}\`\``);
      else if (kind === "miss") said.push(`- not seen yet, ${name}: \`\`${code}\`\``);
      else if (kind === "noise") said.push(`- reported as ${name} by mistake: \`\`${code}\`\``);
    }
  }
  if (said.length > 0) out.push(...said, "");
  return out;
}

/** Counts the marks that admit a known fault. */
function knownFaults(rule: Rule): { readonly misses: number; readonly noises: number } {
  let misses = 0;
  let noises = 0;
  for (const example of [...rule.bad, ...rule.good]) {
    for (const { kind } of [...exampleDiff(example).marks.values()].flat()) {
      if (kind === "miss") misses++;
      else if (kind === "noise") noises++;
    }
  }
  return { misses, noises };
}

/** The page of a rule. */
export function rulePage(rule: Rule): string {
  const { misses, noises } = knownFaults(rule);
  const out = [
    `# ${rule.id}`,
    "",
    EDIT_NOTICE,
    "",
    `${rule.summary}.`,
    "",
    "| code | severity | confidence | family | kernels | since |",
    "| --- | --- | --- | --- | --- | --- |",
    `| ${rule.code} | ${rule.severity} | ${rule.confidence} | ${rule.category} | ${
      kernels(rule)
    } | p2plint ${rule.since} |`,
    "",
    "## Why",
    "",
    rule.why.trim(),
    "",
    "## Messages",
    "",
  ];
  for (const [key, message] of Object.entries(rule.messages)) out.push(`- \`${key}\`: ${message}`);
  out.push("", "## When a finding is wrong", "", rule.unless.trim(), "");
  out.push("## What it does not see", "", rule.limits.trim(), "");
  if (misses + noises > 0) {
    out.push(`Known faults among the examples: ${misses} missed, ${noises} reported by mistake.`, "");
  }
  out.push("## Reported", "");
  for (const example of rule.bad) out.push(...exampleSection(rule, example));
  out.push("## Left alone", "");
  for (const example of rule.good) out.push(...exampleSection(rule, example));
  out.push("## Sources", "", ...rule.sources.map((source) => `- ${source}`), "");
  return out.join("\n");
}

/** The index: one row per rule, in the order given. */
export function ruleIndex(rules: readonly Rule[]): string {
  const rows = rules.map(({ id, code, severity, summary }) =>
    `| [${id}](${pageName(id)}) | ${code} | ${severity} | ${summary.replaceAll("|", "\\|")} |`
  );
  return [
    "# Rules",
    "",
    EDIT_NOTICE,
    "",
    "| rule | code | severity | finds |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
