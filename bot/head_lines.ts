/**
 * Where the lines of a series' patches are once all of them are applied. A code host shows the last commit: a finding
 * of an earlier one stands at another line there, or no more at all. Pure.
 *
 * @module
 */

import type { FileDiff, Patch, Report, Span } from "../rules/engine/types.ts";

/** A place after later patches; null when one of them took the line or the file away, or moved it unseen. */
export function laterSpan(span: Span, later: readonly Patch[]): Span | null {
  let { path, line } = span;
  for (const { files } of later) {
    const file = files.find(({ oldPath, status }) => oldPath === path && status !== "copied");
    if (file === undefined) continue;
    if (file.newPath === null) return null;
    const moved = span.side === "new" ? laterLine(line, file) : line;
    if (moved === null) return null;
    path = file.newPath;
    line = moved;
  }
  return path === span.path && line === span.line ? span : { ...span, path, line };
}

function laterLine(line: number, { hunks }: FileDiff): number | null {
  let shift = 0;
  for (const { oldStart, oldCount, newCount, lines, whole } of hunks) {
    // Of an empty range git names the line before it.
    const first = oldCount === 0 ? oldStart + 1 : oldStart;
    if (line < first) break;
    if (line >= first + oldCount) {
      shift += newCount - oldCount;
      continue;
    }
    const found = lines.find((one) => one.kind !== "added" && one.oldNo === line);
    return whole && found?.kind === "context" ? found.newNo : null;
  }
  return line + shift;
}

/** The reports of a series with every place as it is after the last patch; a place that is gone stays as it was. */
export function atHead(reports: readonly Report[]): readonly Report[] {
  return reports.map((report, i) => {
    const later = reports.slice(i + 1).map(({ patch }) => patch);
    const move = (span: Span) => laterSpan(span, later) ?? span;
    return {
      ...report,
      findings: report.findings.map((finding) => ({
        ...finding,
        at: move(finding.at),
        because: finding.because.map((step) => ({ ...step, at: move(step.at) })),
      })),
    };
  });
}
