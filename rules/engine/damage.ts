/**
 * What mail does to hunks, by name. Takes over where the counts do not fit, finds where the hunk ends all the
 * same, and keeps its whole lines. May not decide on files or headers.
 *
 * @module
 */

import { isHeaderAt } from "./diff_header.ts";
import { addMarker, type HunkRange, type HunkRead, lineKind, makeLine, readRange } from "./hunk_line.ts";
import type { Damage, Defect, FileDiff, Hunk, Line } from "./types.ts";

/** Lines in a row that a wrapped line may be continued on; more are text, not a hunk. */
const MAX_CONTINUATIONS = 2;

/** Fewer lines indented with blanks are chance. */
const MIN_BLANK_INDENTS = 3;

/** `-- ` of a mail signature, mailman's rule, the seam of concatenated patches, trailers behind a patch. */
const MAIL_END =
  /^(?:--[ \u00a0]?\r?$|_{20,}|From [0-9a-f]{40} |base-commit: |prerequisite-patch-id: |change-id: )/;

/** A diff line's prefix in the middle of a line, where a format=flowed reader glued the next line on. */
const JOIN = /(?:^|[ \t;{}(),*/])([+-])\t/g;

/** The next hunk's header at the end of a line. */
const JOINED_HEADER = / @@ -\d{1,9}(?:,\d{1,9})? \+\d{1,9}/;

const NO_BREAK = "\u00a0";

/** Quoted-printable that nobody decoded: `=3D` is `=`, `=20` and `=09` are a blank and a tab at the end. */
const UNDECODED = /=3D(?:[ =]|\r?$)|=(?:20|09)\r?$/;

const TABBED_FILE = /\.(?:[chS]|dtsi?)$/;

/** A reading of a damaged hunk: its lines, where it ends, and what is missing. */
interface Reading {
  readonly lines: readonly Line[];
  readonly next: number;
  /** Indexes of lines without a prefix. */
  readonly stray: readonly number[];
  /** Indexes of lines with more than one diff line in them. */
  readonly joined: readonly number[];
  readonly old: number;
  readonly new: number;
}

/** What a line without a prefix is taken for. */
type Stray = "continuation" | "context";

/**
 * Reads a hunk whose lines do not fit its counts. Tried in this order: long lines are wrapped; the blank in front
 * of context lines is lost; the counts are wrong or the hunk is cut. Lines that are not whole are left out but
 * counted, so the gap shows in the line numbers.
 */
export function readDamagedHunk(lines: readonly string[], at: number, range: HunkRange): HunkRead {
  const end = regionEnd(lines, at + 1);
  const fits = (reading: Reading) =>
    reading.old === range.oldCount && reading.new === range.newCount && reading.stray.length > 0;
  let reading = readLoosely(lines, at, end, range, "continuation");
  let bare = false;
  if (!fits(reading)) {
    const asContext = readLoosely(lines, at, end, range, "context");
    bare = fits(asContext);
    if (bare) reading = asContext;
  }
  const undecoded = countUndecoded(lines, at + 1, reading.next);
  const defect = undecoded.count > 0
    ? flaw("encoding", undecoded.first, `${count(undecoded.count, "line")} still in quoted-printable`)
    : bare
    ? nameBareContext(reading.stray, lines)
    : nameDamage(reading, range, at, lines.length);
  const kept = undecoded.count > 0
    ? reading.lines.filter((line) => !UNDECODED.test(line.raw))
    : reading.lines;
  return {
    hunk: { ...range, bodyNo: at + 1, lines: kept, whole: false },
    next: reading.next,
    defects: [defect],
  };
}

/** Whether behind a full hunk more of the diff follows: its counts are too small. */
export function isExcessAt(lines: readonly string[], at: number): boolean {
  const line = lines[at];
  if (line === undefined || line.length < 2) return false;
  const first = line.charCodeAt(0);
  if (first !== 0x20 && first !== 0x2b && first !== 0x2d) return false;
  if (isHeaderAt(lines, at) || MAIL_END.test(line)) return false;
  // Prose may follow a diff without a blank line; code is indented with tabs or ends like code.
  return /^.[\t}]/.test(line) || (first !== 0x20 && /[;{}]\r?$/.test(line));
}

/**
 * Names damage that leaves the counts right: undecoded quoted-printable (lines are taken out of their hunks) and
 * tabs that became blanks. A file that uses blanks by itself, in a mail with tabs in another file, is left alone.
 */
