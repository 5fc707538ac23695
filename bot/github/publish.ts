/**
 * Findings → a pull request: a check run, a review with comments at their lines, one summary. State is what GitHub
 * holds: each step reads it, does what is missing, and reads again when an answer was lost. So a run may break off
 * anywhere; the next one goes on, repeats nothing, and on an unchanged pull request writes nothing.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Finding, Span } from "../../rules/engine/types.ts";
import { annotationText, titleOf } from "../render/annotation.ts";
import { code, commentMarkdown, findingLine, findingMarkdown, prose } from "../render/markdown.ts";
import { isSummary, marked, markedSummary, readMarks } from "./marker.ts";
import { type DiffPlace, placesIn } from "./place.ts";
import {
  type Annotation,
  type CheckOutput,
  type Conversation,
  type GitHub,
  GitHubError,
  type LineComment,
  type Pull,
} from "./port.ts";

/** A finding of a pull request. */
export interface Found {
  /** Its fingerprint; of several with the same one, a number behind it. */
  readonly id: string;
  readonly finding: Finding;
  /** Where it is in the head commit; null: a later commit took its line away. */
  readonly atHead: Span | null;
}

/** What is to be said. */
export interface Verdict {
  readonly found: readonly Found[];
  /** `2 errors in 3 patches (9 hunks)`. */
  readonly total: string;
  /** What a reviewer has to know besides, a line each: what comments of the patch itself allow. */
  readonly allowed: readonly string[];
  /** What could not be judged, a line each. */
  readonly notJudged: readonly string[];
  /** Whether one of them counts; `nothing`: nothing could be judged. */
  readonly result: "failure" | "clean" | "nothing";
}

/** How one way of telling went: a token that may not is refused for good, what failed may be tried again. */
export type Way = "written" | "unchanged" | { readonly refused: string } | { readonly failed: string };

/** What came of it. */
export interface Published {
  readonly check: Way;
  readonly review: Way;
  readonly summary: Way;
  /** What was left undone for a reason that another run will not mend, a line each. */
  readonly remarks: readonly string[];
}

/** Annotations that one request may hold (docs.github.com, REST, check runs). */
const MAX_ANNOTATIONS = 50;
/** Comments of one review; GitHub's own limit is not documented, and above this it answers 5xx (reviewdog #355). */
const MAX_COMMENTS = 30;
/** A body may have 65,536 characters. */
const MAX_BODY = 60_000;
/** A step whose answer was lost is looked at again so often, after so many seconds. */
const MAX_ROUNDS = 5;

/** How to wait: seconds that pass. */
export type Wait = (seconds: number) => Promise<void>;

/**
 * Brings a pull request to what the verdict says.
 *
 * @throws {GitHubError} If GitHub does not answer for long, or the pull request cannot be read
 */
export async function publish(github: GitHub, pull: Pull, verdict: Verdict, wait: Wait): Promise<Published> {
  const remarks: string[] = [];
  const place = placesIn(await github.files());
  const placed = verdict.found.map((one) => ({
    ...one,
    place: one.atHead === null ? null : place(one.atHead),
  }));
  const check = await tried("check run", () => reportCheck(github, pull, verdict), wait);
  const rejected = new Set<string>();
  const review = await tried("review", () => reportReview(github, pull, placed, rejected, remarks), wait);
  const summary = await tried("summary", () => reportSummary(github, pull, verdict), wait);
  return { check, review, summary, remarks };
}

/**
 * Does a step until it is known to be done, or cannot be.
 *
 * @param run Reads what is there and writes what is missing; tells whether it wrote
 */
export async function tried(name: string, run: () => Promise<boolean>, wait: Wait): Promise<Way> {
  let hasWritten = false;
  for (let round = 1;; round++) {
    try {
      return (await run()) || hasWritten ? "written" : "unchanged";
    } catch (error) {
      if (!(error instanceof GitHubError)) throw error;
      if (error.failure === "refused") return { refused: error.message };
      if (error.failure !== "uncertain" || round === MAX_ROUNDS) {
        // What the other steps have to say is said all the same.
        return { failed: `${name}: ${error.message}` };
      }
      hasWritten = true;
      await wait(round * round);
    }
  }
}

/** The id of each finding. */
export function identified(findings: readonly Omit<Found, "id">[]): readonly Found[] {
  const seen = new Map<string, number>();
  return findings.map((one) => {
    const { fingerprint } = one.finding;
    const count = (seen.get(fingerprint) ?? 0) + 1;
    seen.set(fingerprint, count);
    return { ...one, id: count === 1 ? fingerprint : `${fingerprint}#${count}` };
  });
}

