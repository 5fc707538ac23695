/**
 * Code that a reply quotes: `> +foo();` with or without the headers of its diff, or lines pasted with their
 * prefix. May not be used for a mail that brings a diff of its own; what it gives is a fragment, never a patch.
 *
 * @module
 */

import { gitNames, headerName, isHostilePath, stripPrefixes } from "./diff_path.ts";
import { addMarker, type HunkRange, lineKind, makeLine, readRange } from "./hunk_line.ts";
import { looksLikeCode, looksLikeDiff } from "./quoted_code.ts";
import type { FileDiff, Hunk, Line } from "./types.ts";

/** The path of code whose file the quote does not name. */
const UNNAMED = "(quoted)";

/** Deeper quotes are not read. */
const MAX_DEPTH = 12;

/** Where a reviewer says that lines were taken out. */
const CUT_MARK = /^\s*(?:\[\s*(?:\.{2,}|…|snip\w*)\s*\]|<\/?snip\w*>|\.{3,}|…|\(\.{3}\))\s*$/i;

const SIGNATURE = /^--\s?$/;

const HEADER_MARK = /^(?:diff --git |@@ -|\+\+\+ |[+-]\t)/;

/** A body line less its quote marks. */
interface QuotedLine {
  readonly raw: string;
  readonly depth: number;
  /** Index in `raw` behind the quote marks and the blank that follows them. */
  readonly skip: number;
  readonly content: string;
  readonly bodyNo: number;
}

/** A file in the making. */
interface Draft {
  oldPath: string | null;
  newPath: string | null;
  readonly bodyNo: number;
  readonly header: string[];
  readonly hunks: Hunk[];
}

/** A quoted hunk that is being read. */
interface Open {
  readonly range: HunkRange;
  readonly bodyNo: number;
  readonly into: Draft;
  readonly lines: Line[];
  oldNo: number;
  newNo: number;
  /** Whether lines were seen that show something is missing. */
  isCut: boolean;
  stray: number;
  blanks: QuotedLine[];
}

/** What is known at one quote depth. */
interface Level {
  names: { old: string | null; new: string | null };
  header: QuotedLine[];
  /** The file that hunks with an `@@` line go to; null until the first one. */
  ranged: Draft | null;
  /** The file for hunks with the mail's numbers, which must not mix with real ones. */
  loose: Draft | null;
  open: Open | null;
  run: QuotedLine[];
}

/**
 * Reads the diffs that a body quotes, and lines with a diff's prefix that were pasted into its prose. A quoted
 * `@@` line gives the line numbers; they go on over the reviewer's remarks, and leave a hole where the reviewer
 * marked a cut. Without it the numbers are those of the mail's body.
 *
 * @returns Files of origin `quote`; a path that the quote does not show, or a hostile one, is `(quoted)`
 */
export function readQuotedDiff(body: string): FileDiff[] {
  const lines = unquote(body);
  const drafts: Draft[] = [];
  const levels = new Map<number, Level>();
  let before: QuotedLine | null = null;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as QuotedLine;
    if (before !== null && before.depth !== line.depth) closeRun(levels.get(before.depth), drafts);
    before = line;
    let level = levels.get(line.depth);
    if (level === undefined) levels.set(line.depth, level = newLevel());
    // With a prefix it is a line of the diff: YAML ends with `...`.
    if (CUT_MARK.test(line.content) && (level.open === null || lineKind(line.content) === null)) {
      for (const other of levels.values()) cutHunk(other);
      closeRun(level, drafts);
      continue;
    }
    if (takeHeader(level, line, lines[i + 1], lines[i + 2], drafts)) continue;
    if (level.open !== null && takeHunkLine(level, level.open, line)) continue;
    if (lineKind(line.content) !== null && !SIGNATURE.test(line.content)) level.run.push(line);
    else closeRun(level, drafts);
  }
  for (const level of levels.values()) {
    closeHunk(level);
    closeRun(level, drafts);
  }
  return drafts.filter((draft) => draft.hunks.length > 0).sort((a, b) => a.bodyNo - b.bodyNo).map(toFile);
}

