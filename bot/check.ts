/**
 * `check`: inputs → patches → findings → report → exit code. One message at a time: a mailbox of any size takes the
 * memory of its largest message.
 *
 * @module
 */

import type { Prefilter } from "../rules/engine/prefilter.ts";
import type { Rule } from "../rules/engine/rule.ts";
import type { Confidence, Report, Severity } from "../rules/engine/types.ts";
import meta from "../deno.json" with { type: "json" };
import type { Lot } from "../rules/tree/survey.ts";
import type { Repository } from "../rules/tree/tree.ts";
import type { Known } from "./baseline.ts";
import type { Config, FailOn } from "./config.ts";
import type { Gathered, Group } from "./gather.ts";
import { headFrom, interestOf, type Judging, patchFrom, reviewerFor } from "./judge.ts";
import type { KnownFindings } from "./known.ts";
import {
  type Arguments,
  COLOR,
  type CommandModule,
  isColorWanted,
  kernelFrom,
  listOf,
  type Option,
  UsageError,
} from "./options.ts";
import type { CommitSeries } from "./source/commits.ts";
import type { SurveyStart } from "./survey_worker.ts";
import { type Progress, progressOn } from "./progress.ts";
import {
  type BaselineSummary,
  type Format,
  formats,
  type Renderer,
  renderer,
  type Summary,
} from "./render/mod.ts";
import { printable } from "./render/printable.ts";
import { CONFIDENCES, settingsFrom, type Wishes } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS: readonly Option[] = [
  { name: "format", value: "FORMAT", help: formats.join(", "), choices: formats, default: "text" },
  {
    name: "fail-on",
    value: "SEVERITY",
    help: "exit 1 for findings from here on: error, warning, note, never (default: warning)",
    choices: ["error", "warning", "note", "never"],
  },
  {
    name: "min-confidence",
    value: "LEVEL",
    help: "report from here on: high, medium, low (default: medium)",
    choices: ["high", "medium", "low"],
  },
  { name: "rules", value: "A,B", help: "only these rules" },
  { name: "disable", value: "A,B", help: "all but these rules" },
  {
    name: "tree",
    value: "DIR",
    help: "the kernel tree that the patches are for: a git repository or a folder",
  },
  { name: "git", value: "RANGE", help: "the commits of BASE..HEAD as a series, or one commit" },
  { name: "staged", value: null, help: "what is staged in git, for a pre-commit hook" },
  { name: "kernel", value: "X.Y", help: "the kernel that the patch is for (default: the newest)" },
  { name: "config", value: "FILE", help: "the configuration (default: the nearest .p2plint.json upwards)" },
  { name: "no-config", value: null, help: "no configuration file" },
  {
    name: "baseline",
    value: "write|FILE",
    help: "hide the findings that FILE knows, or write those of this run to .p2plint-baseline.json",
  },
  COLOR,
  { name: "quiet", short: "q", value: null, help: "findings only: no defects, no summary, no progress" },
];

/** `p2plint check` */
export const checkCommand: CommandModule = {
  command: {
    name: "check",
    operands: "PATH…",
    summary: "report the mistakes that patches introduce",
    notes: [
      "PATH is a patch, a diff, a mail, an mbox, a C file, a maildir or another folder of these, or - for",
      "standard input; what it is is told from its content. With --tree it may also be a folder or a C file",
      "of the tree, which is judged as it stands. --git and --staged read the repository of --tree, or of the",
      "working directory, through its objects: nothing that is only on the disk counts.",
      "What the command line says wins over the configuration file.",
      "exit code: 0 clean, 1 findings, 2 could not run or nothing could be judged",
    ].join("\n"),
    options: OPTIONS,
    example: "p2plint check --format json fixtures/p2p-export.patch",
  },
  run: check,
};

/** Formats whose readers show findings in the last commit's files. */
const OF_HEAD: readonly Format[] = ["sarif", "github", "checkstyle", "junit"];

/** The kind of input that is a commit. */
const COMMIT = "commit";

/** Higher counts more. */
const RANK: Readonly<Record<FailOn, number>> = { note: 1, warning: 2, error: 3, never: 4 };

/** The options that say how to judge, whatever is judged. */
export const JUDGING: readonly Option[] = OPTIONS.filter(({ name }) =>
  !["format", "git", "staged"].includes(name)
);

