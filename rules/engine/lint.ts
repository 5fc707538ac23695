/**
 * Patch × rules → report. The only loop over rules: both sides of the patch are judged, and only what the new side
 * has and the old side has not is a finding. Knows no rule and no kernel API by name. Pure, apart from loading
 * the grammar once.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Interest, Version } from "../kernel/types.ts";
import type { Stand } from "../model/stand.ts";
import { compare } from "./version.ts";
import { type At, HOLE, walkStmt } from "./ast.ts";
import { createUse, type Side, type Use } from "./fact.ts";
import { type Draft, fillMessage, type Rule } from "./rule.ts";
import type { Selection } from "./idle.ts";
import { type FunctionView, readSource, type SourceFile } from "./source.ts";
import { type RuleNamed, suppress } from "./suppress.ts";
import { type CParser, type GrammarBytes, loadC } from "./syntax.ts";
import type { Confidence, Evidence, Fault, FileDiff, Finding, Patch, Report, Unseen } from "./types.ts";

/** How to lint. */
export interface LinterOptions {
  readonly rules: readonly Rule[];
  /** What the rules could have anything to say of. */
  readonly interest: Interest;
  /** Reads the grammar; called once, when the first hunk needs it. */
  readonly load: () => Promise<GrammarBytes>;
  /** The kernel that the patches are for; the newest that the tables know unless told. */
  readonly kernel?: Version | null;
  /** The operation that a message of a rule is about; callee is what fills `{callee}` in it. */
  readonly standFor?: (rule: string, key: string, callee: string | null) => Stand | null;
  /** Findings below it are dropped; `low` unless told. */
  readonly minConfidence?: Confidence;
  /** The id of the rule that a comment in the code names, null when there is none; one of `rules` unless told. */
  readonly ruleNamed?: RuleNamed;
}

/** What is known of a patch beyond its own lines. */
export interface Surroundings {
  /** The patch's files as they are judged: with all their lines where those are known. */
  readonly files: readonly FileDiff[];
  /** Findings of earlier patches of the series that are still there, if this patch does not repair them. */
  readonly open: readonly Finding[];
  /** Files that those of a side refer to, to be read and not judged. */
  context(files: readonly SourceFile[], side: "new" | "old", read: ReadFile): readonly SourceFile[];
}

/** Parses one side of a file: of its functions and structs those selected; the functions of interest unless told. */
export type ReadFile = (file: FileDiff, side: "new" | "old", selection?: Selection) => SourceFile | null;

/** Lints patches one after another. */
export interface Linter {
  /**
   * Never throws for what the patch holds; a rule that throws is a fault in the report.
   *
   * @param around What is known beyond the patch's lines; nothing unless told
   */
  lint(patch: Patch, around?: Surroundings): Promise<Report>;
}

const RANK: Readonly<Record<Confidence, number>> = { low: 0, medium: 1, high: 2 };
const C_FILE = /\.(?:c|h|cc|cpp|hpp|inc)$/;

/** A draft with everything that is needed to compare it with the other side's. */
interface Judged {
  readonly rule: Rule;
  readonly draft: Draft;
  readonly file: SourceFile;
  readonly fn: FunctionView | null;
  readonly subject: string;
}

