/**
 * Commits of a git repository as patches: those of a range, one, or what is staged. Diffs are made by git's plumbing
 * from objects alone, with fixed options: no configuration, attribute, driver or hook of the repository has a part.
 *
 * @module
 */

import { resolve } from "@std/path";
import { decodeText } from "../../rules/engine/encoding.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { mailFromText } from "../../rules/engine/mail.ts";
import { MAX_MESSAGE_BYTES } from "../../rules/engine/mailbox.ts";
import { readSubject } from "../../rules/engine/subject.ts";
import type { Defect, Patch } from "../../rules/engine/types.ts";
import type { Repository } from "../../rules/tree/tree.ts";
import type { Commit, Git } from "./git.ts";
import { GitRepository } from "./git_tree.ts";
import { inputs, isProblem, mailOf } from "./files.ts";
import { openGit, openRepository } from "./repository.ts";
import { TreeError } from "./tree_error.ts";
import { MAX_HELD_BYTES } from "./tree_path.ts";

/** Patches that apply one upon another, and the tree that the first of them applies to. */
export interface CommitSeries {
  /** The commits' ids; `staged` for what is no commit yet. In the order of {@link patches}. */
  readonly names: readonly string[];
  readonly patches: readonly Patch[];
  /** null: there is no tree, and what the patches show is all there is. */
  readonly repository: Repository | null;
  /** The kernel's folder in the repository, to which paths are relative; "" for the root. */
  readonly root: string;
}

/** A series upon one tree is held in memory; a release of the kernel has 15,000 commits. */
const MAX_COMMITS = 2000;

/** Shown of a commit's id, as the kernel does. */
const SHOWN_DIGITS = 12;

/** The name of what is staged. */
const STAGED = "staged";

/**
 * The commits that a range or a revision names.
 *
 * @param folder Any folder of the repository
 * @param what `BASE..HEAD`, `BASE...HEAD` (from where the two part), or one revision
 * @throws {TreeError} If there is no such repository or commit, or a shallow or partial clone lacks what is needed
 */
export function commitsOf(folder: string, what: string): CommitSeries {
  const { git, rootIn } = openGit(folder);
  const find = (revision: string) => resolveOr(git, revision === "" ? "HEAD" : revision, folder);
  const range = /^(.*?)(\.{2,3})(.*)$/.exec(what);
  const head = find(range === null ? what : range[3]!);
  let base: string | null = null;
  if (range !== null) {
    base = find(range[1]!);
    if (range[2] === "...") base = git.mergeBase(base, head) ?? noMergeBase(git, folder, what);
  }
  const commits = base === null ? git.commits(null, head, 1) : git.commits(base, head, MAX_COMMITS + 1);
  if (commits === null) throw new TreeError(`${folder}: git cannot list the commits of ${what}`);
  if (commits.length === 0) throw new TreeError(`${folder}: there is no commit in ${what}`);
  if (commits.length > MAX_COMMITS) {
    throw new TreeError(`${what} has more than ${MAX_COMMITS} commits: too many for one series`);
  }
  const cut = commits.find(({ id, parents }) => parents.length === 0 && git.hasHiddenParents(id));
  if (cut !== undefined) throw new TreeError(shallowHelp(folder, `what commit ${short(cut.id)} is based on`));
  const first = commits[0];
  const at = first?.parents[0] ?? head;
  const root = rootIn(head);
  const patches = commits.map((commit, i) => patchOf(git, commit, root, folder, [i + 1, commits.length]));
  return {
    names: commits.map(({ id }) => id),
    patches,
    repository: new GitRepository(folder, git, at, root, MAX_HELD_BYTES),
    root,
  };
}

/**
 * What is staged, as one patch upon HEAD.
 *
 * @param index The index file where it is not the repository's own: git names one to the hooks of a partial commit
 * @throws {TreeError} If there is no such repository, or nothing was committed yet
 */
export function stagedOf(folder: string, index: string | null): CommitSeries {
  const { git, rootIn } = openGit(folder);
  const head = git.resolve("HEAD", "commit");
  if (head === null) throw new TreeError(`${folder}: nothing was committed yet, so nothing can be compared`);
  const root = rootIn(head);
  const bytes = git.stagedDiff(head, root, index);
  if (bytes === null) throw new TreeError(`${folder}: git cannot compare what is staged with HEAD`);
  return {
    names: [STAGED],
    patches: [patchFrom(bytes, STAGED, "what is staged", [])],
    repository: new GitRepository(folder, git, head, root, MAX_HELD_BYTES),
    root,
  };
}