/** What to judge besides the paths of the command line, and who is told. */
export interface Telling {
  readonly renderer: Renderer;
  readonly commits: CommitSeries | null;
  /** Has the last word on the reports of the commits. */
  readonly place: (reports: readonly Report[]) => readonly Report[];
}

async function check(args: Arguments, terminal: Terminal): Promise<number> {
  const commits = await commitsAsked(args);
  if (args.operands.length === 0 && commits === null) {
    throw new UsageError("check needs a path, or - for standard input");
  }
  const format = args.values.get("format") as Format;
  const { atHead } = await import("./head_lines.ts");
  const place = OF_HEAD.includes(format) ? atHead : (reports: readonly Report[]) => reports;
  return await checkInto({ renderer: renderer(format), commits, place }, args, terminal);
}

/**
 * Judges and tells.
 *
 * @returns The exit code
 * @throws {UsageError} If the command line makes no sense
 */
export async function checkInto(
  { renderer: format, commits, place }: Telling,
  args: Arguments,
  terminal: Terminal,
): Promise<number> {
  const { values, flags, operands } = args;
  const repository = commits === null ? await repositoryAt(values.get("tree")) : commits.repository;
  const [catalogue, { WORDS }, { appliesTo }, { rulePage }] = await Promise.all([
    import("../rules/mod.ts"),
    import("../rules/kernel/mod.ts"),
    import("../rules/engine/lint.ts"),
    import("../rules/engine/page.ts"),
  ]);
  if (values.has("rules") && listOf(values.get("rules")).length === 0) {
    throw new UsageError("--rules names no rule");
  }
  const config = await configFor(args);
  const settings = settingsFrom(await wishesOf(args), config, catalogue.rules);
  const { kernel, minConfidence } = settings;
  if (settings.rules.length === 0) throw new UsageError("no rule is left to check");
  const rules = settings.rules.filter((rule) => appliesTo(rule, kernel));
  if (rules.length === 0) throw new UsageError("no rule that is left is for this kernel");
  const isLooked = ({ rule, path, confidence }: Known) =>
    CONFIDENCES.indexOf(confidence) >= CONFIDENCES.indexOf(minConfidence) &&
    (rules.some(({ id }) => id === rule)
      ? settings.levelOf(rule, path) !== "off"
      // What this version has no rule for it will never find.
      : !catalogue.rules.some(({ id }) => id === rule));
  const baseline = await baselineFor(args, config, isLooked);
  const quiet = flags.has("quiet");
  const progress = progressOn(terminal, !quiet);
  const run = new Run(format, terminal, progress, config?.name ?? null);
  terminal.out(format.begin({
    tool: { name: meta.name, version: meta.version },
    color: isColorWanted(args, terminal),
    quiet,
    rules: () => rules.map((rule) => ({ ...rule, page: rulePage(rule) })),
  }));
  const judging = { rules, interest: await interestOf(rules), kernel, minConfidence };
  const sift = (report: Report, whole: readonly string[] = []) => {
    const leveled = settings.apply(report);
    return baseline?.sift(leveled, whole) ?? leveled;
  };
  const judge = await judgeOf(judging, repository, (one, report) => run.judge(one, sift(report)));
  const { inputs, isProblem } = await import("./source/files.ts");
  let prefilter: Prefilter | null = null;
  const inTree: string[] = [];
  const outside: string[] = [];
  for (const path of operands) {
    const found = repository === null ? null : await treePathOf(path, values.get("tree")!, repository);
    if (found === null) outside.push(path);
    else inTree.push(found);
  }
  if (inTree.length > 0) {
    const start = {
      tree: values.get("tree")!,
      rules: rules.map(({ id }) => id),
      kernel,
      minConfidence,
    };
    await surveyOf(inTree, start, repository!, ({ folder, paths }, report) => {
      progress.step(folder);
      run.survey(paths.length, sift(report, paths));
    });
  }
  for await (const input of inputs(outside, Deno.stdin.readable)) {
    progress.step(input.input);
    if (isProblem(input)) {
      run.refuse(input.input, input.problem);
      continue;
    }
    // A file that somebody named is read whatever is in it; of a mailbox most messages have nothing for us. Upon a
    // tree every patch counts: the next one applies to what it leaves.
    if (repository === null && input.position !== null && (input.kind === "mail" || input.kind === "diff")) {
      prefilter ??= (await import("../rules/engine/prefilter.ts")).createPrefilter(WORDS);
      if (!prefilter.mayMatter(input.bytes)) {
        run.passOver(input.bytes);
        await judge.pass({ input: input.input, kind: input.kind, patch: await headFrom(input) });
        continue;
      }
    }
    await judge.add({ input: input.input, kind: input.kind, patch: await patchFrom(input) });
  }
  if (commits !== null) {
    await judge.series(
      commits.patches.map((patch) => ({ input: patch.mail.input, kind: COMMIT, patch })),
      place,
    );
  }
  await judge.end();
  const folders = run.couldRun ? { outside, inTree } : { outside: [], inTree: [] };
  return run.end(settings.failOn, await baseline?.end(folders) ?? null);
}

