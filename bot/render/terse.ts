/**
 * One line per finding, as `checkpatch.pl --terse --showfile` prints it: `path:line: SEVERITY: message [rule]`. Notes
 * are checkpatch's CHECK. Pure.
 *
 * @module
 */

import type { Severity } from "../../rules/engine/types.ts";
import { printable } from "./printable.ts";
import { inOrder, type Judged, type Renderer, type Summary } from "./renderer.ts";

// checkpatch's three levels (scripts/checkpatch.pl, sub ERROR, WARN and CHK).
const LEVEL: Readonly<Record<Severity, string>> = { error: "ERROR", warning: "WARNING", note: "CHECK" };

/** The terse format. What could not be judged shows in the exit code and in the other formats. */
export function terseRenderer(): Renderer {
  let quiet = false;
  return {
    begin(run) {
      quiet = run.quiet;
      return "";
    },
    report({ report }: Judged) {
      return inOrder(report.findings).map(({ at, severity, rule, message }) =>
        `${printable(at.path)}:${at.line}: ${LEVEL[severity]}: ${printable(message)} [${rule}]\n`
      ).join("");
    },
    refuse: () => "",
    end({ findings, judged, suppressedByPatch }: Summary) {
      if (quiet) return "";
      const own = suppressedByPatch > 0 ? `, ${suppressedByPatch} allowed by the patch itself` : "";
      return `total: ${findings.error} errors, ${findings.warning} warnings, ${findings.note} checks, ` +
        `${judged} hunks checked${own}\n`;
    },
  };
}
