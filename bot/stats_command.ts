/**
 * `stats`: what people said of the findings, by rule.
 *
 * @module
 */

import type { CommandModule } from "./options.ts";
import type { RuleScore } from "./ports.ts";
import { CONFIG, forOperator, journalOf, loadConfig } from "./wiring.ts";

/** `p2plint stats` */
export const statsCommand: CommandModule = {
  command: {
    name: "stats",
    operands: "",
    summary: "show how right each rule is, from the verdicts in replies",
    notes:
      "precision is the share of fixed and wontfix among all verdicts: both admit that the finding is right",
    options: [
      CONFIG,
      { name: "format", value: "FORMAT", help: "text or json", choices: ["text", "json"], default: "text" },
    ],
    example: "p2plint stats --config p2plint.json",
  },
  run: (args, terminal) =>
    forOperator(terminal, async () => {
      const journal = journalOf(await loadConfig(args.values.get("config")!));
      try {
        const scores = await journal.scores();
        if (args.values.get("format") === "json") {
          terminal.out(
            JSON.stringify(scores.map((score) => ({ ...score, precision: precisionOf(score) })), null, 1) +
              "\n",
          );
          return 0;
        }
        const width = Math.max(4, ...scores.map(({ rule }) => rule.length));
        const row = (...cells: readonly (string | number)[]) =>
          `${String(cells[0]).padEnd(width)}${
            cells.slice(1).map((cell) => String(cell).padStart(16)).join("")
          }\n`;
        terminal.out(row("rule", "found", "sent", "false-positive", "wontfix", "fixed", "precision"));
        for (const score of scores) {
          const { rule, found, sent, falsePositive, wontfix, fixed } = score;
          const precision = precisionOf(score);
          terminal.out(
            row(
              rule,
              found,
              sent,
              falsePositive,
              wontfix,
              fixed,
              precision === null ? "-" : `${Math.round(precision * 100)}%`,
            ),
          );
        }
        return 0;
      } finally {
        await journal.close();
      }
    }),
};

/** From 0 to 1; null without a verdict. */
function precisionOf({ falsePositive, wontfix, fixed }: RuleScore): number | null {
  const verdicts = falsePositive + wontfix + fixed;
  return verdicts === 0 ? null : (wontfix + fixed) / verdicts;
}
