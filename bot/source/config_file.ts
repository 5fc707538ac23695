/**
 * Where the configuration file is: in a folder or the nearest one above it.
 *
 * @module
 */

import { dirname, join, resolve } from "@std/path";
import { foundProblem } from "./text_file.ts";

/** The name of the file. */
export const CONFIG_NAME = ".p2plint.json";

/** Larger than any list of rules and paths that a person would keep. */
export const MAX_CONFIG_BYTES = 64 * 1024;

const MAX_LEVELS = 64;

/** A file that was found, and what keeps it from being read, "" when nothing does. */
export interface Found {
  readonly path: string;
  readonly problem: string;
}

/** Looks from a folder upwards; null when there is none. */
export async function findConfig(folder: string): Promise<Found | null> {
  let at = resolve(folder);
  for (let level = 0; level < MAX_LEVELS; level++) {
    const path = join(at, CONFIG_NAME);
    const problem = await foundProblem(path);
    if (problem !== null) return { path, problem };
    const above = dirname(at);
    if (above === at) break;
    at = above;
  }
  return null;
}
