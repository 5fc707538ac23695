/**
 * From the hunks of one file to a C text that parses: one side's lines, each hunk framed by its section heading,
 * the lines between hunks standing as visible holes. Kernel coding style (column 0 opens and closes functions)
 * decides what a hunk is cut out of. Knows no kernel function by name. Pure.
 *
 * @module
 */

import { HOLE } from "./ast.ts";
import { type Beside, headingName, type Selection, withoutIdle, withoutPlainIdle } from "./idle.ts";
import { endOfLiteral, stripComments } from "./soften.ts";
import type { FileDiff, Hunk, Line } from "./types.ts";

/** A text made from hunks. Row n of `text` came from `rows[n]`; null rows were made up to hold it together. */
export interface Framed {
  readonly text: string;
  readonly rows: readonly (Line | null)[];
  /** `#include` lines and one-line `#define`s of the side, as written. */
  readonly directives: readonly string[];
  /** The structs that were left blank. */
  readonly idleStructs: readonly string[];
}

const EVERYTHING: Selection = { matters: () => true, concerns: () => true, isReference: false };

interface Piece {
  readonly section: string;
  readonly lines: readonly Line[];
  /** The same lines without comments and preprocessor lines. */
  readonly code: readonly string[];
}

/** Frames one side of a file. */
export function frame(file: FileDiff, side: "new" | "old", selection: Selection = EVERYTHING): Framed {
  const directives: string[] = [];
  const pieces: Piece[] = [];
  const gone = new Map<Line, string>();
  const isComplete = isWhole(file);
  const stretches = file.all === null
    ? file.hunks.map((hunk) => ({ section: sectionOf(hunk), lines: hunk.lines }))
    : [{ section: "", lines: file.all }];
  for (const { section, lines: both } of stretches) {
    if (side === "new") noteRemoved(both, gone);
    const lines = both.filter((line) => line.kind !== (side === "new" ? "removed" : "added"));
    if (lines.length === 0) continue;
    const texts = lines.map((line) => line.text);
    const shown = isComplete ? withoutPlainIdle(texts, selection, besideOf(lines, gone)) : texts;
    pieces.push({ section, lines, code: code(shown, directives) });
  }
  const [whole] = pieces;
  if (whole !== undefined && pieces.length === 1 && isComplete) {
    // Nothing is cut off, and nothing has to be held together.
    return thinned(whole.code, whole.lines, directives, selection, gone);
  }
  const { lines, rows } = join(pieces);
  return thinned(lines, rows, directives, selection, gone);
}

function thinned(
  code: readonly string[],
  rows: readonly (Line | null)[],
  directives: readonly string[],
  selection: Selection,
  gone: ReadonlyMap<Line, string>,
): Framed {
  const { lines, structs } = withoutIdle(code, selection, besideOf(rows, gone));
  return { text: lines.join("\n"), rows, directives, idleStructs: structs };
}

/** What the patch removes from some rows. */
const besideOf = (rows: readonly (Line | null)[], gone: ReadonlyMap<Line, string>): Beside =>
  gone.size === 0
    ? () => ""
    : (from, end) =>
      rows.slice(from, end).map((line) => line === null ? "" : gone.get(line) ?? "").join("\n");

/** Whether every line of the file is shown. */
export const isWhole = ({ origin, status, hunks, all }: FileDiff): boolean =>
  origin === "source" || all !== null ||
  (origin === "diff" && status === "created" && hunks.every((hunk) => hunk.whole));

/** Notes what is removed at the line that follows it, or at the last line. */
function noteRemoved(lines: readonly Line[], gone: Map<Line, string>): void {
  let text = "";
  let last: Line | null = null;
  const note = (line: Line) => {
    if (text !== "") gone.set(line, `${gone.get(line) ?? ""}${text}`);
    text = "";
  };
  for (const line of lines) {
    if (line.kind === "removed") text += `${line.text}\n`;
    else note(last = line);
  }
  if (last !== null) note(last);
}

// git cuts the heading to 80 bytes, mailers may leave a comment or an attribute in it.
const sectionOf = (hunk: Hunk) => stripComments(hunk.section).trim();

const COMMENT_BODY = /^\s* \*(?:$|[ \t/])/;

