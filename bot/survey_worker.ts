/**
 * One worker of a survey: lots come in, what was found goes out. Reads the tree for itself.
 *
 * @module
 */

import type { Confidence, Disregarded, Finding, Suppressed, Unseen } from "../rules/engine/types.ts";
import type { Version } from "../rules/kernel/types.ts";
import type { Lot, Surveyor } from "../rules/tree/survey.ts";

/** The first message to a worker. */
export interface SurveyStart {
  /** Path of the tree. */
  readonly tree: string;
  /** Ids of the rules. */
  readonly rules: readonly string[];
  readonly kernel: Version | null;
  readonly minConfidence: Confidence;
}

/** What a worker found in a lot. */
export interface SurveyAnswer {
  readonly findings: readonly Finding[];
  readonly suppressed: readonly Suppressed[];
  readonly disregarded: readonly Disregarded[];
  readonly unseen: readonly Unseen[];
  readonly faults: readonly { readonly rule: string; readonly where: string; readonly message: string }[];
  /** Files that hold code of interest. */
  readonly files: readonly string[];
  /** Hunks, which are files here, that were looked at. */
  readonly judged: number;
}

let surveyor: Promise<Surveyor> | null = null;

async function start({ tree, rules, kernel, minConfidence }: SurveyStart): Promise<Surveyor> {
  const [catalogue, { interestOf, linterFor }, { openRepository }, { createSurveyor }] = await Promise.all([
    import("../rules/mod.ts"),
    import("./judge.ts"),
    import("./source/repository.ts"),
    import("../rules/tree/survey.ts"),
  ]);
  const names = new Set(rules);
  const wanted = catalogue.rules.filter(({ id }) => names.has(id));
  const interest = await interestOf(wanted);
  const linter = await linterFor({ rules: wanted, interest, kernel, minConfidence });
  return createSurveyor(linter, interest.direct, openRepository(tree).head);
}

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<SurveyStart | Lot>) => void) | null;
  postMessage(message: SurveyAnswer): void;
};

scope.onmessage = async ({ data }) => {
  if ("tree" in data) {
    surveyor = start(data);
    return;
  }
  const report = await (await surveyor!).judge(data);
  scope.postMessage({
    findings: report.findings,
    suppressed: report.suppressed,
    disregarded: report.disregarded,
    unseen: report.unseen,
    faults: report.faults.map(({ rule, where, error }) => ({ rule, where, message: error.message })),
    files: report.patch.files.map(({ newPath }) => newPath ?? ""),
    judged: report.judged,
  });
};
