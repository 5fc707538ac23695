/**
 * `doctor`: tries what the bot needs, piece by piece, and says what to do about what does not work.
 *
 * @module
 */

import { dirname, fromFileUrl, join, resolve } from "@std/path";
import type { Config, MirrorConfig } from "./watch_config.ts";
import { mirrorOf } from "./mirror/access.ts";
import { journalOf, loadConfig } from "./opening.ts";
import type { Arguments } from "./options.ts";
import type { Log } from "./ports.ts";
import { printable } from "./render/printable.ts";
import { openRepository } from "./github/client.ts";
import { verifySmtp } from "./sink/smtp.ts";
import { examine } from "./source/imap.ts";
import type { Terminal } from "./terminal.ts";
import { imapOptionsOf, smtpOptionsOf } from "./wiring.ts";

const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Tries all. */
export async function examineAll(args: Arguments, terminal: Terminal): Promise<number> {
  let isWell = true;
  const attempt = async <Result>(
    what: string,
    run: () => Promise<Result> | Result,
    say: (result: Result) => string,
  ) => {
    try {
      const result = await run();
      terminal.out(printable(`ok    ${what}: ${say(result)}`) + "\n");
      return result;
    } catch (error) {
      isWell = false;
      const message = (error as Error).message;
      for (const line of message.split("\n")) terminal.out(printable(`FAIL  ${what}: ${line}`) + "\n");
      const advice = adviceFor(what, message);
      if (advice !== null) terminal.out(`      ${advice}\n`);
      return null;
    }
  };
  const path = args.values.get("config")!;
  const config = await attempt(
    "config",
    () => loadConfig(path),
    ({ lists, accounts }) => `${lists.length} lists, ${accounts.length} accounts`,
  );
  if (config === null) return 1;
  await attempt("journal", () => inspectJournal(config), (text) => text);
  await attempt("outbox", () => writeTo(config.outbox), () => config.outbox);
  const mailboxes = await attempt("secrets", () => imapOptionsOf(config, SILENT), () => "found");
  for (const options of mailboxes ?? []) {
    const what = `imap ${options.account.name}/${options.mailbox.name}`;
    await attempt(
      what,
      () => examine(options, new AbortController().signal),
      ({ mailbox, messages, capabilities }) => {
        const extras = ["IDLE", "CONDSTORE", "UIDPLUS"].filter((name) => capabilities.includes(name));
        return `${messages} messages in ${mailbox}; the server has ${
          extras.length > 0 ? extras.join(", ") : "no extras"
        }`;
      },
    );
  }
  const { smtp } = config;
  if (smtp !== null) {
    await attempt(
      "smtp",
      async () => await verifySmtp(smtpOptionsOf(smtp)),
      () => `${smtp.host}:${smtp.port} lets us in`,
    );
  } else {
    terminal.out("ok    smtp: none, and no list needs it\n");
  }
  for (const mirror of config.mirrors) {
    const isStatus = config.lists.some((list) =>
      list.mirror?.name === mirror.name && list.mirror.report === "status"
    );
    await attempt(
      `mirror ${mirror.name}`,
      () => examineMirror(mirror, isStatus),
      (access) => `${mirror.repository} is there; ${access}`,
    );
  }
  terminal.out("\nwatch needs no more than:\n");
  for (const permission of permissionsFor(config, path)) terminal.out(`  ${printable(permission)}\n`);
  return isWell ? 0 : 1;
}

/** @throws {Error} If the token does not see the repository, or may not do what a list wants */
async function examineMirror(mirror: MirrorConfig, isStatus: boolean): Promise<string> {
  const { client, repository } = mirrorOf(mirror, SILENT);
  const mayWrite = await openRepository(client, repository).mayWrite();
  // An App may set one with "statuses: write" alone, and of that nothing is said.
  if (mayWrite === false && isStatus && mirror.app === null) {
    throw new Error(`the token may not write to ${mirror.repository}, which a commit status needs`);
  }
  return mayWrite === null
    ? "what the token may do is not said"
    : mayWrite
    ? "the token may write"
    : "the token may comment at most";
}

