/**
 * The data that flows from a message's bytes to a finding. Everything is readonly: a stage adds, it never
 * edits what an earlier stage made.
 *
 * bytes ─readMail→ Mail ─readPatch→ Patch ─sources→ SourceFile, FunctionView ─facts→ Draft ─lint→ Finding
 *
 * @module
 */

import type { Stand } from "../model/stand.ts";

/** One mailbox of an address header, already decoded (RFC 5322 3.4). */
export interface Address {
  /** Display name, decoded (RFC 2047); "" when there is none. */
  readonly name: string;
  /** `local@domain`; never empty. */
  readonly address: string;
}

/** What the bracket and the rest of a Subject say. */
export interface Subject {
  /** The decoded header, white space folded. */
  readonly text: string;
  /** Whether a PATCH tag stands in a bracket (`[PATCH …]`, `[RFC PATCH …]`, `[RFC,v2]`). */
  readonly isPatch: boolean;
  /** Whether it starts with `Re:`, `AW:`, `回复:` or another reply mark. */
  readonly isReply: boolean;
  /** The bracket's words besides PATCH, version and counts, as written: `RFC`, `RESEND`, `net-next`, … */
  readonly tags: readonly string[];
  /** 1 unless a `vN` tag says otherwise. */
  readonly version: number;
  /** Position in the series, 0 for the cover letter; 1 when the bracket has no counts. */
  readonly index: number;
  /** Patches in the series, cover not counted; 1 when the bracket has no counts. */
  readonly total: number;
  /** What is left: the commit's one-line summary. */
  readonly title: string;
}

/** The kinds of damage that mail does to a patch, and what else keeps a text from being read. */
export type Damage =
  | "truncated"
  | "wrong-counts"
  | "wrapped-lines"
  | "flowed-joins"
  | "tabs-to-blanks"
  | "bad-header"
  | "hostile-path"
  | "combined-diff"
  | "binary"
  | "charset"
  | "mime"
  | "encoding"
  | "too-large";

/** Something that could not be read as meant. It is data: the rest of the input is still judged. */
export interface Defect {
  readonly damage: Damage;
  /** 1-based line of the decoded body (of the file for a bare diff); null when it is not about one line. */
  readonly bodyNo: number | null;
  /** What happened, to which input line, lower case, no full stop: `hunk ends 2 lines early`. */
  readonly reason: string;
}

/** One message. */
export interface Mail {
  /** The path as given on the command line, `-` for standard input. */
  readonly input: string;
  /** 1-based position in an mbox or folder; null for a lone message. */
  readonly position: number | null;
  /** Without the angle brackets; null when the header is missing (a bare diff). */
  readonly messageId: string | null;
  readonly inReplyTo: string | null;
  readonly references: readonly string[];
  /** Who wrote the patch: in-body `From:`, else X-Original-From, else From. */
  readonly author: Address | null;
  /** The From header as it stands. */
  readonly from: Address | null;
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly date: string | null;
  readonly subject: Subject;
  /** Lower-case name to raw (unfolded, undecoded) values, in order of appearance. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** The decoded text that git would look at, LF line ends. */
  readonly body: string;
  /**
   * Only for a format=flowed mail whose lines were joined: the lines as sent, to be tried when the joined
   * ones do not fit the hunk counts (RFC 3676 4.2). null or absent when it would be the same as `body`.
   */
  readonly rawBody?: string | null;
  readonly defects: readonly Defect[];
}

/** A line of a hunk. `raw` is the line as it stands in the body, prefix included, without its line end. */
export type Line =
  & {
    readonly raw: string;
    /** The code itself: `raw` less the prefix and a trailing carriage return. */
    readonly text: string;
    /** 1-based line of the body: the line to quote; null for a line that only the tree shows. */
    readonly bodyNo: number | null;
    /** The `\ No newline at end of file` line that follows, verbatim; null otherwise. */
    readonly marker: string | null;
  }
  & (
    | { readonly kind: "context"; readonly oldNo: number; readonly newNo: number }
    | { readonly kind: "added"; readonly newNo: number }
    | { readonly kind: "removed"; readonly oldNo: number }
  );

/** One `@@ -a,b +c,d @@ section` block. */
export interface Hunk {
  /** The `@@` line verbatim; "" for a fragment that was quoted without it. */
  readonly header: string;
  readonly bodyNo: number;
  readonly oldStart: number;
  readonly oldCount: number;
  readonly newStart: number;
  readonly newCount: number;
  /** The text behind the second `@@`: git's guess at the enclosing function. */
  readonly section: string;
  readonly lines: readonly Line[];
  /** False: the counts do not fit or lines are damaged. `lines` then holds what is still whole. */
  readonly whole: boolean;
}

