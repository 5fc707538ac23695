/**
 * The sink for a mirror on GitHub: finds the pull request that holds the commits of a mailed series, and brings it to
 * what was found in the mails.
 *
 * The commits themselves are judged, by the reviewer that judged the mails: so the lines are those of the commits, and
 * comments, check run and summary have all the words that a finding has, while the journal keeps a line of it.
 * Told are only findings that the mails had and that policy, and who approved, let through.
 *
 * A pull request counts only if its head is in the mirror itself: a stranger's fork may hold the same commits. Its
 * title only narrows down which ones are looked at: one request lists a hundred of them, for all posts of the same
 * half minute, and then each that is named like the series costs one. kernel-patches-daemon pushes its branches to the
 * mirror itself, applies with `git am`, and gives a pull request the series' subject for a title (branch_worker.py).
 *
 * @module
 */

import type { Finding, Patch, Report, Severity } from "../../rules/engine/types.ts";
import { type ClientOptions, openRepository } from "../github/client.ts";
import {
  type GitHub,
  GitHubError,
  type GitHubRepository,
  type ListedPull,
  NOT_ACCEPTABLE,
  type Pull,
  type RepositoryName,
} from "../github/port.ts";
import { publish, type Verdict, type Way } from "../github/publish.ts";
import { publishStatus } from "../github/status.ts";
import { allowedIn, foundIn, notJudgedIn } from "../github/verdict.ts";
import { type Clock, DeliveryError, JournalError, type MirrorPost, type Sink } from "../ports.ts";
import { mailUrl } from "../render/archive.ts";
import { totalLine } from "../render/text.ts";
import { commitsIn } from "../source/commits.ts";
import { asMailed, differenceOf, likeness, type MailedSeries, readSeries } from "./series.ts";

/** A mirror. */
export interface Mirror {
  readonly name: string;
  readonly repository: RepositoryName;
  readonly client: Omit<ClientOptions, "signal">;
}

/** What the sink works with. */
export interface MirrorSinkOptions {
  readonly mirrors: readonly Mirror[];
  review(patches: readonly Patch[]): Promise<readonly Report[]>;
  /** Of these fingerprints those that somebody gave a verdict on. */
  judged(fingerprints: readonly string[]): Promise<ReadonlySet<string>>;
  /** `ARCHIVE/ID/` is a mail on the web. */
  readonly archive: string;
  readonly clock: Clock;
}

const SECOND_MS = 1000;
/** For so long a list of pull requests is taken for the state of things. */
const LISTING_MS = 30 * SECOND_MS;
/** Open pull requests that are looked at, those that changed last first. */
const MAX_PULLS = 500;
/** Of those that are named like the series so many are looked at: a stranger's title may be a word that all have. */
const MAX_CANDIDATES = 10;

/** The sink for all mirrors. */
export const githubSink = (options: MirrorSinkOptions): Sink<MirrorPost> => new GitHubSink(options);

/** A repository, and what was last seen of it. */
interface Open {
  readonly signal: AbortSignal;
  readonly repository: GitHubRepository;
  listing: { readonly at: number; readonly pulls: readonly ListedPull[] } | null;
}

/** A pull request with the commits of the series. */
interface Match {
  readonly github: GitHub;
  readonly pull: Pull;
  readonly commits: readonly Patch[];
}

class GitHubSink implements Sink<MirrorPost> {
  readonly name = "github";
  readonly isIdempotent = true;
  readonly #open = new Map<string, Open>();

  constructor(private readonly options: MirrorSinkOptions) {}

  async deliver(post: MirrorPost, signal: AbortSignal): Promise<string> {
    const mirror = this.options.mirrors.find(({ name }) => name === post.mirror);
    if (mirror === undefined) throw new DeliveryError(`there is no mirror ${post.mirror}`, "never");
    const series = seriesOf(post);
    const shown = `${mirror.repository.owner}/${mirror.repository.name}`;
    try {
      const { matches, others } = await this.#find(this.#opened(mirror, signal), series);
      if (matches.length === 0) {
        const reason = [`no open pull request of ${shown} has the commits of the series`, ...others].join(
          "; ",
        );
        throw new DeliveryError(reason, this.options.clock.now() < post.until ? "later" : "moot");
      }
      const said: string[] = [];
      for (const match of matches) {
        said.push(`${shown}#${match.pull.number}: ${await this.#report(match, series, signal)}`);
      }
      return said.join("; ");
    } catch (error) {
      if (error instanceof JournalError) throw new DeliveryError(error.message, "later", { cause: error });
      if (!(error instanceof GitHubError)) throw error;
      // What GitHub says of a token or a repository is not said of the post.
      throw new DeliveryError(error.message, error.failure === "invalid" ? "never" : "later", {
        cause: error,
      });
    }
  }

