import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "@std/path";
import { readMarks } from "../../bot/github/marker.ts";
import { main } from "../../bot/main.ts";
import { githubSink } from "../../bot/mirror/sink.ts";
import { changeOf, likeness, type MailedSeries, readSeries } from "../../bot/mirror/series.ts";
import { DeliveryError, JournalError, type MirrorPost, type PostRecord } from "../../bot/ports.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { type Fault, GitHubServer, type Seen } from "./github_server.ts";
import { inLab, type Lab, NOON, read } from "./lab.ts";
import { letter, LIST, mistake } from "./letters.ts";
import { type Change, emptyPull, fileWith, FOO_PATH, idOf, right, Trees, wrong } from "./mirror_trees.ts";
import { keep } from "./reports.ts";

const HOUR_MS = 60 * 60 * 1000;
const TITLE = "misc: foo: map the doorbell";
const BAR_PATH = "drivers/misc/bar.c";

/** A series with two mistakes: one in a function that was there, one in a file of its own. */
const TWO: readonly Change[] = [
  { title: TITLE, files: { [FOO_PATH]: wrong } },
  { title: "misc: bar: map the window", files: { [BAR_PATH]: fileWith(2) } },
];
/** A later version: the first one is repaired, the second one has moved. */
const ONE: readonly Change[] = [
  { title: TITLE, files: { [FOO_PATH]: right } },
  { title: "misc: bar: map the window", files: { [BAR_PATH]: fileWith(9) } },
];

interface Place extends Lab {
  readonly trees: Trees;
  readonly server: GitHubServer;
  /** The posts for the mirror, by state. */
  posts(): Promise<readonly PostRecord[]>;
  /** What became of the last post: `state: reason`. */
  end(): Promise<string>;
}

interface Policy {
  readonly mode?: string;
  readonly report?: "comments" | "status";
  /** Of the list itself. */
  readonly list?: Readonly<Record<string, unknown>>;
  readonly over?: Readonly<Record<string, unknown>>;
  /** As a GitHub App instead of with a token. */
  readonly isApp?: boolean;
}

/** A bot whose list has a mirror and wants no mail. */
async function inPlace(
  { mode = "send", report = "comments", list = {}, over = {}, isApp = false }: Policy,
  run: (place: Place) => Promise<void>,
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "p2plint-mirror-" }));
  const server = new GitHubServer(emptyPull(TITLE));
  const api = await server.start();
  const { DatabaseSync } = await import("node:sqlite");
  const lists = [{ ...LIST, mode: "off", mirror: { name: "foo", report, mode }, ...list }];
  if (isApp) server.tokens = [];
  const auth = isApp
    ? { app: { id: "12", installation: 34, key: { file: await keyIn(folder) } } }
    : { token: { file: "token" } };
  const mirrors = [{ name: "foo", repository: "kernel/linux", api, ...auth }];
  try {
    await inLab({ lists, mirrors, ...over }, async (lab) => {
      await run({
        ...lab,
        trees: new Trees(folder),
        server,
        posts: async () => (await lab.journal.queue()).posts,
        end() {
          const db = new DatabaseSync(lab.config.state, { readOnly: true });
          try {
            const row = db.prepare(
              "SELECT state, reason FROM post WHERE kind = 'mirror' ORDER BY rowid DESC LIMIT 1",
            ).get();
            return Promise.resolve(row === undefined ? "none" : `${row["state"]}: ${row["reason"]}`);
          } finally {
            db.close();
          }
        },
      });
    });
    deepEqual(server.offences, []);
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

async function keyIn(folder: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const file = join(folder, "key.pem");
  await Deno.writeTextFile(file, privateKey);
  return file;
}

// Octokit's limiters keep timers for a while.
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });

/** What `check` finds in the mails that would be mailed, by their own lines. */
async function checked(folder: string, mails: readonly string[]) {
  const box = join(folder, "checked.mbox");
  await Deno.writeTextFile(box, mails.map((mail) => `From x Mon Sep 17 00:00:00 2001\n${mail}\n`).join(""));
  const terminal = keep();
  await main(["check", "--format", "json", "--min-confidence", "high", box], terminal);
  type Row = {
    path: string;
    line: number;
    fingerprint: string;
    message: string;
    rule: string;
    severity: string;
  };
  return (JSON.parse(terminal.printed.out).findings as Row[]).filter(({ severity }) => severity !== "note");
}

const threadsOf = ({ threads }: GitHubServer) =>
  threads.map(({ path, line, isResolved, body }) => ({
    at: `${path}:${line}`,
    id: readMarks(body).marks[0]!.id,
    isResolved,
  }));

