/**
 * Findings as gcc prints them: `path:line:col: severity: message [rule]`, the line and a caret, the evidence below.
 * Every piece that a mail had a part in goes through printable(). Pure.
 *
 * @module
 */

import type { Defect, Finding, Mail, Span, Suppressed } from "../../rules/engine/types.ts";
import { onMachines } from "../../rules/model/on_machines.ts";
import { type Paint, paint } from "./color.ts";
import { machinesLines } from "./machines.ts";
import { printable, printableLines } from "./printable.ts";
import { WIDTH } from "./wrap.ts";
import {
  type BaselineSummary,
  inOrder,
  type Judged,
  type Renderer,
  type RunStart,
  type Summary,
} from "./renderer.ts";

// A minified line would fill the screen with one caret far to the right.
const MAX_QUOTE = 400;
// Wide enough for most files, as gcc's gutter is.
const GUTTER = 5;

/** The text format. Prints as it goes: nothing is kept from one input to the next. */
export function textRenderer(): Renderer {
  let brush: Paint = paint(false);
  let quiet = false;
  return {
    begin(run: RunStart) {
      brush = paint(run.color);
      quiet = run.quiet;
      return "";
    },
    report({ report }: Judged) {
      const { mail } = report.patch;
      const out: string[] = [];
      const findings = inOrder(report.findings);
      const byPatch = report.suppressed.filter((one) => one.byPatch);
      if (findings.length + byPatch.length > 0 && !quiet) out.push(heading(mail, brush));
      const told = new Set<string>();
      for (const finding of findings) out.push(...findingLines(finding, brush), ...machines(finding, told));
      // Whoever reviews the patch has to agree to these, so they are said however quiet the run is.
      for (const one of byPatch) out.push(suppressedLine(one, brush));
      if (!quiet) {
        for (const { at, problem } of report.disregarded) {
          out.push(
            `${brush("place", where(at))} ${brush("note", "note:")} this comment allows nothing: ${
              printable(problem)
            }`,
          );
        }
        for (const { finding, version } of report.fixed) {
          out.push(`${brush("note", `fixed since v${version}:`)} ${oneLine(finding)}`);
        }
        for (const { finding, by } of report.mended) {
          out.push(
            `${brush("note", "left out:")} ${oneLine(finding)}, which "${
              printable(by.subject.text)
            }" repairs`,
          );
        }
        for (const defect of report.patch.defects) out.push(defectLine(mail, defect, brush));
        // A mailbox is full of covers and replies: that they hold no diff goes without saying.
        if (mail.position === null || report.patch.files.length > 0) {
          for (const { what, reason } of report.unseen) {
            out.push(notJudged(placeOf(mail), what, reason, brush));
          }
        }
      }
      return out.map((line) => line + "\n").join("");
    },
    // The command says it on standard error, whatever the format.
    refuse: () => "",
    end(summary) {
      return quiet ? "" : summaryLines(summary).map((line) => line + "\n").join("");
    },
  };
}

/** Where a message stands: the input, and its position when the input holds several. */
export function placeOf(mail: Pick<Mail, "input" | "position">): string {
  return mail.position === null ? mail.input : `${mail.input}#${mail.position}`;
}

function heading(mail: Mail, brush: Paint): string {
  const subject = mail.subject.text === "" ? "" : ` ${printable(mail.subject.text)}`;
  return brush("faint", `${printable(placeOf(mail))}:${subject}`);
}

/** A finding with all that is said of it. */
export function findingLines(finding: Finding, brush: Paint): string[] {
  const { at, severity, confidence, message, rule, because, unless, wanted, since } = finding;
  const out = [
    `${brush("place", where(at))} ${brush(severity, `${severity}:`)} ${printable(message)} [${rule}]`,
    ...quote(at, brush),
  ];
  for (const { at: step, note } of because) {
    out.push(`${brush("place", where(step))} ${brush("note", "note:")} ${printable(note)}`);
    // The line right above needs no second look.
    if (step.line !== at.line || step.path !== at.path || step.side !== at.side) {
      out.push(...quote(step, brush));
    }
  }
  out.push(`  confidence: ${confidence}${unless === "" ? "" : `, unless ${printable(unless)}`}`);
  if (since !== null) out.push(`  still there: v${since} had it, too`);
  if (wanted !== null) {
    const [first = "", ...rest] = printableLines(wanted.trimEnd());
    out.push(`  wanted: ${first}`, ...rest.map((line) => `          ${line}`));
  }
  return out;
}

/** A finding in one line, for those that only have to be mentioned. */
export const oneLine = ({ at, message, rule }: Finding): string =>
  `${printable(at.path)}:${at.line}: ${printable(message)} [${rule}]`;

