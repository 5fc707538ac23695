/**
 * A mailed series as it waits for its pull request in a mirror: what its commits are known by, and what is to be said
 * of them. Nothing that a stranger could copy alone makes a pull request the one that is meant: every commit must have
 * its patch's title, author and change, in order. Pure.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Finding, Patch, Severity } from "../../rules/engine/types.ts";
import { sameAddress } from "../mailboxes.ts";
import { printableJson } from "../render/printable.ts";
import { listOf, object, oneOf, type Read, required, text, whole } from "../shape.ts";

/** A finding as the mail has it. Its words at the pull request come from the commit. */
export type ToldFinding = Pick<Finding, "fingerprint" | "rule" | "severity" | "message"> & {
  readonly path: string;
  readonly line: number;
};

/** A patch of the series. */
export interface MailedPatch {
  readonly messageId: string;
  readonly title: string;
  /** Addresses that its commit may have as the author's: who wrote it, and who sent it. */
  readonly authors: readonly string[];
  /** See {@link changeOf}. */
  readonly change: string;
  /**
   * What stands behind the second `@@` of each hunk. Git guesses it by what the repository says of the file's type, so
   * a mirror may show another function there, and with it a finding would have another fingerprint.
   */
  readonly files: readonly { readonly path: string; readonly sections: readonly string[] }[];
  readonly findings: readonly ToldFinding[];
}

/** All of it. */
export interface MailedSeries {
  readonly report: "comments" | "status";
  /** Message-ID of the cover or first patch. */
  readonly root: string;
  readonly version: number;
  /** Of the cover, if there is one, and of the patches. */
  readonly titles: readonly string[];
  readonly patches: readonly MailedPatch[];
}

/** A patch with the findings that are to be told of it. */
export function mailedPatch(patch: Patch, findings: readonly Finding[]): MailedPatch {
  const { mail } = patch;
  const authors = [mail.author, mail.from].flatMap((each) =>
    each === null ? [] : [sameAddress(each.address)]
  );
  return {
    messageId: mail.messageId ?? "",
    title: mail.subject.title,
    authors: [...new Set(authors)],
    change: changeOf(patch),
    files: patch.files.map((file) => ({
      path: pathOf(file),
      sections: file.hunks.map(({ section }) => section),
    })),
    findings: findings.map(({ fingerprint, rule, severity, message, at: { path, line } }) => ({
      fingerprint,
      rule,
      severity,
      path,
      line,
      message,
    })),
  };
}

const pathOf = ({ newPath, oldPath }: Patch["files"][number]): string => newPath ?? oldPath ?? "";

/**
 * What tells that a commit makes the change of a patch, wherever its lines have moved: a hash over the paths and the
 * lines of the hunks, context included, as `git patch-id --stable` has it. The context counts: a later version may do
 * no more than put a line to another place.
 */
export function changeOf({ files }: Pick<Patch, "files">): string {
  const parts = files.map((file) => [
    file.oldPath,
    file.newPath,
    // Mail and `git am` differ in blanks at the end of a line.
    file.hunks.map(({ lines }) => lines.map(({ kind, text }) => [kind, text.trimEnd()])),
  ]);
  // Authors have git order files as they like (diff.orderFile).
  const sorted = parts.map((part) => JSON.stringify(part)).sort();
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 40);
}

/**
 * How well the title of a pull request names the series: 2, it is a title of the series; 1, one stands in it; 0, it
 * names something else.
 */
export function likeness(title: string, { titles }: MailedSeries): 0 | 1 | 2 {
  const own = plain(title);
  const known = titles.map(plain).filter((each) => each !== "");
  if (known.includes(own)) return 2;
  return known.some((each) => ` ${own} `.includes(` ${each} `)) ? 1 : 0;
}

/** `git am` and patchwork leave brackets in front of a title out, each in its own way. */
const plain = (title: string): string =>
  title.toLowerCase().replace(/^(?:\s*\[[^\]]*\])+/, "").replace(/[^\p{L}\p{N}]+/gu, " ").trim();

/** Why these commits are not the series; null: they are. */
export function differenceOf({ patches }: MailedSeries, commits: readonly Patch[]): string | null {
  if (commits.length !== patches.length) return `it has ${commits.length} commits, not ${patches.length}`;
  for (const [at, { title, authors, change }] of patches.entries()) {
    const commit = commits[at]!;
    const nth = `its commit ${at + 1} has another`;
    if (plain(commit.mail.subject.title) !== plain(title)) return `${nth} title`;
    const author = commit.mail.author === null ? "" : sameAddress(commit.mail.author.address);
    if (!authors.includes(author)) return `${nth} author`;
    if (changeOf(commit) !== change) return `${nth} diff`;
  }
  return null;
}

/** The commit of a patch, judged as the patch was but for its line numbers: see {@link MailedPatch.files}. */
export function asMailed(commit: Patch, { files }: MailedPatch): Patch {
  const sections = new Map(files.map(({ path, sections }) => [path, sections]));
  return {
    ...commit,
    files: commit.files.map((file) => ({
      ...file,
      hunks: file.hunks.map((hunk, at) => ({
        ...hunk,
        section: sections.get(pathOf(file))?.[at] ?? hunk.section,
      })),
    })),
  };
}

/** The series as the text of a post, fit to be shown. */
export const printSeries = (series: MailedSeries): string => `${printableJson(series, 2)}\n`;

const any = text("text", /^[^]*$/);
const series: Read<MailedSeries> = object({
  report: required(oneOf("comments", "status")),
  root: required(any),
  version: required(whole(0, Number.MAX_SAFE_INTEGER)),
  titles: required(listOf(any)),
  patches: required(listOf(object({
    messageId: required(any),
    title: required(any),
    authors: required(listOf(any)),
    change: required(any),
    files: required(listOf(object({ path: required(any), sections: required(listOf(any)) }))),
    findings: required(listOf(object({
      fingerprint: required(any),
      rule: required(any),
      severity: required(oneOf<Severity>("error", "warning", "note")),
      path: required(any),
      line: required(whole(0, Number.MAX_SAFE_INTEGER)),
      message: required(any),
    }))),
  }))),
});

/** @throws {Error} If it is not what {@link printSeries} wrote */
export function readSeries(text: string): MailedSeries {
  const problems: string[] = [];
  const read = series(JSON.parse(text), "", problems);
  if (problems.length > 0) throw new Error(problems.join("; "));
  return read;
}