export function findSilentDamage(
  files: readonly FileDiff[],
  body: string,
): { files: readonly FileDiff[]; defects: readonly Defect[] } {
  const defects: Defect[] = [];
  let kept = files;
  if (body.includes("=3D") || body.includes("=20\n")) {
    kept = files.map((file) => dropUndecoded(file, defects));
  }
  defects.push(...findLostTabs(files));
  return { files: kept, defects };
}

/** Reads a hunk up to `end`, going by prefixes instead of counts. */
function readLoosely(
  lines: readonly string[],
  at: number,
  end: number,
  range: HunkRange,
  strayIs: Stray,
): Reading {
  const into: Line[] = [];
  const stray: number[] = [];
  const joined: number[] = [];
  let oldNo = range.oldStart;
  let newNo = range.newStart;
  let strayRun = 0;
  // Blank lines count only once something of the hunk follows them.
  let blanksFrom = -1;
  let next = at + 1;
  for (let i = at + 1; i < end; i++) {
    const raw = lines[i] as string;
    const isFull = oldNo - range.oldStart >= range.oldCount && newNo - range.newStart >= range.newCount;
    if (raw === "" || raw === "\r") {
      if (isFull) break;
      if (blanksFrom < 0) blanksFrom = i;
      continue;
    }
    if (strayIs === "continuation" && JOINED_HEADER.test(raw)) {
      joined.push(i);
      next = i + 1;
      break;
    }
    let kind = lineKind(raw);
    if (isFull && kind === null && strayIs === "context") break;
    if (isFull && kind === null && blanksFrom >= 0) break;
    if (kind === null && strayIs === "continuation") {
      // Text behind a blank line, or much of it, is the mail going on.
      if (blanksFrom >= 0 || ++strayRun > MAX_CONTINUATIONS) break;
      stray.push(i);
      // The line before has lost its end.
      if (strayRun === 1 && into.at(-1)?.bodyNo === i) into.pop();
      next = i + 1;
      continue;
    }
    strayRun = 0;
    for (; blanksFrom >= 0 && blanksFrom < i; blanksFrom++) {
      const blank = lines[blanksFrom] as string;
      into.push(makeLine("context", blank, 1, blanksFrom + 1, oldNo++, newNo++));
    }
    blanksFrom = -1;
    if (kind === "marker") {
      addMarker(into, raw);
      next = i + 1;
      continue;
    }
    let skip = 1;
    if (kind === null) {
      stray.push(i);
      kind = "context";
      skip = raw.startsWith(NO_BREAK) ? 1 : 0;
    }
    const more = strayIs === "continuation" ? joinedPrefixes(raw) : "";
    if (more === "") into.push(withBlanks(makeLine(kind, raw, skip, i + 1, oldNo, newNo)));
    else joined.push(i);
    for (const prefix of kindPrefix(kind) + more) {
      if (prefix !== "+") oldNo++;
      if (prefix !== "-") newNo++;
    }
    next = i + 1;
  }
  // Blank lines at the hunk's end, if the counts want exactly these.
  const missing = range.oldCount - (oldNo - range.oldStart);
  if (blanksFrom >= 0 && missing > 0 && missing === range.newCount - (newNo - range.newStart)) {
    const isBlank = (index: number) => index < end && (lines[index] as string).trim() === "";
    let last = blanksFrom;
    while (isBlank(last) && last < blanksFrom + missing) last++;
    for (; last === blanksFrom + missing && next < last; next++) {
      into.push(makeLine("context", lines[next] as string, 1, next + 1, oldNo++, newNo++));
    }
  }
  const counted = { old: oldNo - range.oldStart, new: newNo - range.newStart };
  return { lines: into, next, stray: trimStray(stray, next), joined, ...counted };
}

function nameBareContext(stray: readonly number[], lines: readonly string[]): Defect {
  const first = stray[0] as number;
  return (lines[first] as string).startsWith(NO_BREAK)
    ? flaw("encoding", first, `${count(stray.length, "line")} with no-break spaces for blanks`)
    : flaw("flowed-joins", first, `${count(stray.length, "context line")} lost the leading blank`);
}

