/**
 * A watcher with a made-up world: mails in memory, a clock that stands still, sinks that collect. The journal is the
 * real one, in a file of its own.
 *
 * @module
 */

import { join } from "@std/path";
import { type Config, readConfig } from "../../bot/watch_config.ts";
import { openJournal } from "../../bot/journal_sqlite.ts";
import { readMail } from "../../rules/engine/mail.ts";
import { createPrefilter } from "../../rules/engine/prefilter.ts";
import { INTEREST, WORDS } from "../../rules/kernel/mod.ts";
import { standFor } from "../../rules/model/stand.ts";
import { rules } from "../../rules/mod.ts";
import type { Mail } from "../../rules/engine/types.ts";
import { createLinter, type Linter } from "../../rules/engine/lint.ts";
import { createReviewer, type Reviewer } from "../../rules/tree/review.ts";
import { readGrammar } from "../../bot/grammar.ts";
import type {
  Clock,
  Cursor,
  Journal,
  Letter,
  Log,
  MirrorPost,
  Observer,
  Parcel,
  Post,
  ReplyPost,
  Sink,
  Source,
} from "../../bot/ports.ts";
import { watch } from "../../bot/watch.ts";
import type { World } from "../../bot/world.ts";
import { LIST } from "./letters.ts";

/** The time at which tests begin, unless they say otherwise. */
export const NOON = Date.UTC(2026, 0, 5, 12);
export const BOT = "p2plint@bots.example.net";

/** A configuration as JSON would give it; `over` replaces keys at the top. */
export function config(over: Record<string, unknown> = {}, folder = "/nonexistent"): Config {
  return readConfig(
    JSON.stringify({
      bot: { address: BOT },
      state: "state.sqlite",
      outbox: "outbox",
      accounts: [{
        name: "local",
        host: "127.0.0.1",
        port: 143,
        tls: "none",
        user: "bot",
        password: { env: "P2PLINT_TEST_PASSWORD" },
      }],
      smtp: { host: "127.0.0.1", port: 25, tls: "none" },
      lists: [{ ...LIST, mode: "send" }],
      intake: { maxAgeDays: 36_500 },
      ...over,
    }),
    join(folder, "p2plint.json"),
  );
}

/** The whole catalogue, with the grammar read once for all tests. */
let linter: Linter | null = null;
export function wholeLinter(): Linter {
  return linter ??= createLinter({ rules, interest: INTEREST, standFor, load: readGrammar });
}

/** A mail as the engine reads it. */
export const read = (text: string): Promise<Mail> =>
  readMail(new TextEncoder().encode(text), { input: "test.eml", position: null });

