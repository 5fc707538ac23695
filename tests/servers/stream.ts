/**
 * Recorded list traffic comes in over IMAP while the bot runs. Not named *_test.ts: it starts servers, for which it
 * needs permissions that the other tests must not have (`deno task test-servers`).
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { join } from "@std/path";
import { readJournal } from "../bot/crash.ts";
import { type Dovecot, startDovecot } from "../bot/dovecot.ts";
import { inFolder } from "../bot/lab.ts";
import { letter, LIST, mistake } from "../bot/letters.ts";
import { readStream } from "../tools/stream.ts";

/** Of the recorded mails one in so many: the whole stream is for `deno task crash`. */
const SAMPLE = 12;
const PEACE_MS = 120_000;

const recorded = await readStream().catch(() => null);

/** A session of IMAP that does nothing but append (RFC 3501 6.3.11). */
class Appender {
  private constructor(
    private readonly connection: Deno.Conn,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async to({ port, user, password }: Dovecot): Promise<Appender> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const appender = new Appender(connection, linesOf(connection.readable));
    await appender.until("* OK");
    await appender.say(`a LOGIN ${user} ${password}`);
    await appender.until("a OK");
    return appender;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.say(`b APPEND INBOX {${bytes.length}}`);
    await this.until("+");
    await this.write(bytes);
    await this.say("");
    await this.until("b OK");
  }

  end(): void {
    this.connection.close();
  }

  private say(line: string): Promise<void> {
    return this.write(new TextEncoder().encode(`${line}\r\n`));
  }

  private async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) from += await this.connection.write(bytes.subarray(from));
  }

  private async until(start: string): Promise<void> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done === true) throw new Error(`Cannot append: the server ended before "${start}"`);
      if (value.startsWith(start)) return;
      if (/^\w+ (?:NO|BAD)/.test(value)) throw new Error(`Cannot append: "${value}"`);
    }
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\r\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

Deno.test({
  name: recorded === null
    ? "a recorded stream is accounted for (skipped: no ../shared/mail)"
    : "a recorded stream, appended over IMAP while the bot runs, is accounted for, and nothing is answered twice",
  ignore: recorded === null,
  async fn() {
    const bad = Array.from({ length: 5 }, (_, at) => `bad-${at}@example.com`);
    const own = bad.map((id, at) =>
      letter({ id, subject: `[PATCH] foo: no. ${at}`, body: mistake(`drivers/misc/f${at}.c`) })
    );
    const sample = recorded!.mails.filter((_, at) => at % SAMPLE === 0);
    const mails = [
      ...sample.map(({ bytes }) => bytes),
      ...own.map((mail) => typeof mail === "string" ? new TextEncoder().encode(mail) : mail),
    ];
    await inFolder(async (folder) => {
      const dovecot = await startDovecot({ folder: join(folder, "dovecot") });
      try {
        await Deno.writeTextFile(join(folder, "password"), `${dovecot.password}\n`);
        const { user, port } = dovecot;
        const account = { name: "local", host: "127.0.0.1", port, tls: "none", user };
        await Deno.writeTextFile(
          join(folder, "p2plint.json"),
          JSON.stringify({
            bot: { address: "p2plint@bots.example.net" },
            state: "state.sqlite",
            outbox: "outbox",
            accounts: [{ ...account, password: { file: "password" } }],
            lists: [LIST, ...recorded!.lists].map((list) => ({ ...list, mode: "dry-run" })),
            intake: { maxAgeDays: 36_500, settleSeconds: 2, delaySeconds: 0 },
          }),
        );
        const bot = new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "--quiet",
            "--allow-all",
            "mod.ts",
            "watch",
            "--config",
            join(folder, "p2plint.json"),
          ],
          cwd: new URL("../../", import.meta.url),
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn();
        const state = join(folder, "state.sqlite");
        // The mails come while it runs.
        for (let at = 0; at < 300 && !exists(state); at++) await new Promise((done) => setTimeout(done, 100));
        const appender = await Appender.to(dovecot);
        for (const bytes of mails) await appender.append(bytes);
        appender.end();
        const fates = await settled(state, sample.length + bad.length);
        bot.kill("SIGTERM");
        equal((await bot.status).code, 0);
        const patches = sample.filter(({ isPatch }) => isPatch).map(({ messageId }) => messageId);
        ok(patches.length > 50, `only ${patches.length} patches`);
        const open = [...patches, ...bad].filter((id) =>
          !/^(?:replied|clean|skipped|parked)/.test(fates.get(id) ?? "")
        );
        deepEqual(open.map((id) => `${id}: ${fates.get(id)}`), []);
        deepEqual(bad.filter((id) => !fates.get(id)!.startsWith("replied")), []);
        const replies = await Promise.all(
          Array.from(
            Deno.readDirSync(join(folder, "outbox")),
            ({ name }) => Deno.readTextFile(join(folder, "outbox", name)),
          ),
        );
        const answered = replies.map((text) => /^In-Reply-To:\s*<([^>]+)>/m.exec(text)?.[1]);
        equal(new Set(answered).size, answered.length);
        deepEqual(bad.filter((id) => !answered.includes(id)), []);
      } finally {
        await dovecot.stop();
      }
    });
  },
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Waits until the journal has an end for every mail. */
async function settled(path: string, count: number): Promise<ReadonlyMap<string, string>> {
  let fates: ReadonlyMap<string, string> = new Map();
  for (const end = Date.now() + PEACE_MS; Date.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    fates = readJournal(path).fates;
    if (fates.size >= count && ![...fates.values()].some((fate) => fate.startsWith("waiting"))) break;
  }
  return fates;
}
