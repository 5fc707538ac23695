/**
 * Servers and a disk that fail under the whole bot. Not named *_test.ts: it starts servers, for which it needs permissions that the other tests must not have
 * (`deno task test-servers`).
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "@std/path";
import { readConfig } from "../../bot/watch_config.ts";
import { openJournal } from "../../bot/journal_sqlite.ts";
import type { Clock, Journal } from "../../bot/ports.ts";
import { watch } from "../../bot/watch.ts";
import { systemClock } from "../../bot/opening.ts";
import { worldOf } from "../../bot/wiring.ts";
import { type Dovecot, startDovecot } from "../bot/dovecot.ts";
import { inFolder, LabLog } from "../bot/lab.ts";
import { dull, letter, LIST, mistake } from "../bot/letters.ts";
import { startSmtp, type TestSmtp } from "../bot/smtp_server.ts";

const PATIENCE_MS = 45_000;
/** Retries that take minutes take seconds. */
const SPEED = 60;

/** A clock that goes faster; what waits on it does too. */
function fastClock(): Clock {
  const start = Date.now();
  return {
    now: () => start + (Date.now() - start) * SPEED,
    sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
  };
}

interface Town {
  readonly dovecot: Dovecot;
  readonly smtp: TestSmtp;
  readonly journal: Journal;
  readonly log: LabLog;
  readonly clock: Clock;
  /** Delivers patches with a mistake, and as many without. */
  post(stem: string, count: number): void;
  /** Waits until the SMTP server has so many mails, and nothing waits any more. */
  calm(count: number): Promise<void>;
  until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void>;
}

