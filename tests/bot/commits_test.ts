import { deepEqual, equal, match, ok } from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "@std/path";
import { main } from "../../bot/main.ts";
import { inputs, isProblem, mailOf } from "../../bot/source/files.ts";
import { commitsOf, stagedOf } from "../../bot/source/commits.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import type { FileDiff } from "../../rules/engine/types.ts";
import { commit, git, MARKS, withFolder, write } from "../tree/made_tree.ts";
import { keep } from "./reports.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url).pathname;
const MAILS = new URL("../../../shared/mail/dma.mbox", import.meta.url).pathname;

async function checked(...argv: string[]) {
  const terminal = keep();
  const code = await main(["check", "--format", "json", ...argv], terminal);
  const { out, err } = terminal.printed;
  const document = out === "" ? null : JSON.parse(out);
  type Row = { path: string; line: number; rule: string; fingerprint: string; input: string };
  const rows: Row[] = document?.findings ?? [];
  return {
    code,
    err,
    document,
    rows,
    findings: rows.map(({ path, line, rule }) => `${path}:${line} ${rule}`),
  };
}

/** The fixtures' kernel as a repository. */
function madeKernel(folder: string): void {
  for (const path of walk(`${FIXTURES}tree`)) {
    const to = join(folder, path.slice(`${FIXTURES}tree/`.length));
    Deno.mkdirSync(dirname(to), { recursive: true });
    Deno.copyFileSync(path, to);
  }
  git(folder, "init", "-q");
  git(folder, "add", "-A");
  git(folder, "commit", "-qm", "start");
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

async function within(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const ON_BAR = "drivers/misc/foo/foo_dmabuf.c:32 p2p-dma-map-resource-on-bar";
const FIELD = `${FIXTURES}field-of-another-file.patch`;

Deno.test("check --git judges a range with whole files, as the mail is judged upon the tree", () =>
  within(async (folder) => {
    madeKernel(folder);
    git(folder, "am", "-q", FIELD);
    const byMail = await checked("--tree", folder, FIELD);
    for (
      const range of ["HEAD~1..HEAD", "HEAD~1..", "HEAD", "HEAD~1...HEAD", git(folder, "rev-parse", "HEAD")]
    ) {
      const { code, findings, rows } = await checked("--tree", folder, "--git", range);
      deepEqual([range, code, findings], [range, 1, [ON_BAR]]);
      deepEqual(
        rows.map(({ fingerprint }) => fingerprint),
        byMail.rows.map(({ fingerprint }) => fingerprint),
      );
      equal(rows[0]!.input, git(folder, "rev-parse", "HEAD").slice(0, 12));
    }
  }));

Deno.test("check --git takes commits as a series: what a later one repairs is not reported", () =>
  within(async (folder) => {
    madeKernel(folder);
    git(folder, "am", "-q", FIELD);
    git(folder, "revert", "--no-edit", "HEAD");
    const { code, findings, document } = await checked("--tree", folder, "--git", "HEAD~2..HEAD");
    deepEqual([code, findings], [0, []]);
    deepEqual(document.inputs.map(({ subject }: { subject: string }) => subject.slice(0, 11)), [
      "[PATCH 1/2]",
      "[PATCH 2/2]",
    ]);
  }));

Deno.test("check --staged judges the index, not the disk", () =>
  within(async (folder) => {
    madeKernel(folder);
    git(folder, "apply", FIELD);
    equal((await checked("--tree", folder, "--staged")).code, 0);
    git(folder, "add", "-A");
    git(folder, "stash", "-q");
    git(folder, "stash", "apply", "-q", "--index");
    const path = "drivers/misc/foo/foo_dmabuf.c";
    Deno.writeTextFileSync(join(folder, path), "/* nothing */\n");
    const { code, findings } = await checked("--tree", folder, "--staged");
    deepEqual([code, findings], [1, [ON_BAR]]);
  }));

Deno.test("check --git and --staged refuse paths and each other", async () => {
  for (const argv of [["--git", "HEAD", "a.patch"], ["--staged", "a.patch"], ["--git", "HEAD", "--staged"]]) {
    const { code, err } = await checked(...argv);
    equal(code, 2, err);
    match(err, /takes no path: a\.patch|exclude each other/);
  }
});

Deno.test("check --git names a revision that is none, a range without commits, a folder without git", () =>
  within(async (folder) => {
    const none = await checked("--tree", folder, "--git", "HEAD");
    deepEqual([none.code, none.err.split("\n")[0]], [2, `p2plint: ${folder}: not in a git repository`]);
    git(folder, "init", "-q");
    commit(folder, { ...MARKS });
    for (
      const [range, said] of [
        ["nothing..HEAD", "there is no commit nothing"],
        ["HEAD..HEAD", "there is no commit in HEAD..HEAD"],
        ["--output=x..HEAD", "there is no commit --output=x"],
      ] as const
    ) {
      const { code, err } = await checked("--tree", folder, `--git=${range}`);
      deepEqual([code, err.split("\n")[0]], [2, `p2plint: ${folder}: ${said}`]);
    }
  }));

Deno.test("commitsOf() tells a shallow clone what to fetch, and works once it is fetched", () =>
  within(async (folder) => {
    const origin = join(folder, "origin");
    Deno.mkdirSync(origin);
    madeKernel(origin);
    const base = git(origin, "rev-parse", "HEAD");
    git(origin, "am", "-q", FIELD);
    const clone = join(folder, "clone");
    git(folder, "clone", "-q", "--depth=1", `file://${origin}`, clone);
    for (const range of [`${base}..HEAD`, "HEAD"]) {
      const { code, err } = await checked("--tree", clone, "--git", range);
      equal(code, 2);
      match(err, /is a shallow clone that lacks .*: fetch it with git -C .* fetch --unshallow/);
    }
    git(clone, "fetch", "-q", "--unshallow");
    deepEqual((await checked("--tree", clone, "--git", `${base}..HEAD`)).findings, [ON_BAR]);
  }));

Deno.test("commitsOf() says what a partial clone lacks", () =>
  within(async (folder) => {
    const origin = join(folder, "origin");
    Deno.mkdirSync(origin);
    madeKernel(origin);
    git(origin, "config", "uploadpack.allowFilter", "true");
    git(origin, "am", "-q", FIELD);
    const clone = join(folder, "clone");
    git(folder, "clone", "-q", "--bare", "--filter=blob:none", `file://${origin}`, clone);
    const { code, err } = await checked("--tree", clone, "--git", "HEAD");
    equal(code, 2);
    match(err, /partial clone fetches what it lacks with git -C .* show/);
  }));

Deno.test("commitsOf() runs nothing that configuration or attributes name, and lets them hide nothing", () =>
  within(async (folder) => {
    madeKernel(folder);
    git(folder, "am", "-q", FIELD);
    const ran = join(folder, "ran");
    const evil = join(folder, "evil.sh");
    Deno.writeTextFileSync(evil, `#!/bin/sh\ntouch ${ran}\n`, { mode: 0o755 });
    const programs = [
      "diff.external",
      "diff.evil.textconv",
      "diff.evil.command",
      "core.fsmonitor",
      "gpg.program",
    ];
    for (const key of programs) git(folder, "config", key, evil);
    const settings = ["diff.noprefix", "diff.mnemonicPrefix", "diff.suppressBlankEmpty", "log.showSignature"];
    for (const key of settings) git(folder, "config", key, "true");
    git(folder, "config", "diff.context", "0");
    git(folder, "config", "color.ui", "always");
    for (const attribute of ["-diff", "diff=evil", "binary"]) {
      Deno.writeTextFileSync(join(folder, ".git/info/attributes"), `*.c ${attribute}\n`);
      deepEqual((await checked("--tree", folder, "--git", "HEAD")).findings, [ON_BAR], attribute);
    }
    equal(existsSync(ran), false);
  }));

Deno.test("commitsOf() gives renames, merges, roots and a kernel below the root of its repository", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    const lines = Array.from({ length: 40 }, (_, no) => `int a${no};\n`).join("");
    const first = commit(folder, {
      "linux/MAINTAINERS": "",
      "linux/Kbuild": "",
      "linux/a.c": lines,
      "other.c": "",
    });
    git(folder, "mv", "linux/a.c", "linux/b.c");
    commit(folder, { "linux/b.c": `${lines}int b;\n`, "other.c": "int o;\n" });
    const inside = join(folder, "linux");
    const { patches, names, repository } = commitsOf(inside, "HEAD~1..HEAD");
    deepEqual(names, [git(folder, "rev-parse", "HEAD")]);
    deepEqual(patches[0]!.files.map(({ status, oldPath, newPath }) => [status, oldPath, newPath]), [
      ["renamed", "a.c", "b.c"],
    ]);
    equal(repository!.head.read("a.c")?.text, lines);
    equal(patches[0]!.mail.author?.address, "t@example.org");
    deepEqual(commitsOf(inside, first).patches[0]!.files.map(({ newPath }) => newPath), [
      "Kbuild",
      "MAINTAINERS",
      "a.c",
    ]);
    git(folder, "checkout", "-q", "-b", "side", first);
    commit(folder, { "side.c": "int s;\n" });
    git(folder, "merge", "-q", "--no-edit", "main");
    const merged = commitsOf(folder, "main..side").patches;
    deepEqual(merged.map(({ defects }) => defects.map(({ damage }) => damage)), [[], ["combined-diff"]]);
  });
});

