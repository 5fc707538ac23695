/**
 * Reads the two WebAssembly modules of the C parser. They are files of npm packages: beside the checkout, beside the
 * installed command, or inside the compiled one.
 *
 * @module
 */

import type { GrammarBytes } from "../rules/engine/syntax.ts";

/** @throws {Error} If a module cannot be read: the installation is broken */
export async function readGrammar(): Promise<GrammarBytes> {
  const [runtime, c] = await Promise.all([
    Deno.readFile(new URL(import.meta.resolve("web-tree-sitter/web-tree-sitter.wasm"))),
    Deno.readFile(new URL(import.meta.resolve("tree-sitter-c/tree-sitter-c.wasm"))),
  ]);
  return { runtime, c };
}
