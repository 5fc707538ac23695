/**
 * Commits of a git repository as kernel trees.
 *
 * @module
 */

import { decodeText } from "../../rules/engine/encoding.ts";
import type { Repository, Tree, TreeFile } from "../../rules/tree/tree.ts";
import type { Git, GitFile, GitFolder } from "./git.ts";
import { Recent } from "./recent.ts";
import { folderOf, isTreePath, MAX_FILE_BYTES, pathIn } from "./tree_path.ts";

/** Who asks for one file of a folder asks for others next, and a process costs more than the reading. */
const READ_AHEAD = /\.[chS]$/;
const MAX_AHEAD_FILE_BYTES = 512 * 1024;
const MAX_AHEAD_BYTES = 16 * 1024 * 1024;
const MAX_AHEAD_FILES = 2000;

/** Commits whose folders are remembered: a mailbox names hundreds of base commits, a series one. */
const MAX_COMMITS = 8;

/** The kernel in a git repository. */
export class GitRepository implements Repository {
  readonly head: Tree;
  /** By blob id. */
  private readonly texts: Recent<string>;
  private readonly trees = new Recent<Tree | null>(MAX_COMMITS);

  /**
   * @param root Of the kernel, below the root of the repository; "" when it is that
   * @param heldBytes Limit of the texts that are remembered
   */
  constructor(
    readonly name: string,
    private readonly git: Git,
    head: string,
    private readonly root: string,
    heldBytes: number,
  ) {
    this.texts = new Recent(heldBytes);
    this.head = this.treeOf(head);
  }

  at(commit: string): Tree | null {
    if (!/^[0-9a-f]{7,40}$/.test(commit)) return null;
    let tree = this.trees.get(commit);
    if (tree === undefined) {
      const id = this.git.resolve(commit, "commit");
      // A branch may be called like a short id.
      tree = id?.startsWith(commit) ? this.treeOf(id) : null;
      this.trees.set(commit, tree, 1);
    }
    return tree;
  }

  blob(id: string): string | null {
    if (!/^[0-9a-f]{7,40}$/.test(id) || /^0+$/.test(id)) return null;
    const held = this.texts.get(id);
    if (held !== undefined) return held;
    const full = this.git.resolve(id, "blob");
    return full?.startsWith(id) ? this.textOf({ id: full, size: NaN }, []) : null;
  }

  private treeOf(commit: string): Tree {
    const name = `${this.name} at ${commit.slice(0, 12)}`;
    return new GitTree(
      name,
      (folder) => this.git.folderOf(commit, pathIn(this.root, folder)),
      (file, ahead) => this.textOf(file, ahead),
    );
  }

  /** The text of a file, null when it is too large or not there; reads what is ahead in the same process. */
  private textOf(file: GitFile, ahead: readonly GitFile[]): string | null {
    const held = this.texts.get(file.id);
    if (held !== undefined) return held;
    const size = Number.isNaN(file.size) ? this.git.sizeOf(file.id) : file.size;
    if (!(size <= MAX_FILE_BYTES)) return null;
    const wanted = { id: file.id, size };
    const more = ahead.filter(({ id }) => id !== file.id && !this.texts.has(id));
    return this.readAll([wanted, ...more]) ?? this.readAll([wanted]);
  }

  /** Reads and remembers blobs; gives the first one's text, null when one of them cannot be had. */
  private readAll(blobs: readonly GitFile[]): string | null {
    const contents = this.git.contents(blobs);
    if (contents === null) return null;
    const texts = contents.map((bytes) => decodeText(bytes, null).text);
    // The one that was asked for comes last, so that it goes last.
    for (let i = texts.length - 1; i >= 0; i--) this.texts.set(blobs[i]!.id, texts[i]!, blobs[i]!.size);
    return texts[0]!;
  }
}

/** What one commit holds; `folder` and `text` reach into the repository. */
class GitTree implements Tree {
  private readonly known = new Map<string, GitFolder>();

  constructor(
    readonly name: string,
    private readonly folder: (path: string) => GitFolder | null,
    private readonly text: (file: GitFile, ahead: readonly GitFile[]) => string | null,
  ) {}

  read(path: string): TreeFile | null {
    if (!isTreePath(path)) return null;
    const { files } = this.folderAt(folderOf(path));
    const file = files.get(path.slice(path.lastIndexOf("/") + 1));
    if (file === undefined) return null;
    const text = this.text(file, READ_AHEAD.test(path) ? aheadOf(files) : []);
    return text === null ? null : { path, text, blob: file.id };
  }

  list(folder: string): readonly string[] {
    if (folder !== "" && !isTreePath(folder)) return [];
    return Array.from(this.folderAt(folder).files.keys(), (name) => pathIn(folder, name)).sort();
  }

  folders(folder: string): readonly string[] {
    if (folder !== "" && !isTreePath(folder)) return [];
    return this.folderAt(folder).folders.map((name) => pathIn(folder, name)).sort();
  }

  private folderAt(path: string): GitFolder {
    let found = this.known.get(path);
    if (found === undefined) {
      found = this.folder(path) ?? { files: new Map(), folders: [] };
      this.known.set(path, found);
    }
    return found;
  }
}

function aheadOf(files: ReadonlyMap<string, GitFile>): GitFile[] {
  const ahead: GitFile[] = [];
  let bytes = 0;
  for (const [name, file] of files) {
    if (!READ_AHEAD.test(name) || !(file.size <= MAX_AHEAD_FILE_BYTES)) continue;
    if (ahead.length === MAX_AHEAD_FILES || (bytes += file.size) > MAX_AHEAD_BYTES) break;
    ahead.push(file);
  }
  return ahead;
}
