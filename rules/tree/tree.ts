/**
 * The kernel tree that patches are for, as the linter sees it: texts by path, at one state or another. Reading it is
 * the caller's job; nothing here touches a disk.
 *
 * @module
 */

/** A file of a tree. */
export interface TreeFile {
  /** From the root of the tree: `drivers/vfio/pci/vfio_pci_core.c`. */
  readonly path: string;
  /** Its lines with their line ends as they are; bytes that are no UTF-8 are read as latin1. */
  readonly text: string;
  /** git's id of its content: SHA-1, 40 hex digits. The same content has the same id, whatever tree it is in. */
  readonly blob: string;
}

/** A kernel tree in one state: a commit, or a folder as it lies there. Reads are remembered; the state stands still. */
export interface Tree {
  /** What it is, for messages: `/src/linux at 6.12`. */
  readonly name: string;
  /**
   * The file at a path; null when there is none, when it is no regular file, leads outside of the tree, or is too
   * large to be source code. Never throws for what a path holds: paths come from strangers.
   */
  read(path: string): TreeFile | null;
  /** Paths of the regular files directly in a folder (`drivers/vfio/pci`), sorted; empty when it is none. */
  list(folder: string): readonly string[];
  /** Paths of the folders directly in a folder, sorted; empty when it is none. "" is the root. */
  folders(folder: string): readonly string[];
}

/** Where trees come from: a git repository, or a plain folder, which has one state only. */
export interface Repository {
  /** What it is, for messages: the path as given. */
  readonly name: string;
  /** The state that patches are for unless they say otherwise: HEAD, or the folder as it lies there. */
  readonly head: Tree;
  /** The state of a commit (hex digits); null when the repository does not have it, or is a plain folder. */
  at(commit: string): Tree | null;
  /** A content by its id, 7 to 40 hex digits as in an `index` line; null when it is not there or not the only one. */
  blob(id: string): string | null;
}
