/**
 * Which pull request is meant: the one that was named, or the one of the event that a workflow runs for. Reads the
 * event as data from outside. Pure.
 *
 * @module
 */

import type { RepositoryName } from "./port.ts";

/** A pull request by number, or by the head of a workflow run that does not say its number. */
export type Target =
  | { readonly repository: RepositoryName; readonly number: number; readonly head: string | null }
  | {
    readonly repository: RepositoryName;
    readonly branch: { readonly owner: string; readonly branch: string; readonly commit: string };
  };

/** What is meant cannot be told; the message says why. */
export class TargetError extends Error {
  override readonly name = "TargetError";
}

const NAME = "[A-Za-z0-9_.-]{1,100}";

/** @throws {TargetError} If it is not `OWNER/REPO#N` */
export function targetNamed(text: string): Target {
  const found = new RegExp(`^(${NAME})/(${NAME})#([1-9]\\d{0,9})$`).exec(text);
  if (found === null) throw new TargetError(`--pr is "${text}", not OWNER/REPO#NUMBER`);
  return { repository: { owner: found[1]!, name: found[2]! }, number: Number(found[3]), head: null };
}

/** @throws {TargetError} If it is not `owner/name` */
export function repositoryNamed(text: string): RepositoryName {
  const found = new RegExp(`^(${NAME})/(${NAME})$`).exec(text);
  if (found === null) throw new TargetError(`GITHUB_REPOSITORY is "${text}", not OWNER/REPO`);
  return { owner: found[1]!, name: found[2]! };
}

/**
 * The pull request of an event.
 *
 * @param text The event as JSON, as GITHUB_EVENT_PATH has it
 * @throws {TargetError} If it is of no pull request
 */
export function targetOfEvent(text: string, repository: RepositoryName): Target {
  const event = record(parsed(text));
  const pull = record(event.pull_request);
  if (isNumber(pull.number)) {
    return { repository, number: pull.number, head: textOf(record(pull.head).sha) };
  }
  const run = record(event.workflow_run);
  const commit = textOf(run.head_sha);
  // For a fork GitHub leaves the list of pull requests empty.
  const branch = textOf(run.head_branch);
  const owner = textOf(record(record(run.head_repository).owner).login);
  if (run.event === "pull_request" && commit !== null && branch !== null && owner !== null) {
    return { repository, branch: { owner, branch, commit } };
  }
  throw new TargetError(
    "the event of this workflow is of no pull request: name one with --pr OWNER/REPO#NUMBER",
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TargetError("the event of this workflow is not JSON");
  }
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const textOf = (value: unknown): string | null => typeof value === "string" && value !== "" ? value : null;
