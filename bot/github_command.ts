/**
 * `github`: a pull request → its commits → findings → a check run, comments at their lines, a summary. The commits are
 * read as data, from a clone or by way of the API; nothing of them is run or checked out.
 *
 * @module
 */

import type { Report } from "../rules/engine/types.ts";
import meta from "../deno.json" with { type: "json" };
import { checkInto, JUDGING } from "./check.ts";
import type { Auth, ClientOptions } from "./github/client.ts";
import { GitHubError, NOT_ACCEPTABLE, type Pull } from "./github/port.ts";
import { type Found, publish, type Published, type Way } from "./github/publish.ts";
import { repositoryNamed, type Target, TargetError, targetNamed, targetOfEvent } from "./github/target.ts";
import { allowedIn, foundIn, notJudgedIn } from "./github/verdict.ts";
import { type Arguments, type CommandModule, UsageError } from "./options.ts";
import { command, defused } from "./render/github.ts";
import { printable } from "./render/printable.ts";
import type { Renderer, Summary } from "./render/mod.ts";
import { summaryLines, textRenderer } from "./render/text.ts";
import type { CommitSeries } from "./source/commits.ts";
import { PROCESS, type Surroundings } from "./surroundings.ts";
import type { Terminal } from "./terminal.ts";

/** `p2plint github` */
export const githubCommand: CommandModule = {
  command: {
    name: "github",
    operands: "",
    summary: "report on a pull request of GitHub: check run, review comments, summary",
    notes: [
      "In a workflow for pull_request or workflow_run it knows the pull request by itself. The token comes from",
      "GITHUB_TOKEN or GH_TOKEN; for a GitHub App P2PLINT_APP_ID, P2PLINT_APP_KEY (PEM) and",
      "P2PLINT_APP_INSTALLATION. Commits come from the clone at --tree, or from the API where there is none.",
      "A token that may only read gets annotations instead, which every workflow may print.",
      "exit code: 0 clean, 1 findings, 2 could not run, or GitHub did not take all of it: run it again",
    ].join("\n"),
    options: [
      {
        name: "pr",
        value: "OWNER/REPO#N",
        help: "the pull request (default: the one of the workflow's event)",
      },
      { name: "api", value: "URL", help: "GitHub Enterprise: https://HOST/api/v3 (default: GITHUB_API_URL)" },
      ...JUDGING,
    ],
    example: "p2plint github --pr torvalds/linux#1 --tree /src/linux",
  },
  run: (args, terminal) => report(args, terminal, PROCESS),
};

const EXIT_CLEAN = 0;
const EXIT_FAILED = 2;

/** Runs the command. */
export async function report(args: Arguments, terminal: Terminal, world: Surroundings): Promise<number> {
  const { values, operands } = args;
  if (operands.length > 0) throw new UsageError(`github takes no path: ${operands[0]}`);
  const say = (text: string) => terminal.err(`p2plint: ${defused(printable(text))}\n`);
  try {
    const target = await targetFor(args, world);
    const options: ClientOptions = {
      baseUrl: baseUrlFrom(values.get("api") ?? world.env("GITHUB_API_URL")),
      auth: await authFrom(world),
      userAgent: `${meta.name}/${meta.version}`,
      log: say,
      secondMs: world.secondMs,
    };
    const { openPull, pullOf } = await import("./github/client.ts");
    const number = "number" in target
      ? target.number
      : await pullOf(options, target.repository, target.branch);
    if (number === null) {
      say("no open pull request has the commit of this workflow as its head: nothing to report");
      return EXIT_CLEAN;
    }
    const github = openPull(options, target.repository, number);
    const pull = await github.pull();
    if (!pull.isOpen) {
      say(`pull request ${number} is closed: nothing to report`);
      return EXIT_CLEAN;
    }
    if ("number" in target && target.head !== null && target.head !== pull.headCommit) {
      say(`pull request ${number} has a newer head than this workflow: its own run will report`);
      return EXIT_CLEAN;
    }
    const commits = await commitsFor(
      pull,
      values.get("tree") ?? world.env("GITHUB_WORKSPACE"),
      () => github.patch(),
      say,
    );
    const seen = new Seen(world.env("GITHUB_ACTIONS") === "true");
    const code = await checkInto({ renderer: seen, commits, place: (reports) => reports }, args, terminal);
    const found = foundIn(seen.reports, commits);
    const published = await publish(
      github,
      pull,
      {
        found,
        total: summaryLines(seen.summary!)[0]!,
        notJudged: notJudgedIn(seen.reports),
        allowed: allowedIn(seen.reports),
        result: code === 1 ? "failure" : code === EXIT_CLEAN ? "clean" : "nothing",
      },
      (seconds) => new Promise((done) => setTimeout(done, seconds * world.secondMs)),
    );
    return tell(published, found, terminal, say) ? code : EXIT_FAILED;
  } catch (error) {
    if (error instanceof TargetError) throw new UsageError(error.message);
    if (!(error instanceof GitHubError)) throw error;
    say(error.message);
    return EXIT_FAILED;
  }
}

