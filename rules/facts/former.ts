/**
 * What stood where the patch put something else: the removed lines around a line that it added. What a call was
 * before it was changed is evidence for what it should be. Text only, of the new side; knows no kernel function.
 *
 * @module
 */

import type { At, Call } from "../engine/ast.ts";
import { endOfLiteral } from "../engine/soften.ts";
import type { SourceFile } from "../engine/source.ts";

type Hunk = SourceFile["diff"]["hunks"][number];
type Line = Hunk["lines"][number];

/** A call that the patch replaced: all of its arguments but one are still the same. */
export interface Former {
  /** Its arguments, white space folded. */
  readonly args: readonly string[];
  /** The position at which they differ; null when only the callee does. */
  readonly index: number | null;
}

/**
 * The removed call that an added call stands for; null when none differs in at most one argument, or when several
 * do in different ones.
 *
 * @param callee The name that the removed call had; the same unless told
 */
export function formerCall(file: SourceFile, call: Call, callee = call.name): Former | null {
  if (!file.takesAway || !file.isChanged(call)) return null;
  const hunk = hunkOf(file, call);
  if (hunk === null) return null;
  const now = call.args.map((arg) => folded(file.textOf(arg)));
  let found: Former | null = null;
  for (const args of removedCalls(hunk, callee)) {
    if (args.length !== now.length) continue;
    const differing = now.flatMap((arg, i) => arg === args[i] ? [] : [i]);
    if (differing.length > 1) continue;
    const index = differing[0] ?? null;
    // The very same call, moved or re-indented.
    if (index === null && callee === call.name) return null;
    if (found !== null && (found.index !== index || found.args.join() !== args.join())) return null;
    found = { args, index };
  }
  return found;
}

/** The hunk that shows the line at which `at` starts; null when it was made up. */
export function hunkOf(file: SourceFile, at: At): Hunk | null {
  const line = file.lineAt(at.start);
  return line === null ? null : file.diff.hunks.find((hunk) => hunk.lines.includes(line)) ?? null;
}

const FAILS =
  /^\s*(?:goto \w+;|return -?[A-Z]\w*(?:\(|;)|return (?:ret|err|rc|error)\w*;|(?:\w+ = -E[A-Z]+;)|(?:dev|pr|pci|netdev|drm|ibdev)_(?:err|warn)\w*\()/;

/**
 * Whether the patch does nothing to a condition but put a `!` in front of it, so that the branch of the failure, which
 * stays, is taken on success.
 */
export function isDenied(at: At, file: SourceFile): boolean {
  const line = file.lineAt(at.start);
  const hunk = hunkOf(file, at);
  if (line?.kind !== "added" || hunk === null) return false;
  const index = hunk.lines.indexOf(line);
  const before = hunk.lines[index - 1];
  if (before?.kind !== "removed" || hunk.lines[index - 2]?.kind === "removed") return false;
  if (before.text.replace(/\bif \((?!!)/, "if (!") !== line.text) return false;
  const branch = hunk.lines.slice(index + 1, index + 5);
  return branch.every(({ kind }) => kind === "context") && branch.some(({ text }) => FAILS.test(text));
}

const joined = new WeakMap<SourceFile, Map<Line["kind"], string>>();

/** All lines of one kind that are shown of the file, one below the other; every function of a file may ask. */
export function linesOf(file: SourceFile, kind: Line["kind"]): string {
  let known = joined.get(file);
  if (known === undefined) joined.set(file, known = new Map());
  let text = known.get(kind);
  if (text === undefined) {
    text = (file.diff.all ?? file.diff.hunks.flatMap((hunk) => hunk.lines)).filter((line) =>
      line.kind === kind
    )
      .map((line) => line.text).join("\n");
    known.set(kind, text);
  }
  return text;
}

/** What the removed lines set `name` to; null when they do not, or not always to the same. */
export function formerValue(file: SourceFile, name: string): string | null {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const values = new Set(
    [...linesOf(file, "removed").matchAll(new RegExp(`(?<![\\w>.])${escaped}\\s*=(?!=)\\s*([^;]+);`, "g"))]
      .map(([, value]) => folded(value!)),
  );
  return values.size === 1 ? [...values][0]! : null;
}

/** The arguments of each call of `callee` that at least one removed line has a part of. */
function removedCalls(hunk: Hunk, callee: string): string[][] {
  const lines = hunk.lines.filter((line) => line.kind !== "added");
  const text = lines.map((line) => line.text).join("\n");
  const out: string[][] = [];
  for (const found of text.matchAll(new RegExp(`\\b${callee}\\s*\\(`, "g"))) {
    const args = argumentsAt(text, found.index + found[0].length);
    if (args === null) continue;
    const first = lineNo(text, found.index);
    const last = lineNo(text, args.end);
    if (lines.slice(first, last + 1).some((line) => line.kind === "removed")) out.push(args.args);
  }
  return out;
}

const lineNo = (text: string, offset: number) => text.slice(0, offset).split("\n").length - 1;

/** The arguments up to the closing parenthesis; null when it is not there. */
export function argumentsAt(text: string, start: number): { args: string[]; end: number } | null {
  const args: string[] = [];
  let depth = 0;
  let from = start;
  for (let i = start; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || c === "'") {
      i = endOfLiteral(text, i);
      continue;
    }
    if (c === ";" || c === "{") return null;
    if (c === "(" || c === "[") depth++;
    else if (c === "," && depth === 0) {
      args.push(folded(text.slice(from, i)));
      from = i + 1;
    } else if (c === ")" || c === "]") {
      if (--depth < 0) {
        args.push(folded(text.slice(from, i)));
        return { args, end: i };
      }
    }
  }
  return null;
}

const folded = (text: string) => text.replace(/\/\*.*?\*\//gs, "").replace(/\s+/g, " ").trim();