/** Everything that GitHub holds, and how often it was written to. */
const stateOf = ({ threads, reviews, comments, checkRuns, statuses, writes }: GitHubServer) => ({
  threads: threads.map(({ body, isResolved }) => [body, isResolved]),
  reviews: reviews.map(({ body }) => body),
  comments: comments.map(({ body }) => body),
  checkRuns: checkRuns.map(({ status, conclusion, annotations }) => [status, conclusion, annotations.length]),
  statuses: statuses.map(({ state, description }) => [state, description]),
  writes: writes.length,
});

test("a mailed series becomes comments at the lines of the commits, with the fingerprints and words of the mail", () =>
  inPlace({}, async ({ mailbox, run, trees, server, smtp, outbox, end }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    // The mirror shows the label for the function, and three lines more.
    match(mails[0]!, /^@@ -11,6 \+11,7 @@ int foo_map/m);
    match(server.pull.patch, /^@@ -14,6 \+14,7 @@ out:/m);
    mailbox.put(...mails);
    await run();
    const expected = await checked(trees.folder, mails);
    equal(expected.length, 2);
    const line = ({ path, line }: { path: string; line: number }) => path === FOO_PATH ? line + 3 : line;
    deepEqual(
      threadsOf(server),
      expected.map((one) => ({
        at: `${one.path}:${line(one)}`,
        id: one.fingerprint,
        isResolved: false,
      })),
    );
    for (const [at, { message, rule }] of expected.entries()) {
      ok(server.threads[at]!.body.replaceAll("\\", "").includes(message));
      ok(server.comments[0]!.body.includes(rule));
    }
    deepEqual(
      server.checkRuns.map(({ conclusion, annotations }) => [conclusion, annotations.length]),
      [["failure", 2]],
    );
    equal(
      await end(),
      "sent: kernel/linux#7: check run written, review written, summary written",
    );
    deepEqual([smtp.posts, outbox.posts], [[], []]);
    // The list of pull requests, the commits, the pull request, its files; then what publish() reads.
    deepEqual(
      server.requests.slice(0, 4).map(({ path }) => path.replace("/repos/kernel/linux", "")),
      ["/pulls", "/pulls/7", "/pulls/7", "/pulls/7/files"],
    );
    const before = server.writes.length;
    await run();
    equal(server.writes.length, before);
  }));

test("a personal token may write no check run, and the comments are written all the same", () =>
  inPlace({}, async ({ mailbox, run, trees, server, end }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    server.fault = ({ isWrite, path }) => isWrite && path.endsWith("/check-runs") ? { status: 403 } : null;
    mailbox.put(...mails);
    await run();
    equal(
      await end(),
      "sent: kernel/linux#7: check run not allowed, review written, summary written",
    );
    equal(server.threads.length, 2);
  }));

test("an App asks for one token for all the reports of a round", () =>
  inPlace({ isApp: true, report: "status" }, async ({ mailbox, run, trees, server, posts }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    mailbox.put(...mails, ...trees.mail([{ title: "net: go", files: { [BAR_PATH]: fileWith(1) } }]));
    await run();
    deepEqual(server.statuses.map(({ state }) => state), ["failure"]);
    deepEqual((await posts()).map(({ state, attempts }) => [state, attempts]), [["pending", 1]]);
    equal(server.requests.filter(({ path }) => path === "/app/installations/34/access_tokens").length, 1);
  }));

test("a mailed series becomes one status of the head commit, clean or not", () =>
  inPlace({ report: "status" }, async ({ mailbox, run, trees, server, end }) => {
    const v1 = trees.mail(TWO);
    trees.push(v1, server.pull);
    mailbox.put(...v1);
    await run();
    equal(server.statuses.length, 1);
    const [status] = server.statuses;
    deepEqual([status!.state, status!.sha, status!.target_url], [
      "failure",
      server.pull.head,
      `https://lore.kernel.org/all/${idOf(v1[0]!)}/`,
    ]);
    match(status!.description, /^2 errors in 2 patches \(2 hunks\); drivers\/misc\/foo\.c:17: /);
    // Nothing in it that a rule has a word for: no reviewer would be asked, and the mirror hears of it.
    const v2 = trees.mail([
      { title: TITLE, files: { [FOO_PATH]: wrong.replace(/\taddr = .*\n/, "\tfoo_h(foo);\n") } },
      { title: "misc: bar: map the window", files: { [BAR_PATH]: "int bar;\n" } },
    ], { version: 2 });
    trees.push(v2, server.pull);
    mailbox.put(...v2);
    await run();
    deepEqual(server.statuses.slice(1).map(({ state, sha, description }) => [state, sha, description]), [
      ["success", server.pull.head, "no findings in 2 patches (2 hunks)"],
    ]);
    equal(await end(), "sent: kernel/linux#7: status written");
    deepEqual([server.threads, server.comments, server.checkRuns], [[], [], []]);
  }));