/** Splits a body and takes the quote marks off. */
function unquote(body: string): QuotedLine[] {
  const raws = body.split("\n");
  if (raws.at(-1) === "") raws.pop();
  const marks = raws.map(quoteMarks);
  // Some quote with `>+foo`: there the blank behind the mark is the diff's own. Depth by depth, lines that
  // only a diff has decide.
  const votes = new Map<number, number>();
  for (const [i, raw] of raws.entries()) {
    const { depth, end } = marks[i] as { depth: number; end: number };
    if (depth === 0) continue;
    const vote = HEADER_MARK.test(raw.slice(end, end + 12))
      ? 1
      : raw[end] === " " && HEADER_MARK.test(raw.slice(end + 1, end + 13))
      ? -1
      : 0;
    if (vote !== 0) votes.set(depth, (votes.get(depth) ?? 0) + vote);
  }
  return raws.map((raw, i) => {
    const { depth, end } = marks[i] as { depth: number; end: number };
    const isTight = (votes.get(depth) ?? 0) > 0;
    const skip = depth > 0 && !isTight && raw[end] === " " ? end + 1 : end;
    return { raw, depth, skip, content: raw.slice(skip), bodyNo: i + 1 };
  });
}

/** How many quote marks open a line (`> > `, `>>`), and the index behind the last. */
function quoteMarks(raw: string): { depth: number; end: number } {
  let depth = 0;
  let end = 0;
  while (depth < MAX_DEPTH) {
    const mark = depth > 0 && raw[end] === " " ? end + 1 : end;
    if (raw[mark] !== ">") break;
    depth++;
    end = mark + 1;
  }
  return { depth, end };
}

/** Takes a line of a file header or an `@@` line; false when it is neither. */
function takeHeader(
  level: Level,
  line: QuotedLine,
  next: QuotedLine | undefined,
  afterNext: QuotedLine | undefined,
  drafts: Draft[],
): boolean {
  const { content } = line;
  const range = readRange(content);
  if (range !== null) {
    closeHunk(level);
    closeRun(level, drafts);
    level.ranged ??= newDraft(level, line, drafts);
    level.open = openHunk(level.ranged, range, line.bodyNo);
    return true;
  }
  const follows = (other: QuotedLine | undefined, mark: string) =>
    other?.depth === line.depth && other.content.startsWith(mark);
  if (content.startsWith("diff --git ")) {
    startFile(level, drafts);
    level.names = gitNames(content) ?? { old: null, new: null };
  } else if (
    content.startsWith("--- ") && follows(next, "+++ ") && (level.open === null || follows(afterNext, "@@ -"))
  ) {
    // Behind a `diff --git` line the header is still open.
    if (level.header.length === 0) startFile(level, drafts);
    level.names = { ...level.names, old: headerName(content) };
  } else if (content.startsWith("+++ ") && level.open === null && isPath(headerName(content))) {
    if (level.header.length === 0) startFile(level, drafts);
    level.names = { ...level.names, new: headerName(content) };
  } else if (
    level.header.length === 0 ||
    !/^(?:index|old mode|new mode|new file|deleted file|rename|copy|similarity) /.test(content)
  ) {
    return false;
  }
  level.header.push(line);
  return true;
}

/** Whether a name behind a `+++ ` that stands alone is one, and not prose. */
function isPath(name: string): boolean {
  return name.includes("/") && !/\s/.test(name);
}

/** Takes a line of the open hunk; false when the hunk has ended before it. */
function takeHunkLine(level: Level, open: Open, line: QuotedLine): boolean {
  const kind = lineKind(line.content);
  const oldLeft = open.range.oldStart + open.range.oldCount - open.oldNo;
  const newLeft = open.range.newStart + open.range.newCount - open.newNo;
  if (kind === "marker") return addMarker(open.lines, line.raw);
  if (kind === null) {
    // A long line that the quoting mailer wrapped, once; more of it is prose.
    const isOver = line.depth === 0 || open.stray > 0 || (oldLeft <= 0 && newLeft <= 0);
    if (isOver) return closeHunk(level);
    open.stray++;
    open.isCut = true;
    open.lines.pop();
    return true;
  }
  const isOver = (kind !== "added" && oldLeft <= 0) || (kind !== "removed" && newLeft <= 0);
  if (isOver || SIGNATURE.test(line.content)) return closeHunk(level);
  if (line.depth === 0 && line.content.trim() === "") {
    // In unquoted text an empty line may as well end the hunk.
    open.blanks.push(line);
    return true;
  }
  for (const blank of open.blanks.splice(0)) pushLine(open, "context", blank);
  open.stray = 0;
  pushLine(open, kind, line);
  return true;
}

function pushLine(open: Open, kind: Line["kind"], line: QuotedLine): void {
  open.lines.push(makeLine(kind, line.raw, line.skip + 1, line.bodyNo, open.oldNo, open.newNo));
  if (kind !== "added") open.oldNo++;
  if (kind !== "removed") open.newNo++;
}