/** Writes the check run of the head commit; tells whether there was anything to write. */
async function reportCheck(github: GitHub, pull: Pull, verdict: Verdict): Promise<boolean> {
  const wanted = checkOutput(verdict);
  const text = JSON.stringify(wanted);
  const externalId = `${OURS}${createHash("sha256").update(text).digest("hex").slice(0, 32)}`;
  const runs = await github.checkRuns(pull.headCommit);
  // An earlier run that broke off and had something else to say would be in progress forever.
  const stale = runs.filter((run) =>
    !run.isCompleted && run.externalId.startsWith(OURS) && run.externalId !== externalId
  );
  for (const { id } of stale) await github.updateCheckRun(id, SUPERSEDED);
  const known = runs.filter((run) => run.externalId === externalId);
  if (known.some(({ isCompleted }) => isCompleted)) return stale.length > 0;
  const { annotations, conclusion } = wanted;
  const part = (some: readonly Annotation[], isLast: boolean): CheckOutput => ({
    ...wanted,
    annotations: some,
    conclusion: isLast ? conclusion : null,
  });
  let run = known[0]?.id ?? null;
  let left = annotations;
  if (run !== null) {
    // An earlier run broke off: what it sent is there.
    const there = new Set((await github.annotations(run)).map(keyOf));
    left = annotations.filter((one) => !there.has(keyOf(one)));
  } else {
    const first = left.slice(0, MAX_ANNOTATIONS);
    left = left.slice(MAX_ANNOTATIONS);
    await github.createCheckRun(pull.headCommit, externalId, part(first, left.length === 0));
    if (left.length === 0) return true;
    run = (await github.checkRuns(pull.headCommit)).find((one) => one.externalId === externalId)?.id ?? null;
    if (run === null) {
      throw new GitHubError("uncertain", 0, "find the check run", "it was created and is not there");
    }
  }
  do {
    const some = left.slice(0, MAX_ANNOTATIONS);
    left = left.slice(MAX_ANNOTATIONS);
    await github.updateCheckRun(run, part(some, left.length === 0));
  } while (left.length > 0);
  return true;
}

/** Opens the external id of every check run that is ours. */
const OURS = "p2plint:v1:";

const SUPERSEDED: CheckOutput = {
  title: "superseded",
  summary: "This run broke off. Another one for the same commit has the findings.",
  annotations: [],
  conclusion: "neutral",
};

const keyOf = ({ path, line, details }: Pick<Annotation, "path" | "line" | "details">) =>
  JSON.stringify([path, line, details]);

function checkOutput({ found, total, allowed, notJudged, result }: Verdict): CheckOutput {
  const isSilent = result === "clean" && found.length === 0;
  const conclusion = result === "failure" ? "failure" : isSilent ? "success" : "neutral";
  const gone = found.filter(({ atHead }) => atHead === null);
  const parts = [
    prose(total),
    ...(gone.length === 0 ? [] : ["In lines that a later commit changes:", list(gone)]),
    ...allowedParts(allowed),
    ...(notJudged.length === 0
      ? []
      : ["Not judged:", notJudged.map((line) => `- ${prose(line)}`).join("\n")]),
  ];
  return {
    title: total,
    summary: cut(parts.join("\n\n")),
    annotations: found.flatMap(({ id, finding, atHead }) =>
      atHead === null ? [] : [{
        path: atHead.path,
        line: atHead.line,
        level: LEVEL[finding.severity],
        title: titleOf(finding),
        message: annotationText(finding),
        details: `fingerprint ${id}`,
      }]
    ),
    conclusion,
  };
}

const allowedParts = (allowed: readonly string[]) =>
  allowed.length === 0 ? [] : [
    "Allowed by comments that the patches themselves add:",
    allowed.map((line) => `- ${prose(line)}`).join("\n"),
  ];

const LEVEL = { error: "failure", warning: "warning", note: "notice" } as const;

type PlacedFound = Found & { readonly place: DiffPlace | null };

/**
 * Adds what nobody was told yet, and closes what is no more.
 *
 * @param rejected Findings whose line GitHub did not take, kept from one round to the next
 */
async function reportReview(
  github: GitHub,
  pull: Pull,
  placed: readonly PlacedFound[],
  rejected: Set<string>,
  remarks: string[],
): Promise<boolean> {
  const conversation = await github.conversation();
  const told = toldIn(conversation);
  const fresh = placed.filter(({ id }) => !told.has(id));
  const current = new Set(placed.map(({ id }) => id));
  const inline = fresh.filter(({ id, place }) => place !== null && !rejected.has(id));
  let isWritten = await addComments(github, pull, inline, rejected);
  const outside = fresh.filter(({ id, place }) => place === null || rejected.has(id));
  for (const some of inBodies(outside)) {
    await github.review(pull.headCommit, bodyOf(some), []);
    isWritten = true;
  }
  return (await closeGone(github, pull, conversation, current, remarks)) || isWritten;
}

/** Findings that a comment or review of ours holds as open. */
function toldIn({ threads, reviews }: Conversation): Set<string> {
  return new Set(
    [...threads, ...reviews].flatMap(({ body }) =>
      readMarks(body).marks.filter(({ state }) => state === "open").map(({ id }) => id)
    ),
  );
}

