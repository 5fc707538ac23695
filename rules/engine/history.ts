/**
 * One version of a series against the one before: which findings are new, which are still there, which are gone. A
 * version is known by b4's change-id, or by its author and the title of its cover or of any of its patches. Pure; keeps
 * of a version no more than its findings.
 *
 * @module
 */

import type { Finding, Fixed, Mail, Patch, Report } from "./types.ts";

/** Remembers the versions that it was shown. */
export interface History {
  /**
   * The reports with what the last version before says of them, and the version itself remembered.
   *
   * @param reports Of one posting, in order; a cover letter may be among them
   * @param isComplete No patch of the posting is missing: what is not found is gone then
   */
  compare(reports: readonly Report[], isComplete: boolean): readonly Report[];
}

interface Posting {
  readonly version: number;
  readonly findings: readonly Finding[];
}

/** Postings that are remembered; the oldest go first. */
const MAX_POSTINGS = 5000;

/** Makes an empty one. */
export function createHistory(): History {
  /** By key: the posting of the highest version. */
  const last = new Map<string, Posting>();
  return {
    compare(reports, isComplete) {
      const keys = reports.flatMap(({ patch }) => keysOf(patch));
      const version = reports[0]?.patch.mail.subject.version ?? 1;
      const before = keys.map((key) => last.get(key)).find((known) =>
        known !== undefined && known.version < version
      );
      const out = before === undefined ? reports : compared(reports, before, isComplete);
      const posting = { version, findings: out.flatMap(({ findings }) => findings) };
      for (const key of keys) {
        if ((last.get(key)?.version ?? 0) > version) continue;
        last.delete(key); // to be put last again
        last.set(key, posting);
      }
      while (last.size > MAX_POSTINGS) last.delete(last.keys().next().value!);
      return out;
    },
  };
}

function keysOf({ mail, changeId }: Patch): string[] {
  if (!mail.subject.isPatch || mail.subject.isReply) return [];
  const title = mail.subject.title.toLowerCase().replace(/\s+/g, " ").trim();
  const keys = title === "" ? [] : [`${authorOf(mail)} ${title}`];
  return changeId === null ? keys : [`change-id ${changeId}`, ...keys];
}

const authorOf = ({ author, from }: Mail) => (author ?? from)?.address.toLowerCase() ?? "";

/** What a finding is known by when its fingerprint is another one, the surest sign first. */
const SIGNS: readonly ((finding: Finding) => string)[] = [
  // The line was edited, and is still wrong.
  ({ rule, key, at, function: fn, subject }) => JSON.stringify([rule, key, at.path, fn, subject]),
  // The function went to another file.
  ({ rule, key, function: fn, subject }) => JSON.stringify([rule, key, fn, subject]),
  // The line went to another function.
  ({ rule, key, at, subject }) => JSON.stringify([rule, key, subject, at.text.trim()]),
];

function compared(reports: readonly Report[], before: Posting, isComplete: boolean): Report[] {
  const left = [...before.findings];
  const take = (is: (old: Finding) => boolean) => {
    const i = left.findIndex(is);
    return i === -1 ? null : left.splice(i, 1)[0]!;
  };
  const old = new Map<Finding, Finding>();
  // What a comment allows is not fixed.
  const all = reports.flatMap(({ findings, suppressed }) => [
    ...findings,
    ...suppressed.map(({ finding }) => finding),
  ]);
  for (const signOf of [({ fingerprint }: Finding) => fingerprint, ...SIGNS]) {
    for (const finding of all) {
      const same = old.has(finding) ? null : take((other) => signOf(other) === signOf(finding));
      if (same !== null) old.set(finding, same);
    }
  }
  // Code that was rewritten on its way: of a mistake of the same kind in another place nobody knows whether it is the
  // old one. It is neither called old nor the old one fixed.
  const arisen = all.filter((finding) => !old.has(finding));
  const isGone = ({ rule, key }: Finding) =>
    !arisen.some((finding) => finding.rule === rule && finding.key === key);
  const fixed: Fixed[] = isComplete
    ? left.filter(isGone).map((finding) => ({ finding, version: before.version }))
    : [];
  return reports.map((report, i) => ({
    ...report,
    findings: report.findings.map((finding) => {
      const same = old.get(finding);
      return same === undefined ? finding : { ...finding, since: same.since ?? before.version };
    }),
    fixed: i === 0 ? fixed : [],
  }));
}
