import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mailFromText, MAX_HEAD_BYTES, MAX_MULTIPARTS, readMail } from "../../rules/engine/mail.ts";

const ORIGIN = { input: "x.eml", position: null };
const DIFF = [
  "diff --git a/foo.c b/foo.c",
  "--- a/foo.c",
  "+++ b/foo.c",
  "@@ -1,2 +1,2 @@",
  " \tint a;",
  "-\tint b;",
  "+\tint c; /* é */",
  "",
].join("\n");

/** Reads a mail given as lines; a string's characters stand for UTF-8 bytes. */
const read = (...lines: readonly string[]) => readMail(Buffer.from(lines.join("\n")), ORIGIN);
/** Reads a mail whose characters stand for one byte each. */
const readBytes = (...lines: readonly string[]) => readMail(Buffer.from(lines.join("\n"), "latin1"), ORIGIN);
const damages = (mail: { defects: readonly { damage: string }[] }) =>
  mail.defects.map(({ damage }) => damage);

Deno.test("readMail() reads the head of an ordinary patch", async () => {
  const mail = await read(
    "From x@y Thu Jan  1 00:00:00 1970",
    "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>",
    "To: a@example.org,",
    "\tb@example.org",
    "Cc: c@example.org",
    "Date: Mon, 1 Jan 2024 00:00:00 +0000",
    "Message-ID: <1@example.org>",
    "In-Reply-To: <0@example.org>",
    "References: <z@example.org>",
    " <0@example.org>",
    "Subject: [PATCH v2 1/3] foo: =?utf-8?q?caf=C3=A9?=",
    "",
    "text",
  );
  assert.equal(mail.input, "x.eml");
  assert.deepEqual(mail.author, { name: "Jürgen", address: "j@example.org" });
  assert.deepEqual(mail.to.map(({ address }) => address), ["a@example.org", "b@example.org"]);
  assert.deepEqual(mail.cc.map(({ address }) => address), ["c@example.org"]);
  assert.equal(mail.date, "Mon, 1 Jan 2024 00:00:00 +0000");
  assert.equal(mail.messageId, "1@example.org");
  assert.equal(mail.inReplyTo, "0@example.org");
  assert.deepEqual(mail.references, ["z@example.org", "0@example.org"]);
  assert.equal(mail.subject.title, "foo: café");
  assert.deepEqual(mail.headers.get("cc"), ["c@example.org"]);
  assert.equal(mail.body, "text");
  assert.equal(mail.rawBody, null);
  assert.deepEqual(mail.defects, []);
});

Deno.test("readMail() decodes quoted-printable and base64 to the same text, CRLF or not", async () => {
  const quoted = DIFF.replaceAll("=", "=3D").replace("é", "=C3=A9").replace("int c;", "int=\n c;");
  for (const end of ["\n", "\r\n"]) {
    const base64 = Buffer.from(DIFF.replaceAll("\n", end)).toString("base64").replace(/.{76}/g, "$&\n");
    const inBase64 = await read(
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: BASE64",
      "",
      base64,
    );
    assert.equal(inBase64.body, DIFF);
    const inQuoted = await read("Content-Transfer-Encoding: quoted-printable", "", ...quoted.split("\n"));
    assert.equal(inQuoted.body, DIFF);
    const inClear = await readMail(Buffer.from(`Subject: x\n\n${DIFF}`.replaceAll("\n", end)), ORIGIN);
    assert.equal(inClear.body, DIFF);
  }
});

Deno.test("readMail() keeps the CR of a file with DOS line ends", async () => {
  assert.equal((await read("Subject: x", "", "text", "+dos\r", "")).body, "text\n+dos\r\n");
});

Deno.test("readMail() ignores a silly charset and names what it had to guess", async () => {
  const silly = await read("Content-Type: text/plain; charset=y", "", "é");
  assert.deepEqual([silly.body, damages(silly)], ["é", []]);
  const guessed = await readBytes("Content-Type: text/plain; charset=\x1b[31my", "", "\xe9");
  assert.deepEqual([guessed.body, damages(guessed)], ["é", ["charset"]]);
  assert.ok(!guessed.defects[0]?.reason.includes("\x1b"));
  const chinese = await readBytes("Content-Type: text/plain; charset=gb2312", "", "\xd6\xd0");
  assert.deepEqual([chinese.body, damages(chinese)], ["中", []]);
});

Deno.test("readMail() reports a transfer encoding that it does not know", async () => {
  const mail = await read("Content-Transfer-Encoding: x-uuencode", "", "text");
  assert.deepEqual([mail.body, damages(mail)], ["text", ["encoding"]]);
});

Deno.test("readMail() joins flowed lines as git does and keeps them as sent", async () => {
  const mail = await read(
    "Content-Type: text/plain; format=flowed",
    "",
    "one ",
    "two",
    " >stuffed",
    "-- ",
    "signature",
  );
  assert.equal(mail.body, "one two\n>stuffed\n-- \nsignature");
  assert.equal(mail.rawBody, "one \ntwo\n >stuffed\n-- \nsignature");
  const deleting = await read("Content-Type: text/plain; format=flowed; delsp=yes", "", "one ", "two");
  assert.equal(deleting.body, "onetwo");
});

