/**
 * git's name for a content. Pure.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** The id that git gives to a file with these bytes: 40 hex digits. Hash collisions are nobody's concern here. */
export function blobId(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** Whether an `index` line's id, 7 to 40 hex digits, may stand for a blob. */
export const isShortFor = (id: string, blob: string): boolean =>
  /^[0-9a-f]{7,40}$/.test(id) && !/^0+$/.test(id) && blob.startsWith(id);