/** The path in the tree that an operand means; null when it is an input of its own. */
async function treePathOf(operand: string, folder: string, { head }: Repository): Promise<string | null> {
  const { isAbsolute, relative, resolve } = await import("@std/path");
  const inside = relative(resolve(folder), resolve(operand));
  const isInside = !inside.startsWith("..") && !isAbsolute(inside);
  // A name in the working directory is what it says; one that is only in the tree means the tree.
  if (!isInside && (isAbsolute(operand) || await isThere(operand))) return null;
  const path = (isInside ? inside : operand).replace(/^(?:\.\/)+|\/+$/g, "").replace(/^\.$/, "");
  const isFolder = path === "" || head.list(path).length > 0 || head.folders(path).length > 0;
  return isFolder || (/\.[ch]$/.test(path) && head.read(path) !== null) ? path : null;
}

const isThere = (path: string) => Deno.stat(path).then(() => true, () => false);

/** Judges what stands in the tree. */
async function surveyOf(
  paths: readonly string[],
  start: SurveyStart,
  { head }: Repository,
  see: (lot: Lot, report: Report) => void,
): Promise<void> {
  const [{ lots }, { survey }, { mailFromText }] = await Promise.all([
    import("../rules/tree/survey.ts"),
    import("./survey.ts"),
    import("../rules/engine/mail.ts"),
  ]);
  const all = function* () {
    for (const path of paths) yield* lots(head, path);
  };
  for await (const { lot, ...answer } of survey(start, all(), navigator.hardwareConcurrency)) {
    see(lot, {
      patch: {
        mail: mailFromText("", { input: lot.folder, position: null }),
        files: [],
        defects: [],
        baseCommit: null,
        changeId: null,
      },
      findings: answer.findings,
      suppressed: answer.suppressed,
      disregarded: answer.disregarded,
      unseen: answer.unseen,
      faults: answer.faults.map(({ rule, where, message }) => ({ rule, where, error: new Error(message) })),
      repaired: [],
      mended: [],
      fixed: [],
      judged: answer.judged,
    });
  }
}

/** Judges what it is given, series by series. */
interface Judge {
  add(one: Gathered): Promise<void>;
  /** Takes note of a message that holds nothing to judge: a series is whole only with all of its patches. */
  pass(one: Gathered): Promise<void>;
  /** Patches that are known to belong together, in order; `place` has the last word on their reports. */
  series(
    members: readonly Gathered[],
    place: (reports: readonly Report[]) => readonly Report[],
  ): Promise<void>;
  end(): Promise<void>;
}

async function judgeOf(
  judging: Judging,
  repository: Repository | null,
  see: (one: Gathered, report: Report) => void,
): Promise<Judge> {
  const [{ Gatherer }, { createHistory }, reviewer] = await Promise.all([
    import("./gather.ts"),
    import("../rules/engine/history.ts"),
    reviewerFor(judging, repository),
  ]);
  const gatherer = new Gatherer();
  const history = createHistory();
  const judge = async (groups: readonly Group[], place = (reports: readonly Report[]) => reports) => {
    for (const { members: all, isComplete } of groups) {
      const read = all.filter(({ isPassedOver }) => isPassedOver !== true);
      if (read.length === 0) continue;
      const members = [...read, ...all.filter(({ isPassedOver }) => isPassedOver === true)];
      const reports = await reviewer.review(members.map(({ patch }) => patch));
      for (const [i, report] of place(history.compare(reports, isComplete)).entries()) {
        if (i >= read.length) continue;
        // A commit without a change has nothing wrong in it; a mail without a diff may be a patch that was lost.
        const isRead = members[i]!.kind === COMMIT && report.patch.defects.length === 0;
        see(members[i]!, isRead ? report : withoutDiff(report) ?? report);
      }
    }
  };
  return {
    add: (one) => judge(gatherer.add(one)),
    pass: (one) => judge(gatherer.add({ ...one, isPassedOver: true })),
    series: (members, place) => judge([{ members, isComplete: true }], place),
    end: () => judge(gatherer.end()),
  };
}

