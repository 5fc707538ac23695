/**
 * One JSON document per run, schema p2plint/1: keys are added, never renamed. Keeps the rows of the document, never
 * a patch. Pure.
 *
 * @module
 */

import type { Finding } from "../../rules/engine/types.ts";
import { printableJson } from "./printable.ts";
import { inOrder, type Judged, type Renderer, type RunStart } from "./renderer.ts";

/** Names the shape of the document; a new number comes with the first change that breaks a reader. */
export const SCHEMA = "p2plint/1";

/** The page of a rule, from the root of the project. */
export function helpOf(rule: string): string {
  return `rules/${rule}.md`;
}

/** The JSON format. */
export function jsonRenderer(): Renderer {
  let tool: RunStart["tool"] = { name: "", version: "" };
  const inputs: unknown[] = [];
  const findings: unknown[] = [];
  const unseen: unknown[] = [];
  const faults: unknown[] = [];
  return {
    begin(run) {
      tool = run.tool;
      return "";
    },
    report({ input, kind, report }: Judged) {
      const { mail, defects } = report.patch;
      const { position, messageId } = mail;
      inputs.push({
        input,
        kind,
        position,
        messageId,
        subject: mail.subject.text,
        judged: report.judged,
        defects: defects.map(({ damage, bodyNo, reason }) => ({ damage, line: bodyNo, reason })),
      });
      for (const finding of inOrder(report.findings)) {
        findings.push(findingRow(finding, input, position, messageId));
      }
      for (const { what, reason } of report.unseen) unseen.push({ input, what, reason, position });
      for (const { rule, where, error } of report.faults) {
        faults.push({ input, rule, where, message: error.message });
      }
      return "";
    },
    refuse({ input, what, reason }) {
      unseen.push({ input, what, reason, position: null });
      return "";
    },
    end(summary) {
      return printableJson({ schema: SCHEMA, tool, inputs, findings, unseen, faults, summary }) + "\n";
    },
  };
}

function findingRow(
  finding: Finding,
  input: string,
  position: number | null,
  messageId: string | null,
): unknown {
  const { rule, key, severity, confidence, at, message, because, unless, wanted, fingerprint } = finding;
  return {
    rule,
    key,
    severity,
    confidence,
    path: at.path,
    line: at.line,
    column: at.column,
    text: at.text,
    side: at.side,
    message,
    because: because.map(({ at: { path, line, side, text }, note }) => ({ path, line, note, side, text })),
    unless,
    wanted,
    function: finding.function,
    input,
    position,
    messageId,
    fingerprint,
    help: helpOf(rule),
  };
}
