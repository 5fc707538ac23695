/**
 * `rules` lists the catalogue, `explain` prints the page of one rule.
 *
 * @module
 */

import { rulePage } from "../rules/engine/page.ts";
import type { Rule } from "../rules/engine/rule.ts";
import { rules } from "../rules/mod.ts";
import { onMachines } from "../rules/model/on_machines.ts";
import { standsOf } from "../rules/model/stand.ts";
import { COLOR, type CommandModule, isColorWanted, nearest, UsageError } from "./options.ts";
import { paint } from "./render/color.ts";
import { machinesList } from "./render/machines.ts";
import { printablePage } from "./render/page.ts";

/** `p2plint rules` */
export const rulesCommand: CommandModule = {
  command: {
    name: "rules",
    operands: "",
    summary: "list the rules",
    notes: "",
    options: [
      {
        name: "format",
        value: "FORMAT",
        help: "text or json",
        choices: ["text", "json"],
        default: "text",
      },
      COLOR,
    ],
    example: "p2plint rules --format json",
  },
  run(args, terminal) {
    if (args.values.get("format") === "json") {
      terminal.out(JSON.stringify(rules.map(row), null, 1) + "\n");
      return Promise.resolve(0);
    }
    const brush = paint(isColorWanted(args, terminal));
    const width = Math.max(0, ...rules.map(({ id }) => id.length));
    for (const { id, code, severity, summary } of rules) {
      terminal.out(`${code}  ${id.padEnd(width)}  ${brush(severity, severity.padEnd(7))}  ${summary}\n`);
    }
    return Promise.resolve(0);
  },
};

function row({ id, code, severity, confidence, category, summary, since }: Rule) {
  return { id, code, severity, confidence, category, summary, since, help: `rules/${id}.md` };
}

/** `p2plint explain RULE` */
export const explainCommand: CommandModule = {
  command: {
    name: "explain",
    operands: "RULE",
    summary: "print what a rule finds, why, and its examples",
    notes: "RULE is the id or the code of a rule: p2plint rules lists them.",
    options: [COLOR],
    example: "p2plint explain T01",
  },
  async run(args, terminal) {
    const [name, ...rest] = args.operands;
    if (name === undefined || rest.length > 0) throw new UsageError("explain takes one rule");
    const rule = await ruleNamed(name);
    const brush = paint(isColorWanted(args, terminal));
    terminal.out(printablePage(rulePage(rule) + machinesSection(rule), brush));
    return 0;
  },
};

/** What the operations that a rule is about come to on the built-in machines, as Markdown; "" when it is about none. */
function machinesSection({ id }: Rule): string {
  const stands = standsOf(id);
  if (stands.length === 0) return "";
  return ["", "## On real machines", "", ...stands.map(onMachines).flatMap(machinesList)].join("\n");
}

/**
 * The rule with this id or code.
 *
 * @throws {UsageError} If there is none
 */
export async function ruleNamed(name: string): Promise<Rule> {
  const rule = rules.find(({ id, code }) => id === name || code === name.toUpperCase());
  if (rule !== undefined) return rule;
  const near = await nearest(name, rules.map(({ id }) => id));
  throw new UsageError(`unknown rule "${name}"${near === null ? "" : `, did you mean ${near}?`}`);
}
