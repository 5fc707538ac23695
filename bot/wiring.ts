/**
 * From a configuration to the things it names: the mailboxes, the sinks, the linter.
 *
 * @module
 */

import meta from "../deno.json" with { type: "json" };
import { appliesTo } from "../rules/engine/lint.ts";
import { createPrefilter } from "../rules/engine/prefilter.ts";
import { WORDS } from "../rules/kernel/mod.ts";
import type { Version } from "../rules/kernel/types.ts";
import { rules } from "../rules/mod.ts";
import { type Account, type Config, readSecret, type Smtp } from "./watch_config.ts";
import { HEAD_FIELDS } from "./intake.ts";
import { systemClock } from "./opening.ts";
import { interestOf, reviewerFor } from "./judge.ts";
import { ConfigError, type Journal, type Log, type Observer, type Sink, type Source } from "./ports.ts";
import { outboxSink } from "./sink/outbox.ts";
import { type SmtpOptions, smtpSink } from "./sink/smtp.ts";
import { type ImapOptions, imapSource } from "./source/imap.ts";
import type { World } from "./world.ts";

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
  const chosen = rules.filter((rule) => appliesTo(rule, kernel) && !config.reply.disable.includes(rule.id));
  const judging = {
    rules: chosen,
    interest: await interestOf(chosen),
    kernel,
    minConfidence: "low",
  } as const;
  const reviewer = await reviewerFor(judging, null);
  const sinks: Sink[] = [outboxSink(config.outbox)];
  if (config.smtp !== null) sinks.push(smtpSink(smtpOptionsOf(config.smtp)));
  if (config.mirrors.length > 0) {
    const [{ githubSink }, { mirrorOf }] = await Promise.all([
      import("./mirror/sink.ts"),
      import("./mirror/access.ts"),
    ]);
    sinks.push(githubSink({
      mirrors: config.mirrors.map((each) => mirrorOf(each, log)),
      review: (patches) => reviewer.review(patches),
      judged: (fingerprints) => journal.judged(fingerprints),
      archive: config.bot.archive,
      clock: systemClock,
    }));
  }
  return {
    sources,
    sinks,
    journal,
    clock: systemClock,
    reviewer,
    prefilter: createPrefilter(WORDS),
    log,
    observe,
    toolVersion: meta.version,
  };
}