/**
 * Commits that `git format-patch` wrote, as a code host gives them.
 *
 * @param folder The tree that they are for; null, or none that can be read: there is none
 */
export async function commitsIn(mbox: string, folder: string | null): Promise<CommitSeries> {
  const bytes = new TextEncoder().encode(mbox);
  const names: string[] = [];
  const patches: Patch[] = [];
  for await (const input of inputs(["-"], one(bytes))) {
    if (isProblem(input)) continue;
    const commit = /^From ([0-9a-f]{40}) /.exec(decodeText(input.bytes.subarray(0, 64), null).text)?.[1];
    const name = commit === undefined ? `patch ${names.length + 1}` : short(commit);
    const patch = readPatch(await mailOf(input));
    names.push(commit ?? name);
    patches.push({ ...patch, mail: { ...patch.mail, input: name, position: null } });
  }
  return { names, patches, repository: treeAt(folder), root: "" };
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

function treeAt(folder: string | null): Repository | null {
  if (folder === null) return null;
  try {
    return openRepository(folder);
  } catch (error) {
    // Without a tree the patches are judged by what they show.
    if (error instanceof TreeError) return null;
    throw error;
  }
}

/** The index that git names to its hooks; null: none, or this process may not ask. */
export function indexNamed(): string | null {
  const variable = "GIT_INDEX_FILE";
  const isAllowed = Deno.permissions.querySync({ name: "env", variable }).state === "granted";
  const named = isAllowed ? Deno.env.get(variable) ?? "" : "";
  return named === "" ? null : resolve(named);
}

/** @throws {TreeError} If the repository has no such commit */
function resolveOr(git: Git, revision: string, folder: string): string {
  // What starts with a dash is an option to git.
  const found = revision.startsWith("-") ? null : git.resolve(revision, "commit");
  if (found !== null) return found;
  throw new TreeError(
    git.isShallow() ? shallowHelp(folder, `commit ${revision}`) : `${folder}: there is no commit ${revision}`,
  );
}

function noMergeBase(git: Git, folder: string, what: string): never {
  throw new TreeError(
    git.isShallow()
      ? shallowHelp(folder, `the commit where ${what} part`)
      : `${folder}: the two ends of ${what} have no commit in common`,
  );
}

function shallowHelp(folder: string, lacks: string): string {
  return `${folder} is a shallow clone that lacks ${lacks}: fetch it with ` +
    `git -C ${folder} fetch --unshallow, or --deepen=200; ` +
    `in GitHub Actions check out with fetch-depth: 0, in GitLab CI set GIT_DEPTH: 0`;
}

const short = (id: string) => id.slice(0, SHOWN_DIGITS);

function patchOf(
  git: Git,
  commit: Commit,
  root: string,
  folder: string,
  [index, total]: readonly [number, number],
): Patch {
  const tag = total === 1 ? "PATCH" : `PATCH ${index}/${total}`;
  const author = commit.email === "" ? null : { name: commit.name, address: commit.email };
  const more = { author, from: author, date: commit.date };
  const subject = `[${tag}] ${commit.title}`;
  if (commit.parents.length > 1) {
    const reason = "merge commit: what it changes beyond its parents is not looked at";
    const defects: Defect[] = [{ damage: "combined-diff", bodyNo: null, reason }];
    return withMail(patchFrom(new Uint8Array(), short(commit.id), subject, defects), more);
  }
  const bytes = git.diff(commit.parents[0] ?? null, commit.id, root);
  if (bytes === null) {
    throw new TreeError(
      `${folder}: git cannot make the diff of commit ${
        short(commit.id)
      }: a partial clone fetches what it lacks ` +
        `with git -C ${folder} show --no-textconv ${short(commit.id)}`,
    );
  }
  return withMail(patchFrom(bytes, short(commit.id), subject, []), more);
}

function patchFrom(bytes: Uint8Array, input: string, subject: string, defects: readonly Defect[]): Patch {
  const read = bytes.subarray(0, MAX_MESSAGE_BYTES);
  const cut: Defect[] = bytes.length === read.length
    ? []
    : [{ damage: "too-large", bodyNo: null, reason: `${bytes.length} bytes, read up to ${read.length}` }];
  const mail = mailFromText(decodeText(read, null).text, { input, position: null });
  return readPatch({ ...mail, subject: readSubject(subject), defects: [...defects, ...cut] });
}

const withMail = (patch: Patch, more: Partial<Patch["mail"]>): Patch => ({
  ...patch,
  mail: { ...patch.mail, ...more },
});
