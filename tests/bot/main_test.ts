import { deepEqual, equal, match } from "node:assert/strict";
import { main } from "../../bot/main.ts";
import { formats } from "../../bot/render/mod.ts";
import { rules } from "../../rules/mod.ts";
import { keep } from "./reports.ts";

const FIXTURE = new URL("../../fixtures/p2p-export.patch", import.meta.url).pathname;

async function ran(...argv: string[]) {
  const terminal = keep();
  const code = await main(argv, terminal);
  return { code, ...terminal.printed };
}

Deno.test("main() without a command prints the help and fails", async () => {
  const { code, out, err } = await ran();
  deepEqual([code, out], [2, ""]);
  match(err, /usage: p2plint COMMAND/);
});

for (const command of ["check", "github", "patchwork", "model", "show", "rules", "explain"]) {
  Deno.test(`main() prints the help of ${command} with an example`, async () => {
    const { code, out } = await ran(command, "--help");
    equal(code, 0);
    match(out, new RegExp(`example:\n  p2plint ${command}`));
  });
}

for (
  const [argv, complaint] of [
    [["chekc"], 'unknown command "chekc", did you mean check?'],
    [["check", "--fromat", "json"], 'unknown option "--fromat", did you mean --format?'],
    [["check", "--fromat=json"], 'unknown option "--fromat", did you mean --format?'],
    [["check", "-x"], 'unknown option "-x"'],
    [["check", "--format", "xml", "a"], '--format is "xml", not one of text, json, terse, html, sarif'],
    [["check", "--kernel", "new", "a"], '--kernel is "new", not a release such as 6.12'],
    [["check", "--format"], "option --format needs a value: FORMAT"],
    [["check", "--rules", "p2p-dma-map-resource-on-bra", "a"], 'unknown rule "p2p-dma-map-resource-on-bra"'],
    [["check"], "check needs a path, or - for standard input"],
    [["explain"], "explain takes one rule"],
    [["explain", "\x1b[2J"], 'unknown rule "\\x1b[2J"'],
  ] as const
) {
  Deno.test(`main() refuses "${argv.join(" ").replace("\x1b", "ESC")}"`, async () => {
    const { code, out, err } = await ran(...argv);
    deepEqual([code, out], [2, ""]);
    equal(err.startsWith(`p2plint: ${complaint}`), true, err);
  });
}

Deno.test("main() explains every rule by its id and by its code", async () => {
  for (const { id, code } of rules) {
    const { out } = await ran("explain", id);
    equal(out.startsWith(`${id}\n`), true);
    equal((await ran("explain", code)).out, out);
  }
});

Deno.test("main() lists every rule", async () => {
  const { out } = await ran("rules", "--format", "json");
  deepEqual(JSON.parse(out).map(({ id }: { id: string }) => id), rules.map(({ id }) => id));
});

Deno.test("main() checks the fixture of the README: the BAR is found, exit 1", async () => {
  const { code, out, err } = await ran("check", "--format", "json", FIXTURE);
  deepEqual([code, err], [1, ""]);
  const document = JSON.parse(out);
  const found = document.findings.find(({ rule }: { rule: string }) =>
    rule === "p2p-dma-map-resource-on-bar"
  );
  deepEqual([found.path, found.line, found.side], ["drivers/misc/foo_export.c", 34, "new"]);
});

Deno.test("main() exits by --fail-on", async () => {
  equal((await ran("check", "--fail-on", "never", FIXTURE)).code, 0);
  equal((await ran("check", "--fail-on", "error", FIXTURE)).code, 1);
});

Deno.test("main() runs only the rules that are left", async () => {
  const id = "p2p-dma-map-resource-on-bar";
  const only = JSON.parse((await ran("check", "--format", "json", "--rules", id, FIXTURE)).out);
  equal(only.findings.every(({ rule }: { rule: string }) => rule === id), true);
  const all = rules.map((rule) => rule.id).join(",");
  match((await ran("check", "--disable", all, FIXTURE)).err, /no rule is left/);
});