/** A bot that watches a real mailbox and sends to a real server, with the list between them. */
function inTown(run: (town: Town) => Promise<void>, stateFolder?: string): Promise<void> {
  return inFolder(async (folder) => {
    const dovecot = await startDovecot({ folder: join(folder, "dovecot") });
    const smtp = await startSmtp();
    smtp.onMail = ({ text }) =>
      dovecot.deliver(text.replaceAll("\r\n", "\n").replace("\n\n", `\nList-Id: <${LIST.id}>\n\n`));
    await Deno.writeTextFile(join(folder, "password"), dovecot.password);
    const config = readConfig(
      JSON.stringify({
        bot: { address: "p2plint@bots.example.net" },
        state: join(stateFolder ?? folder, "state.sqlite"),
        outbox: "outbox",
        accounts: [{
          name: "local",
          host: "127.0.0.1",
          port: dovecot.port,
          tls: "none",
          user: dovecot.user,
          password: { file: "password" },
          sweepSeconds: 1,
          idleSeconds: 1,
          timeoutSeconds: 2,
        }],
        smtp: { host: "127.0.0.1", port: smtp.port, tls: "none", timeoutSeconds: 2 },
        lists: [{ ...LIST, mode: "send" }],
        intake: { maxAgeDays: 36_500, delaySeconds: 0 },
        limits: { perHour: 10_000, perListPerHour: 10_000, perAuthorPerDay: 10_000, confirmSeconds: 120 },
      }),
      join(folder, "p2plint.json"),
    );
    const clock = fastClock();
    const log = new LabLog();
    const journal = openJournal(config.state, { now: clock.now });
    const end = new AbortController();
    const world = { ...await worldOf(config, log, journal, () => {}), clock };
    const watching = watch(world, config, { once: false, signal: end.signal });
    const until: Town["until"] = async (isSo, what) => {
      for (const last = Date.now() + PATIENCE_MS; !await isSo();) {
        if (Date.now() > last) {
          throw new Error(`${what} did not come: ${JSON.stringify(log.lines.slice(-5))}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    let posted = 0;
    const town: Town = {
      dovecot,
      smtp,
      journal,
      log,
      clock,
      until,
      post(stem, count) {
        for (let at = 0; at < count; at++) {
          posted += 2;
          const from = `${stem}${at}@example.com`;
          dovecot.deliver(
            letter({
              id: `${stem}-${at}@example.com`,
              from,
              subject: `[PATCH] foo: ${stem} ${at}`,
              body: mistake(),
            }),
          );
          dovecot.deliver(
            letter({
              id: `${stem}-dull-${at}@example.com`,
              from,
              subject: `[PATCH] foo: dull ${stem} ${at}`,
              body: dull(),
            }),
          );
        }
      },
      calm: (count) =>
        until(async () => {
          const { mails } = await journal.counts();
          const settled = (mails.get("clean") ?? 0) + (mails.get("replied") ?? 0);
          return smtp.mails.length >= count && settled === posted &&
            (await journal.queue()).posts.length === 0;
        }, `${count} replies and ${posted} settled mails`),
    };
    try {
      await run(town);
      const sent = smtp.mails.map(({ text }) => /^Message-ID: <(.*)>/m.exec(text)?.[1]);
      equal(new Set(sent).size, sent.length, "a reply was sent twice");
    } finally {
      end.abort();
      await watching;
      await journal.close();
      await smtp.stop();
      await dovecot.stop();
    }
  });
}

Deno.test("fault: Dovecot is killed while mails come, twice", async () => {
  await inTown(async ({ dovecot, post, calm, log }) => {
    post("before", 3);
    await calm(3);
    await dovecot.restart();
    post("between", 3);
    await dovecot.restart();
    post("after", 3);
    await calm(9);
    ok(log.lines.some(({ event }) => event === "connection lost"));
  });
});

Deno.test("fault: the mailbox gets a new UIDVALIDITY", async () => {
  await inTown(async ({ dovecot, post, calm }) => {
    post("before", 3);
    await calm(3);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    dovecot.forgetUids();
    await dovecot.restart();
    post("after", 3);
    await calm(6);
  });
});

Deno.test("fault: the connection freezes", async () => {
  await inTown(async ({ dovecot, post, calm, until, log }) => {
    post("before", 2);
    await calm(2);
    dovecot.signal("STOP");
    post("during", 2);
    await until(() => log.lines.some(({ event }) => event === "connection lost"), "giving up the connection");
    dovecot.signal("CONT");
    await calm(4);
  });
});

Deno.test("fault: SMTP says 4xx for a while, then 5xx to all", async () => {
  await inTown(async ({ smtp, post, calm, until, journal, clock }) => {
    smtp.behaviour = { data: 451 };
    post("greylisted", 2);
    await until(
      async () => (await journal.queue()).posts.filter(({ attempts }) => attempts > 0).length === 2,
      "a first try",
    );
    equal(smtp.mails.length, 0);
    smtp.behaviour = {};
    await calm(2);
    smtp.behaviour = { data: 554 };
    post("refused", 2);
    await until(
      async () => (await journal.queue()).posts.filter(({ state }) => state === "parked").length === 2,
      "parking",
    );
    const parked = (await journal.queue()).posts;
    match(parked[0]!.reason, /554/);
    smtp.behaviour = {};
    for (const { post: { id } } of parked) equal(await journal.approve(id, clock.now()), true);
    await calm(4);
  });
});

Deno.test("fault: SMTP takes the mail and the connection breaks before it says so", async () => {
  await inTown(async ({ smtp, post, calm, dovecot, until, journal }) => {
    const take = smtp.onMail!;
    let isBroken = false;
    smtp.onMail = (mail) => {
      take(mail);
      if (isBroken) return;
      isBroken = true;
      // From here on nothing is answered.
      smtp.breakAll();
    };
    post("doubtful", 1);
    await until(() => isBroken, "the first mail");
    await calm(1);
    equal(smtp.mails.length, 1);
    ok(dovecot.port > 0);
    deepEqual((await journal.counts()).posts, new Map([["sent", 1]]));
  });
});

/** A file system of 4 MB; null where this may not be. */
async function tinyDisk(): Promise<string | null> {
  if (Deno.uid() !== 0) return null;
  const folder = await Deno.makeTempDir({ prefix: "p2plint-disk-" });
  const { success } = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder],
    stderr: "null",
  })
    .output();
  if (success) return folder;
  await Deno.remove(folder);
  return null;
}

const disk = await tinyDisk();
Deno.test({
  name: "fault: the disk of the journal is full, and gets room again",
  // journal_test.ts has the same error from SQLite itself, everywhere.
  ignore: disk === null,
  async fn() {
    try {
      await inTown(async ({ post, calm, until, log }) => {
        post("before", 2);
        await calm(2);
        const ballast = await Deno.open(join(disk!, "ballast"), { write: true, create: true });
        try {
          for (const block = new Uint8Array(4096);;) await ballast.write(block);
        } catch (error) {
          match(String(error), /No space left/);
        } finally {
          ballast.close();
        }
        post("during", 20);
        await until(
          () =>
            log.lines.some(({ event, fields }) =>
              event === "journal does not work" && /full/.test(String(fields["problem"]))
            ),
          "the journal's complaint",
        );
        await Deno.remove(join(disk!, "ballast"));
        await calm(22);
      }, disk!);
    } finally {
      await new Deno.Command("umount", { args: [disk!] }).output();
      await Deno.remove(disk!);
    }
  },
});
