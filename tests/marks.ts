/**
 * Holds findings against the marks of an example or a fixture. What each mark means: rules/engine/marks.ts.
 *
 * @module
 */

import { cutMarks, type Mark } from "../rules/engine/marks.ts";
import type { Finding } from "../rules/engine/types.ts";

/** A patch with its marks cut off. */
export interface Marked {
  readonly text: string;
  /** 1-based line of the mail's body to the marks that stood there. */
  readonly marks: ReadonlyMap<number, readonly Mark[]>;
}

/** Cuts the marks off a patch file. Lines are counted from the first line behind the mail's head, if it has one. */
export function readMarks(file: string): Marked {
  const lines = file.split("\n");
  const headLines = /^(?:From |[\w-]+: )/.test(file) ? lines.indexOf("") + 1 : 0;
  const marks = new Map<number, readonly Mark[]>();
  const text = lines.map((line, at) => {
    const cut = cutMarks(line);
    if (cut.marks.length > 0) marks.set(at + 1 - headLines, cut.marks);
    return cut.text;
  }).join("\n");
  return { text, marks };
}

/** What does not fit, one sentence each; empty when every finding and every mark found its partner. */
export function mismatches(ruleId: string, findings: readonly Finding[], marks: Marked["marks"]): string[] {
  const wrong: string[] = [];
  const left = new Map<string, number>();
  const placeOf = (line: number, rule: string, key: string) => `line ${line}: ${rule}.${key}`;
  for (const { rule, key, at } of findings) {
    const place = placeOf(at.bodyNo ?? -at.line, rule, key);
    left.set(place, (left.get(place) ?? 0) + 1);
  }
  const take = (place: string) => {
    const count = left.get(place) ?? 0;
    if (count > 0) left.set(place, count - 1);
    return count > 0;
  };
  for (const [line, ofLine] of marks) {
    for (const { kind, rule, key } of ofLine) {
      const place = placeOf(line, rule ?? ruleId, key);
      if (kind === "want" && !take(place)) wrong.push(`${place} is wanted and not found`);
      if (kind === "noise" && !take(place)) wrong.push(`${place} is cured: take the noise mark off`);
      if (kind === "miss" && take(place)) wrong.push(`${place} is found now: make the miss mark a want mark`);
      if (kind === "ok" && take(place)) wrong.push(`${place} is marked ok and found`);
    }
  }
  for (const [place, count] of left) if (count > 0) wrong.push(`${place} is found and not marked`);
  return wrong;
}

/** The rules that the marks speak of, besides the one that owns them. */
export function markedRules(marks: Marked["marks"]): Set<string> {
  const ids = [...marks.values()].flat().map(({ rule }) => rule).filter((rule) => rule !== null);
  return new Set(ids);
}
