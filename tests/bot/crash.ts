/**
 * Kills the bot, again and again, while mails come in, and counts what was lost or sent twice. The test and the bench
 * share it.
 *
 * @module
 */

import { join } from "@std/path";
import { DatabaseSync } from "node:sqlite";
import type { Step } from "../../bot/ports.ts";
import { startDovecot } from "./dovecot.ts";
import { startSmtp } from "./smtp_server.ts";

/** When a process of the bot is killed. */
export type Kill =
  /** By itself, when it comes to a step for the N-th time. */
  | { readonly step: Step; readonly count: number }
  /** From outside, after a time. */
  | { readonly afterMs: number };

/** What is played. */
export interface Play {
  readonly folder: string;
  /** In order of arrival; they come in portions, one for each life of the bot. */
  readonly mails: readonly (string | Uint8Array)[];
  /** List-Id and address of the lists that the mails come through. */
  readonly lists: readonly { readonly id: string; readonly address: string }[];
  readonly kills: readonly Kill[];
  readonly onLife?: (line: string) => void;
}

/** What came of it. */
export interface Aftermath {
  /** How each life of the bot ended. */
  readonly lives: readonly {
    readonly kill: Kill;
    readonly end: "at the step" | "at its time" | "step not reached";
  }[];
  /** Message-ID to `state: reason`. */
  readonly fates: ReadonlyMap<string, string>;
  /** Message-IDs of what the SMTP server took, in order. */
  readonly taken: readonly string[];
  /** Of each post that the journal has: its Message-ID, and the state. */
  readonly posts: ReadonlyMap<string, string>;
}

const BOT = "p2plint@bots.example.net";
/** A mail needs so long from the SMTP server over the list to the mailbox. */
const LIST_MS = 300;
const CONFIRM_S = 2;
/** A step that is not reached by then is not reached in this life. */
const LIFE_MS = 6000;
const PEACE_MS = 60_000;

/** Plays it. */
export async function playCrashes({ folder, mails, lists, kills, onLife }: Play): Promise<Aftermath> {
  const dovecot = await startDovecot({ folder: join(folder, "dovecot") });
  const smtp = await startSmtp();
  const timers = new Set<number>();
  smtp.onMail = ({ text }) => {
    const timer: number = setTimeout(() => {
      timers.delete(timer);
      dovecot.deliver(text.replaceAll("\r\n", "\n").replace("\n\n", `\nList-Id: <${lists[0]!.id}>\n\n`));
    }, LIST_MS) as unknown as number;
    timers.add(timer);
  };
  const config = join(folder, "p2plint.json");
  await Deno.writeTextFile(join(folder, "password"), dovecot.password);
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      bot: { address: BOT },
      state: "state.sqlite",
      outbox: "outbox",
      accounts: [{
        name: "local",
        host: "127.0.0.1",
        port: dovecot.port,
        tls: "none",
        user: dovecot.user,
        password: { file: "password" },
        sweepSeconds: 1,
      }],
      smtp: { host: "127.0.0.1", port: smtp.port, tls: "none" },
      lists: lists.map((list) => ({ ...list, mode: "send" })),
      intake: { maxAgeDays: 36_500, delaySeconds: 0, settleSeconds: 4 },
      reply: { maxPerSeries: 100 },
      limits: {
        perHour: 10_000,
        perListPerHour: 10_000,
        perAuthorPerDay: 10_000,
        perThread: 1000,
        confirmSeconds: CONFIRM_S,
      },
      log: { level: "error" },
    }),
  );
  const live = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        "--allow-all",
        new URL("crash_bot.ts", import.meta.url).pathname,
        config,
        ...args,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
  const portion = Math.ceil(mails.length / (kills.length + 1));
  let delivered = 0;
  const deliver = (count: number) => {
    for (; count > 0 && delivered < mails.length; count--) dovecot.deliver(mails[delivered++]!);
  };
  const lives: { kill: Kill; end: "at the step" | "at its time" | "step not reached" }[] = [];
  try {
    for (const [at, kill] of kills.entries()) {
      deliver(Math.ceil(portion / 2));
      const bot = "step" in kill ? live(kill.step, String(kill.count)) : live();
      // The rest comes while it is at work.
      const late = setTimeout(() => deliver(Math.floor(portion / 2)), 800);
      const killer = setTimeout(() => stopHard(bot), "step" in kill ? LIFE_MS : kill.afterMs);
      const start = performance.now();
      await bot.status;
      clearTimeout(killer);
      clearTimeout(late);
      const isLong = performance.now() - start >= LIFE_MS - 50;
      const end = "step" in kill ? isLong ? "step not reached" : "at the step" : "at its time";
      lives.push({ kill, end });
      onLife?.(`${at + 1}/${kills.length} ${JSON.stringify(kill)}: ${end}`);
    }
    deliver(mails.length);
    await peace(live(), join(folder, "state.sqlite"), mails.length);
    // What is still on its way from the list.
    await new Promise((resolve) => setTimeout(resolve, LIST_MS * 2));
    return { lives, ...readJournal(join(folder, "state.sqlite")), taken: smtp.mails.map(messageIdOf) };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    await smtp.stop();
    await dovecot.stop();
  }
}

