import { deepEqual, equal, match, ok } from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "@std/path";
import { openPull } from "../../bot/github/client.ts";
import { marked, readMarks } from "../../bot/github/marker.ts";
import { placesIn } from "../../bot/github/place.ts";
import { identified, publish, type Published, type Verdict } from "../../bot/github/publish.ts";
import { GitHubError } from "../../bot/github/port.ts";
import { publishStatus } from "../../bot/github/status.ts";
import { githubCommand, report as reportPull } from "../../bot/github_command.ts";
import { main } from "../../bot/main.ts";
import type { Surroundings } from "../../bot/surroundings.ts";
import { readArguments } from "../../bot/options.ts";
import { git } from "../tree/made_tree.ts";
import { type Fault, GitHubServer, type PullState, type Seen } from "./github_server.ts";
import { fixtureTree, pushHead } from "./mirror_trees.ts";
import { finding, keep, span } from "./reports.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url).pathname;
const FIELD = `${FIXTURES}field-of-another-file.patch`;
/** Nothing in order depends on it, and nobody waits for it. */
const SECOND_MS = 1;

async function withServer(
  pull: PullState,
  use: (server: GitHubServer, url: string) => Promise<void>,
  prefix = "",
): Promise<void> {
  const server = new GitHubServer(pull, prefix);
  const url = await server.start();
  try {
    await use(server, url);
    deepEqual(server.offences, []);
  } finally {
    await server.stop();
  }
}

// Octokit's limiters keep timers for a while.
const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });

/** A pull request with one new file of many lines. */
function madePull(lines = 400): PullState {
  return {
    number: 7,
    title: "misc: foo: start the engine",
    state: "open",
    head: "a".repeat(40),
    base: "b".repeat(40),
    isFork: false,
    branch: "topic",
    files: [{
      filename: "drivers/foo/foo.c",
      patch: `@@ -0,0 +1,${lines} @@\n${
        Array.from({ length: lines }, (_, no) => `+\tgo(${no + 1});`).join("\n")
      }`,
    }],
    patch: "",
  };
}

const idOf = (no: number) => (0xabc000 + no).toString(16);

/** As many findings, at lines from 1 on; the first `outside` of them in a file that the pull request leaves alone. */
function madeVerdict(count: number, outside = 0): Verdict {
  const found = identified(Array.from({ length: count }, (_, no) => {
    const path = no < outside ? "drivers/foo/other.c" : "drivers/foo/foo.c";
    const at = span(no + 1, 2, `\tgo(${no + 1});`, { path });
    return {
      finding: finding({ at, fingerprint: idOf(no), message: `\`go(${no})\` went wrong` }),
      atHead: at,
    };
  }));
  return {
    found,
    total: `${count} warnings in 1 patch (1 hunk)`,
    allowed: [],
    notJudged: [],
    result: count > 0 ? "failure" : "clean",
  };
}

const clientOf = (url: string) =>
  openPull(
    { baseUrl: url, auth: "token-of-the-test", userAgent: "test", log: () => {}, secondMs: SECOND_MS },
    { owner: "kernel", name: "linux" },
    7,
  );

async function published(url: string, verdict: Verdict): Promise<Published> {
  const github = clientOf(url);
  return await publish(
    github,
    await github.pull(),
    verdict,
    (s) => new Promise((done) => setTimeout(done, s * SECOND_MS)),
  );
}

/** What a maintainer sees, without the ids that GitHub gives. */
function seen({ checkRuns, threads, reviews, comments }: GitHubServer) {
  const sorted = (texts: string[]) => texts.sort();
  return {
    runs: checkRuns.map(({ head_sha, status, conclusion, annotations }) => [
      head_sha,
      status,
      conclusion,
      sorted(annotations.map(({ path, start_line, raw_details }) => `${path}:${start_line} ${raw_details}`)),
    ]),
    threads: sorted(
      threads.map(({ path, line, side, isResolved, body }) =>
        `${path}:${line} ${side} ${isResolved} ${JSON.stringify(readMarks(body).marks)}`
      ),
    ),
    bodies: sorted(reviews.flatMap(({ body }) => readMarks(body).marks.map((mark) => JSON.stringify(mark)))),
    comments: comments.map(({ body }) => body),
  };
}

