/**
 * A pull request of GitHub or GitHub Enterprise by way of Octokit. The only file that names it. Reads are tried again
 * when they fail; of a write that may have been done nobody but the caller can tell, so it is not.
 *
 * @module
 */

import { retry } from "@octokit/plugin-retry";
import { throttling } from "@octokit/plugin-throttling";
import { Octokit } from "@octokit/rest";
import {
  type Annotation,
  type CheckOutput,
  type Conversation,
  type Failure,
  type GitHub,
  GitHubError,
  type GitHubRepository,
  type LineComment,
  type ListedPull,
  type OwnComment,
  type OwnThread,
  type Pull,
  type RepositoryName,
  type Status,
} from "./port.ts";
import { RESOLVE, STATE } from "./queries.ts";

/** Where to and as whom. */
export interface ClientOptions {
  /** Of the REST API: `https://api.github.com`, `https://HOST/api/v3`. */
  readonly baseUrl: string;
  /** A token, or a way to get one. */
  readonly auth: Auth;
  readonly userAgent: string;
  /** Told of what takes longer. */
  readonly log: (text: string) => void;
  /** How long a second is: 1000 outside of tests. */
  readonly secondMs?: number;
  /** Seconds that a limit of GitHub is waited for at most; 300 unless told. */
  readonly maxWaitSeconds?: number;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
}

/** A token; or what Octokit takes as a strategy of authentication, with its options. */
export type Auth = string | {
  readonly strategy: unknown;
  readonly options: Readonly<Record<string, unknown>>;
};

/** The name of our check runs and statuses. */
export const CHECK_NAME = "p2plint";

/** Longer than a limit by the minute; by the hour nobody waits for a check. */
const MAX_WAIT_S = 300;
const MAX_WAITS = 3;
/** A server that is silent for so long says nothing any more. */
const TIMEOUT_MS = 60_000;
/** Of anything that comes in pages. */
const PAGE = 100;
const SECOND_MS = 1000;

/** Answers that another try will not change; 406 is that to a patch that is too large. */
const FINAL = [400, 401, 403, 404, 406, 410, 422, 451];

type Client = InstanceType<typeof Octokit>;

/**
 * Deno's fetch sends a request again when a connection that it had kept open breaks, a POST that was carried out
 * included. On a connection of its own a write is sent once.
 *
 * @param end Ends the requests that are under way
 */
function fetchOnce(end: AbortSignal | undefined): typeof fetch {
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  return (input, init) => {
    const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(end === undefined ? [] : [end])]);
    return fetch(input, { ...init, signal, ...(init?.method === "GET" ? {} : { client }) });
  };
}

/** Octokit with patience; without the time between two writes where a test has no second to lose. */
function clientFor(options: ClientOptions): Client {
  const { baseUrl, auth, userAgent, log, secondMs = SECOND_MS, maxWaitSeconds = MAX_WAIT_S } = options;
  const wait =
    (kind: string) =>
    (seconds: number, options: { method: string; url: string }, _: unknown, count: number) => {
      const isWorth = count < MAX_WAITS && seconds <= maxWaitSeconds;
      log(
        `${kind} limit of GitHub at ${options.method} ${options.url}: ${
          isWorth ? `waiting ${seconds} s` : "giving up"
        }`,
      );
      return isWorth;
    };
  const free = {
    key: () => ({
      schedule: (_: unknown, run: (...args: unknown[]) => unknown, ...args: unknown[]) => run(...args),
    }),
  };
  const pace = secondMs === SECOND_MS ? {} : { write: free, notifications: free, global: free };
  return new (Octokit.plugin(retry, throttling))({
    baseUrl: baseUrl.replace(/\/+$/, ""),
    userAgent,
    request: { fetch: fetchOnce(options.signal) },
    ...(typeof auth === "string" ? { auth } : { authStrategy: auth.strategy, auth: auth.options }),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    retry: { retryAfterBaseValue: secondMs, doNotRetry: FINAL },
    throttle: {
      onRateLimit: wait("request"),
      onSecondaryRateLimit: wait("secondary"),
      retryAfterBaseValue: secondMs,
      ...pace,
    } as never,
  });
}

