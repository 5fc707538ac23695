import { deepEqual, equal, match, ok } from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { Ajv } from "ajv";
import AjvDraft04 from "ajv-draft-04";
import addFormats from "ajv-formats";
import { validateXML } from "xmllint-wasm";
import { main } from "../../bot/main.ts";
import { code, prose } from "../../bot/render/markdown.ts";
import {
  type Format,
  formats,
  renderer,
  type RuleText,
  type RunStart,
  type Summary,
} from "../../bot/render/mod.ts";
import { LIMITS } from "../../bot/render/sarif.ts";
import { rulePage } from "../../rules/engine/page.ts";
import type { Report } from "../../rules/engine/types.ts";
import { rules } from "../../rules/mod.ts";
import { readMarks } from "../../bot/github/marker.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { git } from "../tree/made_tree.ts";
import { GitHubServer } from "./github_server.ts";
import { inLab, read } from "./lab.ts";
import { LIST } from "./letters.ts";
import { emptyPull, fixtureTree, pushHead } from "./mirror_trees.ts";
import { finding, keep, mail, report, span } from "./reports.ts";

const ROOT = new URL("../../", import.meta.url);
const FIXTURE = new URL("fixtures/p2p-export.patch", ROOT).pathname;
const schema = (name: string) => Deno.readTextFileSync(new URL(`fixtures/schemas/${name}`, ROOT));

const SUMMARY: Summary = {
  inputs: 1,
  patches: 1,
  files: 0,
  judged: 1,
  findings: { error: 0, warning: 1, note: 0 },
  unseen: 0,
  defects: 0,
  faults: 0,
  passedOver: 0,
  passedOverReason: null,
  config: null,
  suppressed: 0,
  suppressedByPatch: 0,
  disregarded: 0,
  baseline: null,
};

const RULES: readonly RuleText[] = rules.map((rule) => ({ ...rule, page: rulePage(rule) }));

const START: RunStart = {
  tool: { name: "p2plint", version: "1.2.3" },
  color: false,
  quiet: false,
  rules: () => RULES,
};

function printed(format: Format, reports: readonly Report[], summary: Partial<Summary> = {}): string {
  const made = renderer(format);
  const judged = (one: Report) => ({ input: one.patch.mail.input, kind: "mail", report: one });
  return made.begin(START) + reports.map((one) => made.report(judged(one))).join("") +
    made.refuse({ input: "b.patch", what: "b.patch", reason: "no such file" }) +
    made.end({ ...SUMMARY, ...summary });
}

async function ran(...argv: string[]) {
  const terminal = keep();
  const code = await main(argv, terminal);
  return { code, ...terminal.printed };
}

// What a stranger may put into a path, a line of code and so into a message.
const HOSTILE =
  "\x1b[31m\0\ufffe\ud800]]>--><script>alert(1)</script>&amp;\"'::error::%0A@torvalds ![x](http://e.vil) ##[a]";

const evil = (): Report =>
  report(
    [
      finding({
        at: span(7, 4, `\t${HOSTILE}`, { path: `drivers/${HOSTILE}.c` }),
        message: `\`${HOSTILE}\` and ${HOSTILE}`,
        unless: HOSTILE,
        wanted: `${HOSTILE}\n${HOSTILE}`,
        function: HOSTILE,
        because: [{ at: span(2, 1, HOSTILE), note: HOSTILE }],
      }),
      finding({ severity: "note", at: span(8, 1, "") }),
      finding({ severity: "error", at: span(9, 1, "x", { side: "old" }) }),
    ],
    {
      unseen: [{ what: HOSTILE, reason: HOSTILE }],
      faults: [{ rule: "foo-bar", where: HOSTILE, error: new Error(HOSTILE) }],
    },
    mail({ input: HOSTILE, messageId: HOSTILE, subject: { ...mail().subject, text: HOSTILE } }),
  );

