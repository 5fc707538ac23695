/**
 * A verdict as the status of the head commit. State is what GitHub holds: what it says already is not said again.
 *
 * @module
 */

import { printable } from "../render/printable.ts";
import type { GitHub, Pull, Status } from "./port.ts";
import { tried, type Verdict, type Wait, type Way } from "./publish.ts";

/** GitHub refuses a longer description. */
const MAX_DESCRIPTION = 140;

/**
 * Sets the status of the head commit.
 *
 * @param url What it leads to
 */
export function publishStatus(
  github: GitHub,
  { headCommit }: Pull,
  verdict: Verdict,
  url: string,
  wait: Wait,
): Promise<Way> {
  const wanted: Status = { ...saidOf(verdict), url };
  return tried("status", async () => {
    const known = await github.status(headCommit);
    const isKnown = known !== null && known.state === wanted.state && known.url === wanted.url &&
      known.description === wanted.description;
    if (!isKnown) await github.setStatus(headCommit, wanted);
    return !isKnown;
  }, wait);
}

/** One line: how many, and the first of them. */
function saidOf({ found: [first], total, notJudged, result }: Verdict): Omit<Status, "url"> {
  if (result === "nothing") {
    return { state: "error", description: line(["could not be judged", ...notJudged.slice(0, 1)]) };
  }
  const at = first === undefined ? null : first.atHead ?? first.finding.at;
  return {
    state: result === "failure" ? "failure" : "success",
    description: line([
      total,
      ...(at === null ? [] : [`${at.path}:${at.line}: ${first!.finding.message} [${first!.finding.rule}]`]),
    ]),
  };
}

function line(parts: readonly string[]): string {
  const text = printable(parts.join("; ")).replaceAll("\t", " ");
  if (text.length <= MAX_DESCRIPTION) return text;
  // No sign is cut in two.
  return `${text.slice(0, MAX_DESCRIPTION - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