/** Finds the open pull request of a branch; null when there is none, or not just one, with that head. */
export async function pullOf(
  options: ClientOptions,
  { owner, name }: RepositoryName,
  head: { readonly owner: string; readonly branch: string; readonly commit: string },
): Promise<number | null> {
  const { rest } = clientFor(options);
  const { data } = await asked(
    "list pull requests",
    () =>
      rest.pulls.list({
        owner,
        repo: name,
        state: "open",
        head: `${head.owner}:${head.branch}`,
        per_page: PAGE,
      }),
  );
  const found = data.filter(({ head: { sha } }) => sha === head.commit);
  return found.length === 1 ? found[0]!.number : null;
}

/** A pull request. */
export const openPull = (options: ClientOptions, repository: RepositoryName, number: number): GitHub =>
  pullOn(clientFor(options), repository, number);

/** A repository with its pull requests. */
export function openRepository(options: ClientOptions, repository: RepositoryName): GitHubRepository {
  const octokit = clientFor(options);
  const { rest } = octokit;
  const at = { owner: repository.owner, repo: repository.name };
  const shown = `${repository.owner}/${repository.name}`;
  return {
    async mayWrite() {
      const { data } = await asked(`see the repository ${shown}`, () => rest.repos.get(at));
      return data.permissions?.push ?? null;
    },
    async openPulls(most) {
      const pulls: ListedPull[] = [];
      await asked(`list the open pull requests of ${shown}`, () =>
        octokit.paginate(
          rest.pulls.list,
          { ...at, state: "open", sort: "updated", direction: "desc", per_page: PAGE },
          ({ data }, done) => {
            for (const { number, title, head, base } of data) {
              pulls.push({
                number,
                title,
                isOpen: true,
                headCommit: head.sha,
                baseCommit: base.sha,
                // A fork that is gone is null, whatever the types say.
                isFork: (head.repo as { full_name: string } | null)?.full_name !== base.repo.full_name,
              });
            }
            if (pulls.length >= most) done();
            return [];
          },
        ));
      return pulls.slice(0, most);
    },
    pullAt: (number) => pullOn(octokit, repository, number),
  };
}

