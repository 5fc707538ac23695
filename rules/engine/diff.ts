/**
 * From a mail's body to the files it changes, and back to the same bytes. Reads one body at a time; may not look
 * at the meaning of code, and never throws on what a mail holds.
 *
 * @module
 */

import { readBinary, readCombinedHunks } from "./diff_trailer.ts";
import { findSilentDamage } from "./damage.ts";
import { type Header, isHeaderAt, readHeader } from "./diff_header.ts";
import { readHunk } from "./hunk.ts";
import { readRange } from "./hunk_line.ts";
import { readQuotedDiff } from "./quote.ts";
import type { Defect, FileDiff, Hunk, Mail, Patch } from "./types.ts";

/** What a body holds: its files in order of appearance, and what could not be read as meant. */
export interface DiffRead {
  readonly files: readonly FileDiff[];
  /** In order of line. */
  readonly defects: readonly Defect[];
}

const BASE_COMMIT = /^base-commit: ([0-9a-f]{7,64})\s*$/m;

const CHANGE_ID = /^change-id: ([\w.+-]{1,200})\s*$/m;

/**
 * Reads every diff in a body; text before, between and behind them is skipped. Lines end with LF, a carriage
 * return before it stays part of `raw`.
 *
 * @returns Damage as defects; files with a hostile path are left out
 */
export function readDiff(body: string): DiffRead {
  const lines = splitLines(body);
  const files: FileDiff[] = [];
  const defects: Defect[] = [];
  // Index of the first line that no file has taken yet.
  let floor = 0;
  let header: Header | null = null;
  let hunks: Hunk[] = [];
  let trailer: readonly string[] = [];
  const close = () => {
    if (header !== null && !header.refused) files.push(toFile(header, hunks, trailer));
    header = null;
    hunks = [];
    trailer = [];
  };
  for (let i = 0; i < lines.length;) {
    const line = lines[i] as string;
    const first = line.charCodeAt(0);
    // Nearly all lines of a commit message leave here.
    if (first !== 0x2d /* - */ && first !== 0x40 /* @ */ && first !== 0x64 /* d */) {
      i++;
    } else if (isHeaderAt(lines, i)) {
      close();
      const opened = readHeader(lines, i, floor);
      header = opened;
      for (const defect of opened.defects) defects.push(defect);
      i = opened.next;
      if (opened.status === "binary") {
        defects.push({ damage: "binary", bodyNo: i + 1, reason: "binary patch: not judged" });
        i = readBinary(lines, i);
      } else if (opened.status === "combined") {
        i = readCombinedHunks(lines, i);
      }
      trailer = lines.slice(opened.next, i);
      floor = i;
    } else if (first === 0x40 /* @ */ && line.startsWith("@@ -")) {
      const range = readRange(line);
      if (range === null) {
        if (header !== null) defects.push(badHeader(i, "hunk header cannot be read"));
        i++;
        continue;
      }
      const read = readHunk(lines, i, range);
      if (header === null) defects.push(badHeader(i, "hunk without a file header"));
      else {
        if (i > floor && hunks.at(-1)?.whole) {
          defects.push(badHeader(floor, "text between two hunks of a file"));
        }
        // Nothing of a refused file is judged, so its damage is of no interest.
        if (!(header as Header).refused) { for (const defect of read.defects) defects.push(defect); }
        hunks.push(read.hunk);
      }
      i = floor = read.next;
    } else {
      i++;
    }
  }
  close();
  const checked = findSilentDamage(files, body);
  defects.push(...checked.defects);
  if (defects.length > 1) defects.sort(byLine);
  return { files: checked.files, defects };
}

/**
 * Reads the patch of a mail: its diff, or the diff that it quotes when it answers another mail.
 * A format=flowed mail is read as joined; when its counts fail, as sent. `Patch.mail.body` is then the text as
 * sent, so that `bodyNo` stays true.
 */
export function readPatch(mail: Mail): Patch {
  const { read, body } = readBestBody(mail.body, mail.rawBody ?? null);
  let { files, defects } = read;
  if (
    files.length === 0 && mayQuote(mail, body) && !defects.some(({ damage }) => damage === "hostile-path")
  ) {
    files = readQuotedDiff(body);
    // A pasted hunk needs no file header.
    if (files.length > 0) defects = defects.filter(({ damage }) => damage !== "bad-header");
  }
  return {
    mail: body === mail.body ? mail : { ...mail, body },
    files,
    defects: [...mail.defects, ...defects],
    baseCommit: BASE_COMMIT.exec(body)?.[1] ?? null,
    changeId: CHANGE_ID.exec(body)?.[1] ?? null,
  };
}