/** Posts comments at their lines. One line that GitHub does not take makes it refuse all: halves find it. */
async function addComments(
  github: GitHub,
  pull: Pull,
  fresh: readonly PlacedFound[],
  rejected: Set<string>,
): Promise<boolean> {
  let isWritten = false;
  const batches: (readonly PlacedFound[])[] = [];
  for (let at = 0; at < fresh.length; at += MAX_COMMENTS) batches.push(fresh.slice(at, at + MAX_COMMENTS));
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    try {
      await github.review(pull.headCommit, REVIEW_BODY, batch.map(commentOf));
      isWritten = true;
    } catch (error) {
      if (!(error instanceof GitHubError) || error.failure !== "invalid") throw error;
      if (batch.length === 1) {
        rejected.add(batch[0]!.id);
      } else {
        const half = Math.ceil(batch.length / 2);
        batches.unshift(batch.slice(0, half), batch.slice(half));
      }
    }
  }
  return isWritten;
}

const REVIEW_BODY = "p2plint found this in the lines that the pull request changes.";

function commentOf({ id, finding, atHead, place }: PlacedFound): LineComment {
  const text = cut(commentMarkdown(finding));
  return { path: atHead!.path, ...place!, body: marked([{ id, state: "open" }], text) };
}

const OUTSIDE = "p2plint found this outside of the lines that take a comment:";

/** As many findings to a body as fit. */
function inBodies(found: readonly Found[]): (readonly Found[])[] {
  const bodies: Found[][] = [];
  for (const one of found) {
    const last = bodies.at(-1);
    if (last !== undefined && bodyOf([...last, one]).length <= MAX_BODY) last.push(one);
    else bodies.push([one]);
  }
  return bodies;
}

const bodyOf = (found: readonly Found[]) =>
  marked(
    found.map(({ id }) => ({ id, state: "open" })),
    `${OUTSIDE}\n\n${found.map(({ finding }) => cut(findingMarkdown(finding))).join("\n---\n\n")}`,
  );

/** Resolves the threads of what is no more, and says so in the comment: the mark there is what the next run goes by. */
async function closeGone(
  github: GitHub,
  pull: Pull,
  { threads, reviews }: Conversation,
  current: ReadonlySet<string>,
  remarks: string[],
): Promise<boolean> {
  let isWritten = false;
  const closed = (body: string): string | null => {
    const { marks, text } = readMarks(body);
    const left = marks.map(({ id, state }) => ({ id, state: current.has(id) ? state : "fixed" as const }));
    if (marks.every(({ state }, i) => left[i]!.state === state)) return null;
    const gone = left.filter(({ state }) => state === "fixed").length;
    const which = marks.length === 1 ? "Gone" : `${gone} of ${marks.length} gone`;
    return marked(left, `${which} as of ${pull.headCommit}.\n\n${text.replace(GONE, "")}`);
  };
  for (const { thread, isResolved, canResolve, id, body } of threads) {
    const now = closed(body);
    if (now === null) continue;
    if (!isResolved && canResolve) {
      try {
        await github.resolve(thread);
      } catch (error) {
        if (!(error instanceof GitHubError) || error.failure !== "refused") throw error;
        // The comment says that it is fixed: that much the token may.
        remarks.push(error.message);
      }
    }
    await github.editLineComment(id, now);
    isWritten = true;
  }
  for (const { id, body } of reviews) {
    const now = closed(body);
    if (now === null) continue;
    await github.editReview(id, now);
    isWritten = true;
  }
  return isWritten;
}

/** What an earlier run wrote in front. */
const GONE = /^(?:Gone|\d+ of \d+ gone) as of [0-9a-f]{40}\.\n\n/;

/** Keeps the one comment that sums up; a pull request that was always clean gets none. */
async function reportSummary(github: GitHub, pull: Pull, verdict: Verdict): Promise<boolean> {
  const own = (await github.conversation()).comments.find(({ body }) => isSummary(body)) ?? null;
  if (own === null && verdict.found.length + verdict.allowed.length === 0) return false;
  const body = markedSummary(summaryText(pull, verdict));
  if (own === null) await github.comment(body);
  else if (own.body.replaceAll("\r\n", "\n").trimEnd() === body.trimEnd()) return false;
  else await github.editComment(own.id, body);
  return true;
}

function summaryText({ headCommit }: Pull, { found, total, allowed, notJudged }: Verdict): string {
  const parts = [
    `p2plint: ${prose(total)}, as of ${headCommit}.`,
    ...(found.length === 0 ? ["Nothing of what was found before is left."] : [list(found)]),
    ...allowedParts(allowed),
    ...(notJudged.length === 0 ? [] : [
      "<details><summary>Not judged</summary>\n",
      notJudged.map((line) => `- ${prose(line)}`).join("\n"),
      "\n</details>",
    ]),
    `What a rule says: ${code("p2plint explain RULE")}.`,
  ];
  return cut(parts.join("\n\n"));
}

const list = (found: readonly Found[]) =>
  found.map(({ finding, atHead }) =>
    `- ${findingLine(atHead === null ? finding : { ...finding, at: atHead })}`
  )
    .join("\n");

/** No longer than a body may be; ends with a line. */
function cut(text: string): string {
  if (text.length <= MAX_BODY) return text;
  const kept = text.slice(0, MAX_BODY);
  return `${kept.slice(0, kept.lastIndexOf("\n"))}\n\n… and more: the log has all of it.`;
}
