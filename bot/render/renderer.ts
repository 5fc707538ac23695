/**
 * What a report format must offer. A run is one `begin`, a `report` for each input that was judged, one `end`;
 * each gives text to print. Pure: a renderer prints nothing and reads no clock.
 *
 * @module
 */

import type { Confidence, Finding, Report, Severity } from "../../rules/engine/types.ts";

/** A rule as the formats describe it. */
export interface RuleText {
  readonly id: string;
  readonly code: string;
  readonly severity: Severity;
  readonly confidence: Confidence;
  readonly category: string;
  readonly summary: string;
  readonly why: string;
  /** All of it as Markdown, examples included. */
  readonly page: string;
}

/** What is known before the first input. */
export interface RunStart {
  readonly tool: { readonly name: string; readonly version: string };
  /** Whether escapes for colour may be written. */
  readonly color: boolean;
  /** Findings only. */
  readonly quiet: boolean;
  /** The rules of the run; written out for the formats that ask. */
  readonly rules: () => readonly RuleText[];
}

/** One message of the input, judged. */
export interface Judged {
  /** The path as given on the command line. */
  readonly input: string;
  /** How the input was recognised: `mail`, `diff`, `c-source`, `commit`, `unknown`. */
  readonly kind: string;
  readonly report: Report;
}

/** An input, or a message in it, that could not be read at all. */
export interface Refused {
  readonly input: string;
  /** What was not judged: the path, or the position in the mailbox. */
  readonly what: string;
  readonly reason: string;
}

/** What a run came to. */
export interface Summary {
  /** Messages and files that were read. */
  readonly inputs: number;
  /** Those of them with a diff or with code. */
  readonly patches: number;
  /** Files of a tree that were judged as they stand. */
  readonly files: number;
  /** Hunks that were looked at. */
  readonly judged: number;
  readonly findings: Readonly<Record<Severity, number>>;
  readonly unseen: number;
  readonly defects: number;
  /** Rules that threw: our bugs. */
  readonly faults: number;
  /** Messages of mailboxes that were not decoded, see {@link passedOverReason}. */
  readonly passedOver: number;
  /** Why they were passed over; null when none was. */
  readonly passedOverReason: string | null;
  /** The configuration file that the run went by; null: none. */
  readonly config: string | null;
  /** Findings that comments in the code allow. */
  readonly suppressed: number;
  /** Those of them whose comment the patch itself adds. */
  readonly suppressedByPatch: number;
  /** Comments that mean to allow a finding and do not count. */
  readonly disregarded: number;
  /** null: none was asked for. */
  readonly baseline: BaselineSummary | null;
}

/** What a run made of a baseline. */
export interface BaselineSummary {
  readonly file: string;
  /** Known findings that are not in the report. */
  readonly hidden: number;
  /** Known findings that the run should have come upon and did not. */
  readonly stale: readonly StaleFinding[];
  /** What was written to the file; null: nothing was. */
  readonly written: { readonly findings: number; readonly added: number } | null;
  /** Why it could not be written, lower case, no full stop; null: it was, or nobody asked. */
  readonly problem: string | null;
}

/** A row of a baseline that has nothing to stand for any more. */
export interface StaleFinding {
  readonly path: string;
  readonly function: string;
  readonly rule: string;
  readonly text: string;
  readonly fingerprint: string;
}

/** A report format. */
export interface Renderer {
  begin(run: RunStart): string;
  report(judged: Judged): string;
  refuse(refused: Refused): string;
  end(summary: Summary): string;
}

/** Findings in the order of reading: by path, then line, then column. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) =>
    compare(a.at.path, b.at.path) || a.at.line - b.at.line || a.at.column - b.at.column ||
    compare(a.rule, b.rule)
  );
}

// Code unit order: the same on every machine, whatever its locale.
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