  #opened({ name, repository, client }: Mirror, signal: AbortSignal): Open {
    const known = this.#open.get(name);
    if (known?.signal === signal) return known;
    const opened: Open = {
      signal,
      repository: openRepository({ ...client, signal }, repository),
      listing: null,
    };
    this.#open.set(name, opened);
    return opened;
  }

  async #find(
    open: Open,
    series: MailedSeries,
  ): Promise<{ readonly matches: readonly Match[]; readonly others: readonly string[] }> {
    const now = this.options.clock.now();
    if (open.listing === null || now - open.listing.at >= LISTING_MS) {
      open.listing = { at: now, pulls: await open.repository.openPulls(MAX_PULLS) };
    }
    const matches: Match[] = [];
    const others: string[] = [];
    const named = open.listing.pulls.filter(({ isFork }) => !isFork)
      .map((pull) => ({ ...pull, likeness: likeness(pull.title, series) }))
      .filter(({ likeness }) => likeness > 0)
      .toSorted((one, other) => other.likeness - one.likeness);
    for (const { number, headCommit } of named.slice(0, MAX_CANDIDATES)) {
      const github = open.repository.pullAt(number);
      const patch = await patchOf(github);
      if (patch === null) {
        others.push(`#${number} is named like it, and is too large to be compared`);
        continue;
      }
      const { patches } = await commitsIn(patch, null);
      const difference = differenceOf(series, patches);
      if (difference !== null) {
        others.push(`#${number} is named like it, but ${difference}`);
        continue;
      }
      const pull = await github.pull();
      if (!pull.isOpen || pull.headCommit !== headCommit) {
        open.listing = null;
        throw new DeliveryError(`pull request ${number} changed while it was read`, "later");
      }
      matches.push({ github, pull, commits: patches });
    }
    const left = named.length - MAX_CANDIDATES;
    if (left > 0) others.push(`${left} more that are named like it were not looked at`);
    return { matches, others };
  }

  async #report(
    { github, pull, commits }: Match,
    series: MailedSeries,
    signal: AbortSignal,
  ): Promise<string> {
    const verdict = await this.#verdictOn(commits, series);
    const wait = (seconds: number) => this.options.clock.sleep(seconds * SECOND_MS, signal);
    if (series.report === "status") {
      const url = mailUrl(this.options.archive, series.root);
      return outcomeOf({ status: await publishStatus(github, pull, verdict, url, wait) });
    }
    const { check, review, summary, remarks } = await publish(github, pull, verdict, wait);
    const said = outcomeOf({ review, summary });
    // Only an App may write one.
    const checked = typeof check === "object" && "refused" in check ? "check run not allowed" : outcomeOf({
      "check run": check,
    });
    return [checked, said, ...remarks].join(", ");
  }

  async #verdictOn(commits: readonly Patch[], { patches }: MailedSeries): Promise<Verdict> {
    const judged = await this.options.judged(
      patches.flatMap(({ findings }) => findings.map((each) => each.fingerprint)),
    );
    const told = patches.flatMap(({ findings }) => findings).filter(({ fingerprint }) =>
      !judged.has(fingerprint)
    );
    const wanted = new Set(told.map(({ fingerprint }) => fingerprint));
    const asSent = commits.map((commit, at) => asMailed(commit, patches[at]!));
    const reports = await this.options.review(asSent);
    const isWanted = ({ fingerprint }: Finding) => wanted.has(fingerprint);
    const found = foundIn(reports, { patches: asSent, root: "" }, isWanted);
    const seen = new Set(found.map(({ finding }) => finding.fingerprint));
    // Another version of p2plint may have judged the mails.
    const missing = told.filter(({ fingerprint }) => !seen.has(fingerprint));
    const count = (severity: Severity) => found.filter(({ finding }) => finding.severity === severity).length;
    const sum = (of: (report: Report) => number) => reports.reduce((all, report) => all + of(report), 0);
    const couldJudge = missing.length === 0 && sum(({ faults }) => faults.length) === 0 &&
      reports.some((report) => report.judged > 0 || report.unseen.length === 0);
    return {
      found,
      total: totalLine({
        findings: { error: count("error"), warning: count("warning"), note: count("note") },
        patches: reports.length,
        files: 0,
        judged: sum((report) => report.judged),
        unseen: sum(({ unseen }) => unseen.length),
        defects: sum(({ patch }) => patch.defects.length),
      }),
      notJudged: [
        ...missing.map(({ path, line, message, rule }) =>
          `${path}:${line}: ${message} [${rule}]: in the mail, and not found in the commit`
        ),
        ...notJudgedIn(reports),
      ],
      allowed: allowedIn(reports),
      result: count("error") + count("warning") > 0 ? "failure" : couldJudge ? "clean" : "nothing",
    };
  }
}

function seriesOf({ id, text }: MirrorPost): MailedSeries {
  try {
    return readSeries(text);
  } catch (cause) {
    throw new DeliveryError(`post ${id} cannot be read: ${(cause as Error).message}`, "never", { cause });
  }
}

/** The commits as mails; null: GitHub does not give so many lines. */
async function patchOf(github: GitHub): Promise<string | null> {
  try {
    return await github.patch();
  } catch (error) {
    if (error instanceof GitHubError && error.status === NOT_ACCEPTABLE) return null;
    throw error;
  }
}

/** What came of it. @throws {DeliveryError} If it has to be done again */
function outcomeOf(ways: Readonly<Record<string, Way>>): string {
  return Object.entries(ways).map(([name, way]) => {
    if (typeof way === "string") return `${name} ${way}`;
    const problem = "refused" in way ? `${name}: not allowed: ${way.refused}` : way.failed;
    throw new DeliveryError(problem, "later");
  }).join(", ");
}