test("publish() tells of every finding once: annotations by 50, comments by 30, the rest in a body", () =>
  withServer(madePull(), async (server, url) => {
    const result = await published(url, madeVerdict(123, 4));
    deepEqual([result.check, result.review, result.summary], ["written", "written", "written"]);
    const [run] = server.checkRuns;
    deepEqual([run!.status, run!.conclusion, run!.annotations.length], ["completed", "failure", 123]);
    const sizes = (path: RegExp, of: (body: Record<string, unknown>) => unknown[]) =>
      server.writes.filter((one) => path.test(one.path)).map(({ body }) => of(body).length);
    deepEqual(
      sizes(/check-runs/, (body) => (body.output as { annotations: unknown[] }).annotations),
      [50, 50, 23],
    );
    deepEqual(sizes(/reviews/, (body) => body.comments as unknown[]), [30, 30, 30, 29, 0]);
    deepEqual(server.threads.map(({ path, line, side }) => [path, line, side])[0], [
      "drivers/foo/foo.c",
      5,
      "RIGHT",
    ]);
    equal(readMarks(server.reviews.at(-1)!.body).marks.length, 4);
    equal(server.comments.length, 1);
    match(server.comments[0]!.body, /^<!-- p2plint:v1 summary -->\np2plint: 123 warnings/);
  }));

test("publish() writes nothing to an unchanged pull request", () =>
  withServer(madePull(), async (server, url) => {
    await published(url, madeVerdict(70, 2));
    const before = server.writes.length;
    const again = await published(url, madeVerdict(70, 2));
    deepEqual([again.check, again.review, again.summary], ["unchanged", "unchanged", "unchanged"]);
    deepEqual(server.writes.slice(before), []);
  }));

test("publish() resolves exactly what a push fixed, adds what it brought, and leaves the rest", () =>
  withServer(madePull(), async (server, url) => {
    const first = madeVerdict(6, 2);
    await published(url, first);
    const before = server.writes.length;
    server.pull.head = "c".repeat(40);
    // One of those at a line and one of those in a body are gone, one is new.
    const fresh = identified([{
      finding: finding({ fingerprint: "ffff", at: span(40, 2, "\tgo(40);") }),
      atHead: span(40, 2, ""),
    }]);
    const found = [...first.found.filter(({ id }) => id !== idOf(3) && id !== idOf(1)), ...fresh];
    await published(url, { ...first, found, total: "5 warnings in 1 patch (1 hunk)" });
    deepEqual(server.threads.map(({ isResolved, body }) => [isResolved, readMarks(body).marks[0]]), [
      [false, { id: idOf(2), state: "open" }],
      [true, { id: idOf(3), state: "fixed" }],
      [false, { id: idOf(4), state: "open" }],
      [false, { id: idOf(5), state: "open" }],
      [false, { id: "ffff", state: "open" }],
    ]);
    match(server.threads[1]!.body, /\nGone as of c{40}\.\n\n\*\*warning\*\*: `go\(3\)`/);
    deepEqual(readMarks(server.reviews[1]!.body).marks, [{ id: idOf(0), state: "open" }, {
      id: idOf(1),
      state: "fixed",
    }]);
    deepEqual(
      server.writes.slice(before).map(({ method, path }) => `${method} ${path.replace(/\d{5,}/, "N")}`),
      [
        "post /repos/kernel/linux/check-runs",
        "post /repos/kernel/linux/pulls/7/reviews",
        "post /graphql",
        "patch /repos/kernel/linux/pulls/comments/N",
        "put /repos/kernel/linux/pulls/7/reviews/N",
        "patch /repos/kernel/linux/issues/comments/N",
      ],
    );
    const calm = server.writes.length;
    await published(url, { ...first, found, total: "5 warnings in 1 patch (1 hunk)" });
    equal(server.writes.length, calm);
  }));

test("publish() says it again when a mistake comes back", () =>
  withServer(madePull(), async (server, url) => {
    const verdict = madeVerdict(1);
    await published(url, verdict);
    await published(url, { ...verdict, found: [], total: "no findings", result: "clean" });
    match(server.comments[0]!.body, /Nothing of what was found before is left/);
    await published(url, verdict);
    deepEqual(server.threads.map(({ isResolved }) => isResolved), [true, false]);
  }));

test("publish() says nothing to a pull request that was always clean, but for a check that passed", () =>
  withServer(madePull(), async (server, url) => {
    await published(url, { ...madeVerdict(0), total: "no findings" });
    deepEqual(server.writes.map(({ path }) => path), ["/repos/kernel/linux/check-runs"]);
    equal(server.checkRuns[0]!.conclusion, "success");
  }));

