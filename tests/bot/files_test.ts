import assert from "node:assert/strict";
import { join } from "@std/path";
import { inputs, isProblem, mailOf } from "../../bot/source/files.ts";

const MAIL = "From: a@example.org\nSubject: [PATCH] x\n\n>From me\n+\tcall();\n\n";
const MBOX = `From mboxrd@z Thu Jan  1 00:00:00 1970\n${MAIL}`.repeat(2);
const DIFF = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
const SOURCE = "// SPDX-License-Identifier: GPL-2.0\nint x;\n";

async function* nothing(): AsyncGenerator<Uint8Array, void, void> {}

/** Runs with a folder of the given files, a name ending in `/` being a folder. */
async function withFiles(
  files: Record<string, string>,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      await Deno.mkdir(name.endsWith("/") ? path : join(path, ".."), { recursive: true });
      if (!name.endsWith("/")) await Deno.writeTextFile(path, content);
    }
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** `path position kind`, or `path: problem`, the path below the folder. */
async function list(folder: string, paths: readonly string[], stdin = nothing()): Promise<string[]> {
  const found: string[] = [];
  for await (const item of inputs(paths, stdin)) {
    const path = item.input.replace(folder, "").replace(/^\//, "");
    found.push(isProblem(item) ? `${path}: ${item.problem}` : `${path} ${item.position} ${item.kind}`);
  }
  return found;
}

Deno.test("inputs() recognises files by content and goes on after a path that is not there", async () => {
  await withFiles(
    { "a.mbox": DIFF, "b.c": MAIL, "c.eml": MBOX, "d.txt": SOURCE, "e": "" },
    async (folder) => {
      const paths = ["a.mbox", "absent", "b.c", "c.eml", "d.txt", "e"].map((name) => join(folder, name));
      assert.deepEqual(await list(folder, paths), [
        "a.mbox null diff",
        "absent: no such file",
        "b.c null mail",
        "c.eml 1 mail",
        "c.eml 2 mail",
        "d.txt null c-source",
        "e null unknown",
      ]);
    },
  );
});

Deno.test("inputs() reads folders and maildirs, sorted, without hidden files, tmp and links", async () => {
  const files = {
    "z.eml": MAIL,
    "box/cur/2": MAIL,
    "box/new/1": MAIL,
    "box/tmp/3": MAIL,
    ".hidden": MAIL,
    "tmp/4": MAIL,
  };
  await withFiles({
    "outside": MAIL,
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`in/${name}`, text])),
    "empty/": "",
  }, async (folder) => {
    await Deno.symlink(join(folder, "outside"), join(folder, "in", "link"));
    await Deno.symlink(folder, join(folder, "in", "loop"));
    assert.deepEqual(await list(folder, [join(folder, "in"), join(folder, "empty")]), [
      "in/box/cur/2 1 mail",
      "in/box/new/1 2 mail",
      "in/tmp/4 3 mail",
      "in/z.eml 4 mail",
      "empty: no file in this folder",
    ]);
  });
});

Deno.test("inputs() reads standard input for -, in any chunks", async () => {
  async function* stdin() {
    for (const character of MBOX) yield new TextEncoder().encode(character);
  }
  assert.deepEqual(await list("", ["-"], stdin()), ["- 1 mail", "- 2 mail"]);
});

Deno.test("inputs() splits a long file of git patches whose second is far away", async () => {
  const patch = (text: string) => `From ${"a".repeat(40)} Mon Sep 17 00:00:00 2001\n${MAIL}${text}\n`;
  await withFiles(
    { "long": patch("x\n".repeat(1_000_000)) + patch(""), "short": patch("") },
    async (folder) => {
      assert.deepEqual(await list(folder, [join(folder, "long"), join(folder, "short")]), [
        "long 1 mail",
        "long 2 mail",
        "short null mail",
      ]);
    },
  );
});

Deno.test("mailOf() unmasks the messages of an mbox only", async () => {
  await withFiles({ "a": MAIL, "b": MBOX, "c": DIFF }, async (folder) => {
    const bodies: string[] = [];
    for await (const item of inputs(["a", "b", "c"].map((name) => join(folder, name)), nothing())) {
      assert.ok(!isProblem(item));
      const mail = await mailOf(item);
      assert.equal(mail.input, item.input);
      bodies.push(mail.body.split("\n")[0] ?? "");
    }
    assert.deepEqual(bodies, [">From me", "From me", "From me", "diff --git a/x b/x"]);
  });
});
