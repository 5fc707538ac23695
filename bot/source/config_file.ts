/**
 * Where the configuration file is: in a folder or the nearest one above it.
 *
 * @module
 */

import { dirname, join, resolve } from "@std/path";

/** The name of the file. */
export const CONFIG_NAME = ".p2plint.json";

/** Larger than any list of rules and paths that a person would keep. */
export const MAX_CONFIG_BYTES = 64 * 1024;

const MAX_LEVELS = 64;

/** A file that was found, and what keeps it from being read, if anything does: lower case, no full stop. */
export interface Found {
  readonly path: string;
  readonly problem: string | null;
}

/**
 * Looks from a folder upwards; null when there is none. Nobody named what is found, so it is a file or nothing: a
 * link in a stranger's tree may lead anywhere.
 */
export async function findConfig(folder: string): Promise<Found | null> {
  let at = resolve(folder);
  for (let level = 0; level < MAX_LEVELS; level++) {
    const path = join(at, CONFIG_NAME);
    const info = await fileInfo(path);
    if (info !== null) {
      const problem = info.isFile ? null : info.isSymlink ? "a link, not a file" : "not a file";
      return { path, problem };
    }
    const above = dirname(at);
    if (above === at) break;
    at = above;
  }
  return null;
}

async function fileInfo(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.lstat(path);
  } catch {
    // Folders above that may not be looked into hold no file that is ours to read.
    return null;
  }
}