// The package is written for CommonJS: its types say nothing of the default under `default`.
const draft04 = new (AjvDraft04 as unknown as typeof Ajv)({
  allErrors: true,
  strict: false,
  unicodeRegExp: false,
});
(addFormats as unknown as (ajv: Ajv) => void)(draft04);
const isSarif = draft04.compile(JSON.parse(schema("sarif-2.1.0.json")));

function sarifOf(text: string) {
  const log = JSON.parse(text);
  deepEqual(isSarif(log) ? [] : isSarif.errors?.slice(0, 3), []);
  return log.runs[0];
}

Deno.test("sarifRenderer() passes the official schema, whatever a patch holds", () => {
  sarifOf(printed("sarif", []));
  const run = sarifOf(printed("sarif", [evil()]));
  equal(run.results.length, 3);
  // The path of the finding comes back from its URI but for what cannot be printed.
  const { uri } = run.results[1].locations[0].physicalLocation.artifactLocation;
  ok(decodeURIComponent(uri).includes("<script>"));
  equal(run.invocations[0].executionSuccessful, false);
  equal(new URL(uri, "https://example.org/").host, "example.org");
});

Deno.test("sarifRenderer() refuses nothing that the schema forbids: a broken log does not pass", () => {
  const log = JSON.parse(printed("sarif", [evil()]));
  log.runs[0].results[0].level = "fatal";
  equal(isSarif(log), false);
});