/** Makes a linter. */
export function createLinter(options: LinterOptions): Linter {
  const kernel = options.kernel ?? null;
  const rules = options.rules.filter((rule) => appliesTo(rule, kernel));
  const minRank = RANK[options.minConfidence ?? "low"];
  const { direct, caller } = options.interest;
  const ofInterest: Selection = { matters: direct, concerns: caller, isReference: false };
  const ruleNamed = options.ruleNamed ??
    ((name) => options.rules.find(({ id, code }) => name === id || name === code)?.id ?? null);
  let parser: CParser | null = null;
  const changes = (file: FileDiff, matters: (code: string) => boolean) =>
    file.hunks.some((hunk) => hunk.lines.some((line) => matters(line.text)));
  const matters = (file: FileDiff) =>
    changes(file, direct) ||
    // What is called may be in lines that the patch does not show.
    (file.all !== null && caller !== direct && changes(file, caller) &&
      file.all.some((line) => direct(line.text)));

  return {
    async lint(patch, around = { files: patch.files, open: [], context: () => [] }) {
      const unseen: Unseen[] = notRead(patch);
      const faults: Fault[] = [];
      const { files, open } = around;
      const isOpenIn = (file: FileDiff) => open.some(({ at }) => at.path === file.oldPath);
      const code = files.filter((file) => isCode(file) && (matters(file) || isOpenIn(file)));
      let findings: Finding[] = [];
      let repaired: readonly Finding[] = [];
      if (code.length > 0) {
        const c = parser ??= await loadC(await options.load());
        const read: ReadFile = (file, side, selection = ofInterest) => readSource(file, side, c, selection);
        const sideOf = (which: "new" | "old"): Side => {
          const sources = code.map((file) => read(file, which)).filter((file) => file !== null);
          return {
            side: which,
            files: sources,
            context: around.context(sources, which, read),
            kernel,
          };
        };
        const side = sideOf("new");
        for (const file of side.files) unseen.push(...notUnderstood(file, direct));
        const use = createUse(side);
        const after = judge(use, rules, faults, caller);
        for (const [fn, reason] of use.givenUp) {
          unseen.push({ what: `${fn.file.path}: ${fn.name}()`, reason });
        }
        const atStake = open.filter(({ at }) => code.some((file) => file.oldPath === at.path));
        // Most patches have nothing to answer for; the old side is read only for those that have.
        if (after.length > 0 || atStake.length > 0) {
          const before = judge(createUse(sideOf("old")), rules, faults, caller);
          findings = introduced(after, before)
            .filter(isOfPatch)
            .sort((a, b) => a.draft.at.start - b.draft.at.start)
            .map((judged) => toFinding(judged, options.standFor?.(...messageOf(judged)) ?? null))
            .filter((finding) => RANK[finding.confidence] >= minRank)
            .filter(unique())
            .map(withFingerprint());
          repaired = gone(atStake, before, after);
        }
      }
      findings.sort((a, b) =>
        patch.files.findIndex((file) => file.newPath === a.at.path) -
          patch.files.findIndex((file) => file.newPath === b.at.path) ||
        a.at.line - b.at.line ||
        a.rule.localeCompare(b.rule)
      );
      for (const file of patch.files) {
        if (isOtherCode(file) && matters(file)) {
          unseen.push({ what: file.newPath ?? "", reason: "not C: only C is read" });
        }
      }
      const judged = patch.files.filter((file) => isJudged(file) && !(isOtherCode(file) && matters(file)))
        .reduce((n, file) => n + file.hunks.length, 0);
      const told = suppress(findings, files.filter(isCode), ruleNamed);
      return { patch, ...told, unseen, faults, repaired, mended: [], fixed: [], judged };
    },
  };
}

/** Whether a rule is for this kernel; null is the newest. */
export function appliesTo(rule: Rule, kernel: Version | null): boolean {
  const { since, until } = rule.kernel ?? {};
  if (kernel === null) return until === undefined;
  return (since === undefined || compare(kernel, since) >= 0) &&
    (until === undefined || compare(kernel, until) < 0);
}

const isJudged = (file: FileDiff) => file.status !== "combined" && file.status !== "binary";
/** Code of the kernel in another language: a mistake in it would not be seen. Documents hold none. */
const isOtherCode = (file: FileDiff) =>
  isJudged(file) && !isCode(file) && file.newPath !== null && /\.(?:rs|S|s|[ch]\.in)$/.test(file.newPath);
const isCode = (file: FileDiff) =>
  isJudged(file) && file.newPath !== null &&
  (file.origin !== "diff" || C_FILE.test(file.newPath));

/** The longest function of v6.12 (a register table of habanalabs) has 213,339 characters. */
const MAX_FUNCTION_TEXT = 250_000;
const isTooLong = ({ start, end }: At) => end - start > MAX_FUNCTION_TEXT;

