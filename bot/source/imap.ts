/**
 * A mailbox on an IMAP server, read only. Mends its connection with a new client each time; IDLE is a hint, the sweep
 * is the truth. Works with servers that know no more than RFC 3501 and IDLE (public-inbox). The only file that names
 * imapflow.
 *
 * @module
 */

import { type FetchMessageObject, type FetchQueryObject, ImapFlow } from "imapflow";
import {
  AuthenticationError,
  type Clock,
  ConnectionError,
  type Cursor,
  type Following,
  type Letter,
  type Log,
  type Parcel,
  type Source,
} from "../ports.ts";

/** Where and how to connect. */
export interface ImapAccount {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: "implicit" | "starttls" | "none";
  readonly user: string;
  readonly sweepSeconds: number;
  readonly idleSeconds: number;
  readonly timeoutSeconds: number;
}

/** A mailbox, and what is read of it. */
export interface ImapOptions {
  readonly account: ImapAccount;
  readonly mailbox: { readonly name: string; readonly slices: boolean };
  readonly password: string;
  /** PEM of the certificates to trust instead of the usual ones; null: the usual ones. */
  readonly ca: string | null;
  /** Head fields that are fetched of every message. */
  readonly fields: readonly string[];
  /** Larger messages are never fetched, and do not count for the size of a parcel. */
  readonly maxMailBytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

const SECOND_MS = 1000;
/** Heads that are asked for at once. */
const PARCEL_LETTERS = 200;
/** Failures with the same messages before they are asked for one by one, and with one before it is given up. */
const TRIES = 3;
/** Bodies that are held at once. */
const PARCEL_BYTES = 8 * 1024 * 1024;
const FIRST_RETRY_MS = SECOND_MS;
const LAST_RETRY_MS = 5 * 60 * SECOND_MS;
/** With `once` nobody waits for a server that is down. */
const TRIES_ONCE = 3;
/** Response codes of a refusal that another time is none (RFC 5530). */
const PASSING = /^(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)$/i;

/** Follows a mailbox. */
export function imapSource(options: ImapOptions): Source {
  return new ImapSource(options);
}

/** What the server offers, for `p2plint doctor`. */
export interface Examination {
  readonly mailbox: string;
  readonly messages: number;
  readonly capabilities: readonly string[];
}

/** Connects once and looks. @throws {AuthenticationError} @throws {ConnectionError} */
export async function examine(options: ImapOptions, signal: AbortSignal): Promise<Examination> {
  const client = await connect(options, signal);
  try {
    const [mailbox] = await mailboxesOf(client, options);
    const { path, exists } = await client.mailboxOpen(mailbox!, { readOnly: true });
    return { mailbox: path, messages: exists, capabilities: [...client.capabilities.keys()] };
  } catch (error) {
    throw asConnectionError(error, options);
  } finally {
    client.close();
  }
}

class ImapSource implements Source {
  readonly name: string;
  readonly account: string;
  #lastSeen = 0;
  /** The first UID that fetching failed with last, and how often in a row. */
  #failures = { first: 0, count: 0 };
  /** Up to here messages are asked for one by one: one of them cannot be had. */
  #partUntil = 0;
  /** It is this one. */
  #givenUp = 0;

  constructor(private readonly options: ImapOptions) {
    this.account = options.account.name;
    this.name = `${options.account.name}/${options.mailbox.name}`;
  }

  lastSeen(): number {
    return this.#lastSeen;
  }

