/**
 * Objects of a git repository, read by git itself: nothing of the worktree, the index or the configuration takes part,
 * and nothing is fetched or written.
 *
 * @module
 */

import { TreeError } from "./tree_error.ts";

/** An entry of a folder that is a regular file. */
export interface GitFile {
  readonly id: string;
  /** In bytes; NaN when it is not known yet. */
  readonly size: number;
}

/** An environment of its own: what the caller's says of repositories, pagers or protocols is not for us. */
const ENVIRONMENT = {
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_NO_LAZY_FETCH: "1",
  // Older gits know no GIT_NO_LAZY_FETCH: a partial clone asks its remote for what it lacks.
  GIT_ALLOW_PROTOCOL: "none",
  GIT_TERMINAL_PROMPT: "0",
};

const HEX = /^[0-9a-f]{40}$/;

const FILE_MODES = new Set(["100644", "100755", "100664"]);

const FOLDER_MODE = "040000";

const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder();

/** What lies directly in a folder. */
export interface GitFolder {
  /** Regular files by name. */
  readonly files: ReadonlyMap<string, GitFile>;
  /** Names of folders. */
  readonly folders: readonly string[];
}

/** One repository. */
export class Git {
  /** @param folder The repository itself: `.git`, a bare repository, or the file that a linked worktree has for it */
  constructor(private readonly folder: string) {}

  /** @returns What git printed; null when it ended with an error */
  private run(...args: readonly string[]): Uint8Array | null {
    const fixed = [
      `--git-dir=${this.folder}`,
      "--no-pager",
      "--no-replace-objects",
      "-c",
      "core.fsmonitor=false",
    ];
    try {
      const { success, stdout } = new Deno.Command("git", {
        args: [...fixed, ...args],
        clearEnv: true,
        env: ENVIRONMENT,
        stdin: "null",
        stderr: "null",
      }).outputSync();
      return success ? stdout : null;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        throw new TreeError(`${this.folder}: deno may not run git, which reads it: add --allow-run=git`);
      }
      if (error instanceof Deno.errors.NotFound) {
        throw new TreeError(`${this.folder}: git is not installed, and nothing else can read it`);
      }
      throw error;
    }
  }

  /** The full id of the object that `HEAD` or hex digits name, of a kind; null when there is none, or not only one. */
  resolve(revision: string, kind: "commit" | "blob"): string | null {
    const found = this.run("rev-parse", "--verify", "--quiet", `${revision}^{${kind}}`);
    const id = found === null ? "" : latin1.decode(found).trim();
    return HEX.test(id) ? id : null;
  }

  /** What lies in a folder of a commit; null when it has no such folder. */
  folderOf(commit: string, folder: string): GitFolder | null {
    const list = (...options: readonly string[]) =>
      this.run("ls-tree", "-z", "--full-tree", ...options, `${commit}:${folder}`);
    // A partial clone may lack a file, and then git gives no size at all.
    const listed = list("-l") ?? list();
    if (listed === null) return null;
    const files = new Map<string, GitFile>();
    const folders: string[] = [];
    for (const entry of utf8.decode(listed).split("\0")) {
      const tab = entry.indexOf("\t");
      const [mode, , id, size] = entry.slice(0, tab).split(/ +/);
      if (mode === FOLDER_MODE) folders.push(entry.slice(tab + 1));
      if (FILE_MODES.has(mode!) && HEX.test(id!)) {
        files.set(entry.slice(tab + 1), { id: id!, size: Number(size ?? NaN) });
      }
    }
    return { files, folders };
  }

  /** The contents of blobs, in one process; null when one of them is not there. */
  contents(blobs: readonly GitFile[]): Uint8Array[] | null {
    const bytes = this.run("show", "--no-textconv", ...blobs.map(({ id }) => id));
    if (bytes === null || bytes.length !== blobs.reduce((sum, { size }) => sum + size, 0)) return null;
    let from = 0;
    return blobs.map(({ size }) => bytes.subarray(from, from += size));
  }

  /** In bytes; NaN when there is no such object. */
  sizeOf(id: string): number {
    const size = this.run("cat-file", "-s", id);
    return size === null ? NaN : Number(latin1.decode(size));
  }
}