/** A multipart body of (head, body) pairs. */
const parts = (boundary: string, ...leaves: readonly (readonly [string, string])[]) => [
  ...leaves.flatMap(([head, body]) => [`--${boundary}`, head, "", body]),
  `--${boundary}--`,
  "",
];

Deno.test("readMail() reads text and attached patches in order and drops html and signatures", async () => {
  const mail = await read(
    "Subject: [PATCH] x",
    'Content-Type: multipart/mixed; boundary="=_b"',
    "",
    "preamble",
    ...parts(
      "=_b",
      [
        "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=1.patch\n" +
        "Content-Transfer-Encoding: base64",
        Buffer.from(DIFF).toString("base64"),
      ],
      ["Content-Type: text/html", "<p>no</p>"],
      ["Content-Type: text/plain; format=flowed", "soft \nbreak"],
      ["Content-Type: text/x-diff; charset=us-ascii; name=2.diff", "diff two \nas sent"],
      ["Content-Type: application/pgp-signature", "-----BEGIN"],
      ["Content-Type: application/octet-stream; name=x.bin", "binary"],
      ["Content-Transfer-Encoding: quoted-printable", "list=20footer"],
    ),
  );
  assert.equal(mail.body, `${DIFF}soft break\ndiff two \nas sent\nlist footer`);
  assert.equal(mail.rawBody, `${DIFF}soft \nbreak\ndiff two \nas sent\nlist footer`);
  assert.deepEqual(mail.defects, []);
});

Deno.test("readMail() finds the text of a signed mail inside of a list's wrapping", async () => {
  const signed = parts("in", ["Content-Type: text/plain; charset=iso-8859-1", DIFF], [
    "Content-Type: application/pgp-signature",
    "-----BEGIN",
  ]).join("\n");
  const mail = await read(
    "Content-Type: multipart/mixed; boundary=out",
    "",
    ...parts("out", ["Content-Type: multipart/signed; boundary=in; micalg=pgp-sha512", signed], [
      "Content-Type: text/plain",
      "footer",
    ]),
  );
  assert.equal(mail.body, `${DIFF}footer`);
});

Deno.test("readMail() reports a message without any text part", async () => {
  const mail = await read(
    "Content-Type: multipart/alternative; boundary=b",
    "",
    ...parts("b", ["Content-Type: text/html", "<p>"]),
  );
  assert.deepEqual([mail.body, damages(mail)], ["", ["mime"]]);
});

Deno.test("readMail() bounds hostile nesting and heads", async () => {
  const nested = Array.from({ length: MAX_MULTIPARTS + 1 }, (_, depth) => [
    `Content-Type: multipart/mixed; boundary=b${depth}`,
    "",
    `--b${depth}`,
  ]).flat();
  assert.deepEqual(damages(await read(...nested)), ["too-large"]);
  assert.deepEqual(damages(await read(`X: ${"x".repeat(MAX_HEAD_BYTES)}`, "", "text")), ["too-large"]);
});

Deno.test("readMail() takes the author from the body, then from b4 relay's field, then from From", async () => {
  const relay = [
    "From: J via B4 Relay <devnull+j.example.org@kernel.org>",
    "X-Original-From: J <j@example.org>",
  ];
  const author = async (...lines: readonly string[]) => (await read(...lines)).author?.address;
  assert.equal(await author(...relay, "", "text"), "j@example.org");
  assert.equal(await author(...relay, "", "", "From: K <k@example.org>", "", "text"), "k@example.org");
  assert.equal(
    await author(
      ...relay,
      "",
      `>From ${"a".repeat(40)} Mon Sep 17 00:00:00 2001`,
      "From: K <k@example.org>",
      "",
    ),
    "k@example.org",
  );
  assert.equal(
    await author("From: <s@example.org>", "", "hello", "-- >8 --", "From: K <k@example.org>", ""),
    "k@example.org",
  );
  assert.equal(await author("From: <s@example.org>", "", "text", "From: K <k@example.org>"), "s@example.org");
  assert.equal(
    await author("From: <s@example.org>", "Subject: Re: x", "", "From: K <k@example.org>"),
    "s@example.org",
  );
});

Deno.test("readMail() cuts nothing at scissors", async () => {
  assert.equal((await read("Subject: x", "", "a", "-- >8 --", "b")).body, "a\n-- >8 --\nb");
});

Deno.test("readMail() reads what has no head, or nothing at all", async () => {
  assert.deepEqual([(await read(DIFF)).body, (await read(DIFF)).messageId], [DIFF, null]);
  assert.equal((await readMail(new Uint8Array(), ORIGIN)).body, "");
});

Deno.test("mailFromText() makes a mail without head of a bare diff", () => {
  const mail = mailFromText(DIFF.replaceAll("\n", "\r\n"), ORIGIN);
  assert.equal(mail.body, DIFF);
  assert.equal(mail.messageId, null);
  assert.equal(mail.subject.text, "");
});