test("a later version resolves exactly what it repairs, wherever the rest has moved", () =>
  inPlace({}, async ({ mailbox, run, trees, server }) => {
    const v1 = trees.mail(TWO, { cover: "misc: foo and bar" });
    server.pull.title = "[foo-next] misc: foo and bar";
    trees.push(v1, server.pull);
    mailbox.put(...v1);
    await run();
    const [foo, bar] = threadsOf(server);
    const v2 = trees.mail(ONE, { version: 2, cover: "misc: foo and bar" });
    trees.push(v2, server.pull);
    mailbox.put(...v2);
    const before = server.writes.length;
    await run();
    deepEqual(threadsOf(server), [{ ...foo!, isResolved: true }, bar]);
    deepEqual(
      server.writes.slice(before).map(({ path }) =>
        path.replace(/\d{5,}/, "N").replace("/repos/kernel/linux", "")
      ),
      ["/check-runs", "/graphql", "/pulls/comments/N", "/issues/comments/N"],
    );
  }));

test("a pull request that is not there yet is waited for", () =>
  inPlace({ report: "status" }, async ({ mailbox, run, trees, server, posts, clock, log }) => {
    const mails = trees.mail(TWO);
    server.pull.state = "closed";
    trees.push(mails, server.pull);
    mailbox.put(...mails);
    await run();
    const [record] = await posts();
    deepEqual([record!.state, record!.reason], [
      "pending",
      "no open pull request of kernel/linux has the commits of the series",
    ]);
    server.pull.state = "open";
    await run();
    deepEqual([server.writes.length, (await posts()).length], [0, 1]);
    clock.set(clock.now() + 61_000);
    await run();
    deepEqual([server.statuses.length, await posts()], [1, []]);
    deepEqual(
      log.lines.filter(({ event }) => ["report", "not sent yet", "sent"].includes(event)).map((
        { event, fields },
      ) => [
        event,
        fields["mirror"] ?? fields["problem"],
        fields["series"] ?? null,
      ]),
      [
        ["report", "foo", idOf(mails[0]!)],
        ["not sent yet", "no open pull request of kernel/linux has the commits of the series", null],
        ["sent", "foo", idOf(mails[0]!)],
      ],
    );
  }));

test("a series that no mirror ever shows is dropped when its time is over, and nobody is asked", () =>
  inPlace({}, async ({ mailbox, run, trees, posts, clock, server, end }) => {
    server.pull.state = "closed";
    mailbox.put(...trees.mail(TWO));
    for (let hour = 0; hour < 24; hour++) {
      clock.set(NOON + hour * HOUR_MS);
      await run();
      equal((await posts()).length, 1, `hour ${hour}`);
    }
    clock.set(NOON + 25 * HOUR_MS);
    await run();
    deepEqual(await posts(), []);
    equal(await end(), "dropped: no open pull request of kernel/linux has the commits of the series");
    deepEqual(server.writes, []);
  }));

test("a series that waits is dropped when a later version of it was judged", () =>
  inPlace({}, async ({ mailbox, run, trees, server, journal, clock, log }) => {
    const v1 = trees.mail(TWO);
    server.pull.state = "closed";
    mailbox.put(...v1);
    await run();
    const v2 = trees.mail(ONE, { version: 2 });
    mailbox.put(...v2);
    clock.set(clock.now() + HOUR_MS);
    await run();
    deepEqual(log.lines.filter(({ event }) => event === "dropped").map(({ fields }) => fields["reason"]), [
      "overtaken by v2",
    ]);
    deepEqual((await journal.counts()).posts, new Map([["dropped", 1], ["pending", 1]]));
    const [{ post }] = await (await journal.queue()).posts as [PostRecord<MirrorPost>];
    equal(post.root, idOf(v2[0]!));
  }));

