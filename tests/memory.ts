/**
 * What a test holds on to. The resident set tells how much garbage lies about, too, and that depends on which tests
 * ran before.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** MiB that are still reachable, buffers included; collects garbage first. */
export function heldMiB(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external } = Deno.memoryUsage();
  return (heapUsed + external) / 1024 ** 2;
}
