/**
 * From reports on the commits of a pull request to what is said there. Pure.
 *
 * @module
 */

import type { Finding, Report } from "../../rules/engine/types.ts";
import { laterSpan } from "../head_lines.ts";
import type { CommitSeries } from "../source/commits.ts";
import { type Found, identified } from "./publish.ts";

/**
 * The findings, each with its line in the head commit.
 *
 * @param isWanted Leaves out those that are not to be told
 */
export function foundIn(
  reports: readonly Report[],
  { patches, root }: Pick<CommitSeries, "patches" | "root">,
  isWanted: (finding: Finding) => boolean = () => true,
): readonly Found[] {
  const inRepository = (path: string) => root === "" ? path : `${root}/${path}`;
  return identified(reports.flatMap(({ findings, patch }) => {
    const later = patches.slice(patches.findIndex(({ mail }) => mail === patch.mail) + 1);
    return findings.filter(isWanted).map((finding) => {
      const at = laterSpan(finding.at, later);
      return { finding, atHead: at === null ? null : { ...at, path: inRepository(at.path) } };
    });
  }));
}

/** What could not be judged, a line each. */
export const notJudgedIn = (reports: readonly Report[]): readonly string[] =>
  reports.flatMap(({ patch: { mail, defects }, unseen }) => [
    ...defects.map(({ reason }) => `${mail.input}: ${reason}`),
    ...unseen.map(({ what, reason }) => `${mail.input}: ${what}: ${reason}`),
  ]);

/** What comments of the patches themselves allow, a line each. */
export const allowedIn = (reports: readonly Report[]): readonly string[] =>
  reports.flatMap(({ suppressed }) =>
    suppressed.filter(({ byPatch }) => byPatch).map(({ finding: { at, message, rule }, reason }) =>
      `${at.path}:${at.line}: ${message} [${rule}]: "${reason}"`
    )
  );