/** What the diff reader could not give us. */
function notRead(patch: Patch): Unseen[] {
  const out: Unseen[] = [];
  for (const file of patch.files) {
    const what = file.newPath ?? file.oldPath ?? "(no path)";
    if (file.status === "combined") {
      out.push({ what, reason: "combined diff of a merge: lines have no one origin" });
    }
    if (file.status === "binary") out.push({ what, reason: "binary: there is nothing to read" });
    for (const hunk of file.hunks) {
      if (!hunk.whole) {
        out.push({ what: `${what}:${hunk.newStart}`, reason: "damaged hunk: judged as far as it is whole" });
      }
    }
  }
  return out;
}

/** Changed lines that matter and that the parser could make nothing of. */
function notUnderstood(file: SourceFile, concerns: (code: string) => boolean): Unseen[] {
  const out: Unseen[] = [];
  if (!file.isParsed) {
    out.push({ what: file.path, reason: "too far from C for the parser to come to an end" });
  }
  for (const at of file.unit.stray) {
    const text = file.text.slice(at.start, at.end);
    // EXPORT_SYMBOL(foo), TRACE_EVENT(foo, …): a macro at file level is a declaration of some kind.
    if (!file.isChanged(at) || !concerns(text) || !/\w\s*\(/.test(text) || /^\s*[A-Z0-9_]+\s*\(/.test(text)) {
      continue;
    }
    if (file.functions.some(({ node }) => node.start <= at.start && at.end <= node.end)) continue;
    out.push({
      what: `${file.path}:${file.spanOf(at).line}`,
      reason: "code that is in no function as far as it is shown",
    });
  }
  for (const fn of file.functions) {
    if (isTooLong(fn.node)) {
      out.push({ what: `${file.path}: ${fn.name}()`, reason: `longer than ${MAX_FUNCTION_TEXT} characters` });
    }
    walkStmt(fn.node.body, {
      stmt: (stmt) => {
        if (stmt.kind !== "hole") return;
        const text = file.text.slice(stmt.start, stmt.end);
        if (text.includes(HOLE) || !file.isChanged(stmt) || !concerns(text)) {
          return;
        }
        out.push({
          what: `${file.path}:${file.spanOf(stmt).line}`,
          reason: "the C parser could make nothing of it",
        });
      },
    });
  }
  return out;
}

function judge(
  use: Use,
  rules: readonly Rule[],
  faults: Fault[],
  concerns: (code: string) => boolean,
): Judged[] {
  const out: Judged[] = [];
  for (const file of use.side.files) {
    // What a patch takes away may be all that was of interest.
    const functions = file.functions.filter(({ node }) => !isTooLong(node)).filter(({ node }) =>
      concerns(file.text.slice(node.start, node.end)) ||
      concerns(file.removedIn(node).map((line) => line.text).join("\n"))
    );
    for (const rule of rules) {
      if (rule.scope === "file") run(rule, file, null, use, out, faults);
      else for (const fn of functions) run(rule, file, fn, use, out, faults);
    }
  }
  return out;
}

function run(
  rule: Rule,
  file: SourceFile,
  fn: FunctionView | null,
  use: Use,
  out: Judged[],
  faults: Fault[],
): void {
  try {
    const drafts = rule.scope === "file" ? rule.check(file, use) : rule.check(fn!, use);
    for (const draft of drafts) {
      out.push({ rule, draft, file, fn, subject: draft.subject ?? file.textOf(draft.at) });
    }
  } catch (error) {
    faults.push({ rule: rule.id, where: `${file.path} ${fn?.name ?? ""}`.trim(), error: error as Error });
  }
}

/** What a mistake is known by: with the function's name, and without it where the code was moved. */
const exact = (j: Judged) => JSON.stringify([j.rule.id, j.draft.say, j.fn?.name ?? "", j.subject]);
const loose = (j: Judged) => JSON.stringify([j.rule.id, j.draft.say, j.subject]);

/** What stands on a line, to the letter; unlike the subject it is the same where less of the function is shown. */
const said = ({ rule, draft, file }: Judged) =>
  JSON.stringify([
    rule.id,
    draft.say,
    file.spanOf(draft.at).text.trim(),
    fillMessage(rule.messages[draft.say]!, draft.with ?? {}),
  ]);

/**
 * Whether the patch has a part in it: it changes the function, or something in the chain of evidence. Of a whole file
 * most functions are none of its business.
 */
const isOfPatch = ({ draft, file, fn }: Judged) =>
  fn === null || fn.touched || file.removedIn(fn.node).length > 0 ||
  (draft.because ?? []).some((link) => (link.file ?? file).isChanged(link.at));

/** The open findings that the old side still has and the new side has not. */
function gone(open: readonly Finding[], before: readonly Judged[], after: readonly Judged[]): Finding[] {
  const key = (f: Finding) => JSON.stringify([f.rule, f.key, f.subject]);
  const left = after.map(loose);
  return open.filter((finding) => {
    if (!before.some((j) => loose(j) === key(finding))) return false;
    const i = left.indexOf(key(finding));
    if (i === -1) return true;
    left.splice(i, 1);
    return false;
  });
}

/** The drafts of the new side that the old side does not have. Moved code is old code, wherever it went. */
function introduced(after: readonly Judged[], before: readonly Judged[]): Judged[] {
  const old = [...before];
  const takeOut = (list: readonly Judged[], key: (j: Judged) => string) => {
    const left: Judged[] = [];
    for (const j of list) {
      const i = old.findIndex((candidate) => key(candidate) === key(j));
      if (i === -1) left.push(j);
      else old.splice(i, 1);
    }
    return left;
  };
  // Of several alike, those on unchanged lines are the old ones.
  const ordered = [...after].sort((a, b) =>
    Number(a.file.isChanged(a.draft.at)) - Number(b.file.isChanged(b.draft.at))
  );
  const left = takeOut(takeOut(ordered, exact), loose);
  const isNew = ({ file, draft }: Judged) => file.isChanged(draft.at);
  return [...left.filter(isNew), ...takeOut(left.filter((j) => !isNew(j)), said)];
}

type Unprinted = Omit<Finding, "fingerprint">;

const messageOf = ({ rule, draft }: Judged) => [rule.id, draft.say, draft.with?.callee ?? null] as const;

function toFinding(judged: Judged, operation: Stand | null): Unprinted {
  const { rule, draft, file, fn } = judged;
  const at = file.spanOf(draft.at);
  const because: Evidence[] = (draft.because ?? []).map((link) => ({
    at: (link.file ?? file).spanOf(link.at as At),
    note: link.note,
  }));
  return {
    rule: rule.id,
    key: draft.say,
    severity: draft.severity ?? rule.severity,
    confidence: draft.confidence ?? rule.confidence,
    at,
    message: fillMessage(rule.messages[draft.say]!, draft.with ?? {}),
    because,
    unless: draft.unless ?? rule.unless,
    wanted: draft.wanted ?? null,
    function: fn?.name ?? "",
    subject: judged.subject,
    since: null,
    ...(operation === null ? {} : { operation }),
  };
}

/**
 * Gives each finding its fingerprint. No line number is in it: the same mistake keeps its fingerprint when the code
 * around it moves. Of several that are alike to the letter, the second is the second.
 */
function withFingerprint(): (finding: Unprinted) => Finding {
  const seen = new Map<string, number>();
  return (finding) => {
    const { rule, key: say, at, subject } = finding;
    const text = at.text.replace(/\s+/g, " ").trim();
    const key = JSON.stringify([rule, say, at.path, finding.function, subject, text]);
    const ordinal = seen.get(key) ?? 0;
    seen.set(key, ordinal + 1);
    const digest = createHash("sha256").update(ordinal === 0 ? key : `${key}#${ordinal}`).digest("hex");
    return { ...finding, fingerprint: digest.slice(0, 20) };
  };
}

/** One report for one mistake: the same rule says the same of a line only once. */
function unique(): (finding: Unprinted) => boolean {
  const seen = new Set<string>();
  return (finding) => {
    const key = JSON.stringify([finding.rule, finding.at.path, finding.at.line, finding.message]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  };
}
