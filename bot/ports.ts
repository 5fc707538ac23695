/**
 * The ends of the watcher: where mails come from, where posts go, what is remembered, what time it is. Interfaces
 * and the data that crosses them; no code but the errors. What stands behind a port may fail, and says how.
 *
 * @module
 */

import type { Severity, Subject } from "../rules/engine/types.ts";

/** The configuration is wrong. The message is for the operator, one problem a line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** How far a mailbox has been worked off. UIDs mean something under their UIDVALIDITY only (RFC 3501 2.3.1.1). */
export interface Cursor {
  readonly account: string;
  readonly mailbox: string;
  readonly validity: string;
  /** Every message up to this UID is settled, parked or waiting in the journal. */
  readonly uid: number;
  /** HIGHESTMODSEQ (RFC 7162) when it was read; null where the server knows none. */
  readonly modseq: string | null;
}

/** A message before it is fetched: enough to decide whether it is. */
export interface Letter {
  readonly uid: number;
  /** Bytes of the whole message. */
  readonly size: number;
  /** INTERNALDATE, milliseconds of the epoch. */
  readonly arrived: number;
  /** The head fields that intake asks for (`HEAD_FIELDS`), as they stand. */
  readonly head: Uint8Array;
}

/** Messages that follow one another in a mailbox. */
export interface Parcel {
  readonly letters: readonly Letter[];
  /** The server has failed to hand these out, again and again: nothing is known of them but their UIDs. */
  readonly isGivenUp: boolean;
  /** To be stored together with what became of the letters. */
  readonly cursor: Cursor;
  /** The messages of these UIDs; one that has gone meanwhile is missing. @throws {ConnectionError} */
  fetch(uids: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
}

/** How a source is followed. */
export interface Following {
  /** The cursor that the journal has for this mailbox under this UIDVALIDITY. */
  cursorOf(mailbox: string, validity: string): Promise<Cursor | null>;
  /** Under a UIDVALIDITY without a cursor messages that arrived before this are not looked at. */
  notBefore(): number;
  /** End when everything that was there has been handed out. */
  readonly once: boolean;
  /** Ends the following between two parcels. */
  readonly signal: AbortSignal;
}

/** One mailbox of one account, or the slices of one. */
export interface Source {
  /** `account/mailbox` */
  readonly name: string;
  readonly account: string;
  /** Hands out parcels in order. Mends its connection itself. @throws {AuthenticationError} */
  parcels(following: Following): AsyncIterable<Parcel>;
  /** Whether a message with this Message-ID is in the mailbox now. @throws {Error} If it cannot be told */
  holds(messageId: string, signal: AbortSignal): Promise<boolean>;
  /** When the mailbox was last seen to answer; 0 for never. */
  lastSeen(): number;
}

/** The server does not accept who we are: trying again would lock the account. The message is for the operator. */
export class AuthenticationError extends Error {
  override readonly name = "AuthenticationError";
}

/** The connection broke, or the server does not do what it must. What was not taken comes again. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

/** What a judged series brings somebody: a mail in answer to a patch, or a report to a mirror on GitHub. */
export type Post = ReplyPost | MirrorPost;

interface AnyPost {
  /** 20 hex digits, from what it is about: the same patch or series always gives the same post. */
  readonly id: string;
  /** The list or sender address that it is counted for. */
  readonly list: string;
  readonly text: string;
}

/** A reply, composed. Its text is head and body, LF line ends. */
export interface ReplyPost extends AnyPost {
  readonly kind: "reply";
  readonly messageId: string;
  /** Message-ID of the patch. */
  readonly inReplyTo: string;
  /** Envelope sender and recipients. */
  readonly sender: string;
  readonly recipients: readonly string[];
  /** Address of the patch's author, lower case: counted too. */
  readonly author: string;
  /** Message-ID at the root of the thread. */
  readonly thread: string;
  readonly sink: "outbox" | "smtp";
}

/** What a mailed series comes to, for its pull request in a mirror. Its text is the JSON of a `MailedSeries`. */
export interface MirrorPost extends AnyPost {
  readonly kind: "mirror";
  /** The mirror's name in the configuration. */
  readonly mirror: string;
  /** Message-ID of the cover or first patch. */
  readonly root: string;
  /** Until when its pull request is waited for, milliseconds of the epoch. */
  readonly until: number;
  readonly sink: "outbox" | "github";
}

/** Where posts go. A sink is given those that name it, and no other. */
export interface Sink<Of extends Post = Post> {
  readonly name: Of["sink"];
  /** Whether delivering the same post twice is the same as once. */
  readonly isIdempotent: boolean;
  /** @returns What the other side said @throws {DeliveryError} */
  deliver(post: Of, signal: AbortSignal): Promise<string>;
}

/** A post did not get through. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";

  /**
   * @param outcome `later`: it was not taken, another try may work; `never`: it was refused for good; `unknown`: the
   * connection broke when it may have been taken already; `moot`: what it is for is not there, and is no longer
   * waited for
   */
  constructor(
    message: string,
    readonly outcome: "later" | "never" | "unknown" | "moot",
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What a mail came to. `waiting` is for the rest of its series; `parked` needs a human. */
export type MailState = "waiting" | "clean" | "replied" | "muted" | "skipped" | "parked" | "verdict" | "own";

/** The record of a mail. */
export interface MailRecord {
  readonly messageId: string;
  readonly account: string;
  readonly mailbox: string;
  readonly uid: number;
  readonly arrived: number;
  /** The configured list or sender that it came through; "" for none. */
  readonly list: string;
  readonly subject: Subject;
  readonly inReplyTo: string | null;
  readonly references: readonly string[];
  /** Address of the From header, lower case; "" for none. */
  readonly from: string;
  readonly state: MailState;
  readonly reason: string;
}

/** A mail that waits, and how often judging it was begun. */
export interface WaitingMail extends MailRecord {
  readonly takenAt: number;
  readonly attempts: number;
  /** Whether its bytes were kept: false for one that holds nothing to judge. */
  readonly hasBytes: boolean;
}

/** A mail as it is taken. */
export interface Taken {
  readonly mail: MailRecord;
  /** Kept for a mail that waits or is parked, if it is to be judged at all. */
  readonly bytes: Uint8Array | null;
  readonly verdicts: readonly Verdict[];
  /** Lower-case address that asked for no more mail. */
  readonly optOut: string | null;
}

/** What people can say of a finding. */
export type Verb = "false-positive" | "wontfix" | "fixed";

/** What somebody said of a finding. */
export interface Verdict {
  readonly fingerprint: string;
  readonly rule: string;
  readonly verb: Verb;
  readonly reason: string;
  readonly by: string;
  /** The mail that said so. */
  readonly messageId: string;
}

/** A finding as it is remembered. */
export interface FindingRecord {
  readonly fingerprint: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly path: string;
  readonly line: number;
  readonly message: string;
  /** The patch. */
  readonly messageId: string;
  /** The post that said it; null when none did. */
  readonly post: string | null;
}

/** A finding of an earlier version that was sent. */
export interface Said extends FindingRecord {
  readonly version: number;
  /** Message-ID of the post that said it. */
  readonly postMessageId: string;
}

/** What judging a series gave; stored as one. */
export interface Outcome {
  /** Message-ID of the cover or first patch. */
  readonly root: string;
  readonly version: number;
  /** What tells that two series are versions of one: see `seriesKeys()`. */
  readonly keys: readonly string[];
  readonly mails: readonly {
    readonly messageId: string;
    readonly state: MailState;
    readonly reason: string;
  }[];
  readonly findings: readonly FindingRecord[];
  readonly posts: readonly { readonly post: Post; readonly state: PostState; readonly reason: string }[];
}

/**
 * `held`: for a human's approval; `pending`: to be delivered; `sending`: claimed; `doubt`: it may have been taken by
 * the other side; `parked`: needs a human.
 */
export type PostState = "held" | "pending" | "sending" | "doubt" | "sent" | "parked" | "dropped";

/** A post with where it stands. */
export interface PostRecord<Of extends Post = Post> {
  readonly post: Of;
  readonly state: PostState;
  readonly reason: string;
  readonly attempts: number;
  readonly madeAt: number;
  /** When it was last claimed; 0 for never. */
  readonly claimedAt: number;
}

/** What counts against a limit. */
export interface Sent {
  readonly total: number;
  readonly list: number;
  readonly author: number;
}

/** A rule with what people said of its findings. */
export interface RuleScore {
  readonly rule: string;
  readonly found: number;
  readonly sent: number;
  readonly falsePositive: number;
  readonly wontfix: number;
  readonly fixed: number;
}

/**
 * The memory. Every method is one transaction: it happens whole or not at all, and is on disk when it resolves.
 *
 * @throws {JournalError} All methods, when the store does not work
 */
export interface Journal {
  cursor(account: string, mailbox: string, validity: string): Promise<Cursor | null>;
  /** Of these Message-IDs those that the journal has. */
  known(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Of these Message-IDs those of replies of ours. */
  ownPosts(ids: readonly string[]): Promise<readonly PostRecord<ReplyPost>[]>;
  /** Stores what became of the letters of a parcel, and moves the cursor past them. */
  take(mails: readonly Taken[], cursor: Cursor): Promise<void>;
  /** Marks posts that came back from a list. */
  confirm(messageIds: readonly string[]): Promise<void>;
  /** Every mail that waits, in order of arrival. */
  waiting(): Promise<readonly WaitingMail[]>;
  /** The bytes that were kept of a mail. */
  bytesOf(messageId: string): Promise<Uint8Array | null>;
  /** Counts that judging these mails begins: what kills the process every time is found by it. */
  begin(messageIds: readonly string[]): Promise<void>;
  /** Ends the waiting of mails with what their series came to, and drops their bytes unless they are parked. */
  settle(outcomes: readonly Outcome[]): Promise<void>;
  /** The newest version above this one of the series with one of these keys; null when there is none. */
  laterVersion(keys: readonly string[], version: number): Promise<number | null>;
  /** The newest later version of a series that was judged; null when there is none. */
  overtaken(root: string): Promise<number | null>;
  /** What was said of earlier versions of the series with one of these keys. */
  said(keys: readonly string[], version: number): Promise<readonly Said[]>;
  /** Of these fingerprints those that somebody gave a verdict on. */
  judged(fingerprints: readonly string[]): Promise<ReadonlySet<string>>;
  /** Findings that a post said. */
  findingsOf(post: string): Promise<readonly FindingRecord[]>;
  /** Of these lower-case addresses those that asked for no more mail. */
  optedOut(addresses: readonly string[]): Promise<ReadonlySet<string>>;
  /** Posts for this state whose time has come, oldest first. */
  posts(state: PostState, now: number): Promise<readonly PostRecord[]>;
  /** From `pending` to `sending`. @returns False when somebody else has it */
  claim(post: string, now: number): Promise<boolean>;
  /** Where a post stands now; `nextAt` is when it is looked at again. */
  move(post: string, state: PostState, reason: string, now: number, nextAt?: number): Promise<void>;
  /** Mails that were claimed since a time: in all, for a list, for an author. */
  sentSince(since: number, list: string, author: string): Promise<Sent>;
  /** Replies to a thread that were not dropped. */
  postsInThread(thread: string): Promise<number>;
  /** Everything that waits for a human or for its time. */
  queue(): Promise<Queue>;
  /** Lets a held or parked post go out, or a parked mail be judged again. @returns False when there is none */
  approve(id: string, now: number): Promise<boolean>;
  /** Ends a held or parked post or mail for good. @returns False when there is none */
  drop(id: string, now: number): Promise<boolean>;
  scores(): Promise<readonly RuleScore[]>;
  /** Number of mails and posts by state. */
  counts(): Promise<Counts>;
  close(): Promise<void>;
}

/** See {@link Journal.queue}. */
export interface Queue {
  readonly posts: readonly PostRecord[];
  readonly mails: readonly (MailRecord & { readonly takenAt: number; readonly attempts: number })[];
}

/** See {@link Journal.counts}. */
export interface Counts {
  readonly mails: ReadonlyMap<string, number>;
  readonly posts: ReadonlyMap<string, number>;
}

/** The store does not work: a full disk, a file that cannot be read, a schema that is newer than we are. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** The time. */
export interface Clock {
  /** Milliseconds of the epoch. */
  now(): number;
  /** Waits; ends early, and without an error, when the signal says so. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Where the watcher stands: behind each of them the process may die and nothing is lost. */
export type Step =
  | "pulled"
  | "fetched"
  | "taken"
  | "begun"
  | "judged"
  | "settled"
  | "claimed"
  | "delivered"
  | "ended";

/** Is told of each step, with what the step was about. */
export type Observer = (step: Step, fields: Readonly<Record<string, string | number>>) => void;

/** Something that happened, for whoever watches the watcher. */
export interface Log {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}