  async *parcels(following: Following): AsyncGenerator<Parcel, void, void> {
    const { clock, log } = this.options;
    const { signal, once } = following;
    for (let failures = 0; !signal.aborted;) {
      try {
        const client = await connect(this.options, signal);
        try {
          log.debug("connected", { source: this.name });
          for await (const parcel of this.#session(client, following)) {
            yield parcel;
            failures = 0;
          }
        } finally {
          client.close();
        }
        if (once || signal.aborted) return;
      } catch (error) {
        if (error instanceof AuthenticationError) throw error;
        if (signal.aborted) return;
        failures++;
        const cause = asConnectionError(error, this.options);
        if (once && failures >= TRIES_ONCE) throw cause;
        // Jitter: a server that comes back is not met by all of its clients in the same second.
        const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)) * (0.5 + Math.random());
        log.warn("connection lost", {
          source: this.name,
          problem: cause.message,
          retrySeconds: Math.round(wait / 100) / 10,
        });
        await clock.sleep(wait, signal);
      }
    }
  }

  async holds(messageId: string, signal: AbortSignal): Promise<boolean> {
    const client = await connect(this.options, signal);
    try {
      for (const path of await mailboxesOf(client, this.options)) {
        await client.mailboxOpen(path, { readOnly: true });
        const found = await client.search({ header: { "message-id": messageId } }, { uid: true });
        if (!Array.isArray(found)) throw new ConnectionError("the server does not search");
        if (found.length > 0) return true;
      }
      return false;
    } finally {
      client.close();
    }
  }

  /** One connection, from the first mailbox that is not worked off to the end of it. */
  async *#session(client: ImapFlow, following: Following): AsyncGenerator<Parcel, void, void> {
    const { signal, once } = following;
    const bell = new Bell(client, signal);
    for (;;) {
      const paths = await mailboxesOf(client, this.options);
      const last = paths.at(-1)!;
      for (const path of paths) {
        // Opening a mailbox again is how some servers are told to look.
        const { uidValidity, highestModseq } = await client.mailboxOpen(path, { readOnly: true });
        const modseq = highestModseq === undefined ? null : String(highestModseq);
        const mailbox = { path, validity: String(uidValidity), modseq };
        yield* this.#workOff(client, mailbox, following);
        while (path === last && !once && !signal.aborted) {
          const isSweep = await bell.wait(this.options.account.sweepSeconds * SECOND_MS);
          if (signal.aborted) return;
          this.#lastSeen = this.options.clock.now();
          if (isSweep) break;
          yield* this.#workOff(client, mailbox, following);
        }
      }
      if (once || signal.aborted) return;
    }
  }

  async *#workOff(
    client: ImapFlow,
    { path, validity, modseq }: {
      readonly path: string;
      readonly validity: string;
      readonly modseq: string | null;
    },
    following: Following,
  ): AsyncGenerator<Parcel, void, void> {
    const { account, clock, log } = { ...this.options, account: this.options.account.name };
    const stored = await following.cursorOf(path, validity);
    let uid = stored?.uid ?? 0;
    if (stored === null) {
      log.info("mailbox is new, or has a new UIDVALIDITY", { source: this.name, path, validity });
    }
    // `n:*` names the last message even when its UID is smaller (RFC 3501 6.4.8).
    const range = stored === null ? { since: new Date(following.notBefore()) } : { uid: `${uid + 1}:*` };
    const found = await client.search(range, { uid: true });
    if (!Array.isArray(found)) throw new ConnectionError("the server does not search");
    this.#lastSeen = clock.now();
    const uids = found.filter((each) => each > uid).sort((one, other) => one - other);
    for (let at = 0; at < uids.length && !following.signal.aborted;) {
      const first = uids[at]!;
      const wanted = uids.slice(at, at + (first > this.#partUntil ? PARCEL_LETTERS : 1));
      at += wanted.length;
      if (this.#givenUp === first) {
        log.error("message given up", { source: this.name, uid: first });
        const letters = [{ uid: first, size: 0, arrived: clock.now(), head: new Uint8Array() }];
        const cursor: Cursor = { account, mailbox: path, validity, uid: first, modseq };
        yield { letters, cursor, isGivenUp: true, fetch: () => Promise.resolve(new Map()) };
        uid = first;
        continue;
      }
      const query = { size: true, internalDate: true, headers: [...this.options.fields] };
      const heads = await this.#trying(wanted, fetchAll(client, wanted, query));
      const letters = heads.filter((each) => each.uid > uid).sort((one, other) => one.uid - other.uid).map(
        toLetter,
      );
      const loads = cut(letters, this.options.maxMailBytes);
      for (const [ordinal, load] of loads.entries()) {
        if (following.signal.aborted) return;
        // What was expunged meanwhile is passed with the last load.
        const end = ordinal === loads.length - 1 ? wanted.at(-1)! : load.at(-1)!.uid;
        const cursor: Cursor = { account, mailbox: path, validity, uid: end, modseq };
        const fetch = async (uids: readonly number[]) => {
          const bodies = await this.#trying(uids, fetchAll(client, uids, { source: true }));
          return new Map(
            bodies.flatMap(({ uid, source }) => source === undefined ? [] : [[uid, source] as const]),
          );
        };
        yield { letters: load, cursor, isGivenUp: false, fetch };
        this.#lastSeen = clock.now();
        const now = await following.cursorOf(path, validity);
        if (now === null || now.uid < end) {
          throw new ConnectionError("a parcel was not taken: it comes again");
        }
        uid = end;
      }
    }
  }

  /** Counts failures by the messages that they were about: a broken one must not stop all behind it. */
  async #trying<Result>(uids: readonly number[], run: Promise<Result>): Promise<Result> {
    try {
      return await run;
    } catch (error) {
      const [first, last] = [uids[0]!, uids.at(-1)!];
      this.#failures = { first, count: (this.#failures.first === first ? this.#failures.count : 0) + 1 };
      if (this.#failures.count >= TRIES) {
        if (first === last) this.#givenUp = first;
        else this.#partUntil = last;
        this.#failures = { first: 0, count: 0 };
      }
      throw asConnectionError(error, this.options);
    }
  }
}