/** @throws {TargetError} If no pull request is meant */
async function targetFor({ values }: Arguments, world: Surroundings): Promise<Target> {
  const named = values.get("pr");
  if (named !== undefined) return targetNamed(named);
  const path = world.env("GITHUB_EVENT_PATH");
  const repository = world.env("GITHUB_REPOSITORY");
  if (path === null || repository === null) {
    throw new TargetError("github needs --pr OWNER/REPO#NUMBER outside of a workflow");
  }
  let event: string;
  try {
    event = await Deno.readTextFile(path);
  } catch (cause) {
    throw new TargetError(`the event of this workflow cannot be read: ${path}`, { cause });
  }
  return targetOfEvent(event, repositoryNamed(repository));
}

/** @throws {UsageError} If it is no address */
function baseUrlFrom(text: string | null): string {
  const url = text ?? "https://api.github.com";
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError(`"${url}" is no address of GitHub's API`);
  }
  return url;
}

/** @throws {UsageError} If there is neither a token nor an App */
async function authFrom(world: Surroundings): Promise<Auth> {
  const appId = world.env("P2PLINT_APP_ID");
  if (appId !== null) {
    const privateKey = world.env("P2PLINT_APP_KEY");
    const installation = Number(world.env("P2PLINT_APP_INSTALLATION"));
    if (privateKey === null || !Number.isSafeInteger(installation) || installation <= 0) {
      throw new UsageError("P2PLINT_APP_ID needs P2PLINT_APP_KEY and P2PLINT_APP_INSTALLATION beside it");
    }
    const { appAuth } = await import("./github/app_auth.ts");
    return appAuth({ appId, privateKey, installation });
  }
  const token = world.env("GITHUB_TOKEN") ?? world.env("GH_TOKEN");
  if (token === null || token === "") {
    throw new UsageError("github needs a token in GITHUB_TOKEN or GH_TOKEN");
  }
  return token;
}

/** The commits of a pull request: from a clone that has them, else as patches from the API upon the clone's tree. */
async function commitsFor(
  { baseCommit, headCommit, number }: Pull,
  folder: string | null,
  patch: () => Promise<string>,
  say: (text: string) => void,
): Promise<CommitSeries> {
  const [{ commitsOf, commitsIn }, { TreeError }] = await Promise.all([
    import("./source/commits.ts"),
    import("./source/tree_error.ts"),
  ]);
  if (folder !== null) {
    try {
      return commitsOf(folder, `${baseCommit}..${headCommit}`);
    } catch (error) {
      if (!(error instanceof TreeError)) throw error;
      say(
        `the commits of pull request ${number} are not in ${folder}: they come from the API, for the tree there`,
      );
    }
  }
  try {
    return await commitsIn(await patch(), folder);
  } catch (error) {
    if (error instanceof GitHubError && error.status === NOT_ACCEPTABLE) {
      say(
        "GitHub gives no patch of that size: give --tree a clone with the commits (actions/checkout with fetch-depth: 0)",
      );
    }
    throw error;
  }
}

/** Prints the findings as text, and keeps what was judged. In a workflow what it prints is kept from being a command. */
class Seen implements Renderer {
  readonly reports: Report[] = [];
  summary: Summary | null = null;
  private readonly text = textRenderer();
  private readonly stop: string | null;

  constructor(inWorkflow: boolean) {
    this.stop = inWorkflow ? crypto.randomUUID() : null;
  }

  begin(run: Parameters<Renderer["begin"]>[0]): string {
    return `${this.stop === null ? "" : `::stop-commands::${this.stop}\n`}${this.text.begin(run)}`;
  }

  report(judged: Parameters<Renderer["report"]>[0]): string {
    this.reports.push(judged.report);
    return this.text.report(judged);
  }

  refuse(refused: Parameters<Renderer["refuse"]>[0]): string {
    return this.text.refuse(refused);
  }

  end(summary: Summary): string {
    this.summary = summary;
    return `${this.text.end(summary)}${this.stop === null ? "" : `::${this.stop}::\n`}`;
  }
}

const isRefused = (way: Way) => typeof way === "object" && "refused" in way;

/** Says what came of it; whether all of it did that could. */
function tell(
  { check, review, summary, remarks }: Published,
  found: readonly Found[],
  terminal: Terminal,
  say: (text: string) => void,
): boolean {
  for (const remark of remarks) say(remark);
  const ways = { "check run": check, review, summary };
  for (const [name, way] of Object.entries(ways)) {
    if (typeof way === "string") say(`${name}: ${way}`);
    else if ("refused" in way) say(`${name}: not allowed: ${way.refused}`);
    else say(way.failed);
  }
  if (isRefused(check) && isRefused(review)) {
    say(
      "the token may only read, as it does for a pull request from a fork: findings become annotations of this job",
    );
    for (const { finding, atHead } of found) {
      terminal.out(command(atHead === null ? finding : { ...finding, at: atHead }));
    }
  }
  return Object.values(ways).every((way) => typeof way === "string" || "refused" in way);
}
