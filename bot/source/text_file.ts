/**
 * Small files of our own, such as a configuration: read up to a limit, whatever their path turns out to be.
 *
 * @module
 */

import { reasonOf } from "./files.ts";

/** A file's text, or why there is none: lower case, no full stop. */
export type TextFile = { readonly text: string } | { readonly problem: string };

/**
 * Reads a file that must be UTF-8 and no longer than `maxBytes`. Stops reading there, so an endless device does not
 * matter.
 */
export async function readTextFile(path: string, maxBytes: number): Promise<TextFile> {
  try {
    using file = await Deno.open(path);
    const buffer = new Uint8Array(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const count = await file.read(buffer.subarray(length));
      if (count === null) break;
      length += count;
    }
    if (length > maxBytes) return { problem: `longer than ${maxBytes} bytes` };
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length)) };
  } catch (error) {
    if (error instanceof TypeError) return { problem: "not UTF-8" };
    return { problem: reasonOf(error) };
  }
}
