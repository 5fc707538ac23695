/**
 * Workflow commands of GitHub Actions, which become annotations: `::error file=…,line=…::…`. Whatever is printed goes
 * through the runner, so nothing of a stranger's may look like a command. Pure.
 *
 * @module
 */

import type { Finding, Severity } from "../../rules/engine/types.ts";
import { annotationText, titleOf } from "./annotation.ts";
import { paint } from "./color.ts";
import { printable } from "./printable.ts";
import { inOrder, type Judged, type Refused, type Renderer, type Summary } from "./renderer.ts";
import { summaryLines, suppressedLine } from "./text.ts";

const COMMAND: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", note: "notice" };

// "10 warning annotations, 10 error annotations, and 10 notice annotations per step" (docs.github.com, workflow
// commands). What comes behind is dropped by GitHub without a word.
const MAX_OF_A_KIND = 10;

/** The format for a step of a workflow. */
export function githubRenderer(): Renderer {
  const count: Record<Severity, number> = { error: 0, warning: 0, note: 0 };
  let quiet = false;
  return {
    begin(run) {
      quiet = run.quiet;
      return "";
    },
    report({ report }: Judged) {
      return [
        ...inOrder(report.findings).map((finding) =>
          ++count[finding.severity] <= MAX_OF_A_KIND ? command(finding) : logLine(finding)
        ),
        ...report.suppressed.filter(({ byPatch }) => byPatch).map((one) =>
          `p2plint: ${defused(suppressedLine(one, paint(false)))}\n`
        ),
      ].join("");
    },
    refuse: ({ input, reason }: Refused) => `::error title=p2plint::${data(`${input}: ${reason}`)}\n`,
    end(summary: Summary) {
      const left = Object.values(count).reduce((sum, n) => sum + Math.max(0, n - MAX_OF_A_KIND), 0);
      const more = left === 0
        ? ""
        : `p2plint: ${left} more in this log: GitHub shows ${MAX_OF_A_KIND} annotations of a kind for a step\n`;
      return quiet
        ? more
        : more + summaryLines(summary).map((line) => `p2plint: ${defused(line)}\n`).join("");
    },
  };
}

/** A finding as a command. */
export function command(finding: Finding): string {
  const { at, severity } = finding;
  const place = `file=${property(at.path)},line=${at.line},col=${at.column}`;
  return `::${COMMAND[severity]} ${place},title=${property(titleOf(finding))}::${
    data(annotationText(finding))
  }\n`;
}

const logLine = ({ at, severity, message, rule }: Finding) =>
  `p2plint: ${defused(`${printable(at.path)}:${at.line}: ${severity}: ${printable(message)} [${rule}]`)}\n`;

/** The older form of a command counts anywhere in a line: `##[warning]`. */
export const defused = (text: string) => text.replaceAll("##[", "## [");

// The escapes of actions/toolkit, packages/core/src/command.ts.
const data = (text: string) =>
  text.split("\n").map((line) => printable(line).replaceAll("%", "%25")).join("%0A");

const property = (text: string) =>
  printable(text).replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll(",", "%2C");