Deno.test("main() exits 2 when nothing could be judged, and names the path", async () => {
  const { code, err } = await ran("check", "/nonexistent/a.patch");
  equal(code, 2);
  match(err, /^p2plint: \/nonexistent\/a\.patch: no such file$/m);
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

Deno.test("main() reports a mail without a diff as not judged", async () => {
  const cover = "From: a@example.org\nSubject: [PATCH 0/2] foo\nMessage-ID: <1@example.org>\n\nHello.\n";
  await withFile(cover, async (path) => {
    const { code, out } = await ran("check", "--format", "json", path);
    equal(code, 2);
    match(JSON.parse(out).unseen[0].reason, /no diff in it/);
  });
});

Deno.test("main() passes over the messages of an mbox that hold nothing to judge, and counts them", async () => {
  const letter = (no: number) =>
    `From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: a@example.org\nSubject: lunch ${no}\n` +
    `Message-ID: <${no}@example.org>\nDate: Mon, 5 Jan 2026 10:00:00 +0000\n\nAt one?\n\n`;
  const patch = `From mboxrd@z Thu Jan  1 00:00:00 1970\n${
    (await Deno.readTextFile(FIXTURE)).replace(/^From .*\n/, "")
  }`;
  await withFile(letter(1) + letter(2) + patch, async (path) => {
    const { code, out } = await ran("check", "--format", "json", path);
    equal(code, 1);
    const { summary, inputs } = JSON.parse(out);
    deepEqual([summary.inputs, summary.passedOver, inputs.length, inputs[0].position], [3, 2, 1, 3]);
    equal(typeof summary.passedOverReason, "string");
  });
});

Deno.test("main() tells what a new version has fixed, though most of its mails are passed over", async () => {
  const posting = (version: string, no: number, body: string, parent: string) =>
    `From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: a@example.org\n` +
    `Subject: [PATCH${version} ${no}/2] foo: part ${no}\nMessage-ID: <${no}${version.trim()}@example.org>\n` +
    `In-Reply-To: <${parent}@example.org>\nDate: Mon, 5 Jan 2026 10:00:00 +0000\n\n${body}\n\n`;
  const diff = (line: string) =>
    `diff --git a/drivers/foo/foo.c b/drivers/foo/foo.c\n--- a/drivers/foo/foo.c\n+++ b/drivers/foo/foo.c\n` +
    `@@ -10,2 +10,3 @@ static int foo_go(struct foo *foo)\n \tfoo_one(foo);\n+\t${line}\n \tfoo_two(foo);\n`;
  const series = (version: string, line: string) =>
    posting(version, 0, "Hello.", `0${version.trim()}`) +
    posting(version, 1, diff("foo_three(foo);"), `0${version.trim()}`) +
    posting(version, 2, diff(line), `0${version.trim()}`);
  const both = series("", "return pci_set_dma_mask(foo->pdev, DMA_BIT_MASK(32));") +
    series(" v2", "return dma_set_mask(&foo->pdev->dev, DMA_BIT_MASK(32));");
  await withFile(both, async (path) => {
    const { summary, fixed } = JSON.parse((await ran("check", "--format", "json", path)).out);
    equal(summary.passedOver, 4);
    deepEqual(
      fixed.map(({ version, finding }: { version: number; finding: { key: string } }) => [
        version,
        finding.key,
      ]),
      [[1, "gone"]],
    );
  });
});

Deno.test("main() prints no escape of a mail", async () => {
  const evil = (await Deno.readTextFile(FIXTURE))
    .replace("misc: foo:", "\x1b]0;owned\x07")
    .replaceAll("FOO_DOORBELL_BAR)", "2) /* \x1b[31m\u202e */")
    .replaceAll("foo_export.c", "foo\x9b31m.c");
  await withFile(evil, async (path) => {
    for (const format of formats) {
      const { out, err } = await ran("check", "--format", format, path);
      // deno-lint-ignore no-control-regex
      equal(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]/.exec(out + err), null, format);
    }
  });
});

Deno.test("check exits 2 when one of its paths cannot be read, or no rule is left", async () => {
  const clean = await Deno.makeTempFile({ suffix: ".patch" });
  try {
    await Deno.writeTextFile(clean, "--- a/x.c\n+++ b/x.c\n@@ -1,1 +1,2 @@\n int a;\n+int b;\n");
    equal(await main(["check", clean], keep()), 0);
    equal(await main(["check", "/nonexistent/x.patch", clean], keep()), 2);
    equal(await main(["check", "--rules", ",", clean], keep()), 2);
  } finally {
    await Deno.remove(clean);
  }
});

/** The fixture with a comment above the line that is wrong. */
async function withComment(comment: string, run: (path: string) => Promise<void>) {
  const text = (await Deno.readTextFile(FIXTURE)).replace("+1,74 @@", "+1,75 @@")
    .replace("+\taddr = dma_map_resource", `+\t${comment}\n+\taddr = dma_map_resource`);
  await withFile(text, run);
}

Deno.test("main() shows the reviewer what a patch allows itself, and does not fail for it", async () => {
  const rule = "p2p-dma-map-resource-on-bar";
  await withComment(`/* p2plint: allow ${rule}: the route is known \x1b[31m*/`, async (path) => {
    const json = await ran("check", "--format", "json", "--rules", rule, path);
    const { findings, suppressed, summary } = JSON.parse(json.out);
    deepEqual([json.code, findings, summary.suppressed, summary.suppressedByPatch], [0, [], 1, 1]);
    const [{ line, fingerprint, suppression }] = suppressed;
    deepEqual([line, suppression.byPatch, suppression.line], [35, true, 34]);
    equal(suppression.reason, "the route is known \x1b[31m");
    equal(fingerprint.length, 20);
    for (const more of [[], ["--quiet"]]) {
      const { out } = await ran("check", "--rules", rule, ...more, path);
      match(
        out,
        /c:35:9: note: error allowed by a comment of the patch itself, "the route is known \\x1b\[31m": /,
      );
    }
    match(
      (await ran("check", "--rules", rule, path)).out,
      /^1 finding allowed by comments in the code, 1 by the/m,
    );
    match((await ran("check", "--format", "terse", path)).out, /, 1 allowed by the patch itself$/m);
    // The rule that the comment names need not run.
    const other = JSON.parse((await ran("check", "--format", "json", "--disable", rule, path)).out);
    deepEqual([other.suppressed, other.disregarded], [[], []]);
  });
});

Deno.test("main() reports a finding whose comment gives no reason, and says so", async () => {
  await withComment("/* p2plint: allow T01 */", async (path) => {
    const json = await ran("check", "--format", "json", path);
    const { suppressed, disregarded, summary } = JSON.parse(json.out);
    deepEqual([json.code, suppressed, summary.disregarded], [1, [], 1]);
    deepEqual([disregarded[0].line, disregarded[0].position], [34, null]);
    match(
      (await ran("check", path)).out,
      /c:34:5: note: this comment allows nothing: no reason is given: write "/,
    );
  });
});
