/**
 * Whether a file says something anywhere: asked once per file and pattern, however many functions want to know.
 *
 * @module
 */

import type { SourceFile } from "../engine/source.ts";

const asked = new WeakMap<SourceFile, Map<RegExp, boolean>>();

/**
 * Whether the pattern is found in what the patch shows of the file.
 *
 * @param pattern A constant without the flags g and y
 */
export function mentioned(file: SourceFile, pattern: RegExp): boolean {
  let answers = asked.get(file);
  if (answers === undefined) asked.set(file, answers = new Map());
  let answer = answers.get(pattern);
  if (answer === undefined) answers.set(pattern, answer = pattern.test(file.text));
  return answer;
}