/** What is asked for of messages. One that has gone is missing. @throws {ConnectionError} If another one is */
async function fetchAll(
  client: ImapFlow,
  uids: readonly number[],
  query: FetchQueryObject,
): Promise<readonly FetchMessageObject[]> {
  const messages = await client.fetchAll(sequence(uids), { ...query, uid: true }, { uid: true });
  const got = new Set(
    messages.filter(({ headers, source }) => (headers ?? source) !== undefined).map(({ uid }) => uid),
  );
  const missing = uids.filter((uid) => !got.has(uid));
  if (missing.length > 0) {
    const there = await client.search({ uid: sequence(missing) }, { uid: true });
    // Some servers answer for what they can read and pass over the rest.
    if (!Array.isArray(there) || there.length > 0) {
      throw new ConnectionError(`no message for UID ${missing[0]}`);
    }
  }
  return messages;
}

/** Waits for something to happen in the mailbox. */
class Bell {
  #rings = false;
  #wake: (() => void) | null = null;

  constructor(private readonly client: ImapFlow, private readonly signal: AbortSignal) {
    client.on("exists", () => this.#ring(true));
    client.on("close", () => this.#ring(false));
    signal.addEventListener("abort", () => this.#ring(false));
  }

  #ring(isNews: boolean): void {
    this.#rings ||= isNews;
    this.#wake?.();
  }

  /** @returns Whether the time was up @throws {ConnectionError} If the connection is gone */
  async wait(ms: number): Promise<boolean> {
    let isTime = false;
    if (!this.#rings && !this.signal.aborted && !this.client.isClosed) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(() => {
          isTime = true;
          resolve();
        }, ms);
      });
      // The next command ends it. What goes wrong with it closes the connection, which is looked at below.
      const idling = this.client.idle().catch(() => {});
      await woken;
      clearTimeout(timer);
      this.#wake = null;
      if (this.client.usable && !this.signal.aborted) {
        await this.client.noop();
        await idling;
      }
    }
    this.#rings = false;
    if (this.client.isClosed || !this.client.usable) {
      throw new ConnectionError("the server closed the connection");
    }
    return isTime;
  }
}

