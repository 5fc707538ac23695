/**
 * What p2plint asks of GitHub, in its own words, and how it can fail. Who implements it talks HTTP; who uses it does
 * not know.
 *
 * @module
 */

/** `owner/name`. */
export interface RepositoryName {
  readonly owner: string;
  readonly name: string;
}

/** One pull request. */
export interface Pull {
  readonly number: number;
  readonly isOpen: boolean;
  readonly headCommit: string;
  readonly baseCommit: string;
  /** The head lives in another repository, or that is gone. */
  readonly isFork: boolean;
}

/** A pull request as a list of them shows it. */
export interface ListedPull extends Pull {
  readonly title: string;
}

/** A file that a pull request changes. */
export interface ChangedFile {
  readonly path: string;
  /** Its hunks, without a header; null: binary, or too large to be shown. */
  readonly patch: string | null;
}

/** A run of our check for a commit. */
export interface CheckRun {
  readonly id: number;
  readonly externalId: string;
  readonly isCompleted: boolean;
}

/** A finding at its line, in a check run. */
export interface Annotation {
  readonly path: string;
  readonly line: number;
  readonly level: "failure" | "warning" | "notice";
  readonly title: string;
  readonly message: string;
  /** Names the finding, so that a batch whose answer was lost is not sent twice. */
  readonly details: string;
}

/** What a check run says, and whether it is the last word. */
export interface CheckOutput {
  readonly title: string;
  readonly summary: string;
  readonly annotations: readonly Annotation[];
  /** null: more annotations follow. */
  readonly conclusion: "success" | "neutral" | "failure" | null;
}

/** An annotation as GitHub gives it back. */
export type KnownAnnotation = Pick<Annotation, "path" | "line" | "details">;

/** A comment of ours. */
export interface OwnComment {
  readonly id: number;
  readonly body: string;
}

/** The first comment of a thread at a line, and the thread. */
export interface OwnThread extends OwnComment {
  readonly thread: string;
  readonly isResolved: boolean;
  readonly canResolve: boolean;
}

/** What stands under a pull request and is ours: nobody else's comment counts, whatever is in it. */
export interface Conversation {
  readonly threads: readonly OwnThread[];
  readonly reviews: readonly OwnComment[];
  readonly comments: readonly OwnComment[];
}

/** A comment at a line of the pull request's diff. */
export interface LineComment {
  readonly path: string;
  readonly line: number;
  readonly side: "LEFT" | "RIGHT";
  readonly body: string;
}

/** What a commit status says. */
export interface Status {
  readonly state: "success" | "failure" | "error";
  /** At most 140 characters. */
  readonly description: string;
  /** What it leads to. */
  readonly url: string;
}

/** A repository on GitHub. */
export interface GitHubRepository {
  /** Whether the token may write to it; null: GitHub does not say, as it does not to an App. */
  mayWrite(): Promise<boolean | null>;
  /** Its open pull requests, those that changed last first, no more than so many. */
  openPulls(most: number): Promise<readonly ListedPull[]>;
  pullAt(number: number): GitHub;
}

/** A pull request on GitHub. */
export interface GitHub {
  pull(): Promise<Pull>;
  /** The commits as `git format-patch` writes them. */
  patch(): Promise<string>;
  files(): Promise<readonly ChangedFile[]>;
  checkRuns(commit: string): Promise<readonly CheckRun[]>;
  annotations(run: number): Promise<readonly KnownAnnotation[]>;
  createCheckRun(commit: string, externalId: string, output: CheckOutput): Promise<void>;
  updateCheckRun(run: number, output: CheckOutput): Promise<void>;
  /** What our status of the commit says now; null: there is none. */
  status(commit: string): Promise<Status | null>;
  setStatus(commit: string, status: Status): Promise<void>;
  conversation(): Promise<Conversation>;
  review(commit: string, body: string, comments: readonly LineComment[]): Promise<void>;
  editReview(review: number, body: string): Promise<void>;
  editLineComment(comment: number, body: string): Promise<void>;
  resolve(thread: string): Promise<void>;
  comment(body: string): Promise<void>;
  editComment(comment: number, body: string): Promise<void>;
}

/** Why a request did not do what it should. */
export type Failure =
  /** The token may not: 401, 403, or 404 for what it may not even see. */
  | "refused"
  /** 422: something in it is not valid. */
  | "invalid"
  /** The limit of requests, after waiting as long as we do. */
  | "limited"
  /** 5xx, or the connection broke: done or not done, nobody knows. */
  | "uncertain"
  /** Any other answer. */
  | "failed";

/** GitHub's answer to a request for a patch of more than 20,000 lines or 300 files. */
export const NOT_ACCEPTABLE = 406;

/** A request that failed. */
export class GitHubError extends Error {
  override readonly name = "GitHubError";

  /** @param request Method and path, for the message */
  constructor(
    readonly failure: Failure,
    readonly status: number,
    readonly request: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot ${request}: ${status === 0 ? "" : `${status} `}${reason}`, options);
  }
}
