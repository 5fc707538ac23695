/**
 * `watch`: follows the configured mailboxes and replies.
 *
 * @module
 */

import { createLog } from "./log.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { journalOf, loadConfig, systemClock } from "./opening.ts";
import type { Arguments } from "./options.ts";
import { JournalError, type Observer } from "./ports.ts";
import type { Terminal } from "./terminal.ts";
import { watch } from "./watch.ts";
import { worldOf } from "./wiring.ts";

/** Watches until it is told to end. */
export async function runWatch(args: Arguments, terminal: Terminal): Promise<number> {
  const config = await loadConfig(args.values.get("config")!);
  const log = createLog(config.log, terminal);
  await using _lock = await lock(`${config.state}.lock`);
  const journal = journalOf(config);
  const ending = new AbortController();
  const end = () => {
    log.info("ending");
    ending.abort();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, end);
  let metrics: Metrics | null = null;
  const observe: Observer = (step, fields) => {
    log.debug(step, fields);
    metrics?.observe(step, fields);
  };
  try {
    const world = await worldOf(config, log, journal, observe);
    const sweep = Math.max(...config.accounts.map(({ sweepSeconds }) => sweepSeconds));
    if (config.metrics !== null) {
      metrics = createMetrics(journal, world.sources, systemClock, sweep);
      serve(metrics, config.metrics.port, ending.signal);
    }
    log.info("watching", {
      sources: world.sources.map(({ name }) => name).join(", "),
      state: config.state,
    });
    await watch(world, config, { once: args.flags.has("once"), signal: ending.signal });
    const { mails, posts } = await journal.counts();
    log.info("ended", {
      ...Object.fromEntries([...mails].map(([state, count]) => [`mails.${state}`, count])),
      ...Object.fromEntries([...posts].map(([state, count]) => [`posts.${state}`, count])),
    });
    return 0;
  } finally {
    for (const name of ["SIGTERM", "SIGINT"] as const) Deno.removeSignalListener(name, end);
    ending.abort();
    await journal.close();
  }
}

function serve(metrics: Metrics, port: number, signal: AbortSignal): void {
  Deno.serve({ hostname: "127.0.0.1", port, signal, onListen: () => {} }, async (request) => {
    const { status, type, text } = await metrics.page(new URL(request.url).pathname);
    return new Response(text, { status, headers: { "content-type": type } });
  });
}

/** Two watchers of one journal would each take the other for a process that died. @throws {JournalError} */
async function lock(path: string): Promise<AsyncDisposable> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { create: true, write: true });
  } catch (cause) {
    throw new JournalError(`cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
  if (!await file.tryLock(true)) {
    file.close();
    throw new JournalError(`another p2plint watch works with this journal: ${path} is locked`);
  }
  return {
    [Symbol.asyncDispose]: () => {
      // Closing gives the lock back, and so does the end of the process.
      file.close();
      return Promise.resolve();
    },
  };
}
