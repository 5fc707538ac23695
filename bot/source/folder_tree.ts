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
import { isTreePath, MAX_FILE_BYTES, pathIn } from "./tree_path.ts";

/** A kernel unpacked to a folder, which has one state. */
export class FolderRepository implements Repository {
  readonly head: Tree;

  /**
   * @param root Its real path, without links
   * @param heldBytes Limit of the texts that are remembered
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

class FolderTree implements Tree {
  private readonly files: Recent<TreeFile | null>;
  private readonly folders = new Map<string, readonly string[]>();

  constructor(readonly name: string, private readonly root: string, heldBytes: number) {
    this.files = new Recent(heldBytes);
  }

  read(path: string): TreeFile | null {
    if (!isTreePath(path)) return null;
    let file = this.files.get(path);
    if (file === undefined) {
      file = this.readNow(path);
      this.files.set(path, file, file?.text.length ?? path.length);
    }
    return file;
  }

  private readNow(path: string): TreeFile | null {
    const full = join(this.root, path);
    try {
      // What is reached by a link has another real path.
      if (Deno.realPathSync(full) !== full) return null;
      // To open a FIFO would wait for a writer.
      const { isFile, size } = Deno.statSync(full);
      if (!isFile || size > MAX_FILE_BYTES) return null;
      const bytes = Deno.readFileSync(full);
      return { path, text: decodeText(bytes, null).text, blob: blobId(bytes) };
    } catch (error) {
      return nothing(error, null);
    }
  }

  list(folder: string): readonly string[] {
    if (folder !== "" && !isTreePath(folder)) return [];
    let paths = this.folders.get(folder);
    if (paths === undefined) {
      paths = this.listNow(folder);
      this.folders.set(folder, paths);
    }
    return paths;
  }

  private listNow(folder: string): string[] {
    const full = join(this.root, folder);
    try {
      if (Deno.realPathSync(full) !== full) return [];
      return Array.from(Deno.readDirSync(full)).filter(({ isFile }) => isFile)
        .map(({ name }) => pathIn(folder, name)).sort();
    } catch (error) {
      return nothing(error, []);
    }
  }
}

/** A path that cannot be read is one that holds nothing. */
function nothing<Value>(error: unknown, value: Value): Value {
  if (error instanceof Error && (error.name in Deno.errors || "code" in error)) return value;
  throw error;
}
