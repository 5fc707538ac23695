/**
 * What one side of a patched file looks like as code: functions with their holes, structs, and the way back from
 * an offset to the line of the patch. Knows no kernel function by name. Pure.
 *
 * @module
 */

import { type At, type Declarator, type FunctionNode, HOLE, type Stmt, type Unit, walkStmt } from "./ast.ts";
import { frame, isWhole } from "./frame.ts";
import { type Selection, structsIn } from "./idle.ts";
import type { CParser } from "./syntax.ts";
import type { FileDiff, Line, Span } from "./types.ts";

/** An `#include` line of one side. */
export interface Include {
  /** The header between the brackets or quotes: `linux/dma-mapping.h`. */
  readonly header: string;
  /** Where the line stands; its own text is blank there. */
  readonly at: At;
}

/** One side of one file of a patch. */
export interface SourceFile {
  /** The file's path on this side. */
  readonly path: string;
  readonly side: "new" | "old";
  readonly diff: FileDiff;
  /** The framed code; comments are blank, made-up lines hold it together. Offsets of the tree point into it. */
  readonly text: string;
  /** `#include` and one-line `#define` lines of this side. */
  readonly directives: readonly string[];
  /** The structs that are parsed only when somebody asks for one: they are not in the unit. */
  readonly lazyStructs: LazyStructs;
  /** The `#include`s of this side, in the order of the text. */
  readonly includes: readonly Include[];
  readonly unit: Unit;
  /** False: the text is so far from C that the parser gave up; the unit is empty then. */
  readonly isParsed: boolean;
  /**
   * Every line of the file is shown: it is in the tree, or the patch creates it. What is not in such a file is not
   * in the file.
   */
  readonly isWhole: boolean;
  /** New side: the patch removes lines from the file, which removedIn() can give. */
  readonly takesAway: boolean;
  readonly functions: readonly FunctionView[];
  /** The line of the patch at an offset; null where the text was made up. */
  lineAt(offset: number): Line | null;
  /** Where a finding on `at` is reported. `at` should start on a line of the patch. */
  spanOf(at: At): Span;
  /** The code at `at`, white space folded to single blanks. */
  textOf(at: At): string;
  /** The removed lines of the hunks that `at` covers, from its first line, or the change before it, to its last. */
  removedIn(at: At): readonly Line[];
  /** Whether one of the lines that `at` covers is added (new side) or removed (old side). */
  isChanged(at: At): boolean;
}

/** One function on one side. */
export interface FunctionView {
  readonly name: string;
  readonly file: SourceFile;
  readonly node: FunctionNode;
  /** No hole between its braces: everything that it does is in the patch. */
  readonly whole: boolean;
  /** Holds a line that the patch adds or removes. */
  readonly touched: boolean;
  /** Its parameters are the real ones: the head is shown, or the section heading gave it in full. */
  readonly isNamed: boolean;
}

/**
 * Builds one side of a file; null when the side does not exist or shows no line.
 *
 * @param selection What of it is wanted; everything unless told
 */
export function readSource(
  diff: FileDiff,
  side: "new" | "old",
  parser: CParser,
  selection?: Selection,
): SourceFile | null {
  const path = side === "new" ? diff.newPath : diff.oldPath;
  if (path === null || (diff.hunks.length === 0 && diff.all === null)) return null;
  const framed = frame(diff, side, selection);
  if (framed.rows.length === 0) return null;
  const unit = parser.parse(framed.text);
  return new Source(
    path,
    side,
    diff,
    framed.text,
    framed.rows,
    framed.directives,
    new LazyStructs(framed.idleStructs, parser),
    unit ?? NO_UNIT,
    unit !== null,
  );
}

/** The structs of a file that was read for the sake of others. */
export class LazyStructs {
  private readonly fields = new Map<string, readonly Declarator[]>();
  private texts: Map<string, string> | null = null;

  constructor(private readonly all: readonly string[], private readonly parser: CParser) {}

  /** The fields of a struct; null when there is none of this name. Nobody knows where in the file they stand. */
  get(name: string): readonly Declarator[] | null {
    let found = this.fields.get(name);
    if (found === undefined) {
      const text = this.byName().get(name);
      if (text === undefined) return null;
      found = (this.parser.parse(text)?.structs ?? []).filter((struct) => struct.name === name)
        .flatMap(({ fields }) => fields.map((field) => ({ ...field, init: null, start: 0, end: 0 })));
      this.fields.set(name, found);
    }
    return found;
  }

  get names(): Iterable<string> {
    return this.byName().keys();
  }

  /** Whether any of them has a field of this name, going by the text. */
  hasField(name: string): boolean {
    if (name === "") return false;
    const field = new RegExp(`\\b${name}\\s*(?:[;,:[)]|__)`);
    return this.all.some((text) => text.includes(name) && field.test(text));
  }

  private byName(): Map<string, string> {
    if (this.texts === null) {
      this.texts = new Map();
      for (const text of this.all) for (const name of structsIn(text)) this.texts.set(name, text);
    }
    return this.texts;
  }
}

