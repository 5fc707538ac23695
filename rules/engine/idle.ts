/**
 * What of a file nobody will ask about, by its text: most of what there would be to parse. Kernel coding style
 * (column 0 opens and closes definitions) tells where one ends. Knows no kernel function by name. Pure.
 *
 * @module
 */

import { stripComments } from "./soften.ts";

/** What of a file anybody will ask about; the rest may be left blank. */
export interface Selection {
  /** Whether a function with this text is wanted. */
  readonly matters: (text: string) => boolean;
  /** Whether it is of interest, and so wanted where it calls one that is, or is called by one. */
  readonly concerns: (text: string) => boolean;
  /**
   * The file is read for the sake of others: what calls a function in it is not its business, its structs are kept as
   * texts for whoever asks for one, and nobody needs its prototypes.
   */
  readonly isReference: boolean;
}

/** Lines of which some were left blank. */
export interface Thinned {
  readonly lines: readonly string[];
  /** Texts of the structs that are blank now. */
  readonly structs: readonly string[];
}

/** What stands beside a row for whoever asks whether it matters: what a patch took away from there. */
export type Beside = (from: number, end: number) => string;

/** A helper shorter than this is kept for the sake of the functions that call it. */
const MAX_HELPER_TEXT = 600;
const CALL = /\b([A-Za-z_]\w*)\s*\(/g;
const ENUM = /^enum\b[^;=()]*\{?\s*$/;
const STRUCT = /^(?:typedef\s+)?(?:struct|union)\b[^;=()]*\{\s*$/;
const ARRAY = /^\S.*\]\s*=\s*\{\s*$/;
const ONE_LINE_HEAD = /^\S.*\)\s*\{$/;
const DECLARATION = /^\S.*;\s*$/;

/** A definition: its rows from `from` to before `end`; its brace opens in row `open`. */
interface Definition {
  readonly from: number;
  readonly open: number;
  readonly end: number;
}

/** Functions, and what else ends with a brace at column 0: of those `open` is -1. */
function* definitions(lines: readonly string[]): Generator<Definition> {
  let from = 0;
  let open = -1;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const first = line[0] ?? " ";
    // Most lines are indented or empty, and tell nothing.
    if (first === "\t" || first === " ") continue;
    if (first === "}") {
      yield { from, open, end: i + 1 };
      from = i + 1;
      open = -1;
    } else if (first === "{" || ONE_LINE_HEAD.test(line)) {
      if (open === -1) open = i;
      // Declarations between definitions belong to nobody's body.
    } else if (open === -1 && DECLARATION.test(line)) from = i + 1;
  }
}

/** `foo` of `static int foo(struct bar *b,`: what tells whether two hunks lie in one function. */
export const headingName = (section: string): string => /([A-Za-z_]\w*)\s*\(/.exec(section)?.[1] ?? section;

const OPENED = /\b(?:struct|union)\s+(\w+)[^;=(){}]*\{/g;

/** The names of the structs and unions that a text defines, of those within them, too. */
export const structsIn = (text: string): readonly string[] =>
  Array.from(text.matchAll(OPENED), ([, name]) => name!);

/** A function with all that is asked of it. */
interface Candidate extends Definition {
  readonly name: string;
  /** With what stands between it and the definition above. */
  readonly text: string;
  /** Characters of the function itself. */
  readonly size: number;
}

/**
 * The functions that nobody will ask about: those that do not matter, are not tied to one that does, and are no small
 * helpers of one.
 */
function idleOf(
  functions: readonly Candidate[],
  { matters, concerns, isReference }: Selection,
): readonly Candidate[] {
  let [wanted, idle] = parted(functions, ({ text }) => matters(text));
  const names = wanted.map(({ name }) => name).filter((name) => /^\w+$/.test(name));
  const isNarrow = matters !== concerns;
  if (isNarrow && !isReference && names.length > 0) {
    const calls = new RegExp(`\\b(?:${names.join("|")})\\s*\\(`);
    const [callers, rest] = parted(idle, ({ text }) => calls.test(text) && concerns(text));
    [wanted, idle] = [[...wanted, ...callers], rest];
  }
  const called = new Set<string>();
  while (wanted.length > 0) {
    for (const { text } of wanted) for (const [, name] of text.matchAll(CALL)) called.add(name!);
    [wanted, idle] = isNarrow
      ? parted(idle, ({ name, text }) => called.has(name) && concerns(text))
      : [[], idle];
  }
  return idle.filter(({ name, size }) => size >= MAX_HELPER_TEXT || !called.has(name));
}

/** Those for which it is true, and the others. */
function parted<Value>(values: readonly Value[], is: (value: Value) => boolean): [Value[], Value[]] {
  const [yes, no]: [Value[], Value[]] = [[], []];
  for (const value of values) (is(value) ? yes : no).push(value);
  return [yes, no];
}

/** The functions of a source, as they are written. */
export function functionsIn(source: string): readonly { readonly name: string; readonly text: string }[] {
  const lines = source.split("\n");
  return Array.from(definitions(lines)).filter(({ open }) => open !== -1).map(({ from, open, end }) => ({
    name: nameAt(lines, headRow(lines, from, open), open),
    text: lines.slice(from, end).join("\n"),
  }));
}

const nameAt = (lines: readonly string[], head: number, open: number) =>
  headingName(stripComments(lines.slice(head, open + 1).join("\n")));

/**
 * Blanks most idle functions of a whole file before anybody looks for its comments: those that stand in the file just
 * as they stand in the code. Comments count as code here, so one function too many may be kept.
 */
export function withoutPlainIdle(
  lines: readonly string[],
  selection: Selection,
  beside: Beside,
): readonly string[] {
  const functions: Candidate[] = [];
  for (const { from, open, end } of definitions(lines)) {
    if (open === -1) continue;
    const head = headRow(lines, from, open);
    const own = lines.slice(head, end).join("\n");
    const text = `${lines.slice(from, head).join("\n")}\n${own}${beside(from, end)}`;
    functions.push({ from, open, end, name: nameAt(lines, head, open), text, size: own.length });
  }
  const out = [...lines];
  for (const { from, open, end } of idleOf(functions, selection)) {
    const head = headRow(lines, from, open);
    if (!isPlain(lines.slice(head, end).join("\n"))) continue;
    out.fill("", head, end);
    // A macro in front of it, `DEVICE_ATTR_RO(foo)` or one of several lines, would be read with whatever comes next.
    for (let row = from; row < head; row++) {
      if (!/^\s*#|\/\*|\*\//.test(lines[row]!) || /^\s*#\s*define\b.*\\$/.test(lines[row]!)) out[row] = "";
    }
  }
  return out;
}

/** The first row of the head of a function whose brace is in row `open`. */
function headRow(lines: readonly string[], from: number, open: number): number {
  let head = open;
  while (head > from && !ABOVE_HEAD.test(lines[head - 1]!)) head--;
  return head;
}

/** A row that belongs to no head: empty, preprocessor, the end of a comment or of a statement. */
const ABOVE_HEAD = /^\s*$|^\s*#|^\s*\/?\*.*\*\/\s*$|[;}]\s*$/;

/** Whether the text from head to closing brace is a function and nothing else, with each comment in it whole. */
function isPlain(text: string): boolean {
  if (!/^[A-Za-z_]/.test(text) || /^\s*#|\\$/m.test(text)) return false;
  const opened = text.indexOf("/*");
  const closed = text.indexOf("*/");
  if (opened === -1 && closed === -1) return true;
  return opened !== -1 && opened < closed && text.lastIndexOf("/*") < text.lastIndexOf("*/");
}

/**
 * Blanks what nobody will ask about, in lines without comments and preprocessor lines: functions, structs, tables of
 * numbers, enums.
 *
 * @param beside What a patch took away from some rows: it counts as theirs
 */
export function withoutIdle(lines: readonly string[], selection: Selection, beside: Beside): Thinned {
  const kept = [...lines];
  const structs: string[] = [];
  const functions: Candidate[] = [];
  for (const { from, open, end } of definitions(lines)) {
    const textOf = () => lines.slice(from, end).join("\n") + beside(from, end);
    if (open !== -1) {
      const text = textOf();
      const name = headingName(text.slice(0, text.indexOf("{")));
      functions.push({ from, open, end, name, text, size: text.trim().length });
      continue;
    }
    const first = firstOf(lines, from);
    const head = lines[first] ?? "";
    // Numbers with names: hardware headers hold thousands of them, and nobody asks.
    if (ENUM.test(head)) kept.fill("", from, end);
    else if (selection.isReference && STRUCT.test(head)) {
      kept.fill("", first, end);
      structs.push(textOf());
    } else {
      let table = first;
      while (table < end && !ARRAY.test(lines[table]!)) table++;
      // Its declaration stays: somebody may ask for its type.
      if (table < end - 1 && !selection.concerns(textOf())) kept.fill("", table + 1, end - 1);
    }
  }
  for (const { from, end } of idleOf(functions, selection)) kept.fill("", from, end);
  const thinned = selection.isReference ? kept.join("\n").replace(PROTOTYPE, blankLines).split("\n") : kept;
  return { lines: thinned, structs };
}

// A label may stand at column 0, too.
const PROTOTYPE = /^[A-Za-z_][^;:{}=()]*\([^;:{}=]*\)[^;:{}=()]*;/gm;
const blankLines = (text: string) => text.replace(/[^\n]+/g, "");

/** The first line from `from` on that is not blank. */
function firstOf(lines: readonly string[], from: number): number {
  let i = from;
  while (i < lines.length && lines[i]!.trim() === "") i++;
  return i;
}