/** Blanks comments (also those that the piece starts or ends within) and preprocessor lines. */
function code(lines: readonly string[], directives: string[]): string[] {
  let text = lines.join("\n").replace(/[\f\r\v]/g, " ");
  let stripped = stripComments(text);
  // A comment that is closed and not opened began above the piece. In a string, or behind `//`, it is none.
  const close = stripped.indexOf("*/");
  const above = close === -1 ? [] : text.slice(0, close).split("\n").slice(0, -1);
  if (close !== -1 && !above.some((line) => /[;{}]\s*$/.test(line) && !/^\s*\*/.test(line))) {
    text = text.slice(0, close + 2).replace(/[^\n]/g, " ") + text.slice(close + 2);
    stripped = stripComments(text);
  }
  const out = stripped.split("\n");
  for (let i = 0; i < out.length && (COMMENT_BODY.test(out[i]!) || out[i]!.trim() === ""); i++) out[i] = "";
  return conditionals(out, directives);
}

/** A branch of an `#if`: the row of its directive and the row behind its last line. */
interface Branch {
  readonly from: number;
  readonly to: number;
}

const DIRECTIVE = /^\s*#\s*(\w+)/;

/**
 * Preprocessor lines. An `#if` that is shown whole and holds whole statements becomes an `if` on a condition that
 * nothing is known of; anywhere else all branches stay when they balance, or the first one alone.
 */
function conditionals(lines: string[], directives: string[]): string[] {
  const stack: { rows: number[]; first: string }[] = [];
  const out = [...lines];
  const blankRows = (from: number, to: number) => {
    for (let i = from; i < to; i++) out[i] = "";
  };
  for (let i = 0; i < lines.length; i++) {
    const word = DIRECTIVE.exec(lines[i]!)?.[1];
    if (word === undefined) continue;
    let last = i;
    while (/\\\s*$/.test(lines[last]!) && last + 1 < lines.length) last++;
    if (word === "define" && last > i) {
      macro(out, i, last);
      i = last;
      continue;
    }
    if (word === "include" || word === "define") directives.push(lines[i]!.trim());
    blankRows(i, last + 1);
    if (/^if/.test(word)) stack.push({ rows: [i], first: lines[i]! });
    else if (/^el/.test(word)) stack.at(-1)?.rows.push(i);
    else if (word === "endif") {
      const block = stack.pop();
      if (block !== undefined) branches(out, block.rows, i, block.first);
    }
    i = last;
  }
  return out;
}

function branches(out: string[], starts: readonly number[], end: number, first: string): void {
  const all: Branch[] = starts.map((from, i) => ({ from, to: starts[i + 1] ?? end }));
  if (/^\s*#\s*if\s+0\b/.test(first)) {
    const zero = all.shift()!;
    for (let i = zero.from; i < zero.to; i++) out[i] = "";
    if (all.length === 0) return;
  }
  const bodies = all.map((b) => {
    const text = out.slice(b.from + 1, b.to).join("\n");
    const depth = depthOf(text);
    return { text, balances: depth.end === 0 && depth.min >= 0 };
  });
  const isData = placeOf(out, all[0]!.from) === "data";
  let before = all[0]!.from - 1;
  while (before >= 0 && out[before]!.trim() === "") before--;
  const isStatement = (before < 0 || /[;{}:]\s*$/.test(out[before]!)) && !isData &&
    bodies.every(({ text, balances }) =>
      balances && (text.trim() === "" ? before >= 0 && /^[ \t]/.test(out[before]!) : /[;}]\s*$/.test(text)) &&
      !/^\s*(?:case\b|default\s*:|else\b)/.test(text) && /^[ \t]|^$/m.test(text) &&
      !/^[A-Za-z_{}]/m.test(text)
    );
  if (isStatement && all.length === starts.length) {
    // Indented like any statement: a brace at column 0 would end the function.
    all.forEach((b, i) =>
      out[b.from] = `\t${i === 0 ? "" : "} else "}${
        i < all.length - 1 || i === 0 || /#\s*elif/.test(out[b.from]!) ? `if (${HOLE}_CONFIG) {` : "{"
      }`
    );
    out[end] = "\t}";
    return;
  }
  if (
    bodies.every(({ text, balances }) => balances && (/^(?:[A-Za-z_{}]|$)/m.test(text) || isData))
  ) {
    return; // whole definitions at file level, or fields: all of them are code
  }
  for (const b of all.slice(1)) for (let i = b.from; i < b.to; i++) out[i] = "";
}

/**
 * What a row lies in, told by the last line above that starts at column 0: the fields of a struct, the entries of a
 * table, or code, as far as it is shown.
 */
