/**
 * The header of one file in a diff: `diff --git` with its extended lines, or a plain `---`/`+++` pair.
 * May not read hunks.
 *
 * @module
 */

import { gitNames, headerName, isHostilePath, type Paths, stripPrefixes } from "./diff_path.ts";
import type { Defect, FileDiff } from "./types.ts";

/** A header and where the file's hunks begin. */
export interface Header extends Paths {
  readonly lines: readonly string[];
  /** Index of the header's first line. */
  readonly from: number;
  /** Index of the first line behind the header. */
  readonly next: number;
  /** As far as the header tells; a file with only a mode change is `mode` until a hunk follows. */
  readonly status: FileDiff["status"];
  readonly oldBlob: string | null;
  readonly newBlob: string | null;
  /** Whether the file must be left out: a path would lead outside the tree, or there is none. */
  readonly refused: boolean;
  readonly defects: readonly Defect[];
}

/** Extended header lines (git-diff(1), "generating patch text with -p"). */
const EXTENDED =
  /^(?:old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to|rename old|rename new|similarity index|dissimilarity index|index) /;

const INDEX = /^index ([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})/;

/** What diff, svn and cvs write in front of a `---` line. */
const FOREIGN = /^(?:diff -|Index: |={10,}|RCS file: |retrieving revision )/;

const MAX_FOREIGN_LINES = 5;

/** How many unknown lines a mangled header may hold before it counts as ended. */
const MAX_STRAY_LINES = 2;

/** Whether a file header begins at line `at`. Cheap: decides on the first character for nearly all lines. */
export function isHeaderAt(lines: readonly string[], at: number): boolean {
  const line = lines[at] as string;
  const first = line.charCodeAt(0);
  if (first === 0x64 /* d */) {
    return line.startsWith("diff --git ") || isCombinedHeader(line);
  }
  return first === 0x2d /* - */ && line.startsWith("--- ") &&
    (lines[at + 1]?.startsWith("+++ ") ?? false) && (lines[at + 2]?.startsWith("@@ -") ?? false);
}

/** Whether a line opens a merge's diff (`diff --cc`, `diff --combined`). */
export function isCombinedHeader(line: string): boolean {
  return line.startsWith("diff --cc ") || line.startsWith("diff --combined ");
}

/**
 * Reads the header at line `at`, where `isHeaderAt` holds.
 *
 * @param floor Index of the first line that no earlier file has taken
 */
export function readHeader(lines: readonly string[], at: number, floor: number): Header {
  const line = lines[at] as string;
  if (line.startsWith("--- ")) return readPlain(lines, at, floor);
  return isCombinedHeader(line) ? readCombined(lines, at) : readGit(lines, at);
}

function readPlain(lines: readonly string[], at: number, floor: number): Header {
  let from = at;
  while (from > floor && at - from < MAX_FOREIGN_LINES && FOREIGN.test(lines[from - 1] as string)) from--;
  const next = at + 2;
  let { oldPath, newPath } = stripPrefixes(
    headerName(lines[at] as string),
    headerName(lines[at + 1] as string),
  );
  const first = lines[next] as string;
  if (oldPath !== null && newPath !== null) {
    // diff(1) knows no renames: `x.c.orig` and `x.c` are one file, git takes the shorter name.
    const name: string = newPath.startsWith(oldPath) ? oldPath : newPath;
    oldPath = /^@@ -0,0 /.test(first) ? null : name;
    newPath = oldPath !== null && /^@@ -[0-9,]+ \+0,0 /.test(first) ? null : name;
  }
  return finish({
    lines: lines.slice(from, next),
    from,
    next,
    oldPath,
    newPath,
    oldBlob: null,
    newBlob: null,
  }, []);
}

function readCombined(lines: readonly string[], at: number): Header {
  const opening = lines[at] as string;
  let path = opening.slice(opening.indexOf(" ", 5) + 1).trimEnd();
  let next = at + 1;
  while (next < lines.length && EXTENDED.test(lines[next] as string)) next++;
  if (lines[next]?.startsWith("--- ") && lines[next + 1]?.startsWith("+++ ")) {
    const named = stripPrefixes(headerName(lines[next] as string), headerName(lines[next + 1] as string));
    path = named.newPath ?? named.oldPath ?? path;
    next += 2;
  }
  const header = { lines: lines.slice(at, next), from: at, next, oldPath: path, newPath: path };
  const defect: Defect = {
    damage: "combined-diff",
    bodyNo: at + 1,
    reason: "combined diff of a merge: not judged",
  };
  return { ...finish({ ...header, oldBlob: null, newBlob: null }, [defect]), status: "combined" };
}