/**
 * Prints files as they stood in the body, each line with an LF. The inverse of `readDiff` for every file whose
 * hunks are all whole.
 */
export function printDiff(files: readonly FileDiff[]): string {
  const lines: string[] = [];
  for (const file of files) {
    for (const line of file.header) lines.push(line);
    for (const hunk of file.hunks) {
      if (hunk.header !== "") lines.push(hunk.header);
      for (const line of hunk.lines) {
        lines.push(line.raw);
        if (line.marker !== null) lines.push(line.marker);
      }
    }
    for (const line of file.trailer) lines.push(line);
  }
  return lines.length === 0 ? "" : lines.join("\n") + "\n";
}

/** A line of a source file. A kernel has 20 million of them: each holds no more than it must. */
class SourceLine {
  constructor(readonly raw: string, readonly newNo: number) {}

  get kind(): "added" {
    return "added";
  }

  get text(): string {
    return this.raw.endsWith("\r") ? this.raw.slice(0, -1) : this.raw;
  }

  get bodyNo(): number {
    return this.newNo;
  }

  get marker(): null {
    return null;
  }
}

/** Takes a whole C source file for a patch that adds every line of it. `bodyNo` is the line of the file. */
export function fileFromSource(path: string, text: string): FileDiff {
  const lines = splitLines(text).map((raw, index) => new SourceLine(raw, index + 1));
  const hunk: Hunk = {
    header: "",
    bodyNo: 1,
    oldStart: 0,
    oldCount: 0,
    newStart: 1,
    newCount: lines.length,
    section: "",
    lines,
    whole: true,
  };
  return {
    oldPath: null,
    newPath: path,
    status: "created",
    origin: "source",
    header: [],
    bodyNo: 1,
    oldBlob: null,
    newBlob: null,
    hunks: [hunk],
    all: null,
    trailer: [],
  };
}

function readBestBody(body: string, rawBody: string | null): { read: DiffRead; body: string } {
  const joined = { read: readDiff(body), body };
  if (rawBody === null || (joined.read.files.length > 0 && brokenHunks(joined.read) === 0)) return joined;
  const sent = { read: readDiff(rawBody), body: rawBody };
  if (sent.read.files.length > 0 && brokenHunks(sent.read) === 0) return sent;
  if (joined.read.files.length + sent.read.files.length === 0) return joined;
  const better = wholeHunks(sent.read) > wholeHunks(joined.read) ? sent : joined;
  const first = better.read.files.flatMap((file) => file.hunks).find((hunk) => !hunk.whole);
  const defect: Defect = {
    damage: "flowed-joins",
    bodyNo: first?.bodyNo ?? null,
    reason: "format=flowed mail whose hunks fit neither joined nor as sent",
  };
  return {
    body: better.body,
    read: { ...better.read, defects: [...better.read.defects, defect].sort(byLine) },
  };
}

/** A web archive's copy has no headers that would say that it is a reply, but its quotes do. */
function mayQuote(mail: Mail, body: string): boolean {
  return mail.subject.isReply || mail.inReplyTo !== null || /^>/m.test(body);
}

function brokenHunks(read: DiffRead): number {
  return read.files.reduce((sum, file) => sum + file.hunks.filter((hunk) => !hunk.whole).length, 0);
}

function wholeHunks(read: DiffRead): number {
  return read.files.reduce((sum, file) => sum + file.hunks.filter((hunk) => hunk.whole).length, 0);
}

function toFile(header: Header, hunks: readonly Hunk[], trailer: readonly string[]): FileDiff {
  return {
    oldPath: header.oldPath,
    newPath: header.newPath,
    status: header.status === "mode" && hunks.length > 0 ? "modified" : header.status,
    origin: "diff",
    header: header.lines,
    bodyNo: header.from + 1,
    oldBlob: header.oldBlob,
    newBlob: header.newBlob,
    hunks,
    all: null,
    trailer,
  };
}

/** The LF behind the last line opens no further line. */
function splitLines(body: string): string[] {
  const lines = body.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function badHeader(index: number, reason: string): Defect {
  return { damage: "bad-header", bodyNo: index + 1, reason };
}

function byLine(left: Defect, right: Defect): number {
  return (left.bodyNo ?? 0) - (right.bodyNo ?? 0);
}
