/**
 * The watcher: pull, take, judge, settle, claim, deliver, end. Knows no server and no file: everything outside is a
 * port. What may be lost at a crash is the time since the last step, nothing else: a mail is in the journal before the
 * cursor passes it, and a post is claimed before it is delivered.
 *
 * @module
 */

import { readPatch } from "../rules/engine/diff.ts";
import { readMail } from "../rules/engine/mail.ts";
import { assemble } from "../rules/engine/series.ts";
import type { Address, Mail, Patch } from "../rules/engine/types.ts";
import type { Config } from "./watch_config.ts";
import { deliverDue, fieldsOf, reviveClaims, settleDoubts } from "./delivery.ts";
import { type Admission, admit, postIdsIn, postMessageId } from "./intake.ts";
import { sameAddress } from "./mailboxes.ts";
import { endAll, outcomeOf, seriesKeys, threadOf } from "./outcome.ts";
import { isMirrored } from "./mirror/posts.ts";
import {
  ConnectionError,
  JournalError,
  type Letter,
  type MailRecord,
  type Outcome,
  type Parcel,
  type Source,
  type Taken,
  type WaitingMail,
} from "./ports.ts";
import { judgeReply } from "./verdict.ts";
import { JOURNAL_RETRY_MS, type World } from "./world.ts";

/** How often what waits is looked at. */
const TICK_MS = 2000;
/** A mail that ended the process so often is not tried again without a human. */
const MAX_ATTEMPTS = 3;
/** What is judged together is held together. The largest real series have a tenth of it. */
const MAX_SERIES_BYTES = 16 * 1024 * 1024;
/** Series that are begun in one transaction. */
const BEGIN_AT_ONCE = 100;
/** Outcomes that are settled in one transaction. */
const SETTLE_AT_ONCE = 200;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Watches until the signal, or, with `once`, until everything that was there is dealt with.
 *
 * @throws {AuthenticationError} If a server does not accept us
 */
