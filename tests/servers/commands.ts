/**
 * The bot's commands, as a user calls them. Not named *_test.ts: it starts servers, for which it needs permissions that the other tests must not have
 * (`deno task test-servers`).
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { join } from "@std/path";
import { createLog } from "../../bot/log.ts";
import { main } from "../../bot/main.ts";
import { createMetrics } from "../../bot/metrics.ts";
import { type Dovecot, startDovecot } from "../bot/dovecot.ts";
import { GitHubServer } from "../bot/github_server.ts";
import { inFolder, inLab } from "../bot/lab.ts";
import { dull, letter, LIST } from "../bot/letters.ts";
import { emptyPull, FOO_PATH, Trees, wrong } from "../bot/mirror_trees.ts";
import { keep } from "../bot/reports.ts";
import { startSmtp, type TestSmtp } from "../bot/smtp_server.ts";

interface Place {
  readonly dovecot: Dovecot;
  readonly smtp: TestSmtp;
  readonly folder: string;
  /** Runs a command with the configuration. */
  run(...argv: string[]): Promise<{ code: number; out: string; err: string }>;
  configure(over: Record<string, unknown>): Promise<void>;
}

function inPlace(run: (place: Place) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const dovecot = await startDovecot({ folder: join(folder, "dovecot") });
    const smtp = await startSmtp();
    const file = join(folder, "p2plint.json");
    await Deno.writeTextFile(join(folder, "password"), `${dovecot.password}\n`);
    const configure = (over: Record<string, unknown>) =>
      Deno.writeTextFile(
        file,
        JSON.stringify({
          bot: { address: "p2plint@bots.example.net" },
          state: "state.sqlite",
          outbox: "outbox",
          accounts: [{
            name: "local",
            host: "127.0.0.1",
            port: dovecot.port,
            tls: "none",
            user: dovecot.user,
            password: { file: "password" },
          }],
          smtp: { host: "127.0.0.1", port: smtp.port, tls: "none" },
          lists: [{ ...LIST, mode: "moderated" }],
          intake: { maxAgeDays: 36_500 },
          ...over,
        }),
      );
    await configure({});
    try {
      await run({
        dovecot,
        smtp,
        folder,
        configure,
        async run(...argv) {
          const terminal = keep();
          const code = await main([argv[0]!, "--config", file, ...argv.slice(1)], terminal);
          return { code, ...terminal.printed };
        },
      });
    } finally {
      await smtp.stop();
      await dovecot.stop();
    }
  });
}

Deno.test("watch, queue, approve and stats: a moderated reply from the mailbox to the list", async () => {
  await inPlace(async ({ dovecot, smtp, run }) => {
    dovecot.deliver(letter({ id: "bad@example.com" }));
    dovecot.deliver(letter({ id: "dull@example.com", subject: "[PATCH] foo: dull", body: dull() }));
    const watched = await run("watch", "--once");
    equal(watched.code, 0, watched.err);
    match(watched.err, /info {2}ended mails\.clean=1 mails\.replied=1 posts\.held=1/);
    const { out } = await run("queue");
    const id = /^held {5} {2}0m reply ([0-9a-f]{20}) for linux-foo\.example\.org: Re: \[PATCH\] misc: foo/
      .exec(out)?.[1];
    ok(id !== undefined, out);
    match((await run("queue", id)).out, /^From: p2plint <p2plint@bots\.example\.net>\nTo: Ada Example/);
    equal(JSON.parse((await run("queue", "--format", "json")).out).posts[0].id, id);
    equal((await run("approve", id, "nothing")).code, 1);
    await run("watch", "--once");
    deepEqual(smtp.mails.map(({ to }) => to), [["ada@example.com", LIST.address]]);
    equal((await run("queue")).out, "nothing waits\n");
    const [score] = JSON.parse((await run("stats", "--format", "json")).out);
    deepEqual([score.rule, score.sent, score.precision], ["p2p-dma-map-resource-on-bar", 1, null]);
    match((await run("stats")).out, /^rule .*precision\np2p-dma-map-resource-on-bar +1 +1 +0 +0 +0 +-\n$/);
  });
});

Deno.test("doctor says what works, and what to do about what does not", async () => {
  await inPlace(async ({ dovecot, folder, run, smtp, configure }) => {
    const well = await run("doctor");
    equal(well.code, 0, well.out);
    match(
      well.out,
      /^ok {4}imap local\/INBOX: 0 messages in INBOX; the server has IDLE, CONDSTORE, UIDPLUS$/m,
    );
    match(well.out, /^ok {4}smtp: 127\.0\.0\.1:\d+ lets us in$/m);
    await Deno.writeTextFile(join(folder, "password"), "wrong");
    await smtp.stop();
    const sick = await run("doctor");
    equal(sick.code, 1);
    match(
      sick.out,
      /^FAIL {2}imap local\/INBOX: .* does not accept user "bot"[^]*\n {6}Correct user and password/m,
    );
    match(sick.out, /^FAIL {2}smtp: .*ECONNREFUSED.*\n {6}Nothing listens there/m);
    equal(sick.out.includes(dovecot.password), false);
    await configure({ lits: [] });
    match((await run("doctor")).out, /^FAIL {2}config: .*"lits" is unknown, did you mean lists\?$/m);
  });
});

