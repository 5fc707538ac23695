/**
 * A folder of sources as a kernel tree. Reads regular files under its real root: no link is followed.
 *
 * @module
 */

import { join } from "@std/path";
import { decodeText } from "../../rules/engine/encoding.ts";
import { blobId } from "../../rules/tree/blob.ts";
import type { Repository, Tree, TreeFile } from "../../rules/tree/tree.ts";
import { Recent } from "./recent.ts";
import { folderOf, isTreePath, MAX_FILE_BYTES, pathIn } from "./tree_path.ts";

/** A kernel unpacked to a folder, which has one state. */
export class FolderRepository implements Repository {
  readonly head: Tree;

  /**
   * @param root Its real path, without links
   * @param heldBytes Limit of what is remembered of the files
   */
  constructor(readonly name: string, root: string, heldBytes: number) {
    this.head = new FolderTree(name, root, heldBytes);
  }

  at(): null {
    return null;
  }

  blob(): null {
    return null;
  }
}

/** Paths of what lies directly in a folder. */
interface Folder {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** A file whose id is worked out when somebody asks for it: of most nobody does. */
function fileOf(path: string, bytes: Uint8Array): TreeFile {
  let content: Uint8Array | string = bytes;
  return {
    path,
    text: decodeText(bytes, null).text,
    get blob() {
      return content = typeof content === "string" ? content : blobId(content);
    },
  };
}

class FolderTree implements Tree {
  private readonly files: Recent<TreeFile | null>;
  private readonly known = new Map<string, Folder>();
  private readonly real = new Map<string, boolean>();

  constructor(readonly name: string, private readonly root: string, heldBytes: number) {
    this.files = new Recent(heldBytes);
  }

  read(path: string): TreeFile | null {
    if (!isTreePath(path)) return null;
    let file = this.files.get(path);
    if (file === undefined) {
      file = this.readNow(path);
      // The text, and the bytes for as long as nobody asks for their id.
      this.files.set(path, file, file === null ? path.length : 2 * file.text.length);
    }
    return file;
  }

  private readNow(path: string): TreeFile | null {
    const full = join(this.root, path);
    try {
      if (!this.isReal(folderOf(path))) return null;
      // To open a FIFO would wait for a writer; a link is no file of the tree.
      const { isFile, size } = Deno.lstatSync(full);
      if (!isFile || size > MAX_FILE_BYTES) return null;
      return fileOf(path, Deno.readFileSync(full));
    } catch (error) {
      return nothing(error, null);
    }
  }

  /** Whether a folder is reached without any link: what is reached by one has another real path. */
  private isReal(path: string): boolean {
    let found = this.real.get(path);
    if (found === undefined) {
      const full = path === "" ? this.root : join(this.root, path);
      this.real.set(path, found = Deno.realPathSync(full) === full);
    }
    return found;
  }

  list(folder: string): readonly string[] {
    return this.folderAt(folder).files;
  }

  folders(folder: string): readonly string[] {
    return this.folderAt(folder).folders;
  }

  private folderAt(path: string): Folder {
    let found = this.known.get(path);
    if (found === undefined) {
      found = path === "" || isTreePath(path) ? this.lookAt(path) : EMPTY;
      this.known.set(path, found);
    }
    return found;
  }

  private lookAt(path: string): Folder {
    const full = join(this.root, path);
    try {
      if (!this.isReal(path)) return EMPTY;
      const entries = Array.from(Deno.readDirSync(full));
      const paths = (of: readonly Deno.DirEntry[]) => of.map(({ name }) => pathIn(path, name)).sort();
      return {
        files: paths(entries.filter(({ isFile }) => isFile)),
        folders: paths(entries.filter(({ isDirectory, name }) => isDirectory && name !== ".git")),
      };
    } catch (error) {
      return nothing(error, EMPTY);
    }
  }
}

const EMPTY: Folder = { files: [], folders: [] };

/** A path that cannot be read is one that holds nothing. */
function nothing<Value>(error: unknown, value: Value): Value {
  if (error instanceof Error && (error.name in Deno.errors || "code" in error)) return value;
  throw error;
}