/** What it means on real machines; said in full once per patch. */
function machines({ operation }: Finding, told: Set<string>): string[] {
  if (operation === undefined) return [];
  const found = onMachines(operation);
  if (told.has(found.what)) return [`  machines: as above for ${found.what}`];
  told.add(found.what);
  return machinesLines(found, WIDTH, "  machines: ");
}

/** `path:line:column:`, with a word for lines that the patch takes away. */
function where({ path, line, column, side }: Span): string {
  return `${printable(path)}:${line}:${column}:${side === "old" ? " (removed)" : ""}`;
}

/** The source line and a caret below the column. Blanks above the caret are the line's own, so tabs line up. */
export function quote({ line, column, text, side }: Span, brush: Paint): string[] {
  if (text.trim() === "") return [];
  const shown = printable(text.slice(0, MAX_QUOTE));
  const sign = side === "old" ? "-" : " ";
  const code = side === "old" ? brush("removed", shown) : shown;
  const out = [`${String(line).padStart(GUTTER)} |${sign}${code}`];
  const lead = printable(text.slice(0, Math.max(0, column - 1)));
  if (column - 1 < Math.min(text.length, MAX_QUOTE)) {
    out.push(`${" ".repeat(GUTTER)} | ${lead.replace(/[^\t]/gu, " ")}${brush("caret", "^")}`);
  }
  return out;
}

/** A finding that a comment of the patch itself allows: whoever reviews it has to agree. */
export function suppressedLine({ finding, reason }: Suppressed, brush: Paint): string {
  const { at, severity, message, rule } = finding;
  return `${brush("place", where(at))} ${
    brush("note", "note:")
  } ${severity} allowed by a comment of the patch itself, ` +
    `"${printable(reason)}": ${printable(message)} [${rule}]`;
}

function defectLine(mail: Mail, { damage, bodyNo, reason }: Defect, brush: Paint): string {
  const line = bodyNo === null ? "" : ` body line ${bodyNo}:`;
  return `${printable(placeOf(mail))}: ${brush("note", "damaged:")}${line} ${printable(reason)} [${damage}]`;
}

function notJudged(place: string, what: string, reason: string, brush: Paint): string {
  const subject = what === "" || what === place ? "" : ` ${printable(what)}:`;
  return `${printable(place)}: ${brush("note", "not judged:")}${subject} ${printable(reason)}`;
}

/** What a run came to, in words: the first line always, the others where there is more to say. */
export function summaryLines(summary: Summary): string[] {
  const { passedOver, passedOverReason } = summary;
  const out = [totalLine(summary)];
  if (passedOver > 0) {
    out.push(`${count(passedOver, "message")} passed over: ${passedOverReason ?? "not decoded"}`);
  }
  const { suppressed, suppressedByPatch } = summary;
  if (suppressed > 0) {
    const own = suppressedByPatch > 0 ? `, ${suppressedByPatch} by the patch itself` : "";
    out.push(`${count(suppressed, "finding")} allowed by comments in the code${own}`);
  }
  if (summary.baseline !== null) out.push(...baselineLines(summary.baseline));
  if (summary.config !== null) out.push(`configuration: ${printable(summary.config)}`);
  return out;
}

/** How many findings in how much: `2 errors in 3 patches (9 hunks)`. */
export function totalLine(
  { findings, patches, files, judged, unseen, defects }: Pick<
    Summary,
    "findings" | "patches" | "files" | "judged" | "unseen" | "defects"
  >,
): string {
  const found = (["error", "warning", "note"] as const)
    .filter((severity) => findings[severity] > 0)
    .map((severity) => count(findings[severity], severity));
  const where = [
    ...(files === 0 || patches > 0
      ? [`${count(patches, "patch", "patches")} (${count(judged, "hunk")})`]
      : []),
    ...(files > 0 ? [count(files, "file")] : []),
  ];
  return [
    `${found.length === 0 ? "no findings" : found.join(", ")} in ${where.join(" and ")}`,
    ...(defects > 0 ? [count(defects, "defect")] : []),
    ...(unseen > 0 ? [`${unseen} not judged`] : []),
  ].join(", ");
}

function baselineLines({ file, hidden, stale, written, problem }: BaselineSummary): string[] {
  const name = printable(file);
  // The command says on standard error what went wrong.
  if (problem !== null) return [];
  if (written !== null) {
    return [
      `${
        count(written.findings, "known finding")
      } written to ${name} (${written.added} new, ${stale.length} gone)`,
    ];
  }
  return [
    ...stale.map(({ path, function: fn, text, rule }) =>
      `${printable(path)}: ${fn === "" ? "" : `${printable(fn)}(): `}known, but gone: ${printable(text)} [${
        printable(rule)
      }]`
    ),
    `${count(hidden, "known finding")} hidden by ${name}` +
    (stale.length === 0 ? "" : `, ${stale.length} stale in it`),
  ];
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