/** Ends the part of a hunk in front of a cut; what follows begins one line further on, so a hole stays visible. */
function cutHunk(level: Level): void {
  const { open } = level;
  if (open === null) return;
  const { range } = open;
  open.isCut = true;
  closeHunk(level);
  const oldStart = open.oldNo + 1;
  const newStart = open.newNo + 1;
  const rest: HunkRange = {
    header: "",
    oldStart,
    oldCount: Math.max(0, range.oldStart + range.oldCount - oldStart),
    newStart,
    newCount: Math.max(0, range.newStart + range.newCount - newStart),
    section: range.section,
  };
  level.open = { ...openHunk(open.into, rest, open.bodyNo), isCut: true };
}

/** Puts the open hunk away. Returns false, for callers whose line it did not take. */
function closeHunk(level: Level): false {
  const { open } = level;
  level.open = null;
  if (open === null || open.lines.length === 0) return false;
  const { range } = open;
  const whole = !open.isCut && open.oldNo === range.oldStart + range.oldCount &&
    open.newNo === range.newStart + range.newCount;
  const bodyNo = range.header === "" ? open.lines[0]?.bodyNo ?? open.bodyNo : open.bodyNo;
  open.into.hunks.push({ ...range, bodyNo, lines: open.lines, whole });
  return false;
}

/** Ends a run of prefixed lines without an `@@` line: a fragment if it is code. */
function closeRun(level: Level | undefined, drafts: Draft[]): void {
  if (level === undefined || level.run.length === 0) return;
  const run = trimRun(level.run);
  level.run = [];
  const first = run[0];
  if (first === undefined || !looksLikeDiff(run.map((line) => line.content))) return;
  level.loose ??= newDraft(level, first, drafts);
  const lines: Line[] = [];
  let [oldCount, newCount] = [0, 0];
  for (const line of run) {
    const kind = lineKind(line.content);
    if (kind === null) continue;
    if (kind === "marker") {
      addMarker(lines, line.raw);
      continue;
    }
    lines.push(makeLine(kind, line.raw, line.skip + 1, line.bodyNo, line.bodyNo, line.bodyNo));
    if (kind !== "added") oldCount++;
    if (kind !== "removed") newCount++;
  }
  const { bodyNo } = first;
  const numbers = { oldStart: bodyNo, oldCount, newStart: bodyNo, newCount };
  level.loose.hunks.push({ header: "", bodyNo, ...numbers, section: "", lines, whole: true });
}

/** Takes blank lines and indented prose off both ends of a run. */
function trimRun(run: readonly QuotedLine[]): readonly QuotedLine[] {
  const isKept = ({ content }: QuotedLine) =>
    lineKind(content) !== "context" || (content.trim() !== "" && looksLikeCode(content.slice(1)));
  const from = run.findIndex(isKept);
  return from < 0 ? [] : run.slice(from, run.findLastIndex(isKept) + 1);
}

function startFile(level: Level, drafts: Draft[]): void {
  closeHunk(level);
  closeRun(level, drafts);
  level.names = { old: null, new: null };
  level.header = [];
  level.ranged = null;
  level.loose = null;
}

function newDraft(level: Level, line: QuotedLine, drafts: Draft[]): Draft {
  const { names, header } = level;
  const shown = stripPrefixes(names.old ?? names.new ?? UNNAMED, names.new ?? names.old ?? UNNAMED);
  const safe = (path: string | null) => path !== null && isHostilePath(path) ? UNNAMED : path;
  // The header's lines stand in the mail once: only the first draft owns them.
  const isFirst = level.ranged === null && level.loose === null;
  const draft: Draft = {
    oldPath: safe(shown.oldPath),
    newPath: shown.oldPath === null && shown.newPath === null ? UNNAMED : safe(shown.newPath),
    bodyNo: isFirst ? header[0]?.bodyNo ?? line.bodyNo : line.bodyNo,
    header: isFirst ? header.map(({ raw }) => raw) : [],
    hunks: [],
  };
  level.header = [];
  drafts.push(draft);
  return draft;
}

function openHunk(into: Draft, range: HunkRange, bodyNo: number): Open {
  const numbers = { oldNo: range.oldStart, newNo: range.newStart };
  return { range, bodyNo, into, lines: [], ...numbers, isCut: false, stray: 0, blanks: [] };
}

function newLevel(): Level {
  return { names: { old: null, new: null }, header: [], ranged: null, loose: null, open: null, run: [] };
}

function toFile(draft: Draft): FileDiff {
  const { oldPath, newPath } = draft;
  return {
    oldPath,
    newPath,
    status: oldPath === null ? "created" : newPath === null ? "deleted" : "modified",
    origin: "quote",
    header: draft.header,
    bodyNo: draft.bodyNo,
    oldBlob: null,
    newBlob: null,
    hunks: draft.hunks,
    all: null,
    trailer: [],
  };
}