function stopHard(bot: Deno.ChildProcess): void {
  try {
    bot.kill("SIGKILL");
  } catch (error) {
    // It was faster.
    if (!(error instanceof TypeError)) throw error;
  }
}

const messageIdOf = ({ text }: { readonly text: string }): string =>
  /^Message-ID: <([^>]+)>/m.exec(text)?.[1] ?? "none";

/** Lets the bot live until nothing waits any more, and ends it kindly. */
async function peace(bot: Deno.ChildProcess, path: string, mails: number): Promise<void> {
  let quiet = 0;
  for (const end = Date.now() + PEACE_MS; quiet < 3 && Date.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { fates, posts } = readJournal(path);
    const isOpen = [...fates.values()].some((fate) => fate.startsWith("waiting")) ||
      [...posts.values()].some((state) => !/^(?:sent|parked)/.test(state));
    quiet = !isOpen && fates.size >= mails ? quiet + 1 : 0;
  }
  bot.kill("SIGTERM");
  const { code } = await bot.status;
  if (code !== 0) throw new Error(`SIGTERM ended the bot with ${code}`);
}

/** What a journal says of each mail and each post; may be asked while a bot writes it. */
export function readJournal(path: string): Pick<Aftermath, "fates" | "posts"> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const pairs = (sql: string) =>
      new Map(
        db.prepare(sql).all().map((row) => [String(row["id"]), `${row["state"]}: ${row["reason"]}`] as const),
      );
    return {
      fates: pairs("SELECT message_id AS id, state, reason FROM mail"),
      posts: pairs("SELECT message_id AS id, state, reason FROM post"),
    };
  } finally {
    db.close();
  }
}

/** What is wrong with an aftermath: lost mails, lost replies, replies twice; empty when nothing is. */
export function damageOf(
  { fates, taken, posts }: Aftermath,
  messageIds: readonly string[],
): readonly string[] {
  const damage: string[] = [];
  for (const id of messageIds) {
    const fate = fates.get(id);
    if (fate === undefined) damage.push(`${id} is lost`);
    else if (/^(?:waiting|parked)/.test(fate)) damage.push(`${id} is ${fate}`);
  }
  const count = new Map<string, number>();
  for (const id of taken) count.set(id, (count.get(id) ?? 0) + 1);
  for (const [id, times] of count) {
    if (times > 1) damage.push(`${id} was sent ${times} times`);
    if (!posts.has(id)) damage.push(`${id} was sent, and the journal has it not`);
  }
  for (const [id, state] of posts) {
    if (!count.has(id)) damage.push(`${id} was never sent: ${state}`);
    if (!state.startsWith("sent")) damage.push(`${id} is ${state}`);
  }
  const replied = [...fates.values()].flatMap((fate) => /^replied: post ([0-9a-f]+)$/.exec(fate)?.[1] ?? []);
  for (const post of replied) {
    if (!posts.has(`p2plint.${post}@bots.example.net`)) damage.push(`post ${post} is lost`);
  }
  return damage;
}
