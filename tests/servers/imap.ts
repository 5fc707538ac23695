/**
 * The mailbox on a real Dovecot. Not named *_test.ts: it starts servers, for which it needs permissions that the other tests must not have
 * (`deno task test-servers`).
 *
 * @module
 */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import {
  AuthenticationError,
  ConnectionError,
  type Cursor,
  type Parcel,
  type Source,
} from "../../bot/ports.ts";
import { HEAD_FIELDS } from "../../bot/intake.ts";
import { examine, type ImapOptions, imapSource } from "../../bot/source/imap.ts";
import { systemClock } from "../../bot/opening.ts";
import { readMail } from "../../rules/engine/mail.ts";
import { type Dovecot, type DovecotOptions, startDovecot } from "../bot/dovecot.ts";
import { inFolder, LabLog } from "../bot/lab.ts";
import { letter } from "../bot/letters.ts";

const PATIENCE_MS = 20_000;

function onDovecot(
  options: Partial<DovecotOptions>,
  run: (dovecot: Dovecot) => Promise<void>,
): Promise<void> {
  return inFolder(async (folder) => {
    const dovecot = await startDovecot({ folder, ...options });
    try {
      await run(dovecot);
    } finally {
      await dovecot.stop();
    }
  });
}

function optionsFor(dovecot: Dovecot, more: Partial<ImapOptions> = {}): ImapOptions {
  return {
    account: {
      name: "local",
      host: "127.0.0.1",
      port: dovecot.port,
      tls: dovecot.certificate === null ? "none" : "implicit",
      user: dovecot.user,
      sweepSeconds: 2,
      idleSeconds: 2,
      timeoutSeconds: 2,
    },
    mailbox: { name: "INBOX", slices: false },
    password: dovecot.password,
    ca: dovecot.certificate,
    fields: HEAD_FIELDS,
    maxMailBytes: 100_000,
    clock: systemClock,
    log: new LabLog(),
    ...more,
  };
}

/** Follows a source, and remembers what it handed out. */
class Follower {
  readonly ids: string[] = [];
  readonly cursors = new Map<string, Cursor>();
  readonly #end = new AbortController();
  #run: Promise<void> = Promise.resolve();

  constructor(private readonly source: Source) {}

  start(once = false): Promise<void> {
    return this.#run = this.#follow(once);
  }