function pullOn(octokit: Client, { owner, name }: RepositoryName, number: number): GitHub {
  const { rest } = octokit;
  const at = { owner, repo: name };
  const pull = { ...at, pull_number: number };
  // To send a write again is the caller's decision.
  const once = { request: { retries: 0 } };
  return {
    async pull(): Promise<Pull> {
      const { data } = await asked(`read pull request ${number}`, () => rest.pulls.get(pull));
      return {
        number,
        isOpen: data.state === "open",
        headCommit: data.head.sha,
        baseCommit: data.base.sha,
        isFork: data.head.repo?.full_name !== data.base.repo.full_name,
      };
    },
    async patch() {
      const { data } = await asked(
        `read the patches of pull request ${number}`,
        () => rest.pulls.get({ ...pull, mediaType: { format: "patch" } }),
      );
      // Octokit's types know nothing of media types.
      return data as unknown as string;
    },
    async files() {
      const files = await asked(
        `list the files of pull request ${number}`,
        () => octokit.paginate(rest.pulls.listFiles, { ...pull, per_page: PAGE }),
      );
      return files.map(({ filename, patch }) => ({ path: filename, patch: patch ?? null }));
    },
    async checkRuns(commit) {
      const runs = await asked(
        "list check runs",
        () =>
          octokit.paginate(rest.checks.listForRef, {
            ...at,
            ref: commit,
            check_name: CHECK_NAME,
            filter: "all",
            per_page: PAGE,
          }),
      );
      return runs.map(({ id, external_id, status }) => ({
        id,
        externalId: external_id ?? "",
        isCompleted: status === "completed",
      }));
    },
    async annotations(run) {
      const all = await asked(
        "list annotations",
        () => octokit.paginate(rest.checks.listAnnotations, { ...at, check_run_id: run, per_page: PAGE }),
      );
      return all.map(({ path, start_line, raw_details }) => ({
        path,
        line: start_line,
        details: raw_details ?? "",
      }));
    },
    async createCheckRun(commit, externalId, output) {
      await asked(
        "create a check run",
        () =>
          rest.checks.create({
            ...at,
            name: CHECK_NAME,
            head_sha: commit,
            external_id: externalId,
            ...bodyOf(output),
            ...once,
          }),
      );
    },
    async updateCheckRun(run, output) {
      await asked(
        "update a check run",
        () => rest.checks.update({ ...at, check_run_id: run, ...bodyOf(output), ...once }),
      );
    },
    async status(commit) {
      let found: Status | null = null;
      await asked("list commit statuses", () =>
        octokit.paginate(
          rest.repos.listCommitStatusesForRef,
          { ...at, ref: commit, per_page: PAGE },
          ({ data }, done) => {
            // The newest comes first.
            const ours = data.find(({ context }) => context === CHECK_NAME);
            if (ours === undefined) return [];
            found = {
              state: ours.state as Status["state"],
              description: ours.description ?? "",
              url: ours.target_url ?? "",
            };
            done();
            return [];
          },
        ));
      return found;
    },
    async setStatus(commit, { state, description, url }) {
      await asked(
        "set a commit status",
        () =>
          rest.repos.createCommitStatus({
            ...at,
            sha: commit,
            context: CHECK_NAME,
            state,
            description,
            target_url: url,
            ...once,
          }),
      );
    },
    conversation: () => readConversation(octokit, at, number),
    async review(commit, body, comments) {
      await asked(
        "post a review",
        () =>
          rest.pulls.createReview({
            ...pull,
            commit_id: commit,
            body,
            event: "COMMENT",
            comments: comments.map(lineComment),
            ...once,
          }),
      );
    },
    async editReview(review, body) {
      await asked(
        "edit a review",
        () => rest.pulls.updateReview({ ...pull, review_id: review, body, ...once }),
      );
    },
    async editLineComment(comment, body) {
      await asked(
        "edit a review comment",
        () => rest.pulls.updateReviewComment({ ...at, comment_id: comment, body, ...once }),
      );
    },
    async resolve(thread) {
      await asked("resolve a thread", () => octokit.graphql(RESOLVE, { thread, ...once }));
    },
    async comment(body) {
      await asked(
        "post a comment",
        () => rest.issues.createComment({ ...at, issue_number: number, body, ...once }),
      );
    },
    async editComment(comment, body) {
      await asked(
        "edit a comment",
        () => rest.issues.updateComment({ ...at, comment_id: comment, body, ...once }),
      );
    },
  };
}

const lineComment = ({ path, line, side, body }: LineComment) => ({ path, line, side, body });

function bodyOf({ title, summary, annotations, conclusion }: CheckOutput) {
  const output = { title, summary, annotations: annotations.map(annotationOf) };
  return conclusion === null
    ? { status: "in_progress" as const, output }
    : { status: "completed" as const, conclusion, output };
}

const annotationOf = ({ path, line, level, title, message, details }: Annotation) => ({
  path,
  start_line: line,
  end_line: line,
  annotation_level: level,
  title,
  message,
  raw_details: details,
});

interface Page<Node> {
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  readonly nodes: readonly (Node | null)[] | null;
}

interface CommentNode {
  readonly fullDatabaseId: string | number | null;
  readonly body: string;
  readonly viewerDidAuthor: boolean;
}

interface ThreadNode {
  readonly id: string;
  readonly isResolved: boolean;
  readonly viewerCanResolve: boolean;
  readonly comments: { readonly nodes: readonly (CommentNode | null)[] | null };
}

interface StateAnswer {
  readonly repository: {
    readonly pullRequest: {
      readonly reviewThreads: Page<ThreadNode>;
      readonly reviews: Page<CommentNode>;
      readonly comments: Page<CommentNode>;
    } | null;
  } | null;
}

