/**
 * p2plint finds DMA and PCI peer-to-peer address-translation mistakes that a Linux kernel patch introduces.
 *
 * The stages are pure: bytes become a mail, a mail a patch, a patch a report. Reading the grammar of C is the
 * caller's, so the library works without access to files.
 *
 * ```ts
 * import { concerns, createLinter, readMail, readPatch, rules } from "./mod.ts";
 *
 * const linter = createLinter({
 *   rules,
 *   concerns,
 *   load: async () => ({
 *     runtime: await Deno.readFile(new URL(import.meta.resolve("web-tree-sitter/web-tree-sitter.wasm"))),
 *     c: await Deno.readFile(new URL(import.meta.resolve("tree-sitter-c/tree-sitter-c.wasm"))),
 *   }),
 * });
 * const bytes = await Deno.readFile("fixtures/p2p-export.patch");
 * const mail = await readMail(bytes, { input: "p2p-export.patch", position: null });
 * const report = await linter.lint(readPatch(mail));
 * for (const { at, message } of report.findings) console.log(`${at.path}:${at.line}: ${message}`);
 * ```
 *
 * Run as a program this file is the command line: `deno run --allow-read mod.ts check FILE`.
 *
 * @module
 */

export { fileFromSource, printDiff, readPatch } from "./rules/engine/diff.ts";
export { createLinter, type Linter, type LinterOptions } from "./rules/engine/lint.ts";
export { mailFromText, readMail } from "./rules/engine/mail.ts";
export { type Kind, recognise, splitMbox, unescapeFrom } from "./rules/engine/mailbox.ts";
export { type OnMachines, onMachines } from "./rules/model/on_machines.ts";
export { createPrefilter, type Prefilter } from "./rules/engine/prefilter.ts";
export { rulePage } from "./rules/engine/page.ts";
export { defineRule, type Draft, type Example, type Rule } from "./rules/engine/rule.ts";
export { assemble, type SeriesMember, type SeriesOf } from "./rules/engine/series.ts";
export type { GrammarBytes } from "./rules/engine/syntax.ts";
export type * from "./rules/engine/types.ts";
export { concerns, WORDS } from "./rules/kernel/mod.ts";
export { standFor } from "./rules/model/stand.ts";
export { rules } from "./rules/mod.ts";

if (import.meta.main) await (await import("./bot/main.ts")).run();