  async #follow(once: boolean): Promise<void> {
    const parcels = this.source.parcels({
      cursorOf: (mailbox, validity) => Promise.resolve(this.cursors.get(`${mailbox} ${validity}`) ?? null),
      notBefore: () => 0,
      once,
      signal: this.#end.signal,
    });
    for await (const parcel of parcels) await this.#take(parcel);
  }

  async #take({ letters, cursor, isGivenUp, fetch }: Parcel): Promise<void> {
    if (isGivenUp) {
      this.ids.push("given up");
      this.cursors.set(`${cursor.mailbox} ${cursor.validity}`, cursor);
      return;
    }
    let bodies: ReadonlyMap<number, Uint8Array>;
    try {
      bodies = await fetch(letters.map(({ uid }) => uid));
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      return;
    }
    for (const { uid } of letters) {
      this.ids.push((await readMail(bodies.get(uid)!, { input: "x", position: null })).messageId!);
    }
    this.cursors.set(`${cursor.mailbox} ${cursor.validity}`, cursor);
  }

  /** Waits until so many were handed out. */
  async until(count: number): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; this.ids.length < count;) {
      if (Date.now() > end) throw new Error(`only ${this.ids.length} of ${count}: ${this.ids.join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#run;
  }
}

const ids = (count: number, stem = "m") =>
  Array.from({ length: count }, (_, at) => `${stem}${at}@example.com`);
const put = (dovecot: Dovecot, wanted: readonly string[], mailbox?: string) => {
  for (const id of wanted) dovecot.deliver(letter({ id }), mailbox);
};

Deno.test("imapSource() hands out what is there, in order and once, and marks nothing as read", async () => {
  await onDovecot({}, async (dovecot) => {
    put(dovecot, ids(450));
    const follower = new Follower(imapSource(optionsFor(dovecot)));
    await follower.start(true);
    deepEqual(follower.ids, ids(450));
    put(dovecot, ids(3, "later"));
    await follower.start(true);
    deepEqual(follower.ids, [...ids(450), ...ids(3, "later")]);
    const names = [...Deno.readDirSync(`${dovecot.folder}/mail/cur`)].map(({ name }) => name);
    deepEqual(names.filter((name) => /:2,.*S/.test(name)), []);
    const [cursor] = follower.cursors.values();
    equal(cursor!.uid, 453);
    ok(Number(cursor!.modseq) > 0);
  });
});

Deno.test("imapSource() hears of new mail by IDLE, and outlives a restart and a frozen connection", async () => {
  await onDovecot({}, async (dovecot) => {
    const follower = new Follower(imapSource(optionsFor(dovecot)));
    const run = follower.start();
    put(dovecot, ids(1, "a"));
    await follower.until(1);
    put(dovecot, ids(1, "b"));
    await follower.until(2);
    await dovecot.restart();
    put(dovecot, ids(1, "c"));
    await follower.until(3);
    dovecot.signal("STOP");
    // Longer than IDLE and time-out together: the connection is given up.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    put(dovecot, ids(1, "d"));
    dovecot.signal("CONT");
    await follower.until(4);
    deepEqual(follower.ids, ["a0@example.com", "b0@example.com", "c0@example.com", "d0@example.com"]);
    await follower.stop();
    await run;
  });
});

Deno.test("imapSource() reads a mailbox anew under a new UIDVALIDITY", async () => {
  await onDovecot({}, async (dovecot) => {
    put(dovecot, ids(2));
    const follower = new Follower(imapSource(optionsFor(dovecot)));
    await follower.start(true);
    // UIDVALIDITY is the second of its making.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    dovecot.forgetUids();
    await follower.start(true);
    deepEqual(follower.ids, [...ids(2), ...ids(2)]);
    equal(follower.cursors.size, 2);
  });
});

Deno.test("imapSource() goes on to the newest slice, on a server without CONDSTORE, UIDPLUS and ESEARCH", async () => {
  await onDovecot({ capability: "IMAP4rev1 IDLE" }, async (dovecot) => {
    put(dovecot, ids(2, "s8-"), "pi.8");
    put(dovecot, ids(2, "s9-"), "pi.9");
    const options = optionsFor(dovecot, { mailbox: { name: "pi", slices: true } });
    const { capabilities } = await examine(options, new AbortController().signal);
    equal(capabilities.includes("CONDSTORE"), false);
    const follower = new Follower(imapSource(options));
    const run = follower.start();
    await follower.until(4);
    put(dovecot, ids(1, "s9b-"), "pi.9");
    await follower.until(5);
    put(dovecot, ids(1, "s10-"), "pi.10");
    await follower.until(6);
    deepEqual(follower.ids, [...ids(2, "s8-"), ...ids(2, "s9-"), "s9b-0@example.com", "s10-0@example.com"]);
    equal([...follower.cursors.values()].at(-1)!.modseq, null);
    await follower.stop();
    await run;
  });
});

Deno.test("imapSource() stops at a wrong password, and does not try again", async () => {
  await onDovecot({}, async (dovecot) => {
    const follower = new Follower(imapSource(optionsFor(dovecot, { password: "wrong" })));
    await rejects(follower.start(), (error) => {
      return error instanceof AuthenticationError &&
        /does not accept user "bot" of account local/.test(error.message);
    });
  });
});

for (const tls of ["implicit", "starttls"] as const) {
  Deno.test(`imapSource() speaks TLS (${tls}) to a server that it can trust, and to no other`, async () => {
    await onDovecot({ tls }, async (dovecot) => {
      put(dovecot, ids(1));
      const options = optionsFor(dovecot);
      const secure = { ...options, account: { ...options.account, tls } };
      const follower = new Follower(imapSource(secure));
      await follower.start(true);
      deepEqual(follower.ids, ids(1));
      const signal = new AbortController().signal;
      await rejects(examine({ ...secure, ca: null }, signal), /self.signed|certificate|UnknownIssuer/i);
    });
  });
}

Deno.test("imapSource() gives no password to a server without the TLS that it was told to use", async () => {
  await onDovecot({}, async (dovecot) => {
    const options = optionsFor(dovecot);
    const secure = { ...options, account: { ...options.account, tls: "starttls" as const } };
    await rejects(examine(secure, new AbortController().signal), /STARTTLS/i);
    const log = await Deno.readTextFile(`${dovecot.folder}/dovecot.log`);
    equal(/Login: user=/.test(log), false);
  });
});

Deno.test("imapSource() with once gives up a server that is not there", async () => {
  await onDovecot({}, async (dovecot) => {
    dovecot.signal("KILL");
    const clock = { ...systemClock, sleep: () => Promise.resolve() };
    const follower = new Follower(imapSource(optionsFor(dovecot, { clock })));
    await rejects(follower.start(true), ConnectionError);
  });
});

Deno.test("holds() finds a Message-ID in the mailbox, whole and no other", async () => {
  await onDovecot({}, async (dovecot) => {
    put(dovecot, ids(1, "p2plint.x"));
    const source = imapSource(optionsFor(dovecot));
    const { signal } = new AbortController();
    equal(await source.holds("p2plint.x0@example.com", signal), true);
    equal(await source.holds("p2plint.x1@example.com", signal), false);
  });
});

Deno.test("imapSource() gives up one message that the server cannot read, and hands out all others", async () => {
  await onDovecot({}, async (dovecot) => {
    put(dovecot, ids(3, "a"));
    put(dovecot, ["broken@example.com"]);
    put(dovecot, ids(250, "b"));
    const folder = `${dovecot.folder}/mail/new`;
    const broken = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`)
      .find((path) => Deno.readTextFileSync(path).includes("broken@example.com"))!;
    // It is there, and cannot be read, as with a bad sector.
    Deno.chmodSync(broken, 0);
    if (Deno.uid() === 0) Deno.chownSync(broken, 0, 0);
    const clock = { ...systemClock, sleep: () => Promise.resolve() };
    const follower = new Follower(imapSource(optionsFor(dovecot, { clock })));
    const run = follower.start();
    await follower.until(254);
    deepEqual(follower.ids, [...ids(3, "a"), "given up", ...ids(250, "b")]);
    await follower.stop();
    await run;
  });
});