test("publish() does not call a pull request clean of which nothing could be judged", () =>
  withServer(madePull(), async (server, url) => {
    await published(url, {
      ...madeVerdict(0),
      total: "no findings",
      notJudged: ["x: too large"],
      result: "nothing",
    });
    equal(server.checkRuns[0]!.conclusion, "neutral");
  }));

test("publish() does not lose the others to a line that GitHub does not take", () =>
  withServer(madePull(), async (server, url) => {
    server.refusedLines.add(17);
    await published(url, madeVerdict(40));
    equal(server.threads.length, 39);
    deepEqual(server.threads.filter(({ line }) => line === 17), []);
    deepEqual(server.reviews.flatMap(({ body }) => readMarks(body).marks), [{ id: idOf(16), state: "open" }]);
    const before = server.writes.length;
    await published(url, madeVerdict(40));
    equal(server.writes.length, before);
  }));

test("publish() counts only its own comments, and in these only marks that open the text", () =>
  withServer(madePull(), async (server, url) => {
    const mark = marked([{ id: idOf(0), state: "open" }], "not ours");
    server.threads.push({
      id: 1,
      body: mark,
      isOurs: false,
      path: "x",
      line: 1,
      side: "RIGHT",
      isResolved: false,
    });
    server.comments.push({ id: 2, body: "<!-- p2plint:v1 summary -->\nnot ours", isOurs: false });
    server.reviews.push({ id: 3, body: `> ${mark}`, isOurs: true });
    await published(url, madeVerdict(1));
    equal(server.threads.length, 2);
    equal(server.comments.length, 2);
    equal(server.comments[0]!.body, "<!-- p2plint:v1 summary -->\nnot ours");
  }));

test("publish() goes through all pages of what stands there", () =>
  withServer(madePull(), async (server, url) => {
    for (let no = 0; no < 250; no++) {
      server.comments.push({ id: 100 + no, body: "hello", isOurs: no % 2 === 0 });
      server.pull.files.push({ filename: `drivers/foo/f${no}.c`, patch: "@@ -1,0 +2,1 @@\n+\tgo();" });
    }
    await published(url, madeVerdict(130));
    const last = span(2, 1, "", { path: "drivers/foo/f249.c" });
    const verdict = madeVerdict(130);
    const found = [
      ...verdict.found,
      ...identified([{ finding: finding({ fingerprint: "eeee", at: last }), atHead: last }]),
    ];
    const before = server.threads.length;
    await published(url, { ...verdict, found });
    deepEqual(
      [before, server.threads.length, server.comments.filter(({ body }) => body !== "hello").length],
      [130, 131, 1],
    );
  }));

test("publish() marks a comment as fixed where the token may not resolve its thread", () =>
  withServer(madePull(), async (server, url) => {
    server.mayResolve = false;
    const verdict = madeVerdict(2);
    await published(url, verdict);
    const less = { ...verdict, found: verdict.found.slice(1) };
    const { review, remarks } = await published(url, less);
    equal(review, "written");
    match(remarks.join(), /resolve a thread: .*not accessible/);
    deepEqual(readMarks(server.threads[0]!.body).marks, [{ id: idOf(0), state: "fixed" }]);
    const before = server.writes.length;
    await published(url, less);
    equal(server.writes.length, before);
  }));

test("publish() closes a check run of its own that broke off with something else to say", () =>
  withServer(madePull(), async (server, url) => {
    server.fault = ({ method, path }) =>
      method === "patch" && path.includes("check-runs") ? { status: 503 } : null;
    await published(url, madeVerdict(60));
    deepEqual(server.checkRuns.map(({ status }) => status), ["in_progress"]);
    server.fault = () => null;
    await published(url, madeVerdict(3));
    deepEqual(server.checkRuns.map(({ status, conclusion }) => [status, conclusion]), [
      ["completed", "neutral"],
      ["completed", "failure"],
    ]);
    const before = server.writes.length;
    await published(url, madeVerdict(3));
    equal(server.writes.length, before);
  }));

