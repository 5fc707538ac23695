/**
 * Opens what the bot's commands work on: the configuration and the journal.
 *
 * @module
 */

import { rules } from "../rules/mod.ts";
import { openJournal } from "./journal_sqlite.ts";
import { type Clock, ConfigError, type Journal } from "./ports.ts";
import { type Config, readConfig } from "./watch_config.ts";

/** @throws {ConfigError} If it cannot be read or is wrong */
export async function loadConfig(path: string): Promise<Config> {
  let json: string;
  try {
    json = await Deno.readTextFile(path);
  } catch (cause) {
    throw new ConfigError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const config = readConfig(json, path);
  const unknown = config.reply.disable.find((name) => !rules.some(({ id }) => id === name));
  if (unknown !== undefined) throw new ConfigError(`${path}: reply.disable: there is no rule ${unknown}`);
  return config;
}

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end);
    }),
};

/** @throws {JournalError} */
export const journalOf = (config: Config): Journal & { readonly version: number } =>
  openJournal(config.state, { now: systemClock.now });