export async function watch(
  world: World,
  config: Config,
  { once, signal }: { readonly once: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const watcher = new Watcher(world, config);
  // Whatever ends one of the loops ends all of them.
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const guarded = async (run: Promise<void>) => {
    try {
      await run;
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  await watcher.lastingly(() => reviveClaims(world, config), both);
  const follows = world.sources.map((source) => guarded(watcher.follow(source, once, both)));
  if (once) {
    await all(follows);
    if (signal.aborted) return;
    await watcher.lastingly(() => watcher.judge(true, both), both);
    await watcher.lastingly(() => settleDoubts(world, config, both), both);
    await watcher.lastingly(() => deliverDue(world, config, both), both);
    return;
  }
  await all([...follows, guarded(watcher.tick(both))]);
}

/** Waits for all to end, then throws what the first one threw. */
async function all(runs: readonly Promise<void>[]): Promise<void> {
  const failure = (await Promise.allSettled(runs)).find(({ status }) => status === "rejected");
  if (failure?.status === "rejected") throw failure.reason;
}

interface WaitingSeries {
  readonly root: string;
  readonly version: number;
  readonly mails: readonly WaitingMail[];
  readonly keys: readonly string[];
}

class Watcher {
  /** Mails that this process has begun to judge: only the next process need wonder why they did not end. */
  readonly #begun = new Set<string>();
  /** What writes to the journal comes one after another: sources, judging and delivery share it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly world: World, private readonly config: Config) {}

  /** Hands over to whoever waits longest. */
  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const mine = this.#turn.then(run);
    // The next one's turn comes whether this one fails or not; who asked for it learns of the failure.
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Does it again until the journal works. */
  async lastingly(run: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const { log, clock } = this.world;
    while (!signal.aborted) {
      try {
        await this.#inTurn(run);
        return;
      } catch (error) {
        if (!(error instanceof JournalError)) throw error;
        log.error("journal does not work", { problem: error.message, retrySeconds: JOURNAL_RETRY_MS / 1000 });
        await clock.sleep(JOURNAL_RETRY_MS, signal);
      }
    }
  }

  async follow(source: Source, once: boolean, signal: AbortSignal): Promise<void> {
    const { journal, clock, log, observe } = this.world;
    const parcels = source.parcels({
      cursorOf: (mailbox, validity) => journal.cursor(source.account, mailbox, validity),
      notBefore: () => clock.now() - this.config.intake.maxAgeDays * DAY_MS,
      once,
      signal,
    });
    for await (const parcel of parcels) {
      observe("pulled", { source: source.name, letters: parcel.letters.length });
      try {
        await this.lastingly(() => this.#take(parcel), signal);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        // The cursor stands where it stood: the source brings the parcel again.
        log.warn("parcel not fetched", { source: source.name, problem: error.message });
        continue;
      }
      if (signal.aborted) return;
    }
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { clock } = this.world;
    while (!signal.aborted) {
      await this.lastingly(() => this.judge(false, signal), signal);
      await this.lastingly(() => settleDoubts(this.world, this.config, signal), signal);
      await this.lastingly(() => deliverDue(this.world, this.config, signal), signal);
      await clock.sleep(TICK_MS, signal);
    }
  }

  async #take(parcel: Parcel): Promise<void> {
    const { journal, log, observe } = this.world;
    const heads = await Promise.all(
      parcel.letters.map((letter) =>
        readMail(letter.head, { input: placeOf(parcel, letter), position: null })
      ),
    );
    const ids = heads.map((head, at) => head.messageId ?? placeOf(parcel, parcel.letters[at]!));
    const seen = new Set(await journal.known(ids));
    const senders = heads.flatMap(({ from }) => from === null ? [] : [sameAddress(from.address)]);
    const optedOut = await journal.optedOut([...new Set(senders)]);
    const fresh: { letter: Letter; head: Mail; id: string; admission: Admission }[] = [];
    const returned: string[] = [];
    for (const [at, letter] of parcel.letters.entries()) {
      const head = heads[at]!;
      const id = ids[at]!;
      // An own mail is confirmed each time that it is seen: the journal may have been brought back from a backup.
      const admission = this.#admission(head, letter, optedOut);
      if (admission.act === "own") returned.push(id);
      if (seen.has(id)) continue;
      seen.add(id);
      fresh.push({ letter, head, id, admission });
    }
    const wanted = fresh.filter(({ admission: { act } }) => act === "patch" || act === "answer");
    const bytes = wanted.length > 0
      ? await parcel.fetch(wanted.map(({ letter }) => letter.uid))
      : new Map<number, Uint8Array>();
    observe("fetched", { mails: bytes.size });
    const taken: Taken[] = [];
    for (const { letter, head, id, admission } of fresh) {
      const it = await this.#taken(parcel, letter, head, id, admission, bytes.get(letter.uid) ?? null);
      taken.push(it);
      log.debug("mail", { id, state: it.mail.state, reason: it.mail.reason, list: it.mail.list });
    }
    if (returned.length > 0) await journal.confirm(returned);
    await journal.take(taken, parcel.cursor);
    for (const { mail: { state } } of taken) observe("taken", { state });
    observe("taken", { state: "duplicate", count: parcel.letters.length - fresh.length });
  }

  #admission(head: Mail, { size, arrived }: Letter, optedOut: ReadonlySet<string>): Admission {
    const admission = admit(head, { size, arrived, now: this.world.clock.now() }, this.config);
    const isOut = admission.act === "patch" && head.from !== null &&
      optedOut.has(sameAddress(head.from.address));
    return isOut ? { act: "skip", reason: "its sender opted out" } : admission;
  }

  async #taken(
    parcel: Parcel,
    letter: Letter,
    head: Mail,
    id: string,
    admission: Admission,
    bytes: Uint8Array | null,
  ): Promise<Taken> {
    const record: Omit<MailRecord, "state" | "reason"> = {
      messageId: id,
      account: parcel.cursor.account,
      mailbox: parcel.cursor.mailbox,
      uid: letter.uid,
      arrived: letter.arrived,
      list: admission.act === "patch" || admission.act === "answer" ? admission.list : "",
      subject: head.subject,
      inReplyTo: head.inReplyTo,
      references: head.references,
      from: sameAddress(head.from?.address ?? ""),
    };
    const ended = (state: MailRecord["state"], reason: string): Taken => ({
      mail: { ...record, state, reason },
      bytes: null,
      verdicts: [],
      optOut: null,
    });
    if (parcel.isGivenUp) return ended("parked", "the server does not hand it out");
    if (admission.act === "skip") return ended("skipped", admission.reason);
    if (admission.act === "own") return ended("own", "sent by us, seen again");
    if (bytes === null) return ended("skipped", "gone before it was fetched");
    if (admission.act === "answer") return await this.#answer(ended, bytes, admission.posts);
    const matters = head.subject.index !== 0 &&
      (isMirrored(head, this.config) || this.world.prefilter.mayMatter(bytes));
    return {
      ...ended("waiting", "for its series, or a later version of it"),
      bytes: matters ? bytes : null,
    };
  }

  async #answer(
    ended: (state: MailRecord["state"], reason: string) => Taken,
    bytes: Uint8Array,
    postIds: readonly string[],
  ): Promise<Taken> {
    const { journal, log } = this.world;
    const mail = await readMail(bytes, { input: "reply", position: null });
    const records = await journal.ownPosts(postIds.map((id) => postMessageId(id, this.config)));
    // What the mail answers counts, not everything that was said in the thread before.
    const [answered] = postIdsIn(mail.inReplyTo === null ? [] : [mail.inReplyTo], this.config);
    const direct = records.filter(({ post }) => post.id === answered);
    const posts = await Promise.all((direct.length > 0 ? direct : records).map(async (record) => ({
      record,
      findings: await journal.findingsOf(record.post.id),
    })));
    const { verdicts, optOut, reason } = judgeReply(mail, posts, this.config);
    if (verdicts.length === 0 && optOut === null) return ended("skipped", reason);
    log.info("verdict", { by: mail.from?.address ?? "", reason, findings: verdicts.length });
    return { ...ended("verdict", reason), verdicts, optOut };
  }

  /**
   * Judges what has waited long enough.
   *
   * @param everything All of it, complete or not
   * @param signal Ends it between two series
   */
  async judge(everything: boolean, signal: AbortSignal): Promise<void> {
    const { journal, clock, observe } = this.world;
    const waiting = await journal.waiting();
    if (waiting.length === 0) return;
    const { delaySeconds, settleSeconds } = this.config.intake;
    const now = clock.now();
    const members = waiting.map((mail) => ({ ...mail, from: addressOf(mail) }));
    const byId = new Map(waiting.map((mail) => [mail.messageId, mail]));
    const all = assemble(members).map(({ root, version, cover, members, absent }) => {
      const mails = [...(cover === null ? [] : [cover]), ...members].map((mail) => byId.get(mail.messageId)!);
      return { root, version, mails, absent, keys: seriesKeys(mails) };
    });
    const newest = new Map<string, number>();
    for (const { keys, version } of all) {
      for (const key of keys) newest.set(key, Math.max(version, newest.get(key) ?? 0));
    }
    let outcomes: Outcome[] = [];
    const flush = async () => {
      if (outcomes.length === 0) return;
      const settled = outcomes;
      outcomes = [];
      await journal.settle(settled);
      for (const { messageId } of settled.flatMap(({ mails }) => mails)) this.#begun.delete(messageId);
      for (const { posts, mails } of settled) {
        observe("settled", { mails: mails.length, posts: posts.length });
      }
    };
    const due: WaitingSeries[] = [];
    for (const { root, version, mails, absent, keys } of all) {
      const since = Math.min(...mails.map(({ takenAt }) => takenAt));
      const later = Math.max(...keys.map((key) => newest.get(key)!));
      const wait = absent.length === 0 ? delaySeconds : settleSeconds;
      if (later > version) {
        outcomes.push(endAll({ root, version, mails }, "skipped", `overtaken by v${later}`));
      } else if (everything || since + wait * 1000 <= now) {
        due.push({ root, version, mails, keys });
      }
    }
    for (const [at, series] of due.entries()) {
      if (signal.aborted) break;
      await this.#begin(due, at);
      outcomes.push(await this.#outcomeOrParked(series));
      // A post goes its way at once; what came to nothing is settled in heaps.
      if (outcomes.length >= SETTLE_AT_ONCE || outcomes.at(-1)!.posts.length > 0) await flush();
    }
    await flush();
  }

  /** A mail that ended one process after another. */
  #isWorn({ messageId, attempts }: WaitingMail): boolean {
    return attempts >= MAX_ATTEMPTS && !this.#begun.has(messageId);
  }

  /**
   * Notes that a series is begun to be judged, and that those behind it will be: one transaction for many. What was
   * begun before and did not end is begun alone, so that it is found out.
   */
  async #begin(due: readonly WaitingSeries[], at: number): Promise<void> {
    const open = ({ mails }: WaitingSeries) =>
      mails.filter((mail) => mail.hasBytes && !this.#begun.has(mail.messageId) && !this.#isWorn(mail));
    const first = open(due[at]!);
    if (first.length === 0) return;
    const isSuspect = (mails: readonly WaitingMail[]) => mails.some(({ attempts }) => attempts > 0);
    const mails = isSuspect(first)
      ? first
      : due.slice(at, at + BEGIN_AT_ONCE).map(open).filter((mails) => !isSuspect(mails)).flat();
    const ids = mails.map(({ messageId }) => messageId);
    await this.world.journal.begin(ids);
    for (const id of ids) this.#begun.add(id);
    this.world.observe("begun", { mails: ids.length });
  }

  /** A bug of ours costs one series, not the bot. */
  async #outcomeOrParked(series: WaitingSeries): Promise<Outcome> {
    try {
      return await this.#outcome(series);
    } catch (error) {
      if (error instanceof JournalError) throw error;
      this.world.log.error("parked", { id: series.root, problem: String((error as Error).stack) });
      return endAll(series, "parked", `p2plint failed: ${(error as Error).message}`);
    }
  }

  async #outcome(series: WaitingSeries): Promise<Outcome> {
    const { journal, clock, reviewer, log, observe, toolVersion } = this.world;
    const { root, version, mails } = series;
    const wanted = mails.filter(({ hasBytes }) => hasBytes);
    const worn = wanted.find((mail) => this.#isWorn(mail));
    if (worn !== undefined) {
      log.error("parked", { id: worn.messageId, attempts: worn.attempts });
      return endAll(series, "parked", `judging its series ended the process ${worn.attempts} times`);
    }
    const patches: Patch[] = [];
    const unread = new Map<string, string>();
    let size = 0;
    for (const { messageId } of wanted) {
      const bytes = await journal.bytesOf(messageId);
      // Without bytes it was dropped by hand a moment ago.
      if (bytes === null) continue;
      size += bytes.length;
      if (size > MAX_SERIES_BYTES) {
        unread.set(messageId, `too large: its series has more than ${MAX_SERIES_BYTES} bytes`);
        continue;
      }
      const mail = await readMail(bytes, { input: messageId, position: null });
      if (mail.messageId === messageId) patches.push(readPatch(mail));
      // The server found the Message-ID behind a line that ends the head for us, and for git.
      else unread.set(messageId, "its head is broken: it can be read in two ways");
    }
    const keys = patches.length === 0
      ? series.keys
      : seriesKeys(mails, patches.map(({ changeId }) => changeId));
    const later = await journal.laterVersion(keys, version);
    if (later !== null) return endAll(series, "skipped", `overtaken by v${later}`);
    const reports = patches.length === 0 ? [] : await reviewer.review(patches);
    for (const { faults, patch } of reports) {
      for (const { rule, where, error } of faults) {
        log.error("rule failed", { rule, where, id: patch.mail.messageId ?? "", problem: error.message });
      }
    }
    observe("judged", { mails: mails.length, patches: patches.length });
    const isFound = reports.some(({ findings }) => findings.length > 0);
    const addresses = patches.flatMap(({ mail }) => [mail.from, mail.author, ...mail.to, ...mail.cc]);
    const decided = outcomeOf({
      root,
      version,
      mails,
      reports,
      said: isFound ? await journal.said(keys, version) : [],
      judged: isFound
        ? await journal.judged(reports.flatMap(({ findings }) => findings.map((each) => each.fingerprint)))
        : new Set(),
      optedOut: isFound ? await journal.optedOut(lowerCase(addresses)) : new Set(),
      threadPosts: isFound ? await journal.postsInThread(threadOf(mails[0]!)) : 0,
      now: clock.now(),
      toolVersion,
    }, this.config);
    const outcome: Outcome = {
      ...decided,
      mails: decided.mails.map((mail) => {
        const reason = unread.get(mail.messageId);
        return reason === undefined ? mail : { ...mail, state: "skipped", reason };
      }),
    };
    for (const { post, state, reason } of outcome.posts) {
      log.info(post.kind === "reply" ? "reply" : "report", { ...fieldsOf(post), state, reason });
    }
    return outcome;
  }
}

/** What stands for a Message-ID that is not there; one of a mailbox cannot look like it. */
function placeOf({ cursor: { account, mailbox, validity } }: Parcel, { uid }: Letter): string {
  return `no-id:${account}/${mailbox}/${validity}/${uid}`;
}

const addressOf = ({ from }: MailRecord): Address | null => from === "" ? null : { name: "", address: from };

const lowerCase = (addresses: readonly (Address | null)[]): string[] => [
  ...new Set(addresses.flatMap((each) => each === null ? [] : [sameAddress(each.address)])),
];
