/**
 * The functions of a file as text, those included that hold nothing of interest and were not parsed: who calls a
 * function, and what it does afterwards. Goes by kernel style, column 0 opens and closes a function. Knows no kernel
 * function by name.
 *
 * @module
 */

import type { Fact } from "../engine/fact.ts";
import type { SourceFile } from "../engine/source.ts";
import { stripComments } from "../engine/soften.ts";

/** One function of a file. */
export interface Outlined {
  readonly name: string;
  readonly isStatic: boolean;
  /** From its opening to its closing brace, without comments. */
  readonly body: string;
}

/** What a file's functions are, and who of them calls whom. */
export interface Outline {
  readonly functions: readonly Outlined[];
  /** The functions that call `name`, once each, with what follows the first call in their text. */
  callersOf(name: string): readonly { readonly caller: Outlined; readonly after: string }[];
  /**
   * Whether nobody else can call it: the whole file is shown, the function is static, and it is mentioned in calls
   * only.
   */
  isPrivate(name: string): boolean;
}

const FUNCTION = /^([A-Za-z_][^;{}#]{0,600}\))\s*\n(\{\n[^]*?\n\}|\{\})/gm;
const NAMED = /\b([A-Za-z_]\w*)\b(\s*\()?/g;

/** Derives it from the lines of the patch. */
export const outline: Fact<Outline, SourceFile> = {
  name: "outline",
  derive(file) {
    const other = file.side === "new" ? "removed" : "added";
    const text = stripComments(
      file.diff.hunks.flatMap((hunk) => [...hunk.lines.filter((line) => line.kind !== other), null])
        .map((line) => line === null ? "\n" : line.text).join("\n"),
    );
    const functions: Outlined[] = [];
    for (const [, head, body] of text.matchAll(FUNCTION)) {
      const name = /(\w+)\s*\(/.exec(head!)?.[1];
      if (name !== undefined) functions.push({ name, isStatic: /\bstatic\b/.test(head!), body: body! });
    }
    const calls = new Map<string, { caller: Outlined; after: string }[]>();
    for (const caller of functions) {
      const seen = new Set<string>();
      for (const found of caller.body.matchAll(NAMED)) {
        const [whole, name, opens] = found;
        if (opens === undefined || seen.has(name!)) continue;
        seen.add(name!);
        const list = calls.get(name!) ?? [];
        list.push({ caller, after: caller.body.slice(found.index + whole.length) });
        calls.set(name!, list);
      }
    }
    const statics = new Set(functions.filter((fn) => fn.isStatic).map((fn) => fn.name));
    const mentioned = new Set(
      [...text.matchAll(NAMED)].filter(([, , opens]) => opens === undefined).map(([, name]) => name!),
    );
    return {
      functions,
      callersOf: (name) => calls.get(name) ?? [],
      isPrivate: (name) => file.isWhole && statics.has(name) && !mentioned.has(name),
    };
  },
};
