/**
 * `watch` as a process that kills itself at the N-th time that it comes to a step: `crash_bot.ts CONFIG [STEP N]`.
 *
 * @module
 */

import { createLog } from "../../bot/log.ts";
import type { Observer } from "../../bot/ports.ts";
import { denoTerminal } from "../../bot/terminal.ts";
import { watch } from "../../bot/watch.ts";
import { journalOf, loadConfig } from "../../bot/opening.ts";
import { worldOf } from "../../bot/wiring.ts";

const [path, step, count] = Deno.args;
const config = await loadConfig(path!);
let left = Number(count ?? 0);
const observe: Observer = (at) => {
  // As the power cord does: nothing is said, closed or written any more.
  if (at === step && --left === 0) Deno.kill(Deno.pid, "SIGKILL");
};
const journal = journalOf(config);
const end = new AbortController();
Deno.addSignalListener("SIGTERM", () => end.abort());
const world = await worldOf(config, createLog(config.log, denoTerminal()), journal, observe);
await watch(world, config, { once: false, signal: end.signal });
await journal.close();
Deno.exit(0);
