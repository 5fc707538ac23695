/**
 * Small files of our own, such as a configuration: read up to a limit, and replaced in one step.
 *
 * @module
 */

import { dirname } from "@std/path";
import { reasonOf } from "./files.ts";

/** A file's text, or why there is none: lower case, no full stop. */
export type TextFile = { readonly text: string } | { readonly problem: string };

const CHUNK_BYTES = 64 * 1024;

/**
 * What keeps a file from being read that nobody named: in a stranger's tree a link may lead anywhere, and a pipe never
 * end. "" when nothing does, null when there is no such file.
 */
export async function foundProblem(path: string): Promise<string | null> {
  try {
    const { isFile, isSymlink } = await Deno.lstat(path);
    return isFile ? "" : isSymlink ? "a link, not a file" : "not a file";
  } catch {
    // What lies where we may not look is not there for us.
    return null;
  }
}

/** Reads a file that must be UTF-8 and no longer than `maxBytes`; stops reading there. */
export async function readTextFile(path: string, maxBytes: number): Promise<TextFile> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const buffer = new Uint8Array(CHUNK_BYTES);
  let text = "";
  let length = 0;
  try {
    using file = await Deno.open(path);
    for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
      length += count;
      if (length > maxBytes) return { problem: `longer than ${maxBytes} bytes` };
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    return { text: text + decoder.decode() };
  } catch (error) {
    return { problem: error instanceof TypeError ? "not UTF-8" : reasonOf(error) };
  }
}

/** Whether files may be written to the folder of a path. Asks nobody. */
export async function mayWrite(path: string): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name: "write", path: dirname(path) });
  return state === "granted";
}

/**
 * Replaces a file, or makes it; a link in its place is replaced, not followed. Nobody ever sees half of the text.
 *
 * @returns What went wrong, lower case, no full stop; null: nothing
 */
export async function replaceTextFile(path: string, text: string): Promise<string | null> {
  const next = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(next, text, { createNew: true });
    await Deno.rename(next, path);
    return null;
  } catch (error) {
    // It may not have come to be; the first error is the one to tell.
    await Deno.remove(next).catch(() => {});
    return reasonOf(error);
  }
}