// Octokit's limiters keep timers for a while.
Deno.test({
  name: "doctor, watch, queue and approve: a moderated report from the mailbox to a mirror on GitHub",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await inPlace(async ({ dovecot, folder, run, configure }) => {
      const server = new GitHubServer(emptyPull("misc: foo: map the doorbell"));
      const api = await server.start();
      try {
        await Deno.mkdir(join(folder, "trees"));
        const trees = new Trees(join(folder, "trees"));
        const mails = trees.mail([{ title: "misc: foo: map the doorbell", files: { [FOO_PATH]: wrong } }]);
        trees.push(mails, server.pull);
        dovecot.deliver(mails[0]!);
        await Deno.writeTextFile(join(folder, "token"), "wrong\n");
        await configure({
          smtp: null,
          lists: [{ ...LIST, mode: "off", mirror: { name: "foo", report: "status", mode: "moderated" } }],
          mirrors: [{ name: "foo", repository: "kernel/linux", api, token: { file: "token" } }],
        });
        const sick = await run("doctor");
        equal(sick.code, 1, sick.out);
        match(
          sick.out,
          /^FAIL {2}mirror foo: Cannot see the repository kernel\/linux: 401 Bad credentials\n {6}Correct the repository/m,
        );
        await Deno.writeTextFile(join(folder, "token"), "token-of-the-test\n");
        server.isReadOnly = true;
        match(
          (await run("doctor")).out,
          /^FAIL {2}mirror foo: the token may not write to kernel\/linux, which/m,
        );
        server.isReadOnly = false;
        const well = await run("doctor");
        equal(well.code, 0, well.out);
        match(well.out, /^ok {4}mirror foo: kernel\/linux is there; the token may write$/m);
        const { host } = new URL(api);
        match(
          well.out,
          new RegExp(`^  --allow-net=127\\.0\\.0\\.1:\\d+,${host.replaceAll(".", "\\.")}$`, "m"),
        );
        match(well.out, /^ {2}--allow-read=.*\/token(?:,|$)/m);

        const watched = await run("watch", "--once");
        equal(watched.code, 0, watched.err);
        match(watched.err, /info {2}ended mails\.muted=1 posts\.held=1/);
        const { out } = await run("queue");
        const id =
          /^held {5} {2}0m report ([0-9a-f]{20}) for linux-foo\.example\.org: series \S+ on foo: mode moderated/
            .exec(out)?.[1];
        ok(id !== undefined, out);
        const { patches } = JSON.parse((await run("queue", id)).out);
        deepEqual(patches[0].findings.map(({ path }: { path: string }) => path), [FOO_PATH]);
        equal(JSON.parse((await run("queue", "--format", "json")).out).posts[0].mirror, "foo");
        equal((await run("approve", id)).code, 0);
        const sent = await run("watch", "--once");
        match(
          sent.err,
          /info {2}sent id=\w+ mirror=foo series=\S+ by=github said="kernel\/linux#7: status written"/,
        );
        deepEqual(server.statuses.map(({ state, sha }) => [state, sha]), [["failure", server.pull.head]]);
        equal((await run("queue")).out, "nothing waits\n");
        equal((sent.err + watched.err + out + well.out).includes("token-of-the-test"), false);
        deepEqual(server.offences, []);
      } finally {
        await server.stop();
      }
    });
  },
});

Deno.test("watch ends with 2 and a clear line: wrong password, wrong configuration, a second watch", async () => {
  await inPlace(async ({ folder, run, configure }) => {
    const lock = await Deno.open(join(folder, "state.sqlite.lock"), { create: true, write: true });
    equal(await lock.tryLock(true), true);
    const second = await run("watch", "--once");
    lock.close();
    deepEqual([second.code, /another p2plint watch works with this journal/.test(second.err)], [2, true]);
    await Deno.writeTextFile(join(folder, "password"), "wrong");
    const locked = await run("watch");
    equal(locked.code, 2);
    match(locked.err, /\np2plint: 127\.0\.0\.1:\d+ does not accept user "bot" of account local/);
    await configure({ bot: {} });
    const wrong = await run("watch");
    deepEqual([wrong.code, /^p2plint: .*"bot"\.address is missing\n$/.test(wrong.err)], [2, true]);
  });
});

