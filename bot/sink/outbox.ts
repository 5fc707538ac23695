/**
 * A folder that replies are filed into as `.eml`, for a dry run. Delivering twice is the same as once.
 *
 * @module
 */

import { join } from "@std/path";
import { DeliveryError, type Sink } from "../ports.ts";

/** Files into the folder, which is made when it is not there. */
export function outboxSink(folder: string): Sink {
  return {
    name: "outbox",
    isIdempotent: true,
    async deliver({ id, text }) {
      // An id is of hex digits: nothing of a stranger's gets into the path.
      const path = join(folder, `${id}.eml`);
      try {
        await Deno.mkdir(folder, { recursive: true });
        // A reader never meets half a mail.
        await Deno.writeTextFile(`${path}.tmp`, text);
        await Deno.rename(`${path}.tmp`, path);
      } catch (cause) {
        throw new DeliveryError(`cannot write ${path}: ${(cause as Error).message}`, "later", { cause });
      }
      return path;
    },
  };
}
