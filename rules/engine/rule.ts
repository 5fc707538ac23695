/**
 * The contract between a rule and the engine. A rule is one value in one file: what it finds, why that is wrong,
 * examples, and a `check` that yields drafts. It reads no diff and no mail, and it prints nothing.
 *
 * @module
 */

import type { Version } from "../kernel/types.ts";
import type { At } from "./ast.ts";
import { type Example, exampleDiff } from "./example.ts";
import type { Use } from "./fact.ts";
import type { Mark } from "./marks.ts";
import type { FunctionView, SourceFile } from "./source.ts";
import type { Confidence, Severity } from "./types.ts";

export type { At, Example, FunctionView, SourceFile, Use };

/** One link in a draft's chain of evidence. */
export interface Because {
  readonly at: At;
  readonly note: string;
  /** The file that `at` points into; the checked function's own unless told. */
  readonly file?: SourceFile;
}

/** One link in a draft's chain of evidence. */
export interface Link {
  readonly at: At;
  readonly note: string;
  /** The file that `at` points into; the draft's own unless told. */
  readonly file?: SourceFile;
}

/** A mistake as the rule sees it. The engine turns it into a finding when the patch introduces it. */
export interface Draft<Key extends string = string> {
  /** The expression or statement that is wrong; should start on a line of the patch. */
  readonly at: At;
  /** Which of the rule's messages. */
  readonly say: Key;
  /** What fills the message's `{name}` placeholders. */
  readonly with?: Readonly<Record<string, string>>;
  /** The chain of evidence, in the order of reading. */
  readonly because?: readonly Because[];
  /** The assumption under which the draft would be wrong; the rule's own unless told. */
  readonly unless?: string;
  /** The code that was probably wanted. */
  readonly wanted?: string;
  /** Overrides the rule's. */
  readonly confidence?: Confidence;
  /** Overrides the rule's. */
  readonly severity?: Severity;
  /**
   * Names what is wrong (the place of the handle and the callee, say): an old-side draft with the same rule, key,
   * function and subject makes this one old news. The text of `at` unless told.
   */
  readonly subject?: string;
}

interface RuleBase<Key extends string> {
  /** Kebab-case; also the stem of the rule's file and page, and the tag of its findings. */
  readonly id: string;
  /** The p2plint version that brought the rule. */
  readonly since: string;
  /** Short name in the catalogue: a letter for the family and two digits. */
  readonly code: string;
  readonly severity: Severity;
  readonly confidence: Confidence;
  /** The family of mistakes: `translation`, `wrong-device`, `unmap-pairing`, … */
  readonly category: string;
  /** What the rule finds, on one line, lower case, no full stop. */
  readonly summary: string;
  /** Why it is a mistake: Markdown paragraphs. */
  readonly why: string;
  /** What the rule does not see. */
  readonly limits: string;
  /** The assumption under which a finding is wrong. */
  readonly unless: string;
  /** Kernel documents, kernel files or Message-IDs that say so. */
  readonly sources: readonly string[];
  /**
   * Texts of which any function that the rule has something to say of holds one, or one that it calls: where only such
   * rules run, other code is not parsed. Left out: all that concerns the tool.
   */
  readonly words?: readonly string[];
  /** The kernels that the rule is for: from `since` on, before `until`. */
  readonly kernel?: { readonly since?: Version; readonly until?: Version };
  /** One sentence each, `{name}` where a draft's `with` goes in; lower case, no full stop. */
  readonly messages: Readonly<Record<Key, string>>;
  /** What must be found; each message is wanted at least once. */
  readonly bad: readonly Example[];
  /** What must be left alone. */
  readonly good: readonly Example[];
}

/** A rule that looks at one function at a time. */
export interface FunctionRule<Key extends string = string> extends RuleBase<Key> {
  readonly scope: "function";
  check(view: FunctionView, use: Use): Iterable<Draft<NoInfer<Key>>>;
}

/** A rule that looks at all that the patch shows of one file. */
export interface FileRule<Key extends string = string> extends RuleBase<Key> {
  readonly scope: "file";
  check(file: SourceFile, use: Use): Iterable<Draft<NoInfer<Key>>>;
}

/** A rule, whatever it looks at. */
export type Rule<Key extends string = string> = FunctionRule<Key> | FileRule<Key>;

const ID = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const CODE = /^[A-Z]\d\d$/;
const RELEASE = /^\d+\.\d+\.\d+$/;
const PLACEHOLDER = /\{([A-Za-z]\w*)\}/g;

/**
 * Declares a rule. A `say` that is no key of `messages` does not compile.
 *
 * @throws {Error} If the metadata or an example does not hold what this file promises: our bug, found at load
 */
export function defineRule<const Key extends string>(rule: Rule<Key>): Rule;
export function defineRule(rule: Rule): Rule {
  const complain = (what: string): never => {
    throw new Error(`Cannot define rule "${rule.id}": ${what}`);
  };
  if (!ID.test(rule.id)) complain("the id is not kebab-case");
  if (!CODE.test(rule.code)) complain(`code "${rule.code}" is not a letter and two digits`);
  if (!RELEASE.test(rule.since)) complain(`since "${rule.since}" is not a version`);
  for (const name of ["category", "summary", "why", "limits", "unless"] as const) {
    if (rule[name].trim() === "") complain(`"${name}" is empty`);
  }
  if (rule.sources.length === 0 || rule.sources.some((source) => source.trim() === "")) {
    complain("it cites no source");
  }
  if (rule.bad.length === 0 || rule.good.length === 0) complain("it needs a bad and a good example");
  const keys = Object.keys(rule.messages);
  if (keys.length === 0) complain("it has no message");
  for (const key of keys) {
    if (rule.messages[key]!.trim() === "") complain(`message "${key}" is empty`);
  }
  const wanted = new Set<string>();
  for (const example of rule.bad) {
    const own = ownMarks(rule, example, complain);
    for (const { kind, key } of own) if (kind === "want") wanted.add(key);
    if (!own.some(({ kind }) => kind === "want" || kind === "miss")) {
      complain(`bad example "${example.title}" wants nothing`);
    }
  }
  for (const example of rule.good) {
    if (ownMarks(rule, example, complain).some(({ kind }) => kind === "want" || kind === "miss")) {
      complain(`good example "${example.title}" wants a finding`);
    }
  }
  for (const key of keys) if (!wanted.has(key)) complain(`no bad example wants "${key}"`);
  return rule;
}

/** The marks of an example that are about the rule itself. */
function ownMarks(rule: Rule, example: Example, complain: (what: string) => never): Mark[] {
  if (example.title.trim() === "") complain("an example has no title");
  const own = [...exampleDiff(example).marks.values()].flat().filter((mark) =>
    mark.rule === null || mark.rule === rule.id
  );
  for (const { key } of own) {
    if (!Object.hasOwn(rule.messages, key)) complain(`example "${example.title}" marks unknown "${key}"`);
  }
  return own;
}

/**
 * Fills the placeholders of a message.
 *
 * @throws {Error} If `values` lacks a placeholder: our bug
 */
export function fillMessage(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(PLACEHOLDER, (_, name: string) => {
    if (!Object.hasOwn(values, name)) throw new Error(`Cannot fill message "${template}": no "${name}"`);
    return values[name]!;
  });
}