async function connect(
  { account, password, ca }: ImapOptions,
  signal: AbortSignal,
): Promise<ImapFlow> {
  const timeout = account.timeoutSeconds * SECOND_MS;
  const client = new ImapFlow({
    host: account.host,
    port: account.port,
    secure: account.tls === "implicit",
    doSTARTTLS: account.tls === "starttls",
    auth: { user: account.user, pass: password },
    // It would log what goes over the line.
    logger: false,
    // Once broke on Deno, and saves nothing on text that is read once (imapflow#329).
    disableCompression: true,
    disableAutoIdle: true,
    maxIdleTime: account.idleSeconds * SECOND_MS,
    socketTimeout: timeout,
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    ...(ca === null ? {} : { tls: { ca } }),
  });
  // An error without a listener ends the process; `close` follows it and is what counts.
  client.on("error", () => {});
  const end = () => client.close();
  signal.addEventListener("abort", end, { once: true });
  client.on("close", () => signal.removeEventListener("abort", end));
  try {
    await client.connect();
    return client;
  } catch (error) {
    client.close();
    const { authenticationFailed, serverResponseCode, code } = error as {
      authenticationFailed?: boolean;
      serverResponseCode?: string;
      code?: string;
    };
    if (authenticationFailed === true && code !== "ETHROTTLE" && !PASSING.test(serverResponseCode ?? "")) {
      throw new AuthenticationError(
        `${account.host}:${account.port} does not accept user "${account.user}" of account ${account.name}: ` +
          "check its user and password",
        { cause: error },
      );
    }
    throw error;
  }
}

/** The mailbox, or the two newest of its slices in order: the older may have been left in the middle. */
async function mailboxesOf(
  client: ImapFlow,
  { mailbox: { name, slices } }: ImapOptions,
): Promise<readonly string[]> {
  if (!slices) return [name];
  const numbered = (await client.list()).flatMap(({ path }) => {
    const number = path.startsWith(`${name}.`) ? path.slice(name.length + 1) : "";
    return /^\d{1,6}$/.test(number) ? [{ path, number: Number(number) }] : [];
  });
  if (numbered.length === 0) throw new ConnectionError(`there is no slice of ${name}`);
  return numbered.sort((one, other) => one.number - other.number).slice(-2).map(({ path }) => path);
}

function asConnectionError(error: unknown, { account }: ImapOptions): Error {
  if (error instanceof ConnectionError || error instanceof AuthenticationError) return error;
  const { message, code, responseText } = error as { message?: string; code?: string; responseText?: string };
  const said = [responseText ?? message, code].filter((part) => part !== undefined && part !== "");
  return new ConnectionError(`${account.host}:${account.port}: ${said.join(", ") || "closed"}`, {
    cause: error,
  });
}

function toLetter({ uid, size, internalDate, headers }: FetchMessageObject): Letter {
  const arrived = new Date(internalDate ?? 0).getTime();
  return {
    uid,
    size: size ?? 0,
    arrived: Number.isNaN(arrived) ? 0 : arrived,
    head: headers ?? new Uint8Array(),
  };
}

/** In loads that fit into memory. */
function cut(letters: readonly Letter[], maxMailBytes: number): readonly (readonly Letter[])[] {
  const loads: Letter[][] = [[]];
  let bytes = 0;
  for (const letter of letters) {
    const size = letter.size > maxMailBytes ? 0 : letter.size;
    if (bytes + size > PARCEL_BYTES && loads.at(-1)!.length > 0) {
      loads.push([]);
      bytes = 0;
    }
    loads.at(-1)!.push(letter);
    bytes += size;
  }
  return loads;
}

/** `3:7,9`: servers limit the length of a line. @param uids In ascending order */
function sequence(uids: readonly number[]): string {
  const ranges: string[] = [];
  for (let at = 0; at < uids.length; at++) {
    const start = uids[at]!;
    while (uids[at + 1] === uids[at]! + 1) at++;
    ranges.push(start === uids[at]! ? `${start}` : `${start}:${uids[at]!}`);
  }
  return ranges.join(",");
}
