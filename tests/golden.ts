/**
 * Files that hold what the tool prints, to the byte. With BLESS=1 (`deno task bless`) a file that differs is written
 * again, and the test still fails: somebody has to look at the difference.
 *
 * @module
 */

import { equal } from "node:assert/strict";

/**
 * Holds a text against a golden file.
 *
 * @param path From the root of the project
 */
export async function golden(path: string, text: string): Promise<void> {
  const file = new URL(`../${path}`, import.meta.url);
  let wanted: string | null = null;
  try {
    wanted = await Deno.readTextFile(file);
  } catch (error) {
    // A new golden: written when blessed, a failure otherwise.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (text !== wanted && Deno.env.get("BLESS") === "1") await Deno.writeTextFile(file, text);
  equal(text, wanted, `${path} differs: look, then deno task bless`);
}