/** What may go wrong once with a write, and what publish() makes of it. */
const FAULTS: readonly (readonly [name: string, fault: Fault])[] = [
  ["403 secondary rate limit", {
    status: 403,
    headers: { "retry-after": "2" },
    message: "You have exceeded a secondary rate limit. Please wait a few minutes.",
  }],
  ["429 secondary rate limit", {
    status: 429,
    headers: { "retry-after": "2" },
    message: "You have exceeded a secondary rate limit",
  }],
  ["403 primary rate limit", {
    status: 403,
    headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1" },
    message: "API rate limit exceeded",
  }],
  ["500", { status: 500 }],
  ["502", { status: 502 }],
  ["the connection cut before", "cut before"],
  ["the connection cut after", "cut after"],
];

/** The state of a pull request with 64 findings, three of them outside of the diff, after nothing went wrong. */
async function undisturbed(): Promise<{ state: ReturnType<typeof seen>; requests: number; writes: number }> {
  let result: Awaited<ReturnType<typeof undisturbed>>;
  await withServer(madePull(), async (server, url) => {
    await published(url, madeVerdict(64, 3));
    result = { state: seen(server), requests: server.requests.length, writes: server.writes.length };
  });
  return result!;
}

for (const [name, fault] of FAULTS) {
  test(`publish() loses nothing and repeats nothing: ${name}, at any one request`, async () => {
    const { state, requests } = await undisturbed();
    for (let at = 0; at < requests; at++) {
      await withServer(madePull(), async (server, url) => {
        server.fault = () => server.requests.length === at + 1 ? fault : null;
        const result = await published(url, madeVerdict(64, 3));
        deepEqual(
          [result.check, result.review, result.summary],
          ["written", "written", "written"],
          `request ${at}`,
        );
        deepEqual(seen(server), state, `request ${at}`);
        const before = server.writes.length;
        await published(url, madeVerdict(64, 3));
        equal(server.writes.length, before, `request ${at}`);
      });
    }
  });
}

test("publish() goes on where an earlier run broke off, whichever request that was", async () => {
  const { state, requests } = await undisturbed();
  for (let at = 0; at < requests; at++) {
    for (const end of ["cut before", "cut after"] as const) {
      await withServer(madePull(), async (server, url) => {
        server.fault = () =>
          server.requests.length <= at ? null : server.requests.length === at + 1 ? end : "cut before";
        await published(url, madeVerdict(64, 3)).then(
          ({ summary }) => ok(typeof summary === "object" && "failed" in summary),
          (error) => ok(error instanceof GitHubError && error.failure === "uncertain", String(error)),
        );
        server.fault = () => null;
        await published(url, madeVerdict(64, 3));
        deepEqual(seen(server), state, `${end} ${at}`);
      });
    }
  }
});

for (
  const [name, fault] of [["403", { status: 403 }], ["404", { status: 404 }], ["422", {
    status: 422,
  }]] as const
) {
  test(`publish() does the other steps when one is answered ${name} for good`, async () => {
    for (
      const [path, step] of [["/check-runs", "check"], ["/pulls/7/reviews", "review"], [
        "/issues/7/comments",
        "summary",
      ]] as const
    ) {
      await withServer(madePull(), async (server, url) => {
        server.fault = (request: Seen) => request.isWrite && request.path.endsWith(path) ? fault : null;
        const result = await published(url, madeVerdict(5, 1));
        for (const other of ["check", "review", "summary"] as const) {
          if (other !== step) equal(result[other], "written", `${other} of ${step}`);
        }
        const way = result[step];
        ok(
          typeof way === "object" && (name === "422" ? "failed" in way : "refused" in way),
          JSON.stringify(way),
        );
        server.fault = () => null;
        await published(url, madeVerdict(5, 1));
        deepEqual([server.threads.length, server.comments.length, server.checkRuns.length], [4, 1, 1]);
      });
    }
  });
}

test("publish() does not try forever, and says that it was not told", () =>
  withServer(madePull(), async (server, url) => {
    server.fault = ({ isWrite }) => isWrite ? { status: 503 } : null;
    const { check, review, summary } = await published(url, madeVerdict(3));
    for (const way of [check, review, summary]) ok(typeof way === "object" && "failed" in way);
    ok(server.writes.length <= 15, `${server.writes.length} writes`);
  }));

const STATUS_URL = "https://lore.kernel.org/all/1@example.org/";

async function statusSet(url: string, verdict: Verdict) {
  const github = clientOf(url);
  const wait = (s: number) => new Promise<void>((done) => setTimeout(done, s * SECOND_MS));
  return await publishStatus(github, await github.pull(), verdict, STATUS_URL, wait);
}