function nameDamage(reading: Reading, range: HunkRange, at: number, total: number): Defect {
  const oldShort = range.oldCount - reading.old;
  const newShort = range.newCount - reading.new;
  if (reading.joined.length > 0 && (oldShort >= 0 || newShort >= 0)) {
    const first = reading.joined[0] as number;
    return flaw(
      "flowed-joins",
      first,
      `${count(reading.joined.length, "line")} with the next diff line joined on`,
    );
  }
  if (reading.stray.length > 0) {
    return flaw(
      "wrapped-lines",
      reading.stray[0] as number,
      `${count(reading.stray.length, "line")} wrapped`,
    );
  }
  const isCut = oldShort >= 0 && newShort >= 0 && (oldShort === newShort || reading.next >= total);
  if (isCut && oldShort + newShort > 0) {
    return flaw(
      "truncated",
      Math.max(at, reading.next - 1),
      `hunk ends ${count(Math.max(oldShort, newShort), "line")} early`,
    );
  }
  const said: string[] = [];
  if (oldShort !== 0) said.push(`says ${count(range.oldCount, "old line")}, has ${reading.old}`);
  if (newShort !== 0) said.push(`says ${count(range.newCount, "new line")}, has ${reading.new}`);
  return flaw(
    "wrong-counts",
    at,
    `hunk ${said.length === 0 ? "has a stray end-of-file mark" : said.join("; ")}`,
  );
}

/** Index of the first line that cannot belong to the hunk: the next header, the signature, or the end. */
function regionEnd(lines: readonly string[], from: number): number {
  for (let i = from; i < lines.length; i++) {
    const line = lines[i] as string;
    switch (line.charCodeAt(0)) {
      case 0x40: // @
        if (readRange(line) !== null) return i;
        break;
      case 0x49: // I
        if (line.startsWith("Index: ")) return i;
        break;
      case 0x64: // d
        if (line.startsWith("diff -")) return i;
        break;
    }
    if (isHeaderAt(lines, i) || MAIL_END.test(line)) return i;
  }
  return lines.length;
}

/** The prefixes of the diff lines that were joined onto this one. A joined context line leaves no sign. */
function joinedPrefixes(raw: string): string {
  let prefixes = "";
  for (const match of raw.slice(1).matchAll(JOIN)) prefixes += match[1];
  return prefixes;
}

function countUndecoded(
  lines: readonly string[],
  from: number,
  end: number,
): { count: number; first: number } {
  let found = 0;
  let first = from;
  for (let i = from; i < end; i++) {
    if (!UNDECODED.test(lines[i] as string)) continue;
    if (found++ === 0) first = i;
  }
  return { count: found, first };
}

function dropUndecoded(file: FileDiff, defects: Defect[]): FileDiff {
  // `CONFIG_FOO=20` is right outside C.
  if (!TABBED_FILE.test(file.newPath ?? file.oldPath ?? "")) return file;
  const isDamaged = (hunk: Hunk) => hunk.whole && hunk.lines.some((line) => UNDECODED.test(line.raw));
  if (!file.hunks.some(isDamaged)) return file;
  const hunks = file.hunks.map((hunk) => {
    if (!isDamaged(hunk)) return hunk;
    const bad = hunk.lines.filter((line) => UNDECODED.test(line.raw));
    defects.push({
      damage: "encoding",
      bodyNo: (bad[0] as Line).bodyNo,
      reason: `${count(bad.length, "line")} still in quoted-printable`,
    });
    return { ...hunk, lines: hunk.lines.filter((line) => !bad.includes(line)), whole: false };
  });
  return { ...file, hunks };
}

function findLostTabs(files: readonly FileDiff[]): Defect[] {
  const defects: Defect[] = [];
  for (const file of files) {
    if (!TABBED_FILE.test(file.newPath ?? file.oldPath ?? "")) continue;
    let indented = 0;
    let known = false;
    let first: number | null = null;
    for (const hunk of file.hunks) {
      for (const line of hunk.lines) {
        if (line.text.includes("\t")) return [];
        if (!line.text.startsWith("        ")) continue;
        if (indented++ === 0) first = line.bodyNo;
        // Added lines alone may be the author's own blanks.
        known ||= line.kind !== "added";
      }
    }
    if (indented < MIN_BLANK_INDENTS || !known) continue;
    defects.push({
      damage: "tabs-to-blanks",
      bodyNo: first,
      reason: `${count(indented, "line")} indented with blanks where the kernel has tabs`,
    });
  }
  return defects;
}

/** A no-break space is a blank that some mailer made safe from folding; columns stay. */
function withBlanks(line: Line): Line {
  return line.text.includes(NO_BREAK) ? { ...line, text: line.text.replaceAll(NO_BREAK, " ") } : line;
}

/** Stray lines behind the reading's end are text that follows. */
function trimStray(stray: readonly number[], next: number): readonly number[] {
  return stray.filter((index) => index < next);
}

function kindPrefix(kind: Line["kind"]): string {
  return kind === "added" ? "+" : kind === "removed" ? "-" : " ";
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function flaw(damage: Damage, index: number, reason: string): Defect {
  return { damage, bodyNo: index + 1, reason };
}
