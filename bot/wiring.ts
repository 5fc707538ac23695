/**
 * From a configuration to the things it names: the journal, the mailboxes, the sinks, the linter.
 *
 * @module
 */

import meta from "../deno.json" with { type: "json" };
import { appliesTo } from "../rules/engine/lint.ts";
import { createPrefilter } from "../rules/engine/prefilter.ts";
import { WORDS } from "../rules/kernel/mod.ts";
import type { Version } from "../rules/kernel/types.ts";
import { rules } from "../rules/mod.ts";
import { type Account, type Config, ConfigError, readConfig, readSecret, type Smtp } from "./watch_config.ts";
import { HEAD_FIELDS } from "./intake.ts";
import { openJournal } from "./journal_sqlite.ts";
import { concernsOf, reviewerFor } from "./judge.ts";
import type { Option } from "./options.ts";
import {
  AuthenticationError,
  type Clock,
  ConnectionError,
  type Journal,
  JournalError,
  type Log,
  type Observer,
  type Sink,
  type Source,
} from "./ports.ts";
import { printableLines } from "./render/printable.ts";
import { outboxSink } from "./sink/outbox.ts";
import { type SmtpOptions, smtpSink } from "./sink/smtp.ts";
import { type ImapOptions, imapSource } from "./source/imap.ts";
import type { Terminal } from "./terminal.ts";
import type { World } from "./world.ts";

/** For the commands that work with the bot's configuration. */
export const CONFIG: Option = {
  name: "config",
  short: "c",
  value: "FILE",
  help: "the configuration of the bot",
  default: "p2plint.json",
};

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

/** What is wrong outside of the program is said in a line each, without a stack. */
export async function forOperator(terminal: Terminal, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    const isTheirs = [ConfigError, JournalError, AuthenticationError, ConnectionError].some((kind) =>
      error instanceof kind
    );
    if (!isTheirs) throw error;
    for (const line of printableLines((error as Error).message)) terminal.err(`p2plint: ${line}\n`);
    return 2;
  }
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

/** One for each mailbox of each account. @throws {ConfigError} If a secret or certificate is not there */
export function imapOptionsOf(config: Config, log: Log): readonly ImapOptions[] {
  return config.accounts.flatMap((account: Account) => {
    const password = readSecret(account.password);
    const ca = certificate(account.ca);
    return account.mailboxes.map((mailbox) => ({
      account,
      mailbox,
      password,
      ca,
      fields: HEAD_FIELDS,
      maxMailBytes: config.intake.maxMailBytes,
      clock: systemClock,
      log,
    }));
  });
}

/** @throws {ConfigError} If a secret or certificate is not there */
export function smtpOptionsOf(smtp: Smtp): SmtpOptions {
  return {
    ...smtp,
    password: smtp.password === null ? null : readSecret(smtp.password),
    ca: certificate(smtp.ca),
  };
}

function certificate(path: string | null): string | null {
  if (path === null) return null;
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new ConfigError(`cannot read the certificate ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Everything that the watcher works with. @throws {ConfigError} If a secret or certificate is not there */
export async function worldOf(config: Config, log: Log, journal: Journal, observe: Observer): Promise<World> {
  const kernel = config.kernel === null ? null : config.kernel.split(".").map(Number) as unknown as Version;
  const sources: readonly Source[] = imapOptionsOf(config, log).map(imapSource);
  const sinks: Sink[] = [outboxSink(config.outbox)];
  if (config.smtp !== null) sinks.push(smtpSink(smtpOptionsOf(config.smtp)));
  const chosen = rules.filter((rule) => appliesTo(rule, kernel) && !config.reply.disable.includes(rule.id));
  const judging = {
    rules: chosen,
    concerns: await concernsOf(chosen),
    kernel,
    minConfidence: "low",
  } as const;
  return {
    sources,
    sinks,
    journal,
    clock: systemClock,
    reviewer: await reviewerFor(judging, null),
    prefilter: createPrefilter(WORDS),
    log,
    observe,
    toolVersion: meta.version,
  };
}