/** What a patch does to one file. */
export interface FileDiff {
  /** null: the file is created. Never absolute, never with `..`. */
  readonly oldPath: string | null;
  /** null: the file is deleted. */
  readonly newPath: string | null;
  readonly status: "modified" | "created" | "deleted" | "renamed" | "copied" | "mode" | "binary" | "combined";
  /** `quote`: lines quoted in a reply; line numbers are the mail's own when the quote has no `@@` line. */
  readonly origin: "diff" | "quote" | "source";
  /** Every line from `diff --git` (or `---`) to the line before the first hunk, verbatim. */
  readonly header: readonly string[];
  readonly bodyNo: number;
  /** Blob ids of the `index` line; null when there is none. */
  readonly oldBlob: string | null;
  readonly newBlob: string | null;
  readonly hunks: readonly Hunk[];
  /** Every line of the file, those of the hunks among them; null when only the hunks are known. */
  readonly all: readonly Line[] | null;
  /** Lines behind the last hunk that belong to this file (binary patch data), verbatim. */
  readonly trailer: readonly string[];
}

/** A message with a diff in it. `files` is empty for a cover letter or a reply without quoted code. */
export interface Patch {
  readonly mail: Mail;
  readonly files: readonly FileDiff[];
  /** The mail's own defects first, then the diff's, in order of line. */
  readonly defects: readonly Defect[];
  /** `base-commit:` trailer; null when there is none. */
  readonly baseCommit: string | null;
  /** b4's `change-id:`; null when there is none. */
  readonly changeId: string | null;
}

/** Patches that were posted together. */
export interface Series {
  /** Message-ID of the cover letter, or of the first member when there is no cover. */
  readonly root: string;
  readonly version: number;
  readonly total: number;
  readonly cover: Mail | null;
  /** In order of index. */
  readonly members: readonly Mail[];
  /** Indexes (1..total) that are not among the inputs. */
  readonly absent: readonly number[];
}

export type Severity = "error" | "warning" | "note";
export type Confidence = "high" | "medium" | "low";

/** A place in the file that the patch touches. */
export interface Span {
  readonly path: string;
  /** 1-based, new side; for a removed line the new-side line where it stood. */
  readonly line: number;
  /** 1-based column in characters, a tab is one character. */
  readonly column: number;
  readonly side: "new" | "old";
  /** The source line, without its diff prefix. */
  readonly text: string;
  /** Line of the mail's body; null when the line is not in the mail. */
  readonly bodyNo: number | null;
}

/** One link in the chain of evidence. */
export interface Evidence {
  readonly at: Span;
  readonly note: string;
}

/** One mistake that a patch introduces. */
export interface Finding {
  readonly rule: string;
  /** Which of the rule's messages. */
  readonly key: string;
  readonly severity: Severity;
  readonly confidence: Confidence;
  readonly at: Span;
  /** One sentence in a reviewer's words, no full stop at the end. */
  readonly message: string;
  readonly because: readonly Evidence[];
  /** The assumption under which the finding would be wrong. */
  readonly unless: string;
  /** The code that was probably wanted; null when no one answer is clear. */
  readonly wanted: string | null;
  /** The enclosing function; "" at file level. */
  readonly function: string;
  /** What is wrong there, as the rule names it: the same, however the line around it is edited. */
  readonly subject: string;
  /** Hash of rule, key, path, function and line text: survives a rebase. */
  readonly fingerprint: string;
  /** The version of the series that had it first; null: it is new, or there was no earlier version to compare with. */
  readonly since: number | null;
  /** The operation that it is about, which the translation model can run; absent where it is about no one operation. */
  readonly operation?: Stand;
}

/** A finding that a later patch of the series repairs. */
export interface Mended {
  readonly finding: Finding;
  readonly by: Mail;
}

/** A finding that an earlier version of the series had, and this one has not. */
export interface Fixed {
  readonly finding: Finding;
  /** The last version that had it. */
  readonly version: number;
}

/** A finding that a comment in the code allows: `p2plint: allow RULE: reason`. */
export interface Suppressed {
  readonly finding: Finding;
  /** The comment's reason, on one line. */
  readonly reason: string;
  /** Where the comment names us. */
  readonly at: Span;
  /** The patch that is judged, or an earlier one of its series, adds the comment: its reviewers have yet to agree. */
  readonly byPatch: boolean;
}

/** A comment that means to allow a finding and does not count. */
export interface Disregarded {
  readonly at: Span;
  /** Lower case, no full stop: `no reason is given`. */
  readonly problem: string;
}

/** Something that was not judged. */
export interface Unseen {
  readonly what: string;
  readonly reason: string;
}

/** A rule that threw: our bug. Logged, never posted. */
export interface Fault {
  readonly rule: string;
  readonly where: string;
  readonly error: Error;
}

/** What linting one patch gave. */
export interface Report {
  readonly patch: Patch;
  readonly findings: readonly Finding[];
  /** Found, and allowed by comments in the code. */
  readonly suppressed: readonly Suppressed[];
  readonly disregarded: readonly Disregarded[];
  readonly unseen: readonly Unseen[];
  readonly faults: readonly Fault[];
  /** Of the findings that were open before the patch, those that it repairs. */
  readonly repaired: readonly Finding[];
  /** What it introduces and a later patch of the series repairs: not among the findings. */
  readonly mended: readonly Mended[];
  /** What the version before had: told once for a series, with its first patch. */
  readonly fixed: readonly Fixed[];
  /** Number of hunks that were looked at. */
  readonly judged: number;
}