test("publishStatus() says what was found in one status of the head commit, and says it once", () =>
  withServer(madePull(), async (server, url) => {
    equal(await statusSet(url, madeVerdict(3)), "written");
    deepEqual(server.statuses, [{
      context: "p2plint",
      sha: server.pull.head,
      state: "failure",
      description: "3 warnings in 1 patch (1 hunk); drivers/foo/foo.c:1: `go(0)` went wrong [foo-bar]",
      target_url: STATUS_URL,
    }]);
    equal(await statusSet(url, madeVerdict(3)), "unchanged");
    equal(server.writes.length, 1);
    const clean = { ...madeVerdict(0), total: "no findings in 1 patch (1 hunk)" };
    equal(await statusSet(url, clean), "written");
    // What was said before the last one does not count.
    equal(await statusSet(url, madeVerdict(3)), "written");
    equal(await statusSet(url, { ...clean, result: "nothing", notJudged: ["a: too large"] }), "written");
    deepEqual(server.statuses.slice(1).map(({ state, description }) => [state, description]), [
      ["success", "no findings in 1 patch (1 hunk)"],
      ["failure", server.statuses[0]!.description],
      ["error", "could not be judged; a: too large"],
    ]);
  }));

test("publishStatus() looks behind a page of the statuses of others, and keeps to 140 characters", () =>
  withServer(madePull(), async (server, url) => {
    const verdict = { ...madeVerdict(1), total: `\u202e${"😀".repeat(200)}` };
    equal(await statusSet(url, verdict), "written");
    match(server.statuses[0]!.description, /^\\u\{202e\}😀+…$/u);
    const { sha } = server.statuses[0]!;
    for (let no = 0; no < 130; no++) {
      server.statuses.push({ sha, context: `ci ${no}`, state: "success", description: "", target_url: "" });
    }
    equal(await statusSet(url, verdict), "unchanged");
  }));

for (const [name, fault] of FAULTS) {
  test(`publishStatus() sets one status, not two: ${name}, at any one request`, async () => {
    for (let at = 0; at < 3; at++) {
      await withServer(madePull(), async (server, url) => {
        server.fault = () => server.requests.length === at + 1 ? fault : null;
        equal(await statusSet(url, madeVerdict(3)), "written", `request ${at}`);
        equal(server.statuses.length, 1, `request ${at}`);
      });
    }
  });
}

Deno.test("placesIn() finds lines of both sides, and none outside of the hunks", () => {
  const patch =
    "@@ -10,4 +10,4 @@ int a(void)\n a\n-\told(x);\n-\told(x);\n+\tnew(x);\n+\tnew(y);\n b\n\\ No newline at end of file";
  const place = placesIn([{ path: "a.c", patch }, { path: "big.c", patch: null }]);
  const at = (line: number, more = {}) => place(span(line, 1, "", { path: "a.c", ...more }));
  deepEqual([9, 10, 11, 12, 13, 14].map((line) => at(line)?.side ?? null), [
    null,
    "RIGHT",
    "RIGHT",
    "RIGHT",
    "RIGHT",
    null,
  ]);
  deepEqual(at(11, { side: "old", text: "\told(x);" }), { side: "LEFT", line: 11 });
  deepEqual(at(11, { side: "old", text: "\tnever(x);" }), null);
  deepEqual([at(1, { path: "big.c" }), at(1, { path: "none.c" })], [null, null]);
});

Deno.test("readMarks() takes back what marked() wrote, and nothing that comes later", () => {
  const marks = [{ id: "0ab#2", state: "open" }, { id: "1", state: "fixed" }] as const;
  deepEqual(readMarks(marked(marks, "text")), { marks, text: "text" });
  deepEqual(readMarks(marked(marks, "text").replaceAll("\n", "\r\n")).marks, marks);
  const quoted = `\`\`\`c\n${marked(marks, "")}\`\`\``;
  deepEqual(readMarks(quoted), { marks: [], text: quoted });
});

/** A pull request made of real commits in a real repository. */
interface RealPull {
  readonly folder: string;
  readonly pull: PullState;
  /** Takes HEAD for the new head. */
  push(): void;
}

