/**
 * The marks that close a line of an example or fixture and say what is expected of it. Pure; knows no rule.
 *
 * `want` must be found; `ok` is a deliberate near miss; `miss` and `noise` are known faults of the tool: a finding
 * that does not come yet, and one that should not come. A key may be led by the id of another rule and a dot.
 *
 * @module
 */

/** What is said of a finding on the marked line. */
export type MarkKind = "want" | "ok" | "miss" | "noise";

/** One expectation. */
export interface Mark {
  readonly kind: MarkKind;
  /** The rule that the mark is about; null: the rule that owns the example. */
  readonly rule: string | null;
  /** One of that rule's message keys. */
  readonly key: string;
}

const MARK = /[ \t]*\/\* (want|ok|miss|noise): ([A-Za-z0-9_.-]+(?:, [A-Za-z0-9_.-]+)*) \*\/[ \t]*$/;

/**
 * Takes the marks off a line: the engine sees what an author would send.
 */
export function cutMarks(line: string): { readonly text: string; readonly marks: readonly Mark[] } {
  const marks: Mark[] = [];
  let text = line;
  for (let found = MARK.exec(text); found !== null; found = MARK.exec(text)) {
    text = text.slice(0, found.index);
    for (const name of found[2]!.split(", ")) {
      const dot = name.lastIndexOf(".");
      marks.push({
        kind: found[1] as MarkKind,
        rule: dot === -1 ? null : name.slice(0, dot),
        key: name.slice(dot + 1),
      });
    }
  }
  return { text, marks };
}