/** The report on a message that holds no diff; null when it holds one. */
function withoutDiff(report: Report): Report | null {
  const { patch } = report;
  if (patch.files.length > 0) return null;
  const reason = patch.defects.length > 0
    ? "no file of it could be read"
    : patch.mail.subject.index === 0
    ? "cover letter: no diff in it"
    : "no diff in it";
  return { ...report, unseen: [{ what: patch.mail.subject.text, reason }] };
}

/** Adds up what was judged while it is printed. */
class Run {
  private inputs = 0;
  private patches = 0;
  private files = 0;
  private hunks = 0;
  private unseen = 0;
  private defects = 0;
  private faults = 0;
  private suppressed = 0;
  private suppressedByPatch = 0;
  private disregarded = 0;
  private passedOver = 0;
  private couldJudge = false;
  couldRun = true;
  private readonly findings: Record<Severity, number> = { error: 0, warning: 0, note: 0 };

  constructor(
    private readonly renderer: Renderer,
    private readonly terminal: Terminal,
    private readonly progress: Progress,
    private readonly config: string | null,
  ) {}

  /** Files of the tree. */
  survey(files: number, report: Report): void {
    this.files += files;
    this.couldJudge = true;
    this.add(report.patch.mail.input, "c-source", report);
  }

  judge({ input, kind }: Pick<Gathered, "input" | "kind">, report: Report): void {
    this.inputs++;
    if (report.patch.files.length > 0) this.patches++;
    const { patch, judged, unseen } = report;
    if (judged > 0 || ((patch.files.length > 0 || kind === COMMIT) && unseen.length === 0)) {
      this.couldJudge = true;
    }
    this.add(input, kind, report);
  }

  private add(input: string, kind: string, report: Report): void {
    this.hunks += report.judged;
    this.unseen += report.unseen.length;
    this.defects += report.patch.defects.length;
    this.faults += report.faults.length;
    for (const { severity } of report.findings) this.findings[severity]++;
    this.suppressed += report.suppressed.length;
    this.suppressedByPatch += report.suppressed.filter(({ byPatch }) => byPatch).length;
    this.disregarded += report.disregarded.length;
    this.print(this.renderer.report({ input, kind, report }));
    for (const { rule, where, error } of report.faults) {
      this.complain(`rule ${rule} failed on ${where} of ${input}: ${error.message}`);
    }
  }

  refuse(input: string, reason: string): void {
    this.inputs++;
    this.unseen++;
    this.couldRun = false;
    this.print(this.renderer.refuse({ input, what: input, reason }));
    this.complain(`${input}: ${reason}`);
  }

  passOver(message: Uint8Array): void {
    this.inputs++;
    this.passedOver++;
    // One message with a diff is enough to have judged something.
    this.couldJudge ||= holdsDiff(message);
  }

  /** Prints the end and gives the exit code. */
  end(failOn: FailOn, baseline: BaselineSummary | null): number {
    const summary: Summary = {
      inputs: this.inputs,
      patches: this.patches,
      files: this.files,
      judged: this.hunks,
      findings: this.findings,
      unseen: this.unseen,
      defects: this.defects,
      faults: this.faults,
      passedOver: this.passedOver,
      passedOverReason: this.passedOver === 0 ? null : "no name in their code that a rule knows",
      config: this.config,
      suppressed: this.suppressed,
      suppressedByPatch: this.suppressedByPatch,
      disregarded: this.disregarded,
      baseline,
    };
    this.print(this.renderer.end(summary));
    if (baseline !== null && baseline.problem !== null) {
      this.couldRun = false;
      this.complain(`${baseline.file}: ${baseline.problem}`);
    }
    const worst = (["error", "warning", "note"] as const).find((severity) => this.findings[severity] > 0);
    if (worst !== undefined && RANK[worst] >= RANK[failOn]) return 1;
    return !this.couldRun || !this.couldJudge ? 2 : 0;
  }

  private print(text: string): void {
    if (text === "") return;
    this.progress.clear();
    this.terminal.out(text);
  }

