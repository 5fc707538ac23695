/**
 * The path of a file in the kernel tree that it lies in: rules and findings speak of `drivers/foo/foo.c`, whatever
 * folder the tree was unpacked to.
 *
 * @module
 */

import { dirname, join, relative, resolve } from "@std/path";

/** Both stand in the root of every kernel tree since v2.6. */
export const MARKS = ["MAINTAINERS", "Kbuild"];
const MAX_LEVELS = 32;

/** Relative to the root of the tree when there is one above the file; as given otherwise. */
export async function kernelPath(path: string): Promise<string> {
  const root = await rootFrom(dirname(resolve(path)));
  return root === null ? path : relative(root, resolve(path));
}

/** A folder's path in its kernel tree, "" for the root; null when it is no folder or in no tree. */
export async function kernelFolder(path: string): Promise<string | null> {
  const isFolder = await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
  const root = isFolder ? await rootFrom(resolve(path)) : null;
  return root === null ? null : relative(root, resolve(path));
}

async function rootFrom(start: string): Promise<string | null> {
  let folder = start;
  for (let level = 0; level < MAX_LEVELS; level++) {
    if (await isRoot(folder)) return folder;
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  return null;
}

async function isRoot(folder: string): Promise<boolean> {
  const found = await Promise.all(
    // A folder that may not be read is no root that we know of.
    MARKS.map((name) => Deno.stat(join(folder, name)).then(({ isFile }) => isFile, () => false)),
  );
  return found.every(Boolean);
}
