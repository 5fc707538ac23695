import assert from "node:assert/strict";
import { printDiff, readDiff, readPatch } from "../../rules/engine/diff.ts";
import { readMail } from "../../rules/engine/mail.ts";
import { readQuotedDiff } from "../../rules/engine/quote.ts";
import type { FileDiff } from "../../rules/engine/types.ts";

const SHARED = new URL("../../../shared/", import.meta.url);

/** Every n-th input: the whole corpus takes a minute. */
const EVERY = 5;

async function isMissing(): Promise<boolean> {
  const found = await Deno.stat(new URL("mail/dma.mbox", SHARED)).then(() => true, () => false);
  if (!found) console.warn("skipped: ../shared is absent");
  return !found;
}

async function* bodies(): AsyncGenerator<{ name: string; body: string }> {
  const latin1 = new TextDecoder("latin1");
  for (const name of ["mail/stream.mbox", "mail/dma.mbox"]) {
    const text = latin1.decode(await Deno.readFile(new URL(name, SHARED)));
    for (const [i, message] of text.split(/^From .*\n/m).entries()) {
      if (message === "" || i % EVERY !== 0) continue;
      const bytes = Uint8Array.from(message, (char) => char.charCodeAt(0));
      yield { name: `${name} ${i}`, body: (await readMail(bytes, { input: name, position: i })).body };
    }
  }
  for await (const { name } of Deno.readDir(new URL("mail/odd/", SHARED))) {
    const bytes = await Deno.readFile(new URL(`mail/odd/${name}`, SHARED));
    yield { name, body: (await readMail(bytes, { input: name, position: null })).body };
  }
}

/** The lines of the body that a file's header, hunks and trailer claim to be. */
function claimed(file: FileDiff, lines: readonly string[]): string {
  let end = file.bodyNo - 1 + file.header.length;
  const parts = lines.slice(file.bodyNo - 1, end);
  for (const hunk of file.hunks) {
    const marks = hunk.lines.filter(({ marker }) => marker !== null).length;
    end = hunk.bodyNo + hunk.lines.length + marks;
    parts.push(...lines.slice(hunk.bodyNo - 1, end));
  }
  parts.push(...lines.slice(end, end + file.trailer.length));
  return parts.join("\n") + "\n";
}

async function git(args: string[], input: Uint8Array): Promise<Deno.CommandOutput> {
  const child = new Deno.Command("git", {
    args,
    cwd: SHARED,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  // git may close its input early on a mail it cannot read; its status tells.
  const written = writer.write(input).then(() => writer.close(), () => {});
  const output = await child.output();
  await written;
  return output;
}

/** What `git apply --numstat` sees in a diff; null when git refuses it. */
async function numstat(diff: Uint8Array): Promise<string[] | null> {
  const { success, stdout } = await git(["apply", "--numstat", "-z"], diff);
  if (!success) return null;
  return new TextDecoder().decode(stdout).split("\0").filter((row) => row !== "").sort();
}

function ourNumstat(files: readonly FileDiff[]): string[] {
  return files.map((file) => {
    const count = (kind: string) =>
      file.status === "binary"
        ? "-"
        : file.hunks.reduce((sum, { lines }) => sum + lines.filter((line) => line.kind === kind).length, 0);
    return `${count("added")}\t${count("removed")}\t${file.newPath ?? file.oldPath}`;
  }).sort();
}

Deno.test("printDiff() gives back the bytes of every real diff that is whole", async () => {
  if (await isMissing()) return;
  let files = 0;
  for await (const { name, body } of bodies()) {
    const lines = body.split("\n");
    for (const file of readDiff(body).files) {
      if (!file.hunks.every(({ whole }) => whole)) continue;
      files++;
      assert.equal(printDiff([file]), claimed(file, lines), name);
    }
  }
  assert.ok(files > 500, `${files} files`);
});

Deno.test("readQuotedDiff() finds what readDiff() finds when a real mail is quoted", async () => {
  if (await isMissing()) return;
  const texts = (files: readonly FileDiff[]) =>
    files.flatMap(({ newPath, oldPath, hunks }) =>
      hunks.flatMap(({ lines }) => lines.map(({ kind, text }) => `${newPath ?? oldPath}\n${kind}\n${text}`))
    );
  let same = 0;
  let different = 0;
  for await (const { body } of bodies()) {
    const { files, defects } = readDiff(body);
    if (files.length === 0 || defects.length > 0) continue;
    const quoted = readQuotedDiff(body.replaceAll(/^/gm, "> "));
    if (texts(quoted).join("\n") === texts(files).join("\n")) same++;
    else different++;
  }
  // The mails that differ quote or paste other code above their diff.
  assert.ok(same > 300 && different <= same / 100, `${same} the same, ${different} different`);
});

Deno.test("readPatch() agrees with git apply --numstat on bench patches and mails", async () => {
  if (await isMissing()) return;
  if ((await Deno.permissions.query({ name: "run", command: "git" })).state !== "granted") {
    console.warn("skipped: git may not be run");
    return;
  }
  let agreed = 0;
  for (const folder of ["bench/fixes/", "bench/mail/"]) {
    const names = (await Array.fromAsync(Deno.readDir(new URL(folder, SHARED)))).map(({ name }) => name)
      .sort();
    for (const name of names.filter((_, i) => i % EVERY === 0)) {
      const bytes = await Deno.readFile(new URL(folder + name, SHARED));
      // mailinfo's second file is the patch, its standard output the headers.
      const diff = name.endsWith(".patch")
        ? bytes
        : (await git(["mailinfo", "/dev/null", "/dev/stderr"], bytes)).stderr;
      const expected = await numstat(diff);
      if (expected === null) continue;
      const files = name.endsWith(".patch")
        ? readDiff(new TextDecoder().decode(bytes)).files
        : readPatch(await readMail(bytes, { input: name, position: null })).files;
      assert.deepEqual(ourNumstat(files), expected, name);
      agreed++;
    }
  }
  assert.ok(agreed > 50, `${agreed} compared`);
});
