import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { Baseline, type Known, printBaseline, readBaseline } from "../../bot/baseline.ts";
import { main } from "../../bot/main.ts";
import { fileFromSource, readPatch } from "../../rules/engine/diff.ts";
import { mailFromText } from "../../rules/engine/mail.ts";
import type { Finding, Report } from "../../rules/engine/types.ts";
import { finding, keep, report, span } from "./reports.ts";

const PATH = "drivers/foo/foo.c";
const FIXTURE = new URL("../../fixtures/p2p-export.patch", import.meta.url).pathname;

const known = (more: Partial<Known> = {}): Known => ({
  path: PATH,
  function: "foo_start",
  rule: "foo-bar",
  text: "go(foo);",
  confidence: "high",
  fingerprint: "0123456789abcdef0123",
  ...more,
});

const found = (more: Partial<Finding> = {}) => finding({ fingerprint: known().fingerprint, ...more });

/** The report on a patch or, where it is none, on a source file. */
function reportOn(text: string, findings: readonly Finding[] = [], more: Partial<Report> = {}): Report {
  const mail = mailFromText(text, { input: "a.patch", position: null });
  const patch = readPatch(mail);
  const files = patch.files.length > 0 ? patch.files : [fileFromSource(PATH, text)];
  return { ...report(findings), patch: { ...patch, files }, ...more };
}

function sift(of: readonly Known[], reports: readonly Report[], isNew = false) {
  const baseline = new Baseline(of, () => true, isNew);
  const left = reports.flatMap((one) => baseline.sift(one).findings);
  return { left, ...baseline.end() };
}

Deno.test("readBaseline() reads what printBaseline() prints, whatever the order", async () => {
  const of = [
    known(),
    known({ path: "drivers/a.c", fingerprint: "1".repeat(20) }),
    known({ text: 'puts("\u202e\\");', fingerprint: "2".repeat(20), confidence: "low" }),
  ];
  const text = printBaseline(of);
  equal(printBaseline(of.toReversed()), text);
  deepEqual((await readBaseline(text, "x")).map(({ fingerprint }) => fingerprint[0]), ["1", "0", "2"]);
  deepEqual(JSON.parse(text).findings[1], known());
  equal(text.includes("\u202e"), false);
  // One line each: that is what makes a diff of it readable.
  equal(text.split("\n").filter((line) => line.includes("fingerprint")).length, 3);
  deepEqual(await readBaseline(printBaseline([]), "x"), []);
});

const row = (more: Record<string, unknown>) =>
  JSON.stringify({ schema: "p2plint-baseline/1", findings: [{ ...known(), ...more }] });
for (
  const [text, complaint] of [
    ["{}", /^x:1:1: the file has no "schema"/],
    [
      '{"schema": "p2plint/1", "findings": []}',
      /^x:1:12: schema is "p2plint\/1", not one of p2plint-baseline\/1/,
    ],
    ['{"schema": "p2plint-baseline/1"}', /has no "findings"/],
    ['{"schema": "p2plint-baseline/1", "findings": [{}]}', /^x:1:47: findings\[0\] lacks "fingerprint"/],
    [row({ fingerprint: "../../x" }), /findings\[0\]\.fingerprint is not 20 hex digits/],
    [row({ text: 1 }), /findings\[0\]\.text is a number, not a string/],
    [row({ line: 1 }), /unknown key "line" in findings\[0\]/],
    [row({ confidence: "sure" }), /findings\[0\]\.confidence is "sure"/],
    ["<<<<<<< HEAD", /^x:1:1: not JSON: expected a value, found "<"/],
  ] as const
) {
  Deno.test(`readBaseline() refuses ${text.slice(0, 70)}`, async () => {
    await rejects(readBaseline(text, "x"), { name: "UsageError", message: complaint });
  });
}

Deno.test("Baseline hides what is known, however often, and leaves the rest", () => {
  const other = finding({ fingerprint: "f".repeat(20) });
  const { left, hidden, stale, next, added } = sift([known()], [report([found(), other]), report([found()])]);
  deepEqual([left, hidden, stale], [[other], 2, []]);
  deepEqual([next.map(({ fingerprint }) => fingerprint[0]), added], [["0", "f"], 1]);
});

const CLEAN = "void foo_start(void)\n{\n}\n";
const diff = (lines: string, section = "") =>
  `--- a/${PATH}\n+++ b/${PATH}\n@@ -10,2 +10,3 @@ ${section}\n \tint a;\n${lines}\n \tint b;\n`;
