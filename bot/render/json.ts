/**
 * One JSON document per run, schema p2plint/1: keys are added, never renamed. Never keeps a patch. Pure.
 *
 * @module
 */

import type { Finding } from "../../rules/engine/types.ts";
import { onMachines } from "../../rules/model/on_machines.ts";
import { machinesRow } from "./machines.ts";
import { printableJson } from "./printable.ts";
import { inOrder, type Judged, type Renderer, type RunStart } from "./renderer.ts";

/** Names the shape of the document; a new number comes with the first change that breaks a reader. */
export const SCHEMA = "p2plint/1";

/** The page of a rule, from the root of the project. */
export function helpOf(rule: string): string {
  return `rules/${rule}.md`;
}

/**
 * The JSON format, a row to a line. The inputs are printed as they come; of the rest the finished text is kept, since
 * a string cut out of a mail keeps all of the mail in memory.
 */
export function jsonRenderer(): Renderer {
  const findings: string[] = [];
  const suppressed: string[] = [];
  const disregarded: string[] = [];
  const unseen: string[] = [];
  const faults: string[] = [];
  const fixed: string[] = [];
  const mended: string[] = [];
  let hasInput = false;
  return {
    begin({ tool }: RunStart) {
      return `{"schema":${printableJson(SCHEMA)},\n"tool":${printableJson(tool)},\n"inputs":[`;
    },
    report({ input, kind, report }: Judged) {
      const { mail, defects } = report.patch;
      const { position, messageId } = mail;
      const row = (finding: Finding) => findingRow(finding, input, position, messageId);
      for (const finding of inOrder(report.findings)) findings.push(printableJson(row(finding)));
      for (const { finding, version } of report.fixed) {
        fixed.push(printableJson({ version, finding: row(finding) }));
      }
      for (const { finding, by } of report.mended) {
        mended.push(
          printableJson({ by: { messageId: by.messageId, subject: by.subject.text }, finding: row(finding) }),
        );
      }
      for (const { finding, reason, at, byPatch } of report.suppressed) {
        const suppression = { reason, path: at.path, line: at.line, text: at.text, byPatch };
        suppressed.push(printableJson({ ...row(finding), suppression }));
      }
      for (const { at: { path, line, text }, problem } of report.disregarded) {
        disregarded.push(printableJson({ path, line, text, problem, input, position }));
      }
      for (const { what, reason } of report.unseen) {
        unseen.push(printableJson({ input, what, reason, position }));
      }
      for (const { rule, where, error } of report.faults) {
        faults.push(printableJson({ input, rule, where, message: error.message }));
      }
      const about = printableJson({
        input,
        kind,
        position,
        messageId,
        subject: mail.subject.text,
        judged: report.judged,
        defects: defects.map(({ damage, bodyNo, reason }) => ({ damage, line: bodyNo, reason })),
      });
      const lead = hasInput ? ",\n" : "\n";
      hasInput = true;
      return lead + about;
    },
    refuse({ input, what, reason }) {
      unseen.push(printableJson({ input, what, reason, position: null }));
      return "";
    },
    end({ baseline, ...summary }) {
      return `\n],\n"findings":${rows(findings)},\n"suppressed":${rows(suppressed)},\n` +
        `"disregarded":${rows(disregarded)},\n"unseen":${rows(unseen)},\n"faults":${rows(faults)},\n` +
        `"fixed":${rows(fixed)},\n"mended":${rows(mended)},\n"baseline":${printableJson(baseline)},\n` +
        `"summary":${printableJson(summary)}}\n`;
    },
  };
}

function rows(texts: readonly string[]): string {
  return texts.length === 0 ? "[]" : `[\n${texts.join(",\n")}\n]`;
}

function findingRow(
  finding: Finding,
  input: string,
  position: number | null,
  messageId: string | null,
): Record<string, unknown> {
  const { rule, key, severity, confidence, at, message, because, unless, wanted, fingerprint, since } =
    finding;
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
    since,
    help: helpOf(rule),
    machines: finding.operation === undefined ? null : machinesRow(onMachines(finding.operation)),
  };
}
