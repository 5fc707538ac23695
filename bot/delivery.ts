/**
 * The way of a post from the journal to its sink: claimed, delivered, ended. In doubt whether the other side has a
 * mail, it is looked for on the list before it is sent again; what cannot be told is left to a human.
 *
 * @module
 */

import type { Config } from "./watch_config.ts";
import { sameAddress } from "./mailboxes.ts";
import {
  type Clock,
  DeliveryError,
  type Journal,
  JournalError,
  type Log,
  type Post,
  type PostRecord,
  type ReplyPost,
} from "./ports.ts";
import { JOURNAL_RETRY_MS, type World } from "./world.ts";

const SECOND_MS = 1000;
const HOUR_MS = 60 * 60 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
const FIRST_RETRY_MS = 60 * SECOND_MS;
const LAST_RETRY_MS = HOUR_MS;
/** A server that takes no mail for so long is for a human. */
const GIVE_UP_MS = 2 * DAY_MS;
/** When a limit is looked at again. */
const LIMIT_RETRY_MS = 10 * 60 * SECOND_MS;

/** At the start nobody delivers: what is claimed was claimed by a process that died. */
export async function reviveClaims({ journal, sinks, clock, log }: World, config: Config): Promise<void> {
  const now = clock.now();
  for (const { post, claimedAt } of await journal.posts("sending", Infinity)) {
    if (sinkOf(sinks, post)?.isIdempotent === true) {
      await journal.move(post.id, "pending", "claimed by a process that ended", now);
      continue;
    }
    const nextAt = claimedAt + config.limits.confirmSeconds * SECOND_MS;
    await journal.move(post.id, "doubt", "claimed by a process that ended", now, nextAt);
    log.warn("in doubt", { ...fieldsOf(post), lookAt: new Date(nextAt).toISOString() });
  }
}

/** What a log says of a post. */
export const fieldsOf = (post: Post): Readonly<Record<string, string>> =>
  post.kind === "reply"
    ? { id: post.id, to: post.inReplyTo }
    : { id: post.id, mirror: post.mirror, series: post.root };

/** Delivers what may go out now. */
export async function deliverDue(world: World, config: Config, signal: AbortSignal): Promise<void> {
  const { journal, clock, log } = world;
  for (const record of await journal.posts("pending", clock.now())) {
    if (signal.aborted) return;
    const { post } = record;
    const moot = await mootness(world, post);
    if (moot !== null) {
      await journal.move(post.id, "dropped", moot, clock.now());
      log.info("dropped", { ...fieldsOf(post), reason: moot });
      continue;
    }
    const limit = post.sink === "smtp" ? await limitFor(world, config, post) : null;
    if (limit !== null) {
      log.info("limit", { id: post.id, limit });
      await journal.move(
        post.id,
        "pending",
        `waits for a limit: ${limit}`,
        clock.now(),
        clock.now() + LIMIT_RETRY_MS,
      );
      continue;
    }
    await deliver(world, config, record, signal);
  }
}

/** Why nobody is to get a post any more; null: somebody is. */
async function mootness({ journal }: World, post: Post): Promise<string | null> {
  if (post.kind === "reply") {
    return (await journal.optedOut([post.author])).has(post.author) ? "its author opted out" : null;
  }
  const later = await journal.overtaken(post.root);
  return later === null ? null : `overtaken by v${later}`;
}

/** The limit that a mail would break; null for none. */
async function limitFor(
  { journal, clock }: World,
  { limits }: Config,
  post: ReplyPost,
): Promise<string | null> {
  const now = clock.now();
  const hour = await journal.sentSince(now - HOUR_MS, post.list, post.author);
  if (hour.total >= limits.perHour) return `${limits.perHour} an hour`;
  if (hour.list >= limits.perListPerHour) return `${limits.perListPerHour} an hour to ${post.list}`;
  const day = await journal.sentSince(now - DAY_MS, post.list, post.author);
  if (day.author >= limits.perAuthorPerDay) return `${limits.perAuthorPerDay} a day to ${post.author}`;
  return null;
}