const START = "void foo_start(void)";

for (
  const [what, text, isStale] of [
    ["a file that has it no more", CLEAN, true],
    ["a patch that adds the line to the function, right this time", diff("+\tgo(foo);", START), true],
    ["a patch to other lines of the file", diff("+\tgo(bar);", START), false],
    [
      "a patch that shows the line",
      diff("+\tgo(bar);\n \tgo(foo);", START).replace("2 +10,3", "3 +10,4"),
      false,
    ],
    [
      "a patch that takes the line away",
      diff("-\tgo(foo);\n+\tgo(bar);", START).replace("2 +", "3 +"),
      false,
    ],
    ["a patch that indents the line", diff("-\tgo(foo);\n+\t\tgo(foo);", START).replace("2 +", "3 +"), false],
    ["a patch that adds the line to another function", diff("+\tgo(foo);", "void foo_stop(void)"), false],
    ["a patch that adds the line to some function", diff("+\tgo(foo);"), false],
    ["a patch to another file", diff("+\tgo(foo);", START).replaceAll("foo.c", "bar.c"), false],
    ["a damaged hunk", diff("+\tgo(foo);", START).replace("10,3", "10,9"), false],
  ] as const
) {
  Deno.test(`Baseline calls a finding ${isStale ? "stale" : "nothing"} after ${what}`, () => {
    deepEqual(sift([known()], [reportOn(text)]).stale, isStale ? [known()] : []);
  });
}

Deno.test("Baseline calls nothing stale that was not judged, is allowed, is still there or was not looked for", () => {
  const at = span(3, 1, "");
  for (
    const more of [
      { unseen: [{ what: `${PATH}: foo_start()`, reason: "longer than 9 characters" }] },
      { faults: [{ rule: "foo-bar", where: PATH, error: new Error("x") }] },
      { suppressed: [{ finding: found(), reason: "it stays", at, byPatch: false }] },
      { findings: [found()] },
    ]
  ) {
    deepEqual(sift([known()], [reportOn(CLEAN, [], more)]).stale, []);
  }
  const baseline = new Baseline([known()], () => false, false);
  baseline.sift(reportOn(CLEAN));
  deepEqual(baseline.end().stale, []);
});

Deno.test("Baseline that is written hides all, drops what is stale and keeps what the run did not look at", () => {
  const elsewhere = known({ path: "sound/a.c", fingerprint: "5".repeat(20) });
  const one = finding({ fingerprint: "f".repeat(20) });
  const { left, hidden, next, added } = sift([known(), elsewhere], [reportOn(CLEAN, [one])], true);
  deepEqual([left, hidden, added], [[], 1, 1]);
  deepEqual(next.map(({ fingerprint }) => fingerprint[0]), ["f", "5"]);
});

Deno.test("survey() makes stale what is known of files that are gone", () => {
  const stale = (folder: string) => {
    const baseline = new Baseline(
      [known(), known({ path: "sound/a.c", fingerprint: "5".repeat(20) })],
      () => true,
      false,
    );
    baseline.survey(folder);
    return baseline.end().stale.map(({ path }) => path);
  };
  deepEqual([stale("drivers"), stale("drivers/fo"), stale("")], [[PATH], [], [PATH, "sound/a.c"]]);
});

const BAD = `#include <linux/pci.h>
static int foo_map(struct foo *foo, struct pci_dev *pdev, struct pci_dev *peer)
{
	foo->addr = dma_map_resource(&peer->dev, pci_resource_start(pdev, 2), SZ_4K, DMA_TO_DEVICE, 0);
	return dma_mapping_error(&peer->dev, foo->addr);
}
`;

/** A kernel tree with one driver in it. */
async function withTree(run: (root: string) => Promise<void>) {
  const root = await Deno.makeTempDir();
  const before = Deno.cwd();
  try {
    await Deno.mkdir(`${root}/drivers/foo`, { recursive: true });
    for (const mark of ["MAINTAINERS", "Kbuild"]) await Deno.writeTextFile(`${root}/${mark}`, "");
    await Deno.writeTextFile(`${root}/drivers/foo/foo.c`, BAD);
    await Deno.writeTextFile(`${root}/.p2plint.json`, "{}");
    Deno.chdir(root);
    await run(root);
  } finally {
    Deno.chdir(before);
    await Deno.remove(root, { recursive: true });
  }
}

