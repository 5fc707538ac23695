/**
 * A kernel tree in memory, for tests that may touch no disk.
 *
 * @module
 */

import { blobId } from "../../rules/tree/blob.ts";
import type { Repository, Tree } from "../../rules/tree/tree.ts";

/** A tree of these texts by path. */
export function treeOf(files: Readonly<Record<string, string>>): Tree {
  const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
  return {
    name: "memory",
    read(path) {
      const text = files[path];
      return text === undefined ? null : { path, text, blob: blobId(new TextEncoder().encode(text)) };
    },
    folders: () => [],
    list: (folder) => Object.keys(files).filter((path) => folderOf(path) === folder).sort(),
  };
}

/** A repository that has one state: these texts. */
export function repositoryOf(files: Readonly<Record<string, string>>): Repository {
  const head = treeOf(files);
  return { name: "memory", head, at: () => null, blob: () => null };
}
