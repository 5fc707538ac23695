/**
 * Opens a folder as the kernel tree that patches are for: a git repository, which is read through its objects only, or
 * a folder of sources.
 *
 * @module
 */

import { dirname, join, relative } from "@std/path";
import type { Repository } from "../../rules/tree/tree.ts";
import { FolderRepository } from "./folder_tree.ts";
import { Git } from "./git.ts";
import { GitRepository } from "./git_tree.ts";
import { MARKS } from "./kernel_path.ts";
import { TreeError } from "./tree_error.ts";
import { folderOf, MAX_HELD_BYTES } from "./tree_path.ts";

/**
 * Opens a kernel tree. Its root is the folder itself or the nearest one above it that holds `MAINTAINERS` and `Kbuild`:
 * at first in the HEAD of the git repository that the folder belongs to (a worktree, a bare repository, a kernel below
 * the root of a larger one), then on the disk. What a worktree has beyond HEAD is not read.
 *
 * @param heldBytes Limit of the texts that are remembered
 * @throws {TreeError} If there is no kernel tree that can be read
 */
export function openRepository(folder: string, heldBytes = MAX_HELD_BYTES): Repository {
  const real = realFolder(folder);
  const found = gitAbove(real);
  if (found !== null) {
    const git = new Git(found.gitFolder);
    const head = git.resolve("HEAD", "commit");
    const root = head === null ? null : rootAt(git, head, relative(found.top, real));
    if (root !== null) return new GitRepository(folder, git, head!, root, heldBytes);
  }
  const root = kernelRoot(
    real,
    dirname,
    (path) => MARKS.every((name) => isThere(join(path, name), "isFile")),
  );
  if (root !== null) return new FolderRepository(folder, root, heldBytes);
  throw new TreeError(
    `${folder}: no kernel tree: neither it nor a folder above it holds ${MARKS.join(" and ")}${
      found === null ? "" : ", and no HEAD of git does"
    }`,
  );
}

/** A git repository, and where the kernel lies in it. */
export interface OpenGit {
  readonly git: Git;
  /** The kernel's folder in a commit; "" when that has no kernel: what it holds is then judged as it is. */
  rootIn(commit: string): string;
}

/** @throws {TreeError} If the folder belongs to no git repository */
export function openGit(folder: string): OpenGit {
  const real = realFolder(folder);
  const found = gitAbove(real);
  if (found === null) throw new TreeError(`${folder}: not in a git repository`);
  const git = new Git(found.gitFolder);
  return { git, rootIn: (commit) => rootAt(git, commit, relative(found.top, real)) ?? "" };
}

/** The kernel's folder in a commit, the given one or one above it; null when there is none. */
function rootAt(git: Git, commit: string, inside: string): string | null {
  return kernelRoot(inside, folderOf, (path) => {
    const files = git.folderOf(commit, path)?.files;
    return files !== undefined && MARKS.every((name) => files.has(name));
  });
}

/** @throws {TreeError} If it is no folder, or may not be read */
function realFolder(folder: string): string {
  try {
    const real = Deno.realPathSync(folder);
    if (!Deno.statSync(real).isDirectory) throw new TreeError(`${folder}: not a folder`);
    Deno.readDirSync(real)[Symbol.iterator]().next();
    return real;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new TreeError(`${folder}: no such folder`);
    if (error instanceof Deno.errors.PermissionDenied) throw new TreeError(`${folder}: permission denied`);
    if (error instanceof Deno.errors.NotCapable) {
      throw new TreeError(`${folder}: deno may not read it: add --allow-read=${folder}`);
    }
    throw error;
  }
}

/** The folder, or the nearest above it, for which something holds; null when it holds for none. */
function kernelRoot(
  folder: string,
  above: (folder: string) => string,
  holds: (folder: string) => boolean,
): string | null {
  for (let at = folder;; at = above(at)) {
    if (holds(at)) return at;
    if (above(at) === at) return null;
  }
}

/** The repository that a folder belongs to, and the root of what it tracks. */
function gitAbove(folder: string): { gitFolder: string; top: string } | null {
  const isBare = isThere(join(folder, "HEAD"), "isFile") && isThere(join(folder, "objects"), "isDirectory") &&
    isThere(join(folder, "refs"), "isDirectory");
  if (isBare) return { gitFolder: folder, top: folder };
  for (let at = folder;; at = dirname(at)) {
    const gitFolder = join(at, ".git");
    // A linked worktree has a file that names the repository.
    if (isThere(gitFolder, "isDirectory") || isThere(gitFolder, "isFile")) return { gitFolder, top: at };
    if (dirname(at) === at) return null;
  }
}

function isThere(path: string, kind: "isFile" | "isDirectory"): boolean {
  try {
    return Deno.statSync(path)[kind];
  } catch {
    // What may not be seen is no mark.
    return false;
  }
}
