/**
 * Globs on paths of a kernel tree: `drivers/gpu/**`, `sound/*.c`. A glob comes from a file that a stranger may have
 * written and is matched against paths of strangers' mails, so what it costs is bounded: one regular expression for a
 * whole path would try every way of sharing the path between its stars, which takes minutes for a few of them. Here a
 * path is matched part by part, and a part has few stars. Pure.
 *
 * @module
 */

import { globToRegExp } from "@std/path";

/** Whether a path matches. */
export type Glob = (path: string) => boolean;

/** Stands for any number of folders. */
const ANY_FOLDERS = "**";
const MAX_GLOB = 500;
const MAX_STARS = 3;
// NAME_MAX of Linux (include/uapi/linux/limits.h): a longer part is no file's name.
const MAX_NAME = 255;

/** What is wrong with a glob, lower case, no full stop; null: nothing. */
export function globProblem(glob: string): string | null {
  if (glob === "") return "empty";
  if (glob.length > MAX_GLOB) return `longer than ${MAX_GLOB} characters`;
  if (glob.startsWith("/")) return "not from the root of a kernel tree, as drivers/gpu/** is";
  if (glob.endsWith("/")) return `a folder: write ${glob}** for the files in it`;
  for (const part of glob.split("/")) {
    if (part === "" || part === "." || part === "..") return `has a part "${part}"`;
    if (part === ANY_FOLDERS) continue;
    if (part.includes(ANY_FOLDERS)) return `** stands for folders, and alone between two /`;
    if (part.split("*").length - 1 > MAX_STARS) return `more than ${MAX_STARS} * in one part`;
    const opened = part.split("{").length - 1;
    if (opened > 1) return "more than one {…} in one part";
    if (opened !== part.split("}").length - 1) return "a {…} does not span folders, nor stay open";
  }
  return null;
}

/** A glob in which {@link globProblem} finds nothing. */
export function toGlob(glob: string): Glob {
  const parts = glob.split("/").map((part) =>
    part === ANY_FOLDERS ? null : globToRegExp(part, { extended: false, globstar: false, os: "linux" })
  );
  return (path) => matchParts(parts, path.split("/"));
}

/** null in `parts` takes any number of names. Only the last null that was passed needs to be taken up again. */
function matchParts(parts: readonly (RegExp | null)[], names: readonly string[]): boolean {
  let part = 0;
  let name = 0;
  let resume: { part: number; name: number } | null = null;
  while (name < names.length) {
    const pattern = parts[part];
    if (pattern === null) {
      resume = { part: ++part, name };
    } else if (pattern !== undefined && names[name]!.length <= MAX_NAME && pattern.test(names[name]!)) {
      part++;
      name++;
    } else if (resume !== null) {
      part = resume.part;
      name = ++resume.name;
    } else {
      return false;
    }
  }
  while (parts[part] === null) part++;
  return part === parts.length;
}