  private complain(text: string): void {
    this.progress.clear();
    this.terminal.err(`p2plint: ${printable(text)}\n`);
  }
}

/** Whether a message that is not decoded holds something like a diff; what is encoded is never passed over. */
function holdsDiff(message: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(message);
  return text.includes("\n@@ -") || text.includes("\ndiff --git ");
}

/**
 * The configuration file that was named, or the nearest one from the working directory upwards.
 *
 * @throws {UsageError} If it cannot be read, or something in it is not allowed
 */
async function configFor({ values, flags }: Arguments): Promise<Config | null> {
  if (flags.has("no-config")) return null;
  const { findConfig, MAX_CONFIG_BYTES } = await import("./source/config_file.ts");
  const named = values.get("config");
  const found = named === undefined
    ? await findConfig(values.get("tree") ?? ".")
    : { path: named, problem: "" };
  if (found === null) return null;
  const { readTextFile } = await import("./source/text_file.ts");
  const file = found.problem === "" ? await readTextFile(found.path, MAX_CONFIG_BYTES) : found;
  if (!("text" in file)) {
    const hint = named === undefined ? ": name one with --config, or leave it out with --no-config" : "";
    throw new UsageError(`${found.path}: ${file.problem}${hint}`);
  }
  const [{ readConfig }, { ruleNamed }] = await Promise.all([
    import("./config.ts"),
    import("./rules_command.ts"),
  ]);
  return await readConfig(file.text, found.path, async (name) => (await ruleNamed(name)).id);
}

/** @throws {UsageError} If the baseline cannot be read or may not be written */
async function baselineFor(
  { values }: Arguments,
  config: Config | null,
  isLooked: (known: Known) => boolean,
): Promise<KnownFindings | null> {
  const wish = values.get("baseline");
  if (wish === undefined) return null;
  const [{ knownFindings }, { dirname }] = await Promise.all([import("./known.ts"), import("@std/path")]);
  const folder = config === null ? values.get("tree") ?? "." : dirname(config.name);
  return await knownFindings(wish, folder, isLooked);
}

/** @throws {UsageError} If a value is no release, or a name is no rule's */
async function wishesOf({ values }: Arguments): Promise<Wishes> {
  return {
    kernel: kernelFrom(values.get("kernel")),
    minConfidence: (values.get("min-confidence") ?? null) as Confidence | null,
    failOn: (values.get("fail-on") ?? null) as FailOn | null,
    only: await rulesNamed(listOf(values.get("rules"))),
    without: await rulesNamed(listOf(values.get("disable"))),
  };
}

/** @throws {UsageError} If a name is no rule's */
async function rulesNamed(names: readonly string[]): Promise<ReadonlySet<Rule>> {
  if (names.length === 0) return new Set();
  const { ruleNamed } = await import("./rules_command.ts");
  return new Set(await Promise.all(names.map(ruleNamed)));
}

/**
 * The commits that the command line asks for; null when it asks for none.
 *
 * @throws {UsageError} If they cannot be had, or paths are given, too
 */
async function commitsAsked({ values, flags, operands }: Arguments): Promise<CommitSeries | null> {
  const range = values.get("git");
  const isStaged = flags.has("staged");
  if (range === undefined && !isStaged) return null;
  if (range !== undefined && isStaged) throw new UsageError("--git and --staged exclude each other");
  if (operands.length > 0) {
    throw new UsageError(`--${isStaged ? "staged" : "git"} takes no path: ${operands[0]}`);
  }
  const [{ commitsOf, indexNamed, stagedOf }, { TreeError }] = await Promise.all([
    import("./source/commits.ts"),
    import("./source/tree_error.ts"),
  ]);
  const folder = values.get("tree") ?? ".";
  try {
    return isStaged ? stagedOf(folder, indexNamed()) : commitsOf(folder, range!);
  } catch (error) {
    if (error instanceof TreeError) throw new UsageError(error.message);
    throw error;
  }
}

/** @throws {UsageError} If there is no tree at the path */
async function repositoryAt(path: string | undefined): Promise<Repository | null> {
  if (path === undefined) return null;
  const [{ openRepository }, { TreeError }] = await Promise.all([
    import("./source/repository.ts"),
    import("./source/tree_error.ts"),
  ]);
  try {
    return openRepository(path);
  } catch (error) {
    if (error instanceof TreeError) throw new UsageError(error.message);
    throw error;
  }
}
