/**
 * Small kernel trees that a test makes for itself.
 *
 * @module
 */

import { dirname, join } from "@std/path";

/** Files by path. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** What the root of every kernel tree has. */
export const MARKS: Files = { MAINTAINERS: "", Kbuild: "" };

/** Writes files below a folder. */
export function write(folder: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const full = join(folder, path);
    Deno.mkdirSync(dirname(full), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(full, content);
    else Deno.writeFileSync(full, content);
  }
}

/** Runs git in a folder and gives what it printed. */
export function git(folder: string, ...args: readonly string[]): string {
  const identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
  const { success, stdout, stderr } = new Deno.Command("git", {
    args: ["-C", folder, ...identity, ...args],
    stdin: "null",
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

/** Commits files and gives the commit's id. */
export function commit(folder: string, files: Files): string {
  write(folder, files);
  git(folder, "add", "-A", ".");
  git(folder, "commit", "-q", "-m", "x");
  return git(folder, "rev-parse", "HEAD");
}

/** Calls with a new folder, its real path, and removes that afterwards. */
export function withFolder(use: (folder: string) => void): void {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