function placeOf(lines: readonly string[], row: number): "data" | "code" {
  for (let i = row - 1; i >= 0; i--) {
    const line = lines[i]!;
    if (!/^[A-Za-z_{}]/.test(line) || /^\w+:/.test(line)) continue;
    return /^(?:(?:typedef|static|const|extern)\s+)*(?:struct|union|enum)\b[^()=;]*\{\s*$|=\s*\{\s*$/.test(
        line,
      )
      ? "data"
      : "code";
  }
  return "code";
}

/** A macro with a body becomes a function, so that its statements are seen. */
function macro(out: string[], from: number, to: number): void {
  for (let i = from; i <= to; i++) out[i] = out[i]!.replace(/\\\s*$/, "");
  const head = /^\s*#\s*define\s+(\w+)\(([^()]*)\)/.exec(out[from]!);
  // The entry of a table, `{ PCI_DEVICE(…), … }`, is no code.
  if (
    head === null ||
    !/;|\bdo\b|^\s*\w+\s*\(/.test(
      [out[from]!.slice(head[0].length), ...out.slice(from + 1, to + 1)].join("\n"),
    )
  ) {
    for (let i = from; i <= to; i++) out[i] = "";
    return;
  }
  out[from] = `void ${head[1]}(${
    head[2]!.split(",").map((name) => name.trim()).filter((name) => /^\w+$/.test(name)).map((name) =>
      `int ${name}`
    ).join(", ")
  }) {${out[from]!.slice(head[0].length)}`;
  out[to] += ";}";
}

/** How braces run through a text: the depth at its end and the lowest on the way, both relative to its start. */
export function depthOf(text: string): { readonly end: number; readonly min: number } {
  let depth = 0;
  let min = 0;
  scan(text, (c) => {
    if (c === "{") depth++;
    else if (c === "}") min = Math.min(min, --depth);
  });
  return { end: depth, min };
}

/** Calls `see` for each character outside of strings and character constants; true stops the walk. */
function scan(text: string, see: (c: string, at: number) => boolean | void): void {
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || c === "'") i = endOfLiteral(text, i);
    else if (see(c, i) === true) return;
  }
}

type Context = "file" | "header" | "inside";

/** What the first line of a piece is cut out of. */
function contextOf(code: readonly string[]): Context {
  let sawIndented = false;
  for (const line of code) {
    if (line.trim() === "") continue;
    if (/^[ \t]/.test(line)) {
      sawIndented = true;
      continue;
    }
    if (line.startsWith("}")) return "inside";
    if (line.startsWith("{")) return "header";
    if (/^\w+\s*:(?!:)/.test(line)) return "inside"; // a label
    // An identifier at column 0 opens a declaration, unless indented code ran up to it without a closing brace.
    return sawIndented && !/;\s*$/.test(line) && depthOf(code.join("\n")).min < 0 ? "inside" : "file";
  }
  return "inside";
}

const isFunctionHeading = (section: string) =>
  /\(/.test(section) && !/=/.test(section) && !/;\s*$/.test(section) &&
  !/^(?:struct|union|enum)\s+\w+\s*\{/.test(section) &&
  !/^#/.test(section);

/** A section heading made into the head of a function: cut parameters are dropped, parentheses closed. */
function heading(section: string): string {
  let text = section.replace(/\{\s*$/, "").trim();
  if (!isFunctionHeading(text)) return `int ${HOLE}_FRAME(void) {`;
  // SYSCALL_DEFINE3(name, …), TRACE_EVENT(…): a macro, its arguments are no parameters.
  let depth = 0;
  let lastComma = -1;
  let closed = -1;
  scan(text, (c, i) => {
    if (c === "(") depth++;
    else if (c === ")" && --depth === 0) closed = i;
    else if (c === "," && depth === 1) lastComma = i;
    return closed !== -1;
  });
  if (closed !== -1) text = text.slice(0, closed + 1);
  else {
    const cut = depth > 1 && lastComma !== -1 ? text.slice(0, lastComma) : text.replace(/,\s*$/, "");
    // A parameter that the heading cuts in the middle of its type would swallow the parenthesis.
    text = /[(,]\s*(?:const|struct|unsigned|enum|union)?\s*$/.test(cut)
      ? `${cut.replace(/(?:const|struct|unsigned|enum|union)?\s*$/, "").replace(/,\s*$/, "")})`
      : `${cut})`;
  }
  const name = text.indexOf("(");
  return `${/\w[\s*]+\w+\s*$/.test(text.slice(0, name)) ? "" : "int "}${text} {`;
}

/** What stands above a piece that starts between the name of a function and its body. */
function cutHeader(piece: Piece): string {
  const isParameters = /^[ \t]+\S/m.test(
    piece.code.slice(0, piece.code.findIndex((line) => line.startsWith("{"))).join("\n"),
  );
  if (!isParameters) return heading(piece.section).replace(/\s*\{$/, "");
  return isFunctionHeading(piece.section) && /,\s*$/.test(piece.section)
    ? `${/^\w+\s*\(/.test(piece.section) ? "int " : ""}${piece.section}`
    : `int ${HOLE}_FRAME(int ${HOLE}_ARG,`;
}

class Text {
  readonly lines: string[] = [];
  readonly rows: (Line | null)[] = [];
  add(text: string, line: Line | null): void {
    this.lines.push(text);
    this.rows.push(line);
  }
}

function join(pieces: readonly Piece[]): Text {
  const out = new Text();
  // What is open at the end of the piece before: the closers that would end it, and the function's name.
  let open: { name: string; depth: number; isFunction: boolean } | null = null;
  const close = (depth: number, isFunction: boolean) => {
    if (depth <= 0) return;
    if (isFunction) out.add(`${HOLE}();`, null);
    // Only the brace that ends the definition stands at column 0.
    if (depth > 1) out.add(`\t${"}".repeat(depth - 1)}`, null);
    out.add(isFunction ? "}" : "};", null);
  };
  for (const piece of pieces) {
    const text = piece.code.join("\n");
    const context = contextOf(piece.code);
    const isInside = context === "inside";
    const continues: boolean = isInside && open !== null && open.isFunction &&
      isFunctionHeading(piece.section) &&
      headingName(piece.section) === open.name;
    let isFunction = true;
    let depth = 0;
    if (continues) {
      // Back to the function's own level, then down to where this piece starts.
      out.add(`${HOLE}();`, null);
      if (open!.depth > 1) out.add(`\t${"}".repeat(open!.depth - 1)}`, null);
      if (open!.depth > 1) out.add(`${HOLE}();`, null);
      depth = 1;
    } else {
      if (open !== null) close(open.depth, open.isFunction);
      if (isInside) {
        isFunction = !isData(piece);
        out.add(isFunction ? heading(piece.section) : dataHeading(piece.section), null);
        if (isFunction) out.add(`${HOLE}();`, null);
        depth = 1;
      } else if (context === "header") out.add(cutHeader(piece), null);
      // The line above, with the type, is cut off.
      else if (/^\s*\w+\s*\([^;{]*\)\s*\n\{/.test(text)) out.add("int", null);
    }
    // A piece that starts between a function's name and its body is of that function as well.
    const name: string = isInside || (context === "header" && isFunctionHeading(piece.section))
      ? headingName(piece.section)
      : "";
    const missing = unopened(piece.code);
    if (missing > 0) {
      for (const opener of openers(piece.code, missing)) out.add(isFunction ? opener : `${HOLE} = {`, null);
      depth += missing;
    }
    const start = isInside && isFunction ? cutStart(text) : null;
    if (start !== null) out.add(start, null);
    else if (isInside && isFunction && startsInBranch(piece.code)) out.add(`if (${HOLE})`, null);
    piece.lines.forEach((line, i) => out.add(piece.code[i]!, line));
    const end = depthOf(text).end + depth;
    if (end > 0 && (isFunction || !isInside)) {
      const tail = cutEnd(text, start);
      if (tail !== "") out.add(tail, null);
    }
    if (end <= 0) open = null;
    else {
      const last = lastOpened(piece.code);
      open = last === null || end !== depthOf(text).end + depth ? { name, depth: end, isFunction } : {
        name: last.name === "" ? name : last.name,
        depth: end,
        isFunction: last.name === "" ? isFunction : last.isFunction,
      };
    }
  }
  if (open !== null) close(open.depth, open.isFunction);
  return out;
}

/** The definition at column 0 that a piece opened last and did not close; name "" when it opened none. */
function lastOpened(code: readonly string[]): { name: string; isFunction: boolean } | null {
  let found: { name: string; isFunction: boolean } | null = { name: "", isFunction: true };
  let head = "";
  for (const line of code) {
    if (line.startsWith("}")) found = { name: "", isFunction: true };
    else if (/^[A-Za-z_]/.test(line) && !/^\w+\s*:(?!:)/.test(line) && !/;\s*$/.test(line)) {
      head = line;
      if (/\{\s*$/.test(line)) {
        found = {
          name: headingName(line),
          isFunction: !/=\s*\{\s*$|^(?:\w+\s+)*(?:struct|union|enum)\s+\w+\s*\{\s*$/.test(line),
        };
      }
    } else if (line.startsWith("{") && head !== "") found = { name: headingName(head), isFunction: true };
  }
  return found;
}

/** Whether a piece lies in a struct, an enum or an initializer, not in code. */
function isData(piece: Piece): boolean {
  const section = piece.section;
  if (/^(?:\w+\s+)*(?:struct|union|enum)\s+\w+\s*\{?\s*$/.test(section) || /=\s*\{?\s*$/.test(section)) {
    // The heading may be of a definition that ended before; code tells.
    return !piece.code.some((line) => /^\s*(?:if|for|while|return|goto|switch)\b/.test(line));
  }
  return false;
}

const dataHeading = (section: string) =>
  /=/.test(section)
    ? `${section.replace(/\{?\s*$/, "")} {`
    : /^(?:\w+\s+)*(?:struct|union|enum)\s+\w+/.test(section)
    ? `${section.replace(/\{?\s*$/, "")} {`
    : `struct ${HOLE} {`;

/** Blocks that the piece closes without opening them; the closing brace of the enclosing function is not counted. */
function unopened(code: readonly string[]): number {
  let depth = 0;
  let missing = 0;
  for (const line of code) {
    let isEnd = false;
    scan(line, (c, i) => {
      if (c === "{") depth++;
      else if (c === "}") {
        if (depth > 0) depth--;
        else if (i === 0) isEnd = true;
        else missing++;
        return isEnd;
      }
      return false;
    });
    if (isEnd) break;
  }
  return missing;
}

/** What may have opened the blocks that a piece closes without opening, outermost first. */
function openers(code: readonly string[], missing: number): string[] {
  const out: string[] = new Array(missing).fill(`if (${HOLE}) {`);
  let depth = 0;
  let level = missing; // the synthetic block that is open innermost
  for (const line of code) {
    if (level > 0 && depth === 0 && /^\s*(?:case\b.*|default\s*):/.test(line)) {
      out[level - 1] = `switch (${HOLE}) {`;
    }
    const doWhile = /^\s*\}\s*while\s*\(.*\)\s*;/.test(line);
    scan(line, (c) => {
      if (c === "{") depth++;
      else if (c === "}") {
        if (depth > 0) depth--;
        else if (level > 0) {
          if (doWhile) out[level - 1] = "do {";
          level--;
        }
      }
    });
  }
  return out;
}

/** The opening of a statement whose head is cut off: what closes the parentheses that the piece closes. */
function cutStart(text: string): string | null {
  let depth = 0;
  let min = 0;
  let at = -1;
  scan(text, (c, i) => {
    if (c === "(") depth++;
    else if (c === ")") {
      depth--;
      if (depth < min) {
        min = depth;
        at = i;
      }
    }
    return (c === ";" && depth <= 0) || c === "{" || c === "}";
  });
  if (min === 0) return null;
  const next = /^\s*(\S)/.exec(text.slice(at + 1))?.[1] ?? ";";
  // `…)` and then a statement or a block: the head of an if. Otherwise a call.
  const isHead = /[{A-Za-z_]/.test(next);
  return isHead ? `if (${`${HOLE}(`.repeat(-min - 1)}` : `${HOLE}(`.repeat(-min);
}

/** Whether the first line is the lone statement of an `if` that is cut off: the next one stands further left. */
function startsInBranch(code: readonly string[]): boolean {
  const lines = code.filter((line) => line.trim() !== "");
  const [first, next] = [lines[0], lines[1]];
  if (first === undefined || next === undefined || !/;\s*$/.test(first) || /^\s*\}/.test(next)) return false;
  const indent = (line: string) => /^[ \t]*/.exec(line)![0].replace(/\t/g, "        ").length;
  return indent(next) < indent(first) && indent(next) > 0 && !/^\s*(?:case\b|default\s*:)/.test(next);
}

/** What completes a statement that the piece's end cuts off. */
function cutEnd(text: string, start: string | null): string {
  let depth = start === null ? 0 : (start.match(/\(/g) ?? []).length;
  scan(text, (c) => {
    if (c === "(") depth++;
    else if (c === ")") depth = Math.max(0, depth - 1);
  });
  const tail = text.trimEnd();
  const last = tail.at(-1) ?? ";";
  if (depth === 0) {
    if (/[;{}]/.test(last)) return "";
    if (/[=+\-*/&|,?<>!~^%]/.test(last)) return `${HOLE};`;
    return ";";
  }
  return `${/[(,]/.test(last) || /[=+\-*/&|?<>!~^%]/.test(last) ? HOLE : ""}${")".repeat(depth)};`;
}
