/**
 * From the bytes of an input to a patch, and the linter that judges it. Everything heavy loads on first use.
 *
 * @module
 */

import type { Linter } from "../rules/engine/lint.ts";
import type { Kind } from "../rules/engine/mailbox.ts";
import type { Rule } from "../rules/engine/rule.ts";
import type { Confidence, Patch } from "../rules/engine/types.ts";
import type { Version } from "../rules/kernel/types.ts";

/** Where bytes came from. */
export interface Origin {
  readonly input: string;
  readonly position: number | null;
}

/** Reads one message, diff or source file. Never throws for what the bytes hold. */
export async function patchFrom(bytes: Uint8Array, kind: Kind, origin: Origin): Promise<Patch> {
  if (kind === "c-source") {
    const [{ mailFromText }, { fileFromSource }] = await Promise.all([
      import("../rules/engine/mail.ts"),
      import("../rules/engine/diff.ts"),
    ]);
    const text = new TextDecoder().decode(bytes);
    return {
      mail: mailFromText("", origin),
      files: [fileFromSource(origin.input, text)],
      defects: [],
      baseCommit: null,
      changeId: null,
    };
  }
  const [{ readMail }, { readPatch }] = await Promise.all([
    import("../rules/engine/mail.ts"),
    import("../rules/engine/diff.ts"),
  ]);
  return readPatch(await readMail(bytes, origin));
}

/** How to judge. */
export interface Judging {
  readonly rules: readonly Rule[];
  readonly words: readonly string[];
  readonly kernel: Version | null;
  readonly minConfidence: Confidence;
}

/** The linter, with the grammar read on the first hunk that needs it. */
export async function linterFor({ rules, words, kernel, minConfidence }: Judging): Promise<Linter> {
  const { createLinter } = await import("../rules/engine/lint.ts");
  return createLinter({
    rules,
    words,
    kernel,
    minConfidence,
    load: async () => (await import("./grammar.ts")).readGrammar(),
  });
}
