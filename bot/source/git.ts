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

/** What is known of a commit without its diff. */
export interface Commit {
  readonly id: string;
  readonly parents: readonly string[];
  /** The author's, as it stands in the commit. */
  readonly name: string;
  readonly email: string;
  /** ISO 8601. */
  readonly date: string;
  readonly title: string;
}

/**
 * Every option of a diff that a configuration or an attribute could set otherwise. As text, whatever an attribute says
 * of a file: a patch could hide its code behind one.
 */
const DIFF = [
  "-r",
  "-p",
  "-M",
  "-l1000",
  "-U3",
  "-O/dev/null",
  "--text",
  "--full-index",
  "--no-ext-diff",
  "--no-textconv",
  "--no-color",
  "--no-function-context",
  "--inter-hunk-context=0",
  "--diff-algorithm=myers",
  "--indent-heuristic",
  "--submodule=short",
  "--src-prefix=a/",
  "--dst-prefix=b/",
];

/** One repository. */
export class Git {
  /** @param folder The repository itself: `.git`, a bare repository, or the file that a linked worktree has for it */
  constructor(private readonly folder: string) {}

  /** @returns What git printed; null when it ended with an error */
  private run(...args: readonly string[]): Uint8Array | null {
    return this.runWith({}, ...args);
  }

  private runWith(more: Readonly<Record<string, string>>, ...args: readonly string[]): Uint8Array | null {
    const fixed = [
      `--git-dir=${this.folder}`,
      "--no-pager",
      "--no-replace-objects",
      "-c",
      "core.fsmonitor=false",
      "-c",
      "core.attributesFile=/dev/null",
    ];
    try {
      const { success, stdout } = new Deno.Command("git", {
        args: [...fixed, ...args],
        clearEnv: true,
        env: { ...ENVIRONMENT, ...more },
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
  /**
   * The commits that a head has and a base has not, parents first; null when there is no such commit.
   *
   * @param base null: the head alone
   */
  commits(base: string | null, head: string, limit: number): readonly Commit[] | null {
    const range = base === null ? ["--no-walk"] : [`^${base}`];
    const printed = this.run(
      "rev-list",
      "--reverse",
      "--topo-order",
      `--max-count=${limit}`,
      "--encoding=UTF-8",
      "--format=%H%x00%P%x00%an%x00%ae%x00%aI%x00%s",
      ...range,
      head,
      "--",
    );
    if (printed === null) return null;
    return utf8.decode(printed).split("\n").filter((line) => line.includes("\0")).map((line) => {
      const [id, parents, name, email, date, title] = line.split("\0");
      return {
        id: id!,
        parents: parents!.split(" ").filter((parent) => parent !== ""),
        name: name!,
        email: email!,
        date: date!,
        title: title!,
      };
    });
  }

  /** Where two commits part; null when they have nothing in common that is here. */
  mergeBase(one: string, other: string): string | null {
    const found = this.run("merge-base", one, other);
    const id = found === null ? "" : latin1.decode(found).trim();
    return HEX.test(id) ? id : null;
  }

  /** Whether history ends here because the clone was made so. */
  isShallow(): boolean {
    const answer = this.run("rev-parse", "--is-shallow-repository");
    return answer !== null && latin1.decode(answer).trim() === "true";
  }

  /** Whether a commit without parents has some that a shallow clone hides. */
  hasHiddenParents(commit: string): boolean {
    const raw = this.run("cat-file", "commit", commit);
    return raw !== null && /^tree [0-9a-f]+\nparent /.test(latin1.decode(raw.subarray(0, 256)));
  }

  /**
   * What a commit changes, as a diff with paths relative to a folder; null when an object is missing.
   *
   * @param parent null: everything is new
   */
  diff(parent: string | null, commit: string, folder: string): Uint8Array | null {
    const sides = parent === null ? ["--root", "--no-commit-id", commit] : [parent, commit];
    return this.run("diff-tree", ...DIFF, ...below(folder), ...sides, "--");
  }

  /** What the index has that a commit has not. */
  stagedDiff(commit: string, folder: string, index: string | null): Uint8Array | null {
    const more = index === null ? {} : { GIT_INDEX_FILE: index };
    return this.runWith(more, "diff-index", "--cached", ...DIFF, ...below(folder), commit, "--");
  }
}

const below = (folder: string) => folder === "" ? ["--no-relative"] : [`--relative=${folder}/`];