/** Pull requests that are named like the series and are something else; null: as they come from the mails. */
const LOOKALIKES: readonly (readonly [
  what: string,
  make: (place: Place, mails: readonly string[]) => void,
  why: RegExp,
])[] = [
  ["one commit more", ({ trees, server }, mails) => {
    trees.push([
      ...mails,
      ...trees.mail([{ title: "misc: baz", files: { "drivers/misc/baz.c": "int z;\n" } }]),
    ], server.pull);
  }, /#7 is named like it, but it has 3 commits, not 2$/],
  [
    "one commit less",
    ({ trees, server }, mails) => trees.push(mails.slice(0, 1), server.pull),
    /it has 1 commits, not 2$/,
  ],
  [
    "another order",
    ({ trees, server }, mails) => trees.push([mails[1]!, mails[0]!], server.pull),
    /its commit 1 has another title$/,
  ],
  ["another author", ({ trees, server }, mails) => {
    trees.push(mails.map((mail) => mail.replace(/^From: .*$/m, "From: Eve <eve@example.org>")), server.pull);
  }, /its commit 1 has another author$/],
  ["a line at another place", ({ trees, server }) => {
    const moved = wrong.replace(/(\taddr = .*\n)(.*\n)/, "$2$1");
    trees.push(trees.mail([{ ...TWO[0]!, files: { [FOO_PATH]: moved } }, TWO[1]!]), server.pull);
  }, /its commit 1 has another diff$/],
  ["the same commits from a fork", ({ trees, server }, mails) => {
    trees.push(mails, server.pull);
    server.pull.isFork = true;
  }, /^pending: no open pull request of kernel\/linux has the commits of the series$/],
  ["another name", ({ trees, server }, mails) => {
    trees.push(mails, server.pull);
    server.pull.title = "misc: everything";
  }, /^pending: no open pull request of kernel\/linux has the commits of the series$/],
  ["too many lines", ({ trees, server }, mails) => {
    trees.push(mails, server.pull);
    let reads = 0;
    server.fault = ({ path }) => path.endsWith("/pulls/7") && reads++ === 0 ? { status: 406 } : null;
  }, /#7 is named like it, and is too large to be compared$/],
];

for (const [what, make, why] of LOOKALIKES) {
  test(`a pull request with ${what} is not the series: nothing is written`, () =>
    inPlace({}, async (place) => {
      const mails = place.trees.mail(TWO);
      make(place, mails);
      place.mailbox.put(...mails);
      await place.run();
      match(await place.end(), why);
      deepEqual(place.server.writes, []);
    }));
}

test("of several pull requests with its name only the one with its commits is written to", () =>
  inPlace({}, async ({ mailbox, run, trees, server, end }) => {
    const old = emptyPull(TITLE, { number: 3 });
    trees.push(trees.mail(ONE), old);
    const fork = emptyPull(TITLE, { number: 4, isFork: true });
    const mails = trees.mail(TWO, { options: ["--subject-prefix=PATCH foo-next"] });
    trees.push(mails, server.pull);
    fork.patch = server.pull.patch;
    server.others.push(old, fork);
    mailbox.put(...mails);
    await run();
    match(await end(), /^sent: kernel\/linux#7: /);
    deepEqual(
      server.requests.filter(({ path }) => /\/pulls\/[34]/.test(path)).map(({ method, path }) =>
        `${method} ${path}`
      ),
      ["get /repos/kernel/linux/pulls/3"],
    );
  }));

test("a pull request that is pushed to while it is read is read again, later", () =>
  inPlace({}, async ({ mailbox, run, trees, server, end, clock }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    const { head } = server.pull;
    server.pull.head = "d".repeat(40);
    server.fault = ({ path }) => {
      // The list has the head of before.
      if (path.endsWith("/pulls/7")) server.pull.head = head;
      return null;
    };
    mailbox.put(...mails);
    await run();
    equal(await end(), "pending: pull request 7 changed while it was read");
    deepEqual(server.writes, []);
    clock.set(clock.now() + HOUR_MS);
    await run();
    match(await end(), /^sent: /);
    equal(server.threads.length, 2);
  }));

test("a GitHub that hangs does not keep the bot from ending: the report is tried again", () =>
  inPlace({ mode: "moderated" }, async ({ mailbox, run, trees, posts, sinks, server }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    mailbox.put(...mails);
    await run();
    const [{ post }] = await posts() as [PostRecord];
    const github = sinks.find(({ name }) => name === "github")!;
    for (const path of ["/pulls", "/pulls/7", "/check-runs", "/reviews"]) {
      server.fault = (request) => request.path.endsWith(path) ? "hang" : null;
      const ending = new AbortController();
      const begin = Date.now();
      const delivery = github.deliver(post, ending.signal);
      setTimeout(() => ending.abort(), 300);
      await rejects(delivery, (error) => error instanceof DeliveryError && error.outcome === "later");
      ok(Date.now() - begin < 5000, `it waited at ${path}`);
    }
  }));

test("a journal that does not work leaves a report to be tried again, not claimed for good", () =>
  inPlace({ mode: "moderated" }, async ({ mailbox, run, trees, posts, server, config, clock, reviewer }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    mailbox.put(...mails);
    await run();
    const [{ post }] = await posts() as [PostRecord<MirrorPost>];
    const sink = githubSink({
      mirrors: [{
        name: "foo",
        repository: { owner: "kernel", name: "linux" },
        client: {
          baseUrl: config.mirrors[0]!.api,
          auth: "token-of-the-test",
          userAgent: "test",
          log: () => {},
        },
      }],
      review: (patches) => reviewer.review(patches),
      judged: () => Promise.reject(new JournalError("the disk is full")),
      archive: config.bot.archive,
      clock,
    });
    await rejects(
      sink.deliver(post, new AbortController().signal),
      (error) =>
        error instanceof DeliveryError && error.outcome === "later" && /disk is full/.test(error.message),
    );
    deepEqual(server.writes, []);
  }));

test("a title that all have costs ten requests at most, and one list does for all series of a round", () =>
  inPlace({}, async ({ mailbox, run, trees, server, end }) => {
    for (let no = 100; no < 340; no++) server.others.push(emptyPull(`misc: number ${no}`, { number: no }));
    server.pull.state = "closed";
    mailbox.put(
      ...trees.mail([{ title: "misc:", files: { [BAR_PATH]: fileWith(0) } }]),
      ...trees.mail([{ title: "net: go", files: { [BAR_PATH]: fileWith(1) } }]),
      ...trees.mail([{ title: "net: come", files: { [BAR_PATH]: fileWith(2) } }]),
    );
    await run();
    const paths = server.requests.map(({ path }) => path.replace("/repos/kernel/linux", ""));
    deepEqual(paths.filter((path) => path === "/pulls").length, 3, "three pages of a hundred");
    equal(paths.length, 13);
    match(await end(), /^pending: no open pull request/);
  }));

for (
  const [mode, state] of [["off", null], ["dry-run", "outbox"], ["moderated", "held"], [
    "send",
    "sent",
  ]] as const
) {
  test(`a mirror in mode ${mode}, its list in mode send`, () =>
    inPlace(
      { mode, list: { mode: "send" } },
      async ({ mailbox, run, trees, server, smtp, outbox, posts, journal }) => {
        const mails = trees.mail(TWO);
        trees.push(mails, server.pull);
        mailbox.put(...mails);
        await run();
        equal(smtp.posts.length, 2, "mail has its own mode");
        equal(server.threads.length, state === "sent" ? 2 : 0);
        if (state !== "sent") deepEqual(server.requests, []);
        deepEqual((await posts()).map(({ state }) => state), state === "held" ? ["held"] : []);
        deepEqual(outbox.posts.map(({ kind }) => kind), state === "outbox" ? ["mirror"] : []);
        const text = outbox.posts[0]?.text ?? (await posts())[0]?.post.text;
        if (text !== undefined) {
          const found = readSeries(text).patches.flatMap(({ findings }) => findings);
          deepEqual(
            found.map(({ fingerprint }) => fingerprint),
            (await checked(trees.folder, mails)).map(({ fingerprint }) => fingerprint),
          );
        }
        if (state === "held") {
          equal(await journal.approve((await posts())[0]!.post.id, NOON), true);
          await run();
          equal(server.threads.length, 2);
        }
      },
    ));
}

test("what policy keeps out of the mail is kept out of the mirror", () =>
  inPlace(
    { over: { reply: { minSeverity: "error", disable: [] } } },
    async ({ mailbox, run, trees, server, journal, clock }) => {
      const mails = trees.mail(TWO);
      server.pull.state = "closed";
      mailbox.put(...mails);
      await run();
      const [foo, bar] = await checked(trees.folder, mails);
      // While the series waits for its pull request, its author says that one of them is wrong.
      await journal.take([{
        mail: {
          messageId: "verdict@example.com",
          account: "local",
          mailbox: "INBOX",
          uid: 99,
          arrived: NOON,
          list: LIST.id,
          subject: (await read(letter())).subject,
          inReplyTo: null,
          references: [],
          from: "ada@example.com",
          state: "verdict",
          reason: "",
        },
        bytes: null,
        verdicts: [{
          fingerprint: foo!.fingerprint,
          rule: foo!.rule,
          verb: "false-positive",
          reason: "",
          by: "ada@example.com",
          messageId: "verdict@example.com",
        }],
        optOut: null,
      }], { account: "local", mailbox: "INBOX", validity: "1", uid: 2, modseq: null });
      server.pull.state = "open";
      trees.push(mails, server.pull);
      clock.set(clock.now() + HOUR_MS);
      await run();
      deepEqual(threadsOf(server).map(({ id }) => id), [bar!.fingerprint]);
    },
  ));

test("a finding of the mail that the commit does not show is named, and the series is not called clean", () =>
  inPlace({ report: "status", mode: "moderated" }, async ({ mailbox, run, trees, server, posts, sinks }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    mailbox.put(...mails);
    await run();
    const { post } = (await posts())[0]! as PostRecord<MirrorPost>;
    const series = JSON.parse(post.text) as MailedSeries;
    // As if an older p2plint had judged the mails.
    const findings = [{ ...series.patches[0]!.findings[0]!, fingerprint: "0ld" }];
    const patches = [{ ...series.patches[0]!, findings }, { ...series.patches[1]!, findings: [] }];
    const github = sinks.find(({ name }) => name === "github")!;
    await github.deliver(
      { ...post, text: JSON.stringify({ ...series, patches }) },
      new AbortController().signal,
    );
    deepEqual(server.statuses.map(({ state }) => state), ["error"]);
    match(
      server.statuses[0]!.description,
      /^could not be judged; drivers\/misc\/foo\.c:14: dma_map_resource\(\)/,
    );
  }));

test("what was on a private list, went to security@kernel.org, has holes or is of another project is not reported", () =>
  inPlace({}, async ({ mailbox, run, trees, server, end }) => {
    const mails = trees.mail(TWO);
    trees.push(mails, server.pull);
    const secret = mails.map((mail) => mail.replace(/^To: .*$/m, (to) => `${to}\nCc: security@kernel.org`));
    mailbox.put(...secret);
    await run();
    equal(await end(), "none");
    mailbox.put(...trees.mail([{ title: "qemu: go", files: { "hw/foo.c": fileWith(0) } }]));
    await run();
    equal(await end(), "none");
    mailbox.put(
      trees.mail([TWO[0]!, { ...TWO[1]!, title: "misc: bar: again" }], {
        options: ["--subject-prefix=PATCH x"],
      })[1]!,
    );
    await run();
    equal(await end(), "dropped: 1 of 2 patches could be read");
    deepEqual(server.requests, []);
  }));

test("a private list decides over a public one: with its own mirror, or none", async () => {
  const secret = { id: "secret.example.org", address: "secret@example.org", private: true };
  const both = (mirror: unknown) => ({
    lists: [
      { ...LIST, mode: "off", mirror: { name: "foo", report: "status", mode: "send" } },
      { ...secret, mode: "off", mirror },
    ],
  });
  for (
    const [mirror, state] of [[null, "none"], [
      { name: "foo", report: "status", mode: "moderated" },
      "held",
    ]] as const
  ) {
    await inPlace({}, async (place) => {
      const { lists } = both(mirror);
      const mirrors = [{ name: "foo", repository: "kernel/linux", token: { file: "token" } }];
      await inLab({ lists, mirrors }, async ({ mailbox, run, journal }) => {
        mailbox.put(...place.trees.mail(TWO, { options: [`--to=${secret.address}`] }));
        await run();
        deepEqual(
          (await journal.queue()).posts.map((record) => record.state),
          state === "none" ? [] : ["held"],
        );
      });
    });
  }
});

test("of several lists with one mirror the boldest decides, and each kind of report is one of its own", async () => {
  const bar = { id: "bar.example.org", address: "bar@example.org", mode: "off" };
  const mirrors = [{ name: "foo", repository: "kernel/linux", token: { file: "token" } }];
  const table = [
    [{ report: "status", mode: "dry-run" }, { report: "status", mode: "moderated" }, [
      "status held bar.example.org",
    ]],
    [{ report: "status", mode: "moderated" }, { report: "status", mode: "off" }, [
      "status held linux-foo.example.org",
    ]],
    [{ report: "comments", mode: "moderated" }, { report: "status", mode: "moderated" }, [
      "comments held linux-foo.example.org",
      "status held bar.example.org",
    ]],
  ] as const;
  await inPlace({}, async ({ trees }) => {
    const mails = trees.mail(TWO, { options: [`--to=${bar.address}`] });
    for (const [one, other, expected] of table) {
      const lists = [
        { ...LIST, mode: "off", mirror: { name: "foo", ...one } },
        { ...bar, mirror: { name: "foo", ...other } },
      ];
      await inLab({ lists, mirrors }, async ({ mailbox, run, journal }) => {
        mailbox.put(...mails);
        await run();
        deepEqual(
          (await journal.queue()).posts.map(({ post, state }) =>
            `${readSeries(post.text).report} ${state} ${post.list}`
          ),
          expected,
        );
      });
    }
  });
});

const LIMIT = {
  status: 403,
  headers: { "retry-after": "60" },
  message: "You have exceeded a secondary rate limit",
};

/** What goes wrong, at which request, and where that leaves the post. */
const TROUBLE:
  readonly (readonly [what: string, at: (request: Seen) => boolean, fault: Fault, said: RegExp])[] = [
    [
      "401 to the list",
      ({ path }) => path.endsWith("/pulls"),
      { status: 401, message: "Bad credentials" },
      /^pending: .*401 Bad/,
    ],
    [
      "404 to the list",
      ({ path }) => path.endsWith("/pulls"),
      { status: 404 },
      /^pending: Cannot list the open pull requests of kernel\/linux: 404/,
    ],
    ["a limit at the list", ({ path }) => path.endsWith("/pulls"), LIMIT, /^pending: .*secondary rate limit/],
    ["404 to the commits", ({ path }) => path.endsWith("/pulls/7"), { status: 404 }, /^pending: .*404/],
    ["422 to the files", ({ path }) => path.endsWith("/files"), { status: 422 }, /^parked: .*422/],
    [
      "403 to the review",
      ({ path, isWrite }) => isWrite && path.endsWith("/reviews"),
      { status: 403 },
      /^pending: review: not allowed: .*403/,
    ],
    [
      "a limit at the review",
      ({ path, isWrite }) => isWrite && path.endsWith("/reviews"),
      LIMIT,
      /^pending: review: .*secondary rate limit/,
    ],
    ["5xx to every write", ({ isWrite }) => isWrite, { status: 502 }, /^pending: .*502/],
    ["every connection cut", () => true, "cut before", /^pending: Cannot list/],
    [
      "every write cut behind the first",
      ({ path, isWrite }) => isWrite && !path.endsWith("/check-runs"),
      "cut before",
      /^pending: review: /,
    ],
  ];

for (const [what, at, fault, said] of TROUBLE) {
  test(`nothing is lost or told twice: ${what}`, async () => {
    let undisturbed: ReturnType<typeof stateOf>;
    await inPlace({}, async ({ mailbox, run, trees, server }) => {
      const mails = trees.mail(TWO);
      trees.push(mails, server.pull);
      mailbox.put(...mails);
      await run();
      undisturbed = stateOf(server);
    });
    await inPlace({}, async ({ mailbox, run, trees, server, end, clock, journal, posts }) => {
      const mails = trees.mail(TWO);
      trees.push(mails, server.pull);
      mailbox.put(...mails);
      server.fault = (request) => at(request) ? fault : null;
      const begin = Date.now();
      await run();
      match(await end(), said);
      ok(Date.now() - begin < 20_000, "nobody waits for GitHub's limit");
      server.fault = () => null;
      for (const { post, state } of await posts()) {
        if (state === "parked") await journal.approve(post.id, clock.now());
      }
      clock.set(clock.now() + HOUR_MS);
      await run();
      match(await end(), /^sent: /);
      const { writes: _, ...now } = stateOf(server);
      const { writes: __, ...then } = undisturbed;
      // The commits differ in their ids: they were made a second apart.
      const plain = (state: unknown) => JSON.parse(JSON.stringify(state).replace(/[0-9a-f]{40}/g, "COMMIT"));
      deepEqual(plain(now), plain(then));
      const before = server.writes.length;
      await run();
      equal(server.writes.length, before);
    });
  });
}

for (const step of ["claimed", "delivered"] as const) {
  for (const report of ["comments", "status"] as const) {
    test(`a bot that dies when a post of ${report} was ${step} goes on after its start, and tells nothing twice`, () =>
      inPlace(
        { report, mode: "moderated" },
        async ({ mailbox, run, trees, server, end, journal, posts, sinks }) => {
          const mails = trees.mail(TWO);
          trees.push(mails, server.pull);
          mailbox.put(...mails);
          await run();
          const [{ post }] = await posts() as [PostRecord];
          await journal.approve(post.id, NOON);
          equal(await journal.claim(post.id, NOON), true);
          const github = sinks.find(({ name }) => name === "github")!;
          if (step === "delivered") await github.deliver(post, new AbortController().signal);
          const before = server.writes.length;
          equal(await end(), "sending: approved");
          await run();
          match(
            await end(),
            step === "delivered" ? /^sent: .*(?:status|summary) unchanged$/ : /^sent: .* written$/,
          );
          if (step === "delivered") equal(server.writes.length, before);
          const { threads, comments, statuses, checkRuns } = server;
          deepEqual(
            [threads.length, comments.length, statuses.length, checkRuns.length],
            report === "comments" ? [2, 1, 0, 1] : [0, 0, 1, 0],
          );
        },
      ));
  }
}

test("a hostile title, path and name reach GitHub as text and the queue without a control", async () => {
  const evil = "misc: \u202e@torvalds <!-- p2plint:v1 summary --> `[x](http://e.vil)` ::error::";
  const path = "drivers/misc/`@torvalds<b>.c";
  const changes = [{ title: evil, files: { [path]: fileWith(1) }, author: "\u202eEve <eve@example.org>" }];
  await inPlace({}, async ({ mailbox, run, trees, server, end }) => {
    const mails = trees.mail(changes);
    trees.push(mails, server.pull);
    server.pull.title = evil;
    mailbox.put(...mails);
    await run();
    match(await end(), /^sent: /);
    deepEqual(server.threads.map(({ path }) => path), [path]);
    for (const { body } of [...server.threads, ...server.comments]) {
      equal(/\u202e/.test(body), false);
      const outside = body.replace(/(`+)(?!`)[^]*?(?<!`)\1(?!`)/g, "").replace(/<!-- [^]*? -->/g, "\0");
      equal(/@\w|<b>|:\/\//.test(outside), false, body);
    }
  });
  await inPlace({ report: "status", mode: "dry-run" }, async ({ mailbox, run, trees, outbox }) => {
    mailbox.put(...trees.mail(changes));
    await run();
    const [{ text }] = outbox.posts as [MirrorPost];
    equal(/\u202e/.test(text), false);
    equal(readSeries(text).titles[0], evil);
  });
});

Deno.test("changeOf() knows a change again at other lines and in another order of files, and tells a moved line", async () => {
  const of = async (text: string) => changeOf(readPatch(await read(letter({ body: text }))));
  const patch = mistake("drivers/misc/a.c");
  const other = mistake("drivers/misc/b.c", "other_map", 3);
  const diff = (text: string) => text.slice(text.indexOf("diff --git"), text.indexOf("-- \n"));
  const both = await of(`${diff(patch)}${diff(other)}`);
  equal(await of(`${diff(other)}${diff(patch)}`), both);
  const hunk = "--- a/x/a.c\n+++ b/x/a.c\n@@ -5,3 +5,4 @@ int a(void)\n one\n two\n+new\n three\n";
  const at = await of(hunk);
  equal(await of(hunk.replace("-5,3 +5,4 @@ int a(void)", "-905,3 +807,4 @@ out:")), at);
  equal(await of(hunk.replace("+new", "+new \t")), at);
  for (
    const [from, to] of [[" two\n+new\n", "+new\n two\n"], ["+new", "+newer"], [" three", " tree"], [
      "x/a.c",
      "x/b.c",
    ]] as const
  ) {
    ok(await of(hunk.replaceAll(from, to)) !== at, to);
  }
});

Deno.test("likeness() knows a series by its title, whatever brackets stand before it", () => {
  const series = { titles: ["[foo] misc: a cover", "misc: a patch", "---"] } as unknown as MailedSeries;
  const table = [
    ["misc: a cover", 2],
    ["[bpf-next,v2] [foo]  Misc: a COVER", 2],
    ["misc: a patch", 2],
    ["misc: a patch, and more", 1],
    ["misc: a patchwork", 0],
    ["", 0],
    ["---", 0],
  ] as const;
  deepEqual(table.map(([title]) => likeness(title, series)), table.map(([, expected]) => expected));
});

Deno.test("readSeries() refuses what it did not write", () => {
  const refused = (text: string) => {
    try {
      readSeries(text);
    } catch (error) {
      return (error as Error).message;
    }
    return "taken";
  };
  match(refused("{"), /JSON/);
  match(
    refused('{"report":"mail","root":"1","version":1,"titles":[],"patches":[],"x":1}'),
    /"x" is unknown.*"report" is "mail"/,
  );
});
