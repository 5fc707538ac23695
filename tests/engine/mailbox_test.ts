import assert from "node:assert/strict";
import { type MboxMessage, recognise, splitMbox, unescapeFrom } from "../../rules/engine/mailbox.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (view: Uint8Array) => new TextDecoder().decode(view);

const MBOXRD = "From mboxrd@z Thu Jan  1 00:00:00 1970\n";
const GIT = `From ${"0123456789".repeat(4)} Mon Sep 17 00:00:00 2001\n`;
const MAIL =
  "From: a@example.org\nSubject: [PATCH] x\n\nFrom here on, it is 10:30 on Mon\n>From there\nend\n\n";

async function* chunked(whole: string, size: number): AsyncGenerator<Uint8Array, void, void> {
  const all = bytes(whole);
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}

async function split(
  whole: string,
  size = 7,
  maxBytes?: number,
): Promise<(Omit<MboxMessage, "bytes"> & { text: string })[]> {
  const found = [];
  for await (const { bytes, ...rest } of splitMbox(chunked(whole, size), maxBytes)) {
    found.push({ ...rest, text: text(bytes) });
  }
  return found;
}

Deno.test("splitMbox() gives every message whole, whatever the chunks", async () => {
  const messages = [MBOXRD + MAIL, MBOXRD + MAIL.replace("x", "y").repeat(30), GIT + MAIL];
  for (const size of [1, 7, 100, 1024, 100_000]) {
    const found = await split(messages.join(""), size);
    assert.deepEqual(found.map((message) => message.text), messages);
    assert.deepEqual(found.map((message) => message.position), [1, 2, 3]);
    assert.deepEqual(found.map((message) => message.masking), ["mboxrd", "mboxrd", "git"]);
  }
});

Deno.test("splitMbox() splits only at an envelope line behind a blank line and before a field", async () => {
  const envelope = "From a@b Mon Jan  1 10:00:00 2024\n";
  assert.equal((await split(`${envelope}A: 1\n\ntext\n${envelope}B: 2\n\n`)).length, 1);
  assert.equal((await split(`${envelope}A: 1\n\ntext\n\n${envelope}no field\n\n`)).length, 1);
  assert.equal((await split(`${envelope}A: 1\n\ntext\n\nFrom here on Mon, 10:00\nB: 2\n\n`)).length, 2);
  assert.equal((await split(`${envelope}A: 1\n\ntext\n\nFrom here on\nB: 2\n\n`)).length, 1);
  assert.equal((await split(`${envelope}A: 1\n\n`.replaceAll("\n", "\r\n").repeat(2))).length, 2);
});

Deno.test("splitMbox() loses nothing that stands before the first envelope line", async () => {
  assert.deepEqual((await split(`junk\n\n${MBOXRD}${MAIL}`)).map((message) => message.text), [
    "junk\n\n",
    MBOXRD + MAIL,
  ]);
  assert.deepEqual(await split(""), []);
});

Deno.test("splitMbox() cuts a message that is too long and goes on with the next", async () => {
  const long = `${MBOXRD}A: 1\n\n${"x".repeat(20_000)}\n\n`;
  const found = await split(long + MBOXRD + MAIL, 512, 4000);
  assert.equal(found.length, 2);
  assert.equal(found[0]?.size, long.length);
  assert.ok((found[0]?.text.length ?? 0) < 7000);
  assert.equal(found[1]?.text, MBOXRD + MAIL);
});

Deno.test("unescapeFrom() follows the rules of the masking", () => {
  const masked = bytes("a\n>From b\n>>From c\n>Fromage\n> From d\n");
  assert.equal(text(unescapeFrom(masked, "mboxrd")), "a\nFrom b\n>From c\n>Fromage\n> From d\n");
  assert.equal(text(unescapeFrom(masked, "mboxo")), "a\nFrom b\n>>From c\n>Fromage\n> From d\n");
  assert.equal(unescapeFrom(masked, "git"), masked);
});

Deno.test("recognise() tells kinds by content", () => {
  const kinds: readonly (readonly [string, ReturnType<typeof recognise>])[] = [
    [MAIL, "mail"],
    [GIT + MAIL, "mail"],
    [GIT + MAIL + GIT + MAIL, "mbox"],
    [MBOXRD + MAIL, "mbox"],
    ["\n\nReceived: x\n y\nSubject: z\n\n", "mail"],
    ["diff --git a/x b/x\n--- a/x\n+++ b/x\n", "diff"],
    ["words\n---\n x.c | 2 +-\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n", "diff"],
    ["Re: [PATCH] x\n\n> @@ -1,2 +1,3 @@ foo\n> +\tbar();\n", "diff"],
    ["Re: [PATCH] x\n\nsee this:\n\n+\tbar();\n", "diff"],
    ["// SPDX-License-Identifier: GPL-2.0\n#include <linux/pci.h>\n\nint x;\n", "c-source"],
    ["/*\n * text: here\n */\nstatic int foo(void)\n{\n\treturn 0;\n}\n", "c-source"],
    ["just: some prose\nof no kind\n", "unknown"],
    ["\x7fELF\0\0\0", "unknown"],
    ["", "unknown"],
  ];
  for (const [content, kind] of kinds) assert.equal(recognise(bytes(content)), kind, content);
});