Deno.test("watch serves /metrics and /healthz, and ends at SIGTERM", async () => {
  await inPlace(async ({ dovecot, folder, configure }) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    await configure({
      metrics: { port },
      log: { format: "json" },
      intake: { maxAgeDays: 36_500, delaySeconds: 0 },
    });
    dovecot.deliver(letter({ id: "bad@example.com" }));
    const bot = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "mod.ts", "watch", "--config", join(folder, "p2plint.json")],
      cwd: new URL("../../", import.meta.url),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const get = async (path: string) => {
      try {
        const response = await fetch(`http://127.0.0.1:${port}${path}`);
        return { status: response.status, text: await response.text() };
      } catch {
        // It does not listen yet.
        return { status: 0, text: "" };
      }
    };
    let metrics = { status: 0, text: "" };
    for (let at = 0; at < 200 && !metrics.text.includes('p2plint_posts{state="held"} 1'); at++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      metrics = await get("/metrics");
    }
    match(metrics.text, /^p2plint_mails_taken_total\{state="waiting"\} 1$/m);
    match(metrics.text, /^p2plint_mails\{state="replied"\} 1$/m);
    deepEqual(await get("/healthz"), { status: 200, text: "ok\n" });
    equal((await get("/")).status, 404);
    bot.kill("SIGTERM");
    const { code, stderr } = await bot.output();
    equal(code, 0);
    const lines = new TextDecoder().decode(stderr).trim().split("\n").map((line) => JSON.parse(line));
    deepEqual(lines.slice(-2).map(({ event }) => event), ["ending", "ended"]);
    equal(JSON.stringify(lines).includes(dovecot.password), false);
  });
});

Deno.test("/healthz says which mailbox has been silent", async () => {
  await inLab({}, async ({ mailbox, journal, clock }) => {
    const metrics = createMetrics(journal, [mailbox], clock, 10);
    equal((await metrics.page("/healthz")).status, 200);
    const seen = clock.now();
    mailbox.lastSeen = () => seen;
    clock.set(seen + 31_000);
    deepEqual(await metrics.page("/healthz"), {
      status: 503,
      type: "text/plain; charset=utf-8",
      text: "local/INBOX does not answer\n",
    });
  });
});

Deno.test("who explains each address of a mail", async () => {
  await inPlace(async ({ folder, run }) => {
    const file = join(folder, "mail.eml");
    await Deno.writeTextFile(
      file,
      letter({ from: '"Example, \x1b[2JAda" <ada@example.com>', to: `${LIST.address}, x@lists.example.net` }),
    );
    const { code, out } = await run("who", file);
    equal(code, 0);
    match(out, /^intake: patch\nmode: {3}moderated, counted for linux-foo\.example\.org$/m);
    match(out, /^to {2}Example, \\x1b\[2JAda <ada@example\.com> {2}sent the patch$/m);
    match(out, /^out x@lists\.example\.net +a list that did not opt in$/m);
  });
});

Deno.test("createLog() writes JSON lines or text for eyes, without secrets and controls", () => {
  for (
    const [format, line] of [
      ["human", /^\d\d:\d\d:\d\d warn {2}lost problem="\\u001b\[2J gone" retry=1\n$/],
      ["json", /^\{"level":40,"time":\d+,"problem":"\\u001b\[2J gone","retry":1,"event":"lost"\}\n$/],
    ] as const
  ) {
    const terminal = keep();
    const log = createLog({ format, level: "info" }, terminal);
    log.debug("not shown");
    log.warn("lost", { problem: "\x1b[2J gone", retry: 1, password: "hunter2" });
    match(terminal.printed.err, line);
  }
});

Deno.test("watch follows several mailboxes and accounts at once, and a mail on two lists counts once", async () => {
  await inPlace(async ({ dovecot, configure, run, folder }) => {
    const other = { id: "linux-bar.example.org", address: "linux-bar@example.org" };
    const account = (name: string, mailboxes: readonly string[]) => ({
      name,
      host: "127.0.0.1",
      port: dovecot.port,
      tls: "none",
      user: dovecot.user,
      password: { file: "password" },
      mailboxes,
    });
    await configure({
      lists: [LIST, other],
      accounts: [account("one", ["INBOX", "bar"]), account("two", ["baz"])],
    });
    const both = { id: "both@example.com", to: `${LIST.address}, ${other.address}` };
    dovecot.deliver(letter(both));
    dovecot.deliver(letter({ ...both, list: other.id }), "bar");
    dovecot.deliver(letter({ id: "bar@example.com", subject: "[PATCH] bar: go", list: other.id }), "bar");
    dovecot.deliver(letter({ id: "baz@example.com", subject: "[PATCH] baz: go" }), "baz");
    const { code, err } = await run("watch", "--once");
    equal(code, 0, err);
    const replies = [...Deno.readDirSync(join(folder, "outbox"))].map(({ name }) =>
      Deno.readTextFileSync(join(folder, "outbox", name))
    );
    const answered = replies.map((text) => /^In-Reply-To: <(.*)>$/m.exec(text)![1]).sort();
    deepEqual(answered, ["bar@example.com", "baz@example.com", "both@example.com"]);
    const [toBoth] = replies.filter((text) => text.includes("In-Reply-To: <both@"));
    match(toBoth!, /^Cc: linux-foo@example\.org, linux-bar@example\.org$/m);
  });
});