/** A folder that is gone after the test. */
export async function inFolder<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await Deno.makeTempDir({ prefix: "p2plint-test-" });
  // A server that is no root must get through it.
  await Deno.chmod(folder, 0o755);
  try {
    return await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A clock that goes only when it is told to; sleeping moves it. */
export interface LabClock extends Clock {
  set(ms: number): void;
}

export function labClock(start = NOON): LabClock {
  let now = start;
  return {
    now: () => now,
    set: (ms) => void (now = ms),
    sleep(ms, signal) {
      if (!signal.aborted) now += ms;
      return Promise.resolve();
    },
  };
}

/** A mailbox in memory. */
export class LabMailbox implements Source {
  readonly account = "local";
  readonly name = "local/INBOX";
  readonly mails: Uint8Array[] = [];
  validity = "1";
  /** How the server reads the head of a message. */
  head: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes.subarray(0, headEnd(bytes));
  /** UIDs that the server does not hand out. */
  readonly broken = new Set<number>();
  /** UIDs that were fetched whole. */
  readonly fetched: number[] = [];

  constructor(private readonly clock: Clock) {}

  put(...texts: readonly string[]): void {
    for (const text of texts) this.mails.push(new TextEncoder().encode(text));
  }

  lastSeen = (): number => this.clock.now();

  async *parcels({ cursorOf }: Parameters<Source["parcels"]>[0]): AsyncGenerator<Parcel, void, void> {
    const { validity, account } = this;
    const uid = (await cursorOf("INBOX", validity))?.uid ?? 0;
    const letters: Letter[] = this.mails.slice(uid).map((bytes, at) => ({
      uid: uid + at + 1,
      size: bytes.length,
      arrived: this.clock.now(),
      head: this.head(bytes),
    }));
    for (let at = 0; at < letters.length;) {
      const isGivenUp = this.broken.has(letters[at]!.uid);
      const end = letters.findIndex(({ uid }, no) => no > at && this.broken.has(uid));
      const some = letters.slice(at, Math.min(at + (isGivenUp ? 1 : 100), end < 0 ? Infinity : end));
      at += some.length;
      const cursor: Cursor = { account, mailbox: "INBOX", validity, uid: some.at(-1)!.uid, modseq: null };
      if (isGivenUp) some[0] = { ...some[0]!, size: 0, head: new Uint8Array() };
      yield { letters: some, cursor, isGivenUp, fetch: (uids) => Promise.resolve(this.#fetch(uids)) };
    }
  }

  #fetch(uids: readonly number[]): ReadonlyMap<number, Uint8Array> {
    this.fetched.push(...uids);
    return new Map(uids.map((uid) => [uid, this.mails[uid - 1]!]));
  }

  holds(messageId: string): Promise<boolean> {
    const wanted = `message-id: <${messageId}>`.toLowerCase();
    return Promise.resolve(
      this.mails.some((bytes) => new TextDecoder().decode(bytes).toLowerCase().includes(wanted)),
    );
  }
}

function headEnd(bytes: Uint8Array): number {
  const text = new TextDecoder("latin1").decode(bytes);
  const at = text.search(/\r?\n\r?\n/);
  return at < 0 ? bytes.length : at;
}

/** A sink that keeps what it is given, or fails as told. */
export class LabSink<Of extends Post> implements Sink<Of> {
  readonly posts: Of[] = [];
  fail: ((post: Of) => Error | null) | null = null;

  constructor(readonly name: Of["sink"], readonly isIdempotent = name === "outbox") {}

  deliver(post: Of): Promise<string> {
    const error = this.fail?.(post) ?? null;
    if (error !== null) return Promise.reject(error);
    this.posts.push(post);
    return Promise.resolve("250 taken");
  }
}

/** Everything that was logged. */
export class LabLog implements Log {
  readonly lines: { level: string; event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  debug = () => {};
  info = (event: string, fields = {}) => void this.lines.push({ level: "info", event, fields });
  warn = (event: string, fields = {}) => void this.lines.push({ level: "warn", event, fields });
  error = (event: string, fields = {}) => void this.lines.push({ level: "error", event, fields });
}

/** A world, and what is needed to look at it. */
export interface Lab extends World {
  readonly mailbox: LabMailbox;
  readonly smtp: LabSink<ReplyPost>;
  readonly outbox: LabSink<Post>;
  readonly clock: LabClock;
  readonly log: LabLog;
  readonly config: Config;
  /** Watches once. */
  run(): Promise<void>;
  /** Watches until the clock has gone on so far. */
  runFor(ms: number): Promise<void>;
  /** What became of a mail: `state: reason`. */
  fate(messageId: string): Promise<string>;
}

/** The sink for the mirrors of a configuration, in a hurry. */
async function mirrorSink(
  made: Config,
  folder: string,
  journal: Journal,
  reviewer: Reviewer,
  clock: Clock,
): Promise<Sink<MirrorPost>> {
  // Octokit is heavy, and most tests have no mirror.
  const { githubSink } = await import("../../bot/mirror/sink.ts");
  const { mirrorOf } = await import("../../bot/mirror/access.ts");
  await Deno.writeTextFile(join(folder, "token"), "token-of-the-test\n");
  return githubSink({
    mirrors: made.mirrors.map((each) => {
      const { client, ...mirror } = mirrorOf(each, new LabLog());
      return { ...mirror, client: { ...client, secondMs: 1 } };
    }),
    review: (patches) => reviewer.review(patches),
    judged: (fingerprints) => journal.judged(fingerprints),
    archive: made.bot.archive,
    clock,
  });
}

/** Makes a world for a test, and takes it down. */
export function inLab(
  over: Record<string, unknown>,
  run: (lab: Lab) => Promise<void>,
  { observe = () => {}, maxPages }: { readonly observe?: Observer; readonly maxPages?: number } = {},
): Promise<void> {
  return inFolder(async (folder) => {
    const clock = labClock();
    const path = join(folder, "state.sqlite");
    const journal: Journal = openJournal(path, {
      now: clock.now,
      ...(maxPages === undefined ? {} : { maxPages }),
    });
    const mailbox = new LabMailbox(clock);
    const smtp = new LabSink<ReplyPost>("smtp");
    const outbox = new LabSink<Post>("outbox");
    const log = new LabLog();
    const made = config(over, folder);
    const reviewer = createReviewer(wholeLinter(), INTEREST.direct, null);
    const github = made.mirrors.length === 0
      ? []
      : [await mirrorSink(made, folder, journal, reviewer, clock)];
    const world: World = {
      sources: [mailbox],
      sinks: [smtp, outbox, ...github],
      journal,
      clock,
      reviewer,
      prefilter: createPrefilter(WORDS),
      log,
      observe,
      toolVersion: "0.0.0",
    };
    const lab: Lab = {
      ...world,
      mailbox,
      smtp,
      outbox,
      clock,
      log,
      config: made,
      run: () => watch(world, made, { once: true, signal: new AbortController().signal }),
      async runFor(ms) {
        const end = new AbortController();
        const goal = clock.now() + ms;
        const ticking: Clock = {
          now: clock.now,
          async sleep(pause, signal) {
            await clock.sleep(pause, signal);
            if (clock.now() >= goal) end.abort();
          },
        };
        await watch({ ...world, clock: ticking }, made, { once: false, signal: end.signal });
      },
      async fate(messageId) {
        const { DatabaseSync } = await import("node:sqlite");
        const db = new DatabaseSync(path, { readOnly: true });
        try {
          const row = db.prepare("SELECT state, reason FROM mail WHERE message_id = ?").get(messageId);
          return row === undefined ? "unknown" : `${row["state"]}: ${row["reason"]}`;
        } finally {
          db.close();
        }
      },
    };
    try {
      await run(lab);
    } finally {
      await journal.close();
    }
  });
}