async function deliver(
  { journal, sinks, clock, log, observe }: World,
  config: Config,
  { post, attempts, madeAt }: PostRecord,
  signal: AbortSignal,
): Promise<void> {
  const sink = sinkOf(sinks, post);
  if (sink === undefined) {
    await journal.move(post.id, "parked", `there is no ${post.sink}`, clock.now());
    return;
  }
  if (!await journal.claim(post.id, clock.now())) return;
  observe("claimed", { post: post.id });
  try {
    const said = await sink.deliver(post, signal);
    observe("delivered", { post: post.id });
    await noted(journal, post, said, clock, log, signal);
    log.info("sent", { ...fieldsOf(post), by: sink.name, said });
  } catch (error) {
    if (error instanceof JournalError) throw error;
    const now = clock.now();
    const problem = (error as Error).message;
    // What no sink foresees leaves everything open.
    const outcome = error instanceof DeliveryError ? error.outcome : "unknown";
    if (outcome === "moot") {
      await journal.move(post.id, "dropped", problem, now);
      log.info("dropped", { ...fieldsOf(post), reason: problem });
    } else if (outcome === "unknown" && !sink.isIdempotent) {
      const nextAt = now + config.limits.confirmSeconds * SECOND_MS;
      await journal.move(post.id, "doubt", problem, now, nextAt);
      log.warn("in doubt", { id: post.id, problem, lookAt: new Date(nextAt).toISOString() });
    } else if (outcome === "never" || now - madeAt > GIVE_UP_MS) {
      await journal.move(post.id, "parked", problem, now);
      log.error("parked", { id: post.id, problem });
    } else {
      const nextAt = now + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempts);
      await journal.move(post.id, "pending", problem, now, nextAt);
      log.warn("not sent yet", { id: post.id, problem, retryAt: new Date(nextAt).toISOString() });
    }
  }
  observe("ended", { post: post.id });
}

/** A journal that is full now may have room in a minute: better to wait than to be in doubt after the next start. */
async function noted(
  journal: Journal,
  { id }: Post,
  said: string,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      return await journal.move(id, "sent", said, clock.now());
    } catch (error) {
      if (!(error instanceof JournalError) || signal.aborted) throw error;
      log.error("journal does not work", { problem: error.message, id });
      await clock.sleep(JOURNAL_RETRY_MS, signal);
    }
  }
}

/** Looks for posts that may have been sent, once they had time to come back from the list. */
export async function settleDoubts(world: World, config: Config, signal: AbortSignal): Promise<void> {
  const { journal, clock, log, sources } = world;
  for (const { post } of await journal.posts("doubt", clock.now())) {
    if (signal.aborted) return;
    // A report to a mirror leaves none: its sink is idempotent.
    if (post.kind === "mirror") continue;
    const now = clock.now();
    let isBack = false;
    let problem: string | null = null;
    for (const source of sources) {
      try {
        isBack ||= await source.holds(post.messageId, signal);
      } catch (error) {
        problem = `${source.name} cannot be searched: ${(error as Error).message}`;
      }
    }
    if (isBack) {
      await journal.move(post.id, "sent", "found on the list", now);
      log.info("sent", { ...fieldsOf(post), said: "found on the list" });
    } else if (problem !== null) {
      await journal.move(post.id, "doubt", problem, now, now + config.limits.confirmSeconds * SECOND_MS);
      log.warn("still in doubt", { id: post.id, problem });
    } else if (comesBack(post, config)) {
      await journal.move(post.id, "pending", "not on the list: sent again", now);
      log.warn("sent again", fieldsOf(post));
    } else {
      await journal.move(
        post.id,
        "parked",
        "may have been sent, and went to no list that would show it",
        now,
      );
      log.error("parked", { id: post.id, problem: "may have been sent" });
    }
  }
}

/** Whether a post goes to a list that we read. */
const comesBack = ({ recipients }: ReplyPost, { lists }: Config): boolean =>
  lists.some(({ address }) => recipients.some((each) => sameAddress(each) === sameAddress(address)));

const sinkOf = (sinks: World["sinks"], { sink }: Post) => sinks.find(({ name }) => name === sink);