/** The flags that let Deno do what this configuration asks for, and nothing else. */
function permissionsFor(config: Config, path: string): readonly string[] {
  const { accounts, smtp, mirrors, metrics, state, outbox } = config;
  const program = fromFileUrl(new URL("../", import.meta.url));
  const servers = smtp === null ? accounts : [...accounts, smtp];
  const secrets = [
    ...servers.map(({ password }) => password),
    ...mirrors.map(({ token, app }) => app === null ? token : app.key),
  ].filter((secret) => secret !== null);
  const files = [...secrets.map(({ file }) => file), ...servers.map(({ ca }) => ca)];
  const hosts = [
    ...servers.map(({ host, port }) => `${host}:${port}`),
    ...mirrors.map(({ api }) => hostOf(new URL(api))),
  ];
  const listed = (name: string, values: readonly (string | null)[]) =>
    `--allow-${name}=${[...new Set(values.filter((value) => value !== null))].join(",")}`;
  return [
    listed("read", [program, resolve(path), dirname(state), outbox, ...files]),
    listed("write", [dirname(state), outbox]),
    listed("net", [...hosts, metrics === null ? null : `127.0.0.1:${metrics.port}`]),
    // The logger's package asks for the second one.
    listed("env", [...secrets.map(({ env }) => env), "NODE_V8_COVERAGE"]),
    "--allow-sys=hostname",
  ];
}

const hostOf = ({ protocol, hostname, port }: URL): string =>
  `${hostname}:${port === "" ? protocol === "https:" ? 443 : 80 : port}`;

async function inspectJournal(config: Config): Promise<string> {
  const journal = journalOf(config);
  try {
    const { mails, posts } = await journal.counts();
    const sum = (counts: ReadonlyMap<string, number>) =>
      [...counts.values()].reduce((all, one) => all + one, 0);
    const parked = (mails.get("parked") ?? 0) + (posts.get("parked") ?? 0);
    const hint = parked > 0 ? `; ${parked} parked: see p2plint queue` : "";
    return `${config.state}, version ${journal.version}, ${sum(mails)} mails, ${
      sum(posts)
    } replies and reports${hint}`;
  } finally {
    await journal.close();
  }
}

async function writeTo(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const probe = join(folder, ".p2plint-doctor");
  await Deno.writeTextFile(probe, "");
  await Deno.remove(probe);
}

/** What to do, by what went wrong. */
function adviceFor(what: string, message: string): string | null {
  if (what === "config") return "Correct the file; README.md, Operations, lists every key.";
  if (/Requires (\w+) access/.test(message)) {
    return "Deno was not given this permission: see Operations in README.md.";
  }
  if (/does not accept user|EAUTH|535/.test(message)) {
    return "Correct user and password; many servers want an app password.";
  }
  if (/ECONNREFUSED|refused/i.test(message)) {
    return "Nothing listens there: correct host and port, or start the server.";
  }
  if (what.startsWith("mirror") && /: (?:401|403|404) |may not write/.test(message)) {
    return "Correct the repository's name, or the rights of the token: contents and pull requests, statuses to set one.";
  }
  if (/ENOTFOUND|EAI_AGAIN|EDNS/.test(message)) {
    return "The host name is unknown: correct it, or look at the name server.";
  }
  if (/certificate|self.signed|CERT_/i.test(message)) {
    return "For a certificate of your own, name its file as `ca`.";
  }
  if (/TIMEOUT/i.test(message)) {
    return "Something on the way drops the connection: look at port, TLS mode and firewall.";
  }
  if (/NONEXISTENT|doesn't exist|not exist|no slice/i.test(message)) {
    return "Correct the name of the mailbox.";
  }
  if (what === "journal" || what === "outbox") return "Make the folder, and let the bot write to it.";
  if (what === "secrets") return "Set the variable or write the file that the configuration names.";
  return null;
}
