/**
 * The configuration of the watcher: a JSON file, read strictly and once. Secrets are not in it: it says from which
 * environment variable or file they come.
 *
 * @module
 */

import { dirname, resolve } from "@std/path";
import type { Confidence, Severity } from "../rules/engine/types.ts";
import { ConfigError } from "./ports.ts";
import {
  flag,
  listOf,
  nullable,
  object,
  type ObjectOf,
  oneOf,
  optional,
  type Read,
  required,
  text,
  whole,
} from "./shape.ts";

const ADDRESS = text("an address such as jane@example.org", /^[^\s@<>(),;:"]+@[A-Za-z0-9.-]+$/);
const HOST = text("a host name", /^[A-Za-z0-9.:_-]+$/);
const NAME = text("a name of letters, digits, dot and dash", /^[\w.-]+$/);
const PORT = whole(1, 65_535);
const DAY_S = 24 * 60 * 60;

const secret = object({
  env: optional(nullable(NAME), null),
  file: optional(nullable(text("a path")), null),
});
/** Where a secret comes from. */
export type Secret = ObjectOf<{ env: { read: Read<string | null> }; file: { read: Read<string | null> } }>;

/** A literal in the configuration would end in a backup, a paste or a log. */
const SECRET: Read<Secret> = (value, at, problems) => {
  if (typeof value === "string") {
    problems.push(`${at} is a literal: write {"env": "NAME"} or {"file": "PATH"} instead`);
    return { env: null, file: null };
  }
  const read = secret(value, at, problems);
  if ((read.env === null) === (read.file === null)) problems.push(`${at} needs either env or file`);
  return read;
};

const TLS = oneOf("implicit", "starttls", "none");

const mailbox = object({
  name: required(text()),
  /** public-inbox cuts a mailbox into NAME.0, NAME.1, … of 50,000 messages: follow the newest. */
  slices: optional(flag, false),
});
const MAILBOX: Read<ReturnType<typeof mailbox>> = (value, at, problems) =>
  typeof value === "string" && value !== "" ? { name: value, slices: false } : mailbox(value, at, problems);

const account = object({
  name: required(NAME),
  host: required(HOST),
  port: optional(PORT, 993),
  tls: optional(TLS, "implicit"),
  /** A file with the certificate to trust, for a server with one of its own. */
  ca: optional(nullable(text("a path")), null),
  user: required(text()),
  password: required(SECRET),
  mailboxes: optional(listOf(MAILBOX, 1), [{ name: "INBOX", slices: false }]),
  sweepSeconds: optional(whole(1, DAY_S), 600),
  /** IDLE is begun anew after this: servers end it after 30 minutes (RFC 2177). */
  idleSeconds: optional(whole(1, 29 * 60), 240),
  /** A connection that says nothing for so long is dead. */
  timeoutSeconds: optional(whole(1, 600), 60),
});
/** An account on an IMAP server. */
export type Account = ReturnType<typeof account>;

const smtp = object({
  host: required(HOST),
  port: optional(PORT, 587),
  tls: optional(TLS, "starttls"),
  ca: optional(nullable(text("a path")), null),
  user: optional(nullable(text()), null),
  password: optional(nullable(SECRET), null),
  timeoutSeconds: optional(whole(1, 600), 60),
});
/** The server that takes our mail. */
export type Smtp = ReturnType<typeof smtp>;

const MODE = oneOf("off", "dry-run", "moderated", "send");
/** What happens with replies and reports for a list. */
export type Mode = ReturnType<typeof MODE>;

const mirrorPolicy = object({
  /** One of {@link Config.mirrors}. */
  name: required(NAME),
  /** `comments`: as `p2plint github` reports on a pull request; `status`: one commit status. */
  report: required(oneOf("comments", "status")),
  /** Its own: a list may want the mirror and no mail. */
  mode: optional(MODE, "dry-run"),
});
/** What a list wants to be reported to its mirror. */
export type MirrorPolicy = ReturnType<typeof mirrorPolicy>;

const list = object({
  /** As in its List-Id header. */
  id: required(text("a list id such as linux-pci.vger.kernel.org", /^[A-Za-z0-9._-]+$/)),
  address: required(ADDRESS),
  mode: optional(MODE, "dry-run"),
  /** A reply to a patch that was on it goes to the author and `cc` alone. */
  private: optional(flag, false),
  /** Who gets each reply too. */
  cc: optional(listOf(ADDRESS), []),
  /** Domain that the envelope sender (Return-Path) of its mail must have: a List-Id alone is easily forged. */
  returnPathDomain: optional(nullable(HOST), null),
  mirror: optional(nullable(mirrorPolicy), null),
});
/** A list that mails may come through. */
export type ListPolicy = ReturnType<typeof list>;

const sender = object({ address: required(ADDRESS), mode: optional(MODE, "dry-run") });
/** Somebody whose patches are judged when they come directly. */
export type SenderPolicy = ReturnType<typeof sender>;

const app = object({
  id: required(text("the number of a GitHub App", /^\d+$/)),
  installation: required(whole(1, Number.MAX_SAFE_INTEGER)),
  /** PEM. */
  key: required(SECRET),
});

const mirror = object({
  name: required(NAME),
  repository: required(text("OWNER/NAME", /^[\w.-]{1,100}\/[\w.-]{1,100}$/)),
  /** A token goes over the network as it is: without TLS to this machine only. */
  api: optional(
    text(
      "an https address such as https://HOST/api/v3",
      /^(?:https:\/\/[\w.-]+|http:\/\/(?:127\.0\.0\.1|localhost))(?::\d+)?(?:\/[\w./-]*)?$/,
    ),
    "https://api.github.com",
  ),
  token: optional(nullable(SECRET), null),
  app: optional(nullable(app), null),
  /** For so long a pull request is waited for; no longer than anything is tried. */
  waitHours: optional(whole(1, 48), 24),
});
/** A repository on GitHub in which mailed series become pull requests. */
export type MirrorConfig = ReturnType<typeof mirror>;

const reply = object({
  minSeverity: optional(oneOf("error", "warning", "note"), "warning" as Severity),
  minConfidence: optional(oneOf("high", "medium", "low"), "high" as Confidence),
  disable: optional(listOf(NAME), []),
  /** People of the patch that get the reply too: none, those of its To, or those of To and Cc. */
  people: optional(oneOf("none", "to", "all"), "to" as const),
  maxRecipients: optional(whole(1, 100), 12),
  /** Mails for one series. */
  maxPerSeries: optional(whole(1, 100), 4),
});

const intake = object({
  /** A complete series is judged after it, so that a second version can still overtake it. */
  delaySeconds: optional(whole(0, 7 * DAY_S), 600),
  /** A series with holes is judged as it is after it. */
  settleSeconds: optional(whole(0, 7 * DAY_S), 3600),
  maxAgeDays: optional(whole(1, 36_500), 14),
  maxMailBytes: optional(whole(1024, 16 * 1024 * 1024), 2 * 1024 * 1024),
  /** Addresses whose mail is not looked at; `*` stands for anything. */
  ignore: optional(listOf(text("an address pattern", /^\S+$/)), []),
});

const limits = object({
  perHour: optional(whole(1, 10_000), 30),
  perListPerHour: optional(whole(1, 10_000), 10),
  perAuthorPerDay: optional(whole(1, 10_000), 10),
  perThread: optional(whole(1, 1000), 8),
  /** After it a mail that may have been sent and was not seen again is looked for. */
  confirmSeconds: optional(whole(1, DAY_S), 900),
});

const verdicts = object({
  /** Whose verdicts count besides the author's. */
  maintainers: optional(listOf(ADDRESS), []),
  /** With it, a verdict counts only if this server's Authentication-Results say dkim=pass for the sender's domain. */
  authserv: optional(nullable(HOST), null),
});

const log = object({
  format: optional(oneOf("human", "json"), "human"),
  level: optional(oneOf("debug", "info", "warn", "error"), "info"),
});

const shape = object({
  bot: required(object({
    name: optional(text("a name", /^[\x20-\x7e]+$/), "p2plint"),
    address: required(ADDRESS),
    /** Where the rule pages are: `HOME/rules/RULE.md`; null: the reply names the command that prints them. */
    home: optional(nullable(text("an https address", /^https?:\/\/\S+[^/]$/)), null),
    /** Where a mail is found by its Message-ID: `ARCHIVE/ID/`. */
    archive: optional(text("an https address", /^https?:\/\/\S+[^/]$/), "https://lore.kernel.org/all"),
  })),
  state: required(text("a path")),
  outbox: required(text("a path")),
  accounts: required(listOf(account, 1)),
  smtp: optional(nullable(smtp), null),
  lists: required(listOf(list)),
  senders: optional(listOf(sender), []),
  mirrors: optional(listOf(mirror), []),
  kernel: optional(nullable(text("a release such as 6.12", /^\d+\.\d+$/)), null),
  intake: optional(intake, intake({}, "", [])),
  reply: optional(reply, reply({}, "", [])),
  limits: optional(limits, limits({}, "", [])),
  verdicts: optional(verdicts, verdicts({}, "", [])),
  log: optional(log, log({}, "", [])),
  /** Loopback only: neither page asks who is there. */
  metrics: optional(nullable(object({ port: required(PORT) })), null),
});
/** The configuration, checked. Paths are absolute. */
export type Config = ReturnType<typeof shape>;

/**
 * Reads a configuration.
 *
 * @param path Of the file: relative paths in it start from its folder
 * @throws {ConfigError} With all problems
 */
export function readConfig(json: string, path: string): Config {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new ConfigError(`${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const problems: string[] = [];
  const config = shape(value, "", problems);
  if (problems.length === 0) problems.push(...contradictions(config));
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `${path}: ${problem}`).join("\n"));
  const from = (relative: string) => resolve(dirname(path), relative);
  const withFile = (given: Secret): Secret =>
    given.file === null ? given : { ...given, file: from(given.file) };
  return {
    ...config,
    state: from(config.state),
    outbox: from(config.outbox),
    accounts: config.accounts.map((each) => ({
      ...each,
      ca: each.ca === null ? null : from(each.ca),
      password: withFile(each.password),
    })),
    smtp: config.smtp === null ? null : {
      ...config.smtp,
      ca: config.smtp.ca === null ? null : from(config.smtp.ca),
      password: config.smtp.password === null ? null : withFile(config.smtp.password),
    },
    mirrors: config.mirrors.map((each) => ({
      ...each,
      token: each.token === null ? null : withFile(each.token),
      app: each.app === null ? null : { ...each.app, key: withFile(each.app.key) },
    })),
  };
}

function contradictions({ accounts, lists, senders, smtp, mirrors }: Config): string[] {
  const problems: string[] = [];
  const twice = (what: string, values: readonly string[]) => {
    const again = values.find((value, ordinal) => values.indexOf(value) !== ordinal);
    if (again !== undefined) problems.push(`${what} "${again}" is there twice`);
  };
  twice("account", accounts.map(({ name }) => name));
  for (const { name, mailboxes } of accounts) twice(`mailbox of ${name}`, mailboxes.map((box) => box.name));
  twice("list", lists.map(({ id }) => id.toLowerCase()));
  twice("list address", lists.map(({ address }) => address.toLowerCase()));
  twice("sender", senders.map(({ address }) => address.toLowerCase()));
  if (lists.length + senders.length === 0) {
    problems.push("lists and senders are empty: no mail would be judged");
  }
  const sends = [...lists, ...senders].find(({ mode }) => mode === "send" || mode === "moderated");
  if (sends !== undefined && smtp === null) {
    problems.push(`${sends.address} has mode ${sends.mode}, and there is no smtp`);
  }
  twice("mirror", mirrors.map(({ name }) => name));
  for (const { name, token, app } of mirrors) {
    if ((token === null) === (app === null)) problems.push(`mirror "${name}" needs either token or app`);
  }
  for (const { id, mirror } of lists) {
    if (mirror !== null && !mirrors.some(({ name }) => name === mirror.name)) {
      problems.push(`list "${id}" names the mirror "${mirror.name}", and there is none`);
    }
  }
  if (smtp !== null && (smtp.user === null) !== (smtp.password === null)) {
    problems.push("smtp.user and smtp.password need each other");
  }
  return problems;
}

/**
 * The secret itself.
 *
 * @throws {ConfigError} If it is not there; the message does not hold it
 */
export function readSecret({ env, file }: Secret): string {
  if (env !== null) {
    const value = Deno.env.get(env);
    if (value === undefined || value === "") throw new ConfigError(`environment variable ${env} is not set`);
    return value;
  }
  try {
    return Deno.readTextFileSync(file!).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new ConfigError(`cannot read the secret in ${file}: ${(cause as Error).message}`, { cause });
  }
}
