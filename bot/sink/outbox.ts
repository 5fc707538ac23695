/**
 * A folder for a dry run: replies are filed into it as `.eml`, reports to a mirror as `.json`. Delivering twice is the
 * same as once.
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
    async deliver({ id, kind, text }) {
      // An id is of hex digits: nothing of a stranger's gets into the path.
      const path = join(folder, `${id}.${kind === "reply" ? "eml" : "json"}`);
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
