/**
 * Which text a diff is for: that of the base commit which the patch names, else the blob of its `index` line, else
 * HEAD's. Pure: the repository is read through its port.
 *
 * @module
 */

import type { FileDiff } from "../engine/types.ts";
import { type Applied, applyDiff, isApplied, type Placed, type Refused } from "./apply.ts";
import { isShortFor } from "./blob.ts";
import type { Repository, Tree } from "./tree.ts";

/** The state of the tree that a patch, or the first one of a series, starts from. */
export interface Base {
  readonly tree: Tree;
  readonly by: "base-commit" | "head";
  /** Why it is not the base commit that the patch names; null when it is, or when it names none. */
  readonly doubt: string | null;
}

/** Where a diff went in. */
export interface PreImage {
  /** null: the file is new. */
  readonly before: string | null;
  readonly applied: Applied;
  /** `blob`: the content that the `index` line names, in whatever tree it was found. */
  readonly by: "base-commit" | "blob" | "head";
  /** The most context lines that a hunk had to give up; 0 when every line matched. */
  readonly fuzz: number;
  /** Which text was taken, and why none that the patch names, for a report: lower case, no full stop. */
  readonly said: string;
}

/** Nothing that the diff may be for takes it. */
export interface NoPreImage {
  /** In a reviewer's words, lower case, no full stop. */
  readonly reason: string;
}

/** Whether what {@link findPreImage} gave is a text. */
export const isFound = (result: PreImage | NoPreImage): result is PreImage => "applied" in result;

/** The state that a patch starts from: its `base-commit:` when the repository has that, else HEAD. */
export function baseFor(baseCommit: string | null, repository: Repository): Base {
  if (baseCommit === null) return { tree: repository.head, by: "head", doubt: null };
  const tree = repository.at(baseCommit);
  if (tree !== null) return { tree, by: "base-commit", doubt: null };
  return {
    tree: repository.head,
    by: "head",
    doubt: `base commit ${shorten(baseCommit)} is not in ${repository.name}`,
  };
}

/** A text to try. */
interface Candidate {
  readonly by: PreImage["by"];
  /** For messages: `/src/linux at 0123456789ab, its base commit`. */
  readonly name: string;
  /** null: there is no such file; undefined: there is no such blob. */
  readonly text: string | null | undefined;
}

/** Fuzz is the last resort: a hunk that fits with every line in any of the texts is no riddle. */
const FUZZ = 2;

/**
 * Finds the text that a diff is for, and applies it: to each candidate with every line matching, then with fuzz.
 *
 * @param state The tree as the earlier patches of the series left it; `base.tree` when there is none
 */
export function findPreImage(
  diff: FileDiff,
  base: Base,
  repository: Repository,
  state: Tree = base.tree,
): PreImage | NoPreImage {
  const { status, newPath } = diff;
  if ((status === "renamed" || status === "copied") && state.read(newPath!) !== null) {
    return { reason: `${newPath} is there already` };
  }
  const refused: { readonly candidate: Candidate; readonly reason: string }[] = [];
  for (const candidate of candidates(diff, base, repository, state)) {
    const result = attempt(candidate, diff, 0, repository);
    if (isApplied(result)) {
      const doubts = refused.map(({ candidate, reason }) => `${candidate.name}: ${reason}`);
      return preImage(candidate, result, [base.doubt, ...doubts]);
    }
    refused.push({ candidate, reason: result.reason });
  }
  for (const { candidate } of refused) {
    const result = attempt(candidate, diff, FUZZ, repository);
    if (isApplied(result) && result.placed.every(isAnchored)) {
      return preImage(candidate, result, [base.doubt]);
    }
  }
  const tried = refused.filter(({ candidate }) => candidate.text !== undefined);
  return {
    reason: `${tried[0]!.reason} (tried: ${tried.map(({ candidate }) => candidate.name).join("; ")})`,
  };
}

/** A hunk without a word that matches could stand anywhere. */
function isAnchored({ hunk: { lines }, fuzz, dropped }: Placed): boolean {
  return fuzz === 0 ||
    lines.slice(dropped.leading, lines.length - dropped.trailing)
      .some(({ kind, text }) => kind !== "added" && /\w/.test(text));
}

function attempt({ text }: Candidate, diff: FileDiff, fuzz: 0 | 2, { name }: Repository): Applied | Refused {
  return text === undefined ? { hunk: null, reason: `not in ${name}` } : applyDiff(text, diff, { fuzz });
}

/** In the order in which they are to be tried. A generator, because to ask for a blob may cost a process. */
function* candidates(
  { oldPath, newPath, oldBlob }: FileDiff,
  { by, tree }: Base,
  repository: Repository,
  state: Tree,
): Generator<Candidate, void, void> {
  const path = (oldPath ?? newPath)!;
  const file = state.read(path);
  const text = file?.text ?? null;
  if (by === "base-commit") yield { by, name: `${tree.name}, its base commit`, text };
  if (oldPath !== null && oldBlob !== null) {
    const isThatBlob = file !== null && isShortFor(oldBlob, file.blob);
    // The base commit's file was tried.
    if (isThatBlob && by === "base-commit") return;
    const name = `blob ${shorten(oldBlob)} of its index line`;
    yield { by: "blob", name, text: isThatBlob ? text : repository.blob(oldBlob) ?? undefined };
    if (isThatBlob) return;
  }
  if (by === "head") yield { by, name: tree.name, text };
  // HEAD knows nothing of what earlier patches did to the file.
  else if (text === (tree.read(path)?.text ?? null)) {
    yield { by: "head", name: repository.head.name, text: repository.head.read(path)?.text ?? null };
  }
}

/** Says `applied to A, up to 3 lines off; B: not in C`. */
function preImage(
  { by, name, text }: Candidate,
  applied: Applied,
  doubts: readonly (string | null)[],
): PreImage {
  const off = Math.max(0, ...applied.placed.map(({ offset }) => Math.abs(offset)));
  const fuzz = Math.max(0, ...applied.placed.map(({ fuzz }) => fuzz));
  const moved = off === 0 ? "" : `, up to ${off} line${off === 1 ? "" : "s"} off`;
  const guessed = fuzz === 0 ? "" : `, with fuzz ${fuzz}: outer context lines differ`;
  return {
    before: text ?? null,
    applied,
    by,
    fuzz,
    said: [`applied to ${name}${moved}${guessed}`, ...doubts.filter((doubt) => doubt !== null)].join("; "),
  };
}

/** git shows as many of a commit of the kernel. */
const SHOWN_DIGITS = 12;

const shorten = (id: string) => id.slice(0, SHOWN_DIGITS);