async function withPull(use: (real: RealPull) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    fixtureTree(folder);
    const pull: PullState = { ...madePull(), isFork: true };
    const push = () => pushHead(folder, pull);
    git(folder, "am", "-q", FIELD);
    push();
    await use({ folder, pull, push });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function ran(argv: readonly string[], env: Readonly<Record<string, string>>) {
  const terminal = keep();
  const world: Surroundings = { env: (name) => env[name] ?? null, secondMs: SECOND_MS };
  const code = await reportPull(await readArguments(githubCommand.command, argv), terminal, world);
  return { code, ...terminal.printed };
}

const TOKEN = { GITHUB_TOKEN: "token-of-the-test" };

/** The findings that `check --format json` tells of. */
async function checked(...argv: string[]) {
  const terminal = keep();
  await main(["check", "--format", "json", ...argv], terminal);
  type Row = { path: string; line: number; fingerprint: string; message: string; rule: string };
  return JSON.parse(terminal.printed.out).findings as Row[];
}

test("github reports what check finds in the mails, word for word, from a clone and from the API", () =>
  withPull(async ({ folder, pull }) => {
    const expected = await checked("--tree", folder, "--git", `${pull.base}..HEAD`);
    const mbox = join(folder, ".git/series.mbox");
    Deno.writeTextFileSync(mbox, pull.patch);
    git(folder, "checkout", "-q", pull.base);
    deepEqual(
      (await checked("--tree", folder, mbox)).map(({ fingerprint }) => fingerprint),
      expected.map(({ fingerprint }) => fingerprint),
    );
    ok(expected.length > 0);
    for (const isClone of [true, false]) {
      await withServer({ ...pull }, async (server, url) => {
        const tree = isClone ? ["--tree", folder] : ["--tree", `${FIXTURES}tree`];
        const { code, out, err } = await ran(["--pr", "kernel/linux#7", "--api", url, ...tree], TOKEN);
        equal(code, 1, err);
        equal(/they come from the API/.test(err), !isClone);
        const shown = server.checkRuns[0]!.annotations.map(({ path, start_line, raw_details, message }) => ({
          path,
          line: start_line,
          fingerprint: raw_details.slice("fingerprint ".length),
          message: message.split("\n")[0],
        }));
        deepEqual(
          shown,
          expected.map(({ path, line, fingerprint, message }) => ({ path, line, fingerprint, message })),
        );
        deepEqual(
          server.threads.map(({ path, line, body }) => ({ path, line, id: readMarks(body).marks[0]!.id })),
          expected.map(({ path, line, fingerprint }) => ({ path, line, id: fingerprint })),
        );
        for (const { message, rule } of expected) {
          ok(out.includes(message), "the log has the words of the text format");
          ok(server.threads[0]!.body.replaceAll("\\", "").includes(message));
          ok(server.comments[0]!.body.includes(rule));
        }
        const before = server.writes.length;
        await ran(["--pr", "kernel/linux#7", "--api", url, ...tree], TOKEN);
        equal(server.writes.length, before, "a second run writes nothing");
      });
    }
  }));

test("github names the line of the head for a finding of an earlier commit, and resolves what a push repairs", () =>
  withPull(async ({ folder, pull, push }) => {
    const path = "drivers/misc/foo/foo_dmabuf.c";
    const text = Deno.readTextFileSync(join(folder, path));
    Deno.writeTextFileSync(join(folder, path), `/* one */\n/* two */\n${text}`);
    git(folder, "commit", "-qam", "two lines above");
    push();
    await withServer(pull, async (server, url) => {
      const argv = ["--pr", "kernel/linux#7", "--api", url, "--tree", folder];
      equal((await ran(argv, TOKEN)).code, 1);
      deepEqual(server.threads.map((one) => [one.path, one.line, one.isResolved]), [[path, 34, false]]);
      git(folder, "revert", "--no-edit", "HEAD~1");
      push();
      equal((await ran(argv, TOKEN)).code, 0);
      deepEqual(server.threads.map(({ isResolved }) => isResolved), [true]);
      equal(server.checkRuns.at(-1)!.conclusion, "success");
    });
  }));

test("github with a token that may only read prints annotations, says so, and fails for what it found", () =>
  withPull(({ folder, pull }) =>
    withServer(pull, async (server, url) => {
      server.isReadOnly = true;
      const { code, out, err } = await ran(["--pr", "kernel/linux#7", "--api", url, "--tree", folder], {
        ...TOKEN,
        GITHUB_ACTIONS: "true",
      });
      equal(code, 1);
      match(err, /the token may only read/);
      match(
        out,
        /^::stop-commands::([\w-]+)\n[^]*\n::\1::\n::error file=drivers\/misc\/foo\/foo_dmabuf\.c,line=32,/,
      );
      deepEqual([server.threads, server.checkRuns, server.comments], [[], [], []]);
    })
  ));

async function withEvent(event: unknown, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, JSON.stringify(event));
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

test("github in a workflow needs no argument, for pull_request and for workflow_run", () =>
  withPull(async ({ folder, pull }) => {
    const run = {
      workflow_run: {
        event: "pull_request",
        head_sha: pull.head,
        head_branch: "topic",
        head_repository: { owner: { login: "octo" } },
        pull_requests: [],
      },
    };
    for (const event of [{ pull_request: { number: 7, head: { sha: pull.head } } }, run]) {
      await withEvent(event, (path) =>
        withServer({ ...pull }, async (server, url) => {
          const env = {
            ...TOKEN,
            GITHUB_API_URL: url,
            GITHUB_REPOSITORY: "kernel/linux",
            GITHUB_EVENT_PATH: path,
            GITHUB_WORKSPACE: folder,
          };
          const { code, err } = await ran([], env);
          equal(code, 1, err);
          equal(server.threads.length, 1);
          // Another push came in between: its own run reports.
          server.pull.head = "d".repeat(40);
          const before = server.writes.length;
          const late = await ran([], env);
          deepEqual([late.code, server.writes.length], [0, before], late.err);
        }));
    }
  }));

test("github talks to GitHub Enterprise, REST and GraphQL", () =>
  withPull(({ folder, pull }) =>
    withServer(pull, async (server, url) => {
      equal((await ran(["--pr", "kernel/linux#7", "--api", url, "--tree", folder], TOKEN)).code, 1);
      equal(server.threads.length, 1);
      ok(server.requests.some(({ path }) => path === "/graphql"));
    }, "/api/v3")
  ));

test("github acts as a GitHub App with a token of its installation", () =>
  withPull(({ folder, pull }) =>
    withServer(pull, async (server, url) => {
      server.tokens = [];
      const { privateKey } = generateKeyPairSync("rsa", {
        modulusLength: 2048,
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
      });
      const env = { P2PLINT_APP_ID: "12", P2PLINT_APP_KEY: privateKey, P2PLINT_APP_INSTALLATION: "34" };
      const { code, err } = await ran(["--pr", "kernel/linux#7", "--api", url, "--tree", folder], env);
      equal(code, 1, err);
      deepEqual(
        server.requests.filter(({ path }) => path === "/app/installations/34/access_tokens").length,
        1,
      );
      equal(server.threads.length, 1);
    })
  ));

test("github says what keeps it from running", async () => {
  const pull = madePull();
  await withServer(pull, async (server, url) => {
    const refused = async (argv: string[], env: Record<string, string>, said: RegExp) => {
      const { code, err } = await ran(argv, env).catch((error) => ({
        code: 2,
        err: `${error.name}: ${error.message}`,
      }));
      equal(code, 2, err);
      match(err, said);
    };
    const api = ["--api", url];
    await refused(["--pr", "linux#7", ...api], TOKEN, /not OWNER\/REPO#NUMBER/);
    await refused(["--pr", "kernel/linux#7", ...api], {}, /needs a token in GITHUB_TOKEN/);
    await refused(["--pr", "kernel/linux#7", "--api", "ftp://x"], TOKEN, /no address of GitHub's API/);
    await refused(api, TOKEN, /needs --pr OWNER\/REPO#NUMBER outside of a workflow/);
    await refused(["--pr", "kernel/linux#8", ...api], TOKEN, /Cannot read pull request 8: 404/);
    await refused(["--pr", "kernel/linux#7", ...api], { GITHUB_TOKEN: "wrong" }, /401 Bad credentials/);
    const reads = () => server.requests.filter(({ path }) => path.endsWith("/pulls/7")).length;
    const before = reads();
    server.fault = () =>
      reads() === before + 2 ? { status: 406, message: "the diff exceeded the maximum" } : null;
    await refused(
      ["--pr", "kernel/linux#7", ...api],
      TOKEN,
      /give --tree a clone.*\n.*406 the diff exceeded/,
    );
    server.fault = () => null;
    deepEqual(server.writes, []);
    server.pull.state = "closed";
    equal((await ran(["--pr", "kernel/linux#7", ...api], TOKEN)).code, 0);
  });
});
