/**
 * From the bytes of an input to a patch, and the linter that judges it. Everything heavy loads on first use.
 *
 * @module
 */

import type { Linter } from "../rules/engine/lint.ts";
import type { Rule } from "../rules/engine/rule.ts";
import type { Confidence, Patch } from "../rules/engine/types.ts";
import type { Interest, Version } from "../rules/kernel/types.ts";
import type { Reviewer } from "../rules/tree/review.ts";
import type { Repository } from "../rules/tree/tree.ts";
import type { Input } from "./source/files.ts";

/** The patch in an input. Never throws for what its bytes hold. */
export async function patchFrom(input: Input): Promise<Patch> {
  const { mailOf } = await import("./source/files.ts");
  const { fileFromSource, readPatch } = await import("../rules/engine/diff.ts");
  const mail = await mailOf(input);
  if (input.kind !== "c-source") return readPatch(mail);
  const { kernelPath } = await import("./source/kernel_path.ts");
  const files = [fileFromSource(await kernelPath(input.input), mail.body)];
  return { mail, files, defects: mail.defects, baseCommit: null, changeId: null };
}

/** A message without its body: what series it is of, and where in it. */
export async function headFrom(input: Input): Promise<Patch> {
  const [{ toLatin1 }, { bodyOffset, headOffset }] = await Promise.all([
    import("../rules/engine/encoding.ts"),
    import("../rules/engine/header.ts"),
  ]);
  const text = toLatin1(input.bytes);
  const start = headOffset(text);
  const bytes = input.bytes.subarray(0, start + bodyOffset(text.slice(start)));
  return await patchFrom({ ...input, bytes, size: bytes.length });
}

/** How to judge. */
export interface Judging {
  readonly rules: readonly Rule[];
  readonly interest: Interest;
  readonly kernel: Version | null;
  readonly minConfidence: Confidence;
}

/** What may be of interest to these rules, as for {@link Judging}. */
export async function interestOf(rules: readonly Rule[]): Promise<Interest> {
  const { concerns, narrowed } = await import("../rules/kernel/mod.ts");
  return narrowed(concerns, rules.map(({ words }) => words));
}

/** The linter, with the grammar read on the first hunk that needs it. */
export async function linterFor(
  { rules, interest, kernel, minConfidence }: Judging,
): Promise<Linter> {
  const [{ createLinter }, { rules: catalogue }, { standFor }] = await Promise.all([
    import("../rules/engine/lint.ts"),
    import("../rules/mod.ts"),
    import("../rules/model/stand.ts"),
  ]);
  return createLinter({
    rules,
    interest,
    kernel,
    minConfidence,
    // A comment in the code may name a rule that this run leaves out.
    ruleNamed: (name) => catalogue.find(({ id, code }) => id === name || code === name)?.id ?? null,
    standFor,
    load: async () => (await import("./grammar.ts")).readGrammar(),
  });
}

/** Judges series; upon the repository's tree where there is one. */
export async function reviewerFor(judging: Judging, repository: Repository | null): Promise<Reviewer> {
  const [{ createReviewer }, linter] = await Promise.all([
    import("../rules/tree/review.ts"),
    linterFor(judging),
  ]);
  return createReviewer(linter, judging.interest.direct, repository);
}
