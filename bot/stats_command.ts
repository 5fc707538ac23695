/**
 * `stats`: what people said of the findings, by rule.
 *
 * @module
 */

import { journalOf, loadConfig } from "./opening.ts";
import type { Arguments } from "./options.ts";
import type { RuleScore } from "./ports.ts";
import type { Terminal } from "./terminal.ts";

/** Prints a row for each rule. */
export async function runStats(args: Arguments, terminal: Terminal): Promise<number> {
  const journal = journalOf(await loadConfig(args.values.get("config")!));
  try {
    const scores = await journal.scores();
    if (args.values.get("format") === "json") {
      const rows = scores.map((score) => ({ ...score, precision: precisionOf(score) }));
      terminal.out(JSON.stringify(rows, null, 1) + "\n");
      return 0;
    }
    const width = Math.max(4, ...scores.map(({ rule }) => rule.length));
    const row = (name: string, ...cells: readonly (string | number)[]) =>
      `${name.padEnd(width)}${cells.map((cell) => String(cell).padStart(16)).join("")}\n`;
    terminal.out(row("rule", "found", "sent", "false-positive", "wontfix", "fixed", "precision"));
    for (const score of scores) {
      const { rule, found, sent, falsePositive, wontfix, fixed } = score;
      const precision = precisionOf(score);
      const share = precision === null ? "-" : `${Math.round(precision * 100)}%`;
      terminal.out(row(rule, found, sent, falsePositive, wontfix, fixed, share));
    }
    return 0;
  } finally {
    await journal.close();
  }
}

/** From 0 to 1; null without a verdict. */
function precisionOf({ falsePositive, wontfix, fixed }: RuleScore): number | null {
  const verdicts = falsePositive + wontfix + fixed;
  return verdicts === 0 ? null : (wontfix + fixed) / verdicts;
}