/** All pages of the three lists. They end at different pages: what came is not taken again. */
async function readConversation(
  octokit: Client,
  { owner, repo }: { readonly owner: string; readonly repo: string },
  number: number,
): Promise<Conversation> {
  const threads: OwnThread[] = [];
  const reviews: OwnComment[] = [];
  const comments: OwnComment[] = [];
  const cursors: Record<"threads" | "reviews" | "comments", string | null> = {
    threads: null,
    reviews: null,
    comments: null,
  };
  const done = new Set<string>();
  while (done.size < 3) {
    const { repository } = await asked(
      "read the conversation",
      () => octokit.graphql<StateAnswer>(STATE, { owner, repo, number, ...cursors }),
    );
    const pull = repository?.pullRequest;
    if (pull === null || pull === undefined) {
      throw new GitHubError("refused", 404, "read the conversation", `there is no pull request ${number}`);
    }
    const take = <Node>(
      name: keyof typeof cursors,
      { pageInfo, nodes }: Page<Node>,
      each: (node: Node) => void,
    ) => {
      if (done.has(name)) return;
      for (const node of nodes ?? []) if (node !== null) each(node);
      if (pageInfo.hasNextPage) cursors[name] = pageInfo.endCursor;
      else done.add(name);
    };
    take("threads", pull.reviewThreads, ({ id, isResolved, viewerCanResolve, comments: { nodes } }) => {
      const own = ownComment(nodes?.[0] ?? null);
      if (own !== null) threads.push({ ...own, thread: id, isResolved, canResolve: viewerCanResolve });
    });
    take(
      "reviews",
      pull.reviews,
      (node) => reviews.push(...[ownComment(node)].filter((one) => one !== null)),
    );
    take(
      "comments",
      pull.comments,
      (node) => comments.push(...[ownComment(node)].filter((one) => one !== null)),
    );
  }
  return { threads, reviews, comments };
}

function ownComment(node: CommentNode | null): OwnComment | null {
  if (node === null || !node.viewerDidAuthor || node.fullDatabaseId === null) return null;
  return { id: Number(node.fullDatabaseId), body: node.body };
}

/** What Octokit throws, as far as it is looked at. */
interface Thrown {
  readonly status?: number;
  readonly message?: string;
  readonly errors?: readonly { readonly type?: string; readonly message?: string }[];
  readonly response?: { readonly headers?: Readonly<Record<string, string>>; readonly data?: unknown };
}

/** Turns what goes wrong into a {@link GitHubError}. */
async function asked<Answer>(request: string, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof GitHubError) throw cause;
    const { status = 0, errors = [], response } = cause as Thrown;
    // What Octokit says of an answer of GraphQL has lines of its own.
    const message = errors[0]?.message ?? (cause as Thrown).message ?? "";
    const types = errors.map(({ type }) => type);
    const failure = failureOf(status, types, response === undefined ? null : response.headers ?? {}, message);
    // Octokit tells an answer of the server from a connection that broke only by the answer.
    const shown = response === undefined ? 0 : status;
    throw new GitHubError(failure, shown, request, firstLine(message), { cause });
  }
}

function failureOf(
  status: number,
  types: readonly (string | undefined)[],
  headers: Readonly<Record<string, string>> | null,
  message: string,
): Failure {
  if (types.includes("RATE_LIMITED")) return "limited";
  if (types.includes("FORBIDDEN") || types.includes("NOT_FOUND") || types.includes("INSUFFICIENT_SCOPES")) {
    return "refused";
  }
  if (types.length > 0) return "failed";
  if (headers === null) return "uncertain";
  if (status === 429 || (status === 403 && isLimit(headers, message))) return "limited";
  if (status === 401 || status === 403 || status === 404) return "refused";
  if (status === 422) return "invalid";
  return status >= 500 ? "uncertain" : "failed";
}

const isLimit = (headers: Readonly<Record<string, string>>, message: string) =>
  headers["x-ratelimit-remaining"] === "0" || "retry-after" in headers ||
  /\b(?:secondary )?rate limit/i.test(message);

const firstLine = (text: string) => text.split("\n", 1)[0] ?? "";
