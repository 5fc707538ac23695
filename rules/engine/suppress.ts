/**
 * Comments that allow a finding, with a reason: `p2plint: allow RULE[, RULE]: reason`, as a block comment, which may
 * take several lines, or behind `//`. A comment beside code covers its own lines. One that stands alone covers the
 * line of code below it and, when that opens a function, the whole function. Knows no rule by name. Pure.
 *
 * @module
 */

import { commentsIn } from "./soften.ts";
import type { Disregarded, FileDiff, Finding, Line, Patch, Report, Span, Suppressed } from "./types.ts";

/** The id of the rule with this id or code; null when there is none. */
export type RuleNamed = (name: string) => string | null;

type NewLine = Line & { readonly newNo: number };

/** A comment that counts. */
interface Allowance {
  readonly at: Span;
  readonly byPatch: boolean;
  readonly rules: ReadonlySet<string>;
  readonly reason: string;
  /** The lines that it covers. */
  readonly lines: ReadonlySet<number>;
  /** What may be the name of the function that it covers; empty when it stands above none. */
  readonly functions: ReadonlySet<string>;
}

const MARK = "p2plint";
// Prose that happens to begin with our name is no attempt at a suppression.
const ATTEMPT = /^p2plint\s*(?::|\s(?=allow\b))\s*/;
const ALLOW = /^allow\b\s*([^:]*?)\s*(?::\s*([^]*))?$/;
const FORM = `write "${MARK}: allow RULE: reason"`;
/** The longest head of a function in v6.12 takes fewer lines. */
const MAX_HEAD_LINES = 30;
/** Longer than any kernel-doc that stands between; many comments in a row may not take quadratic time. */
const MAX_LINES_BELOW = 200;
const LABEL = /^\w+\s*:/;
const CALL_NAME = /\b([A-Za-z_]\w*)\s*\(/g;

/** Takes the findings that comments on the new side allow out of `findings`. */
export function suppress(
  findings: readonly Finding[],
  files: readonly FileDiff[],
  ruleNamed: RuleNamed,
): Pick<Report, "findings" | "suppressed" | "disregarded"> {
  const disregarded: Disregarded[] = [];
  const allowances: Allowance[] = [];
  for (const file of files) {
    for (const lines of file.all === null ? file.hunks.map((hunk) => hunk.lines) : [file.all]) {
      if (!lines.some((line) => line.kind !== "removed" && line.text.includes(MARK))) continue;
      for (const read of allowancesIn(file, lines, ruleNamed)) {
        if ("problem" in read) disregarded.push(read);
        else allowances.push(read);
      }
    }
  }
  if (allowances.length === 0) return { findings, suppressed: [], disregarded };
  const kept: Finding[] = [];
  const suppressed: Suppressed[] = [];
  for (const finding of findings) {
    const found = allowances.find((allowance) => covers(allowance, finding));
    if (found === undefined) kept.push(finding);
    else suppressed.push({ finding, reason: found.reason, at: found.at, byPatch: found.byPatch });
  }
  return { findings: kept, suppressed, disregarded };
}

/** The same, with the comments that earlier patches of the series add: nobody has agreed to those either. */
export function withSeries(
  suppressed: readonly Suppressed[],
  earlier: readonly Patch[],
): readonly Suppressed[] {
  const isAdded = ({ path, text }: Span) =>
    earlier.some(({ files }) =>
      files.some(({ newPath, hunks }) =>
        newPath === path &&
        hunks.some(({ lines }) =>
          lines.some((line) => line.kind === "added" && line.text.trim() === text.trim())
        )
      )
    );
  return suppressed.map((one) => one.byPatch || !isAdded(one.at) ? one : { ...one, byPatch: true });
}

function covers({ at, rules, lines, functions }: Allowance, finding: Finding): boolean {
  return at.path === finding.at.path && rules.has(finding.rule) &&
    (lines.has(finding.at.line) || (functions.has(finding.function) && finding.at.line > at.line));
}

function* allowancesIn(
  file: FileDiff,
  shown: readonly Line[],
  ruleNamed: RuleNamed,
): Generator<Allowance | Disregarded> {
  const lines = shown.filter((line): line is NewLine => line.kind !== "removed");
  const starts: number[] = [];
  let text = "";
  for (const line of lines) {
    starts.push(text.length);
    text += `${line.text}\n`;
  }
  let row = 0;
  // Asked in the order of the text only.
  const rowOf = (offset: number) => {
    while (row + 1 < starts.length && starts[row + 1]! <= offset) row++;
    return row;
  };
  const comments = commentsIn(text);
  const code = new CodeRows(lines, text, comments, starts);
  for (const { start, end } of comments) {
    const attempt = wordsOf(text.slice(start, end));
    if (!ATTEMPT.test(attempt)) continue;
    const mark = text.indexOf(MARK, start);
    const [first, marked, last] = [rowOf(start), rowOf(mark), rowOf(end - 1)];
    const rows = lines.slice(first, last + 1);
    const line = lines[marked]!;
    const isAdded = rows.some(({ kind }) => kind === "added");
    const at: Span = {
      path: file.newPath!,
      line: line.newNo,
      column: mark - starts[marked]! + 1,
      side: "new",
      text: line.text,
      bodyNo: line.bodyNo,
    };
    const read = readAllowance(attempt, ruleNamed);
    if ("problem" in read) {
      // What stood there before was somebody else's to say.
      if (isAdded) yield { at, problem: read.problem };
      continue;
    }
    const covered = new Set(rows.map(({ newNo }) => newNo));
    const below = code.isBare(first, last) ? code.below(last) : null;
    if (below !== null) covered.add(lines[below]!.newNo);
    yield {
      ...read,
      at,
      // Of a file that is linted as it lies there all lines count as added.
      byPatch: isAdded && file.origin !== "source",
      lines: covered,
      functions: below === null ? new Set() : code.functionsAt(below),
    };
  }
}

/** The comment's words on one line, without its signs. */
function wordsOf(comment: string): string {
  let to = comment.endsWith("*/") ? comment.length - 2 : comment.length;
  // Not by an expression: for a long row of stars it would take quadratic time.
  while (to > 2 && comment[to - 1] === "*") to--;
  return comment.slice(2, to).replace(/^[*/]+/, "").replace(/\n[ \t]*\*+(?=\s)/g, " ").replace(/\s+/g, " ")
    .trim();
}

function readAllowance(
  attempt: string,
  ruleNamed: RuleNamed,
): { readonly rules: ReadonlySet<string>; readonly reason: string } | { readonly problem: string } {
  const found = ALLOW.exec(attempt.replace(ATTEMPT, ""));
  if (found === null) return { problem: `no "allow" in it: ${FORM}` };
  const [, list = "", reason = ""] = found;
  const rules = new Set<string>();
  for (const name of list.split(",").map((part) => part.trim())) {
    if (name === "") return { problem: `no rule is named: ${FORM}` };
    const id = ruleNamed(name);
    if (id === null) return { problem: `there is no rule "${name}"` };
    rules.add(id);
  }
  if (!/[\p{L}\p{N}]/u.test(reason)) return { problem: `no reason is given: ${FORM}` };
  return { rules, reason };
}

/** The rows of a hunk's new side with their comments cut out. */
class CodeRows {
  private readonly code: readonly string[];
  private readonly commented = new Set<number>();

  constructor(
    private readonly lines: readonly NewLine[],
    text: string,
    comments: readonly { readonly start: number; readonly end: number }[],
    starts: readonly number[],
  ) {
    let out = "";
    let from = 0;
    let row = 0;
    for (const { start, end } of comments) {
      out += text.slice(from, start) + text.slice(start, end).replace(/[^\n]/g, " ");
      from = end;
      while (row + 1 < starts.length && starts[row + 1]! <= start) row++;
      for (let i = row; i < starts.length && starts[i]! < end; i++) this.commented.add(i);
    }
    this.code = (out + text.slice(from)).split("\n");
  }

  /** Whether no code stands in these rows. */
  isBare(first: number, last: number): boolean {
    return this.code.slice(first, last + 1).every((line) => line.trim() === "");
  }

  /** The row of code right below, behind other comments; null when a blank line or the hunk's end comes first. */
  below(row: number): number | null {
    const end = Math.min(this.lines.length, row + MAX_LINES_BELOW);
    for (let next = row + 1; next < end; next++) {
      if (this.lines[next]!.newNo !== this.lines[next - 1]!.newNo + 1) return null;
      if (this.code[next]!.trim() !== "") return next;
      if (!this.commented.has(next)) return null;
    }
    return null;
  }

  /** The names in the head of the function that opens at a row: its own is among them. Empty when none opens. */
  functionsAt(row: number): ReadonlySet<string> {
    // Kernel coding style: what starts at column 0 starts a definition, if it is no label.
    if (!/^[A-Za-z_]/.test(this.code[row]!) || LABEL.test(this.code[row]!)) return new Set();
    let head = "";
    for (let i = row; i < Math.min(this.lines.length, row + MAX_HEAD_LINES); i++) {
      const line = this.code[i]!;
      const end = /[{;=]/.exec(line);
      head += `${line.slice(0, end?.index)}\n`;
      if (end === null) continue;
      if (end[0] !== "{") return new Set();
      break;
    }
    return new Set([...head.matchAll(CALL_NAME)].map(([, name]) => name!));
  }
}