async function check(...argv: string[]) {
  const terminal = keep();
  const code = await main(["check", ...argv], terminal);
  return { code, ...terminal.printed };
}

async function checkJson(...argv: string[]) {
  const { code, out } = await check("--format", "json", ...argv);
  return { code, ...JSON.parse(out) };
}

Deno.test("check --baseline: written, hidden, stale when cured, stale when the file is gone, written again", async () => {
  await withTree(async (root) => {
    const file = ".p2plint-baseline.json";
    equal((await check("drivers")).code, 1);
    const written = await checkJson("--baseline", "write", "drivers");
    deepEqual([written.code, written.findings, written.baseline.hidden], [0, [], 1]);
    deepEqual(written.baseline.written, { findings: 1, added: 1 });
    const text = await Deno.readTextFile(`${root}/${file}`);
    match(text, /"path":"drivers\/foo\/foo\.c","function":"foo_map","rule":"p2p-dma-map-resource-on-bar"/);

    const again = await check("--baseline", file, "drivers/foo/foo.c");
    deepEqual([again.code, again.err], [0, ""]);
    match(again.out, /^1 known finding hidden by \.p2plint-baseline\.json$/m);
    // Moved down, it is the same finding.
    await Deno.writeTextFile("drivers/foo/foo.c", BAD.replace("static", "\nint a;\n\nstatic"));
    equal((await checkJson("--baseline", file, "drivers")).baseline.hidden, 1);
    // What another rule's run did not look for is not stale, nor is what another run did not read.
    await Deno.writeTextFile("drivers/foo/foo.c", "int a;\n");
    for (const argv of [["--rules", "dma-mapping-leak", "drivers"], [FIXTURE]]) {
      deepEqual((await checkJson("--baseline", file, ...argv)).baseline.stale, [], argv.join(" "));
    }

    const cured = await check("--baseline", file, "drivers");
    equal(cured.code, 0);
    match(cured.out, /^drivers\/foo\/foo\.c: foo_map\(\): known, but gone: foo->addr = dma_map_resource/m);
    match(cured.out, /^0 known findings hidden by \.p2plint-baseline\.json, 1 stale in it$/m);
    await Deno.rename("drivers/foo/foo.c", "drivers/foo/bar.c");
    const gone = await checkJson("--baseline", file, ".");
    deepEqual(gone.baseline.stale.map(({ path }: Known) => path), ["drivers/foo/foo.c"]);

    const last = await check("--baseline", "write", "drivers");
    match(last.out, /^0 known findings written to .*\.p2plint-baseline\.json \(0 new, 1 gone\)$/m);
    deepEqual(JSON.parse(await Deno.readTextFile(file)).findings, []);
    deepEqual([...Deno.readDirSync(".")].filter(({ name }) => name.includes("baseline")).length, 1);
  });
});

Deno.test("check --baseline write follows no link, and replaces no file that is no baseline", async () => {
  await withTree(async (root) => {
    await Deno.writeTextFile(`${root}/mine`, "precious");
    await Deno.symlink(`${root}/mine`, `${root}/.p2plint-baseline.json`);
    const linked = await check("--baseline", "write", "drivers");
    deepEqual([linked.code, linked.out], [2, ""]);
    match(linked.err, /\.p2plint-baseline\.json: a link, not a file$/m);
    equal(await Deno.readTextFile(`${root}/mine`), "precious");
    await Deno.remove(`${root}/.p2plint-baseline.json`);
    await Deno.writeTextFile(`${root}/.p2plint-baseline.json`, "precious");
    match((await check("--baseline", "write", "drivers")).err, /baseline\.json:1:1: not JSON/);
    equal(await Deno.readTextFile(`${root}/.p2plint-baseline.json`), "precious");
  });
});

Deno.test("check --baseline FILE names a file that is not there", async () => {
  match(
    (await check("--baseline", "/nonexistent.json", FIXTURE)).err,
    /^p2plint: \/nonexistent\.json: no such file$/m,
  );
});

Deno.test({
  name: "check --baseline write says before the run that it may not write",
  permissions: { read: true },
  async fn() {
    const { code, out, err } = await check("--no-config", "--baseline", "write", FIXTURE);
    deepEqual([code, out], [2, ""]);
    match(err, /^p2plint: --baseline write writes \.p2plint-baseline\.json, .* --allow-write=\.$/m);
  },
});