const NO_UNIT: Unit = { functions: [], structs: [], globals: [], stray: [] };

const INCLUDE = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/;

class Source implements SourceFile {
  readonly isWhole: boolean;
  readonly takesAway: boolean;
  readonly functions: readonly FunctionView[];
  readonly includes: readonly Include[];
  private readonly starts: number[] = [0];
  private readonly newNos: Map<Line, number>;

  constructor(
    readonly path: string,
    readonly side: "new" | "old",
    readonly diff: FileDiff,
    readonly text: string,
    private readonly rows: readonly (Line | null)[],
    readonly directives: readonly string[],
    readonly lazyStructs: LazyStructs,
    readonly unit: Unit,
    readonly isParsed: boolean,
  ) {
    for (let i = text.indexOf("\n"); i !== -1; i = text.indexOf("\n", i + 1)) this.starts.push(i + 1);
    this.isWhole = isWhole(diff);
    this.takesAway = side === "new" &&
      diff.hunks.some((hunk) => hunk.lines.some((line) => line.kind === "removed"));
    this.newNos = side === "old" ? newLineNumbers(diff) : new Map();
    this.functions = unit.functions.map((node) => this.view(node));
    this.includes = this.findIncludes();
  }

  private findIncludes(): Include[] {
    // A commented-out line is no directive.
    const headers = new Set(this.directives.map((line) => INCLUDE.exec(line)?.[1]));
    return this.rows.flatMap((line, row) => {
      const header = line === null ? undefined : INCLUDE.exec(line.text)?.[1];
      if (header === undefined || !headers.has(header)) return [];
      const start = this.starts[row]!;
      return [{ header, at: { start, end: start } }];
    });
  }

  private view(node: FunctionNode): FunctionView {
    let whole = !node.params.some((param) => param.name.startsWith(HOLE));
    const see = (stmt: Stmt) => {
      if (stmt.kind === "hole") whole = false;
    };
    walkStmt(node.body, { stmt: see });
    const isNamed = !node.name.startsWith(HOLE);
    return {
      name: isNamed ? node.name : "",
      file: this,
      node,
      whole: whole && isNamed && !this.text.slice(node.start, node.end).includes(HOLE),
      touched: this.isChanged(node),
      isNamed,
    };
  }

  private rowOf(offset: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  lineAt(offset: number): Line | null {
    return this.rows[this.rowOf(offset)] ?? null;
  }

  spanOf(at: At): Span {
    let row = this.rowOf(at.start);
    let column = at.start - this.starts[row]! + 1;
    // Made-up text has no place in the patch: the nearest real line inside the range, else the one before.
    const last = this.rowOf(Math.max(at.start, at.end - 1));
    if (this.rows[row] == null) {
      let real = row;
      while (real <= last && this.rows[real] == null) real++;
      if (this.rows[real] == null) { for (real = row; real > 0 && this.rows[real] == null;) real--; }
      row = real;
      column = 1;
    }
    const line = this.rows[row] ?? null;
    return {
      path: this.diff.newPath ?? this.path,
      line: line === null ? 0 : line.kind === "removed" ? this.newNos.get(line) ?? 0 : line.newNo,
      column,
      side: line?.kind === "removed" ? "old" : "new",
      text: line?.text ?? "",
      bodyNo: line?.bodyNo ?? null,
    };
  }

  textOf(at: At): string {
    return this.text.slice(at.start, at.end).replace(/\s+/g, " ");
  }

  removedIn(at: At): readonly Line[] {
    if (!this.takesAway) return [];
    const last = this.rowOf(Math.max(at.start, at.end - 1));
    const seen = new Set(this.rows.slice(this.rowOf(at.start), last + 1));
    const out: Line[] = [];
    for (const { lines } of this.diff.hunks) {
      let first = lines.findIndex((line) => seen.has(line));
      if (first === -1) continue;
      while (first > 0 && lines[first]!.kind !== "context" && lines[first - 1]!.kind !== "context") first--;
      const end = lines.findLastIndex((line) => seen.has(line));
      out.push(...lines.slice(first, end + 1).filter((line) => line.kind === "removed"));
    }
    return out;
  }

  isChanged(at: At): boolean {
    const last = this.rowOf(Math.max(at.start, at.end - 1));
    for (let row = this.rowOf(at.start); row <= last; row++) {
      const kind = this.rows[row]?.kind;
      if (kind === "added" || kind === "removed") return true;
    }
    return false;
  }
}

/** For each removed line the new-side number of the line that stands where it stood. */
function newLineNumbers(diff: FileDiff): Map<Line, number> {
  const numbers = new Map<Line, number>();
  for (const hunk of diff.hunks) {
    let next = hunk.newStart;
    for (const line of hunk.lines) {
      if (line.kind === "removed") numbers.set(line, next);
      else next = line.newNo + 1;
    }
  }
  return numbers;
}