function readGit(lines: readonly string[], at: number): Header {
  const defects: Defect[] = [];
  let names = gitNames(lines[at] as string);
  let renamed: "renamed" | "copied" | null = null;
  let created = false, deleted = false, modeChanged = false, isBinary = false;
  let from: string | null = null, to: string | null = null;
  let oldBlob: string | null = null, newBlob: string | null = null;
  let next = at + 1;
  for (; next < lines.length; next++) {
    const line = lines[next] as string;
    if (line.startsWith("--- ") && lines[next + 1]?.startsWith("+++ ")) {
      names = { old: headerName(line), new: headerName(lines[next + 1] as string) };
      next += 2;
      break;
    }
    if (line.startsWith("@@ -")) break;
    if (line.startsWith("GIT binary patch") || line.startsWith("Binary files ")) {
      isBinary = true;
      break;
    }
    if (!EXTENDED.test(line)) {
      if (!hasStrayLines(lines, next)) break;
      const isWrapped = next === at + 1 && line.startsWith("b/");
      defects.push({
        damage: isWrapped ? "wrapped-lines" : "bad-header",
        bodyNo: next + 1,
        reason: isWrapped ? "diff --git line wrapped" : "file header holds a line that is no part of it",
      });
      continue;
    }
    if (line.startsWith("index ")) {
      const blobs = INDEX.exec(line);
      oldBlob = blobs?.[1] ?? null;
      newBlob = blobs?.[2] ?? null;
    } else if (line.startsWith("new file ")) created = true;
    else if (line.startsWith("deleted file ")) deleted = true;
    else if (line.startsWith("old mode ") || line.startsWith("new mode ")) modeChanged = true;
    else if (line.startsWith("rename ") || line.startsWith("copy ")) {
      renamed = line.startsWith("rename ") ? "renamed" : "copied";
      const name = namedPath(line.slice(line.indexOf(" ", renamed === "renamed" ? 7 : 5) + 1));
      if (/^(?:rename|copy) (?:from|old) /.test(line)) from = name;
      else to = name;
    }
  }
  const paths = names === null ? { oldPath: null, newPath: null } : stripPrefixes(names.old, names.new);
  let oldPath = from ?? paths.oldPath;
  let newPath = to ?? paths.newPath;
  created ||= oldPath === null && newPath !== null;
  deleted ||= newPath === null && oldPath !== null;
  if (created) oldPath = null;
  if (deleted) newPath = null;
  const header = { lines: lines.slice(at, next), from: at, next, oldPath, newPath, oldBlob, newBlob };
  const status = isBinary
    ? "binary"
    : renamed ?? (created ? "created" : deleted ? "deleted" : modeChanged ? "mode" : "modified");
  return { ...finish(header, defects), status };
}

/** Whether the unknown line at `at` is dirt inside a header (a wrapped line, say) rather than its end. */
function hasStrayLines(lines: readonly string[], at: number): boolean {
  for (let i = at; i <= at + MAX_STRAY_LINES; i++) {
    const line = lines[i];
    if (line === undefined || line === "" || line.startsWith("diff --git ")) return false;
    if (i > at && (EXTENDED.test(line) || (line.startsWith("--- ") && lines[i + 1]?.startsWith("+++ ")))) {
      return true;
    }
  }
  return false;
}

function namedPath(text: string): string {
  const name = text.trimEnd();
  return name[0] === '"' ? headerName(`--- ${name}`) : name;
}

function finish(
  header: Omit<Header, "status" | "refused" | "defects">,
  defects: readonly Defect[],
): Header {
  const { oldPath, newPath } = header;
  const bodyNo = header.from + 1;
  const refusal: Defect[] = [];
  if (oldPath === null && newPath === null) {
    refusal.push({ damage: "bad-header", bodyNo, reason: "file header names no file: left out" });
  } else if ([oldPath, newPath].some((path) => path !== null && isHostilePath(path))) {
    refusal.push({ damage: "hostile-path", bodyNo, reason: "path leads outside the tree: file is left out" });
  }
  const status = oldPath === null ? "created" : newPath === null ? "deleted" : "modified";
  return { ...header, status, refused: refusal.length > 0, defects: [...defects, ...refusal] };
}