Deno.test("check --format sarif gives rules with help, fingerprints and the evidence as a code flow", async () => {
  const { code, out } = await ran("check", "--format", "sarif", FIXTURE);
  equal(code, 1);
  const { results, tool: { driver } } = sarifOf(out);
  const document = JSON.parse((await ran("check", "--format", "json", FIXTURE)).out);
  equal(results.length, document.findings.length);
  const fingerprints = results.map((one: { partialFingerprints: Record<string, string> }) =>
    one.partialFingerprints["p2plint/v1"]
  );
  const known = document.findings.map((one: { fingerprint: string }) => one.fingerprint);
  deepEqual(fingerprints.toSorted(), known.toSorted());
  for (const result of results) {
    const fingerprint: string = result.partialFingerprints["p2plint/v1"];
    const { rule, because, message, line, path } = document.findings.find((one: { fingerprint: string }) =>
      one.fingerprint === fingerprint
    );
    const { help, fullDescription, shortDescription } = driver.rules[result.ruleIndex];
    equal(driver.rules[result.ruleIndex].id, rule);
    match(help.markdown, /## Reported\n\n### /);
    ok(help.text.length > 0 && fullDescription.text.length <= 1024 && shortDescription.text.length <= 1024);
    equal(result.message.text.split("\n")[0], message);
    const steps = result.codeFlows[0].threadFlows[0].locations.map(({ location }: {
      location: { message: { text: string }; physicalLocation: { region: { startLine: number } } };
    }) => [location.physicalLocation.region.startLine, location.message.text]);
    deepEqual(steps, [
      ...because.map((step: { line: number; note: string }) => [step.line, step.note]),
      [line, message],
    ]);
    equal(result.locations[0].physicalLocation.artifactLocation.uri, path);
  }
});

const many = (count: number) =>
  Array.from({ length: count }, (_, no) =>
    report([finding({
      severity: no % 3 === 0 ? "error" : no % 3 === 1 ? "note" : "warning",
      at: span(no + 1, 2, `\tgo(foo[${no}], ${no * 7919});`, { path: `drivers/foo/foo${no % 500}.c` }),
      message: `\`foo[${no}]\` went wrong in ${no}`,
      because: Array.from({ length: 6 }, (_, step) => ({
        at: span(step + no, 3, `\tfoo[${no}] = get(${step});`),
        note: `step ${step} of ${no}`,
      })),
      fingerprint: (no * 2654435761).toString(16),
    })]));

Deno.test("sarifRenderer() keeps 10,000 findings within GitHub's limits", () => {
  const text = printed("sarif", many(10_000));
  const { results, tool } = sarifOf(text);
  const zipped = gzipSync(text).length;
  equal(results.length, 10_000);
  ok(zipped < 10 * 1024 * 1024, `${zipped} bytes`);
  ok(results.length <= 25_000 && tool.driver.rules.length <= 25_000);
  const most = (of: (result: { codeFlows: { threadFlows: { locations: unknown[] }[] }[] }) => number) =>
    Math.max(...results.map(of));
  ok(most(({ codeFlows }) => codeFlows[0]!.threadFlows[0]!.locations.length) <= 1000);
  for (const { properties } of tool.driver.rules) ok(properties.tags.length <= 20);
});

Deno.test("sarifRenderer() leaves out the least severe of too many, and says so", () => {
  const { results, invocations } = JSON.parse(printed("sarif", many(LIMITS.results + 300))).runs[0];
  equal(results.length, LIMITS.results);
  const count = (level: string) => results.filter((one: { level: string }) => one.level === level).length;
  const third = (LIMITS.results + 300) / 3;
  deepEqual([count("error"), count("warning")], [Math.ceil(third), Math.floor(third)]);
  match(JSON.stringify(invocations), /300 of 25300 results are left out, least severe first/);
});

for (const [format, file] of [["checkstyle", "checkstyle.xsd"], ["junit", "jenkins-junit.xsd"]] as const) {
  Deno.test(`${format}Renderer() passes the schema ${file}, whatever a patch holds`, async () => {
    for (const reports of [[], [report()], [evil(), evil()]]) {
      const xml = printed(format, reports);
      const { valid, errors } = await validateXML({
        xml: [{ fileName: `${format}.xml`, contents: xml }],
        schema: [schema(file)],
      });
      deepEqual([valid, errors.map(({ message }) => message)], [true, []], xml);
    }
  });
}

Deno.test("checkstyleRenderer() gathers a file's findings in one element", () => {
  const xml = printed("checkstyle", [report([finding()]), report([finding({ at: span(3, 1, "x") })])]);
  deepEqual([...xml.matchAll(/<file name="([^"]*)"/g)].map(([, name]) => name), ["drivers/foo/foo.c"]);
  deepEqual([...xml.matchAll(/<error line="(\d+)"/g)].map(([, line]) => line), ["7", "3"]);
});

Deno.test("junitRenderer() counts failures, errors and what was not judged", () => {
  const xml = printed("junit", [evil()]);
  match(xml, / tests="5" failures="2" errors="1" skipped="1">/);
  match(xml, /<testsuite name="b\.patch" tests="1" failures="0" errors="1" skipped="0">/);
});

/** What the runner reads of a line (actions/runner, ActionCommand.cs). */
function readCommand(line: string) {
  const found = /^\s*::(\w+) ([^:]*)::(.*)$/.exec(line);
  if (found === null) return null;
  const decode = (text: string) =>
    text.replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%0A", "\n").replaceAll("%25", "%");
  const properties = Object.fromEntries(
    found[2]!.split(",").map((pair) => pair.split("=") as [string, string]).map(([k, v]) => [k, decode(v)]),
  );
  return { name: found[1]!, properties, text: decode(found[3]!) };
}

Deno.test("githubRenderer() prints commands that the runner reads back, and no other line is one", () => {
  const lines = printed("github", [evil()]).trimEnd().split("\n");
  const commands = lines.map(readCommand);
  deepEqual(commands.map((one) => one?.name), ["warning", "notice", "error", "error", undefined]);
  equal(commands[0]!.properties.line, "7");
  match(commands[0]!.properties.file!, /^drivers\/.*@torvalds.*\.c$/);
  equal(commands[0]!.text.includes("::error::%0A"), true);
  for (const line of lines) equal(readCommand(line) === null && /^\s*::|##\[/.test(line), false, line);
});

Deno.test("githubRenderer() keeps to the annotations that GitHub shows, and says where the rest is", () => {
  const lines = printed("github", many(60)).trimEnd().split("\n");
  const names = lines.map((line) => readCommand(line)?.name);
  const count = (name: string) => names.filter((one) => one === name).length;
  // The error more is the input that could not be read.
  deepEqual([count("error"), count("warning"), count("notice")], [11, 10, 10]);
  equal(lines.filter((line) => /^p2plint: drivers\/foo\/foo\d+\.c:\d+: /.test(line)).length, 30);
  ok(lines.some((line) => line.includes("30 more in this log")));
});

Deno.test("prose() and code() leave nothing of a stranger's that Markdown would act on", () => {
  for (
    const text of [
      HOSTILE,
      "@torvalds",
      "`a` @b `c",
      "``",
      "a`@b`c",
      "[x](http://e.vil)",
      "<img src=x>",
      "www.e.vil",
      "#1 GH-2",
    ]
  ) {
    const shown = prose(text);
    const outside = shown.replace(/(`+)(?!`)[^]*?(?<!`)\1(?!`)/g, "").replaceAll("<!-- -->", "\0");
    equal(/(?<!\\)[[\]*_]|<|@\w|:\/\/|#\d|GH-\d|www\./.test(outside), false, shown);
  }
  equal(prose("`foo->bar` is from get_x()"), "`foo->bar` is from get\\_x()");
  equal(code("a `` b"), "```a `` b```");
  equal(code("`"), "`` ` ``");
});

Deno.test("markdownRenderer() fences code with more backticks than it holds", () => {
  const text = printed("markdown", [report([finding({ at: span(7, 1, "a ```` b"), wanted: "```" })])]);
  match(text, /^`````c\na ```` b\n`````$/m);
  match(text, /^````c\n```\n````$/m);
});

Deno.test("no format but checkstyle and terse hides what a patch allows itself", () => {
  const suppressed = [{
    finding: finding({ message: "`x` went wrong" }),
    reason: "it is fine",
    at: span(6, 1, "/* */"),
    byPatch: true,
  }];
  for (const format of formats) {
    const text = printed(format, [report([], { suppressed })]);
    equal(text.includes("it is fine"), !["checkstyle", "terse"].includes(format), format);
  }
  // What was allowed before is nobody's business here.
  const old = [{ ...suppressed[0]!, byPatch: false }];
  for (const format of ["sarif", "github", "markdown", "junit", "b4"] as const) {
    equal(printed(format, [report([], { suppressed: old })]).includes("it is fine"), false, format);
  }
});

async function withFile(text: string, run: (path: string) => Promise<void>) {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, text);
    await run(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("check --format b4 answers as b4's check protocol wants it", async () => {
  const { out } = await ran("check", "--format", "b4", FIXTURE);
  const results = JSON.parse(out);
  deepEqual(Object.keys(results[0]), ["tool", "status", "summary", "details"]);
  deepEqual([results.length, results[0].tool, results[0].status], [1, "p2plint", "fail"]);
  match(results[0].summary, /^1 error\b.* in 1 patch/);
  match(results[0].details, /drivers\/misc\/foo_export\.c:34:9: error: /);
  const clean =
    "Subject: [PATCH] a\nFrom: a@example.org\n\n--- a/x.c\n+++ b/x.c\n@@ -1,1 +1,2 @@\n int a;\n+int b;\n";
  await withFile(clean, async (path) => {
    deepEqual(JSON.parse((await ran("check", "--format", "b4", path)).out), [
      { tool: "p2plint", status: "pass", summary: "no findings in 1 patch (1 hunk)" },
    ]);
  });
  const cover = "Subject: [PATCH 0/2] a\nFrom: a@example.org\nMessage-ID: <1@example.org>\n\nHello.\n";
  await withFile(cover, async (path) => equal((await ran("check", "--format", "b4", path)).out, "[]\n"));
  const { out: unread } = await ran("check", "--format", "b4", "/nonexistent.mail");
  equal(JSON.parse(unread)[0].status, "fail");
});

/** The findings that an output tells of, as `path:line rule`; read as its readers would. */
const READ: Readonly<Record<Format, (text: string) => string[]>> = {
  text: (text) =>
    [...text.matchAll(/^(\S+:\d+):\d+: (?:error|warning|note): .* \[([\w-]+)\]$/gm)].map(([, at, rule]) =>
      `${at} ${rule}`
    ),
  json: (text) =>
    JSON.parse(text).findings.map((one: { path: string; line: number; rule: string }) =>
      `${one.path}:${one.line} ${one.rule}`
    ),
  terse: (text) =>
    [...text.matchAll(/^(\S+:\d+): [A-Z]+: .* \[([\w-]+)\]$/gm)].map(([, at, rule]) => `${at} ${rule}`),
  html: (text) =>
    Array.from(
      text.matchAll(
        /<article class="finding[^>]* data-rule="([\w-]+)"[^]*?<span class="path">([^<]+):\d+<\/span>/g,
      ),
      ([, rule, at]) => `${at} ${rule}`,
    ),
  sarif: (text) =>
    sarifOf(text).results.map(({ ruleId, locations: [{ physicalLocation: { artifactLocation, region } }] }: {
      ruleId: string;
      locations: [{ physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number } } }];
    }) => `${artifactLocation.uri}:${region.startLine} ${ruleId}`),
  github: (text) =>
    text.split("\n").map(readCommand).filter((one) => one !== null).map(({ properties }) =>
      `${properties.file}:${properties.line} ${properties.title!.slice("p2plint: ".length)}`
    ),
  markdown: (text) =>
    [...text.matchAll(/^\*\*\w+\*\* `([^`]+)`: .* \[`([\w-]+)`\]$/gm)].map(([, at, rule]) => `${at} ${rule}`),
  checkstyle: (text) =>
    [...text.matchAll(/<file name="([^"]*)">([^]*?)<\/file>/g)].flatMap(([, path, rows]) =>
      [...rows!.matchAll(/<error line="(\d+)".* source="p2plint\.([\w-]+)"/g)].map(([, line, rule]) =>
        `${path}:${line} ${rule}`
      )
    ),
  junit: (text) =>
    [...text.matchAll(/<testcase classname="([\w-]+)" name="([^"]+)"><(?:failure|system-out)/g)].map((
      [, rule, at],
    ) => `${at} ${rule}`),
  b4: (text) => READ.text(JSON.parse(text)[0].details ?? ""),
};

/** The fingerprints that an output carries; the formats that are not here have no place for them. */
const FINGERPRINTS = {
  json: (text: string): string[] =>
    JSON.parse(text).findings.map(({ fingerprint }: { fingerprint: string }) => fingerprint),
  sarif: (text: string): string[] =>
    sarifOf(text).results.map((one: { partialFingerprints: Record<string, string> }) =>
      one.partialFingerprints["p2plint/v1"]
    ),
};

/**
 * The findings of a reply, as its reader has them: a remark is about the statement that is quoted last above it, and
 * where that stands is in the patch that it answers.
 */
async function readReply(reply: string, letter: string): Promise<string[]> {
  const { files } = readPatch(await read(letter));
  const rows = files.flatMap(({ newPath, hunks }) =>
    hunks.flatMap(({ lines }) => lines.map((line) => ({ path: newPath, line })))
  );
  const quoted: (typeof rows)[number][] = [];
  const found: string[] = [];
  for (const said of reply.split("\n")) {
    const last = quoted.at(-1)?.line.bodyNo ?? 0;
    const row = rows.find(({ line }) => line.bodyNo! > last && said === `> ${line.raw}`);
    if (row !== undefined) quoted.push(row);
    const rule = /^ {2}\[([\w-]+), (?:error|warning|note)\]$/.exec(said)?.[1];
    if (rule === undefined) continue;
    let closed = 0;
    const start = quoted.findLast(({ line: { text } }) => {
      for (const sign of text) closed += sign === ")" ? 1 : sign === "(" ? -1 : 0;
      return closed <= 0;
    });
    const { path, line } = start!;
    found.push(`${path}:${line.kind === "removed" ? line.oldNo : line.newNo} ${rule}`);
  }
  return found;
}

/** What the bot says of a series: by mail, and at its pull request in a mirror. */
async function saidByBot(path: string) {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  const server = new GitHubServer(emptyPull("misc: foo: export the window"));
  const api = await server.start();
  try {
    fixtureTree(folder);
    const letters = Deno.readTextFileSync(path).split(/^From [0-9a-f]{40} .*\n/m).slice(1).map((mail, no) =>
      [
        `To: ${LIST.address}`,
        `List-Id: <${LIST.id}>`,
        ...(/^message-id:/im.test(mail) ? [] : [`Message-ID: <${no}@example.org>`]),
        mail,
      ].join("\n")
    );
    const box = `${folder}/.git/series.mbox`;
    const patches = letters.filter((mail) => mail.includes("\ndiff --git "));
    Deno.writeTextFileSync(box, patches.map((mail) => `From x Mon Sep 17 00:00:00 2001\n${mail}\n`).join(""));
    git(folder, "am", "-q", box);
    pushHead(folder, server.pull);
    server.pull.title = /^Subject: \[.*?\] (.*)$/m.exec(letters[0]!)![1]!;
    const bot = {
      // As much as `check` tells of.
      reply: { minSeverity: "note", minConfidence: "medium", maxPerSeries: 100 },
      lists: [{ ...LIST, mode: "send", mirror: { name: "foo", report: "comments", mode: "send" } }],
      mirrors: [{ name: "foo", repository: "kernel/linux", api, token: { file: "token" } }],
    };
    const mail: string[] = [];
    await inLab(bot, async ({ mailbox, run, smtp, journal }) => {
      mailbox.put(...letters);
      await run();
      for (const { text, inReplyTo } of smtp.posts) {
        mail.push(...await readReply(text, letters.find((one) => one.includes(`<${inReplyTo}>\n`))!));
      }
      deepEqual([...(await journal.counts()).posts.keys()], ["sent"]);
    });
    deepEqual(server.offences, []);
    return {
      mail,
      annotations: server.checkRuns.flatMap(({ annotations }) =>
        annotations.map(({ path, start_line, title, raw_details }) => ({
          at: `${path}:${start_line} ${title.slice("p2plint: ".length)}`,
          fingerprint: raw_details.slice("fingerprint ".length),
        }))
      ),
      comments: server.threads.map(({ path, line, body }) => ({
        at: `${path}:${line} ${/\[`([\w-]+)`\]$/m.exec(body)![1]}`,
        fingerprint: readMarks(body).marks[0]!.id,
      })),
    };
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

// Octokit's limiters keep timers for a while.
Deno.test({
  name: "every format, the mail and GitHub tell of the same findings, with the same fingerprints",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const inputs = [
      FIXTURE,
      ...["helper-repaired", "helper-misused"].map((name) =>
        new URL(`fixtures/series/${name}.mbox`, ROOT).pathname
      ),
    ];
    const counts: number[] = [];
    for (const path of inputs) {
      const document = (await ran("check", "--format", "json", path)).out;
      const expected = READ.json(document).sort();
      const fingerprints = FINGERPRINTS.json(document).sort();
      for (const [format, read] of Object.entries(READ)) {
        const { out } = await ran("check", "--format", format, path);
        deepEqual(read(out).sort(), expected, `${format} of ${path}`);
      }
      const { out } = await ran("check", "--format", "sarif", path);
      deepEqual(FINGERPRINTS.sarif(out).sort(), fingerprints, path);
      const { mail, annotations, comments } = await saidByBot(path);
      deepEqual(mail.sort(), expected, `mail of ${path}`);
      for (const shown of [annotations, comments]) {
        deepEqual(shown.map(({ at }) => at).sort(), expected, path);
        deepEqual(shown.map(({ fingerprint }) => fingerprint).sort(), fingerprints, path);
      }
      counts.push(expected.length);
    }
    deepEqual(counts, [3, 0, 1]);
  },
});
