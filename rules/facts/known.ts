/**
 * What the rest of the patch, and the tree around it, says of a function's values: the results of helpers, what other
 * functions put into struct fields. A function sees the helpers of its own file and the global ones of others.
 *
 * @module
 */

import type { FunctionView, SourceFile } from "../engine/source.ts";
import { type Origin, union } from "./origin.ts";

/** What a helper returns, in its own terms: the names of its parameters stand for what the caller passes. */
export interface Result {
  readonly origins: readonly Origin[];
  readonly params: readonly string[];
}

/** What is known beyond one function. */
export interface Known {
  readonly isEmpty: boolean;
  /** What a call of `name` in `file` gives; null when nothing is known, or when several helpers have the name. */
  result(file: SourceFile, name: string): Result | null;
  /**
   * What other functions put into a field.
   *
   * @param struct The struct's name; null when it is not known
   * @param isOwn Whether the struct is the file's own
   */
  field(file: SourceFile, struct: string | null, isOwn: boolean, field: string): readonly Origin[];
}

const NOTHING: readonly Origin[] = [];

/** Collects what functions say. */
export class Gathered implements Known {
  private readonly results = new Map<string, { readonly fn: FunctionView; readonly result: Result }[]>();
  private readonly fields = new Map<string, readonly Origin[]>();

  get isEmpty(): boolean {
    return this.results.size === 0 && this.fields.size === 0;
  }

  addResult(fn: FunctionView, origins: readonly Origin[]): void {
    const list = this.results.get(fn.name) ?? [];
    if (list.some((other) => other.fn.file === fn.file)) return; // the other branch of an #if
    list.push({ fn, result: { origins, params: fn.node.params.map((param) => param.name) } });
    this.results.set(fn.name, list);
  }

  addField(
    file: SourceFile,
    struct: string | null,
    isOwn: boolean,
    field: string,
    origins: readonly Origin[],
  ): void {
    const key = keyOf(file, struct, isOwn, field);
    this.fields.set(key, union(this.fields.get(key) ?? NOTHING, origins));
  }

  result(file: SourceFile, name: string): Result | null {
    return named(this.results.get(name) ?? [], file)?.result ?? null;
  }

  field(file: SourceFile, struct: string | null, isOwn: boolean, field: string): readonly Origin[] {
    return this.fields.get(keyOf(file, struct, isOwn, field)) ?? NOTHING;
  }
}

/** Of functions of one name, the one that a call in `file` means; null when it may be several, or none. */
export function named<Of extends { readonly fn: FunctionView }>(
  list: readonly Of[],
  file: SourceFile,
): Of | null {
  const own = list.find(({ fn }) => fn.file === file) ?? list.find(({ fn }) => fn.file.path === file.path);
  if (own !== undefined) return own;
  const others = list.filter(({ fn }) => !fn.node.isStatic || /\.h$/.test(fn.file.path));
  return others.length === 1 ? others[0]! : null;
}

/** A struct of its own, or of unknown name in a file that is shown whole, is nobody else's business. */
function keyOf(file: SourceFile, struct: string | null, isOwn: boolean, field: string): string {
  const scope = isOwn || (struct === null && file.isWhole) ? `${file.path}:` : "";
  return `${scope}${struct ?? ""}.${field}`;
}