Deno.test("stagedOf() reads the index that git names to the hook of a partial commit", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    commit(folder, { ...MARKS, "a.c": "int a;\n", "b.c": "int b;\n" });
    write(folder, { "a.c": "int a2;\n", "b.c": "int b2;\n" });
    git(folder, "add", "a.c");
    const paths = (index: string | null) =>
      stagedOf(folder, index).patches[0]!.files.map(({ newPath }) => newPath);
    deepEqual(paths(null), ["a.c"]);
    Deno.copyFileSync(join(folder, ".git/index"), join(folder, "other"));
    git(folder, "add", "b.c");
    deepEqual([paths(null), paths(join(folder, "other"))], [["a.c", "b.c"], ["a.c"]]);
  });
});

const lacking = existsSync(MAILS) ? null : `no mails at ${MAILS}`;

/** A file that a diff applies to: its old lines where they stood, and nothing in between. */
function preImage({ hunks }: FileDiff): string {
  const lines: string[] = [];
  for (const hunk of hunks) {
    for (const line of hunk.lines) if (line.kind !== "added") lines[line.oldNo - 1] = line.raw.slice(1);
  }
  return Array.from(lines, (line) => `${line ?? ""}\n`).join("");
}

Deno.test({
  name: `git am of real mails with findings: the commits give the same${
    lacking === null ? "" : ` (left out: ${lacking})`
  }`,
  ignore: lacking !== null,
  fn: () =>
    within(async (folder) => {
      const marks = ({ rows }: Awaited<ReturnType<typeof checked>>) =>
        rows.map(({ fingerprint, path, line, rule }) => `${fingerprint} ${path}:${line} ${rule}`);
      const all = await checked("--min-confidence", "low", MAILS);
      const suspects = new Set(all.document.findings.map(({ position }: { position: number }) => position));
      git(folder, "init", "-q");
      let applied = 0;
      let found = 0;
      const mail = join(folder, ".git/mail");
      for await (const input of inputs([MAILS], Deno.stdin.readable)) {
        if (isProblem(input) || !suspects.has(input.position)) continue;
        const { files, mail: { subject } } = readPatch(await mailOf(input));
        git(folder, "rm", "-rfq", "--ignore-unmatch", ".");
        write(folder, MARKS);
        for (const file of files) {
          if (file.oldPath !== null) write(folder, { [file.oldPath]: preImage(file) });
        }
        git(folder, "add", "-A");
        git(folder, "commit", "-qm", "base", "--allow-empty");
        Deno.writeFileSync(mail, input.bytes);
        try {
          git(folder, "am", "-q", mail);
        } catch {
          git(folder, "am", "--abort");
          continue;
        }
        applied++;
        const byCommit = await checked("--tree", folder, "--git", "HEAD~1..HEAD", "--min-confidence", "low");
        git(folder, "reset", "-q", "--hard", "HEAD~1");
        const byMail = await checked("--tree", folder, mail, "--min-confidence", "low");
        deepEqual(marks(byCommit), marks(byMail), subject.text);
        found += byMail.rows.length;
      }
      ok(applied >= 10, `only ${applied} of ${suspects.size} mails apply`);
      ok(found > 0, "no finding was compared");
    }),
});
