import { deepEqual, equal, match, ok } from "node:assert/strict";
import { problemsOf } from "../../bot/outgoing.ts";
import type { ReplyPost } from "../../bot/ports.ts";
import { recipientsOf } from "../../bot/recipients.ts";
import { encodeAddress, encodeText, field } from "../../bot/render/header.ts";
import { replyText } from "../../bot/render/reply.ts";
import { wrap } from "../../bot/render/wrap.ts";
import { readAddresses } from "../../rules/engine/address.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { decodeWords } from "../../rules/engine/encoding.ts";
import { golden } from "../golden.ts";
import { BOT, config, NOON, read, wholeLinter } from "./lab.ts";
import { letter, type LetterParts, mistake } from "./letters.ts";

// One rule only: a new rule must not change what these replies are about, their look.
const RULE = "p2p-dma-map-resource-on-bar";

/** The reply to a mail. */
async function replyTo(
  text: string,
  more: Partial<Parameters<typeof replyText>[0]> = {},
): Promise<ReplyPost> {
  const mail = await read(text);
  const { findings, patch } = await wholeLinter().lint(readPatch(mail));
  const { places } = recipientsOf(mail, config(), new Set());
  const of = (role: string) => places.filter((place) => place.role === role).map(({ address }) => address);
  const messageId = "p2plint.0123456789abcdef0123@bots.example.net";
  const { name, address, home, archive } = config().bot;
  return {
    kind: "reply",
    id: "0123456789abcdef0123",
    messageId,
    inReplyTo: mail.messageId!,
    sender: BOT,
    recipients: [...of("to"), ...of("cc")].map(({ address }) => address),
    text: replyText({
      patch,
      remarks: findings.filter(({ rule }) => rule === RULE).map((finding) => ({ finding, since: null })),
      gone: [],
      unsaid: 0,
      to: of("to"),
      cc: of("cc"),
      bot: { name, address, home, archive },
      messageId,
      date: NOON,
      toolVersion: "0.0.0",
      kernel: null,
      ...more,
    }),
    list: "linux-foo.example.org",
    author: "ada@example.com",
    thread: mail.messageId!,
    sink: "smtp",
  };
}

const bodyOf = ({ text }: ReplyPost) => text.slice(text.indexOf("\n\n") + 2);

Deno.test("replyText() writes the golden reply to the fixture of the README, fit to be sent", async () => {
  const fixture = await Deno.readTextFile(new URL("../../fixtures/p2p-export.patch", import.meta.url));
  const text = fixture.replace(/^From .*\n/, "")
    .replace(
      "Subject:",
      "To: linux-foo@example.org\nList-Id: <linux-foo.example.org>\nMessage-ID: <1@example.org>\nSubject:",
    );
  const post = await replyTo(text);
  deepEqual(problemsOf(post), []);
  await golden("fixtures/p2p-export.reply.golden", post.text);
});

Deno.test("replyText() writes the golden reply to a later version: what is left, what is new, what got fixed", async () => {
  const mail = letter({
    id: "v3@example.com",
    subject: "[PATCH v3 2/2] misc: foo: export the doorbell",
    references: ["cover@example.com"],
    to: '"Example, Grace (Foo)" <grace@example.net>, linux-foo@example.org',
    cc: "Jürgen Beispiel <juergen@example.net>",
    body: `${mistake("drivers/misc/foo.c", "foo_map")}`,
  });
  const plain = await read(mail);
  const { findings } = await wholeLinter().lint(readPatch(plain));
  const post = await replyTo(mail, {
    remarks: [{
      finding: findings.find(({ rule }) => rule === RULE)!,
      since: { version: 1, messageId: "p2plint.old@bots.example.net" },
    }],
    gone: [{ rule: "dma-mapping-leak", path: "drivers/misc/foo.c", version: 2 }],
    unsaid: 3,
  });
  deepEqual(problemsOf(post), []);
  await golden("fixtures/later-version.reply.golden", post.text);
});

Deno.test("replyText() gives the same bytes each time", async () => {
  const mail = letter({ id: "same@example.com" });
  equal((await replyTo(mail)).text, (await replyTo(mail)).text);
});

const HOSTILE: readonly (readonly [string, LetterParts])[] = [
  ["a name with a line break in an encoded word", {
    from: "=?utf-8?q?Ada=0D=0ABcc:_x@evil.example=0D=0A?= <ada@example.com>",
  }],
  ["a subject with a header inside", {
    subject: "[PATCH] =?utf-8?q?go=0ASubject:_x=0A=0Abody?= \u202egnirts",
  }],
  ["a subject of 10,000 letters", { subject: `[PATCH] ${"ü".repeat(10_000)}` }],
  ["200 references", {
    references: Array.from({ length: 200 }, (_, at) => `ref-${at}-${"x".repeat(200)}@example.com`),
  }],
  ["references that are none", { more: ["References: <a\x01b@c> <ü@example.com> <ok@example.com>"] }],
  ["a name that looks like an encoded word", { from: '"=?utf-8?q?x?=" <ada@example.com>' }],
  ["a Message-ID with a shell in it", { id: "$(reboot)`x`';&|@example.com" }],
  ["code with terminal escapes and directions", {
    body: mistake().replace("dma_addr_t addr;", "dma_addr_t addr; /* \x1b[2J \u202e */"),
  }],
  ["a line of 5,000 characters", {
    body: mistake().replace("foo->len,", `foo->len /* ${"x".repeat(5000)} */,`),
  }],
  ["letters that are not ASCII", { body: mistake().replace("foo->len,", "foo->len /* für alle */,") }],
];
for (const [what, parts] of HOSTILE) {
  Deno.test(`replyText() stays one fit mail for ${what}`, async () => {
    const post = await replyTo(letter(parts));
    deepEqual(problemsOf(post), []);
    const mail = await read(post.text);
    deepEqual([...mail.headers.keys()].filter((name) => ["bcc", "list-id"].includes(name)), []);
    equal(mail.headers.get("subject")!.length, 1);
    equal(mail.to[0]!.address, "ada@example.com");
    match(
      post.text,
      /\nReproduce: curl -sL https:\/\/lore\.kernel\.org\/all\/[\w.@%+-]+\/raw \| p2plint check -\n$/,
    );
  });
}

Deno.test("replyText() refers to what the patch answers when the patch refers to nothing", async () => {
  const mail = await read(
    (await replyTo(letter({ id: "p@example.com", inReplyTo: "cover@example.com" }))).text,
  );
  deepEqual([mail.inReplyTo, mail.references], ["p@example.com", ["cover@example.com", "p@example.com"]]);
});

Deno.test("replyText() says six things in full and counts the rest", async () => {
  const one = mistake().split("\n");
  const at = one.findIndex((line) => line.startsWith("@@"));
  const functions = Array.from(
    { length: 9 },
    (_, no) => mistake("x", `foo_map_${no}`).split("\n").slice(at + 1, -3),
  ).flat();
  const body = [...one.slice(0, at), `@@ -0,0 +1,${functions.length} @@`, ...functions, "-- ", "2.47.0", ""]
    .join("\n");
  const post = await replyTo(letter({ body }));
  deepEqual(problemsOf(post), []);
  equal(bodyOf(post).match(/^ {2}\[p2p-dma-map-resource-on-bar, error\]$/gm)?.length, 6);
  ok(bodyOf(post).includes("And 3 more: the command below lists them."));
  ok(bodyOf(post).startsWith("9 findings on lines this patch adds.\n"));
});

Deno.test("problemsOf() finds what must not leave", async () => {
  const post = await replyTo(letter({ id: "p@example.com" }));
  const said = (edit: (text: string) => string) => problemsOf({ ...post, text: edit(post.text) }).join("; ");
  const edits: readonly [RegExp, (text: string) => string][] = [
    [
      /a tag: Reviewed-by: p2plint/,
      (text) => text.replace("\n-- \n", "\nReviewed-by: p2plint <x@y.example>\n-- \n"),
    ],
    [/2 headers subject/, (text) => `Subject: x\n${text}`],
    [/a header bcc/, (text) => `Bcc: x@evil.example\n${text}`],
    [/not who it is sent to/, (text) => text.replace(/^To: .*$/m, "To: x@evil.example")],
    [/0 headers auto-submitted/, (text) => text.replace(/^Auto-Submitted: .*\n/m, "")],
    [/a line of \d+ columns/, (text) => text.replace("\n-- \n", `\n${"long words ".repeat(10)}\n-- \n`)],
    [/wrong transfer encoding/, (text) => text.replace("\n-- \n", "\nü\n-- \n")],
    [/a control character/, (text) => text.replace("\n-- \n", "\n\x1b[2J\n-- \n")],
    [/400|lines/, (text) => text.replace("\n-- \n", `${"\nx".repeat(500)}\n-- \n`)],
    [/no footer/, (text) => text.replace("\n-- \n", "\n")],
    [/not plain text/, (text) => text.replace("text/plain", "text/html")],
  ];
  deepEqual(problemsOf(post), []);
  for (const [problem, edit] of edits) match(said(edit), problem);
});

Deno.test("encodeAddress() is read back as it was, whatever the name", () => {
  const names = [
    "",
    "Ada",
    "Doe, Jane",
    "Kim (the second)",
    'a "b" \\c',
    "Jürgen Beispiel",
    "=?x?=",
    "田中".repeat(30),
    "a@b",
    "x;y:z",
  ];
  for (const name of names) {
    const encoded = field("To", [encodeAddress({ name, address: "a@example.com" })]).slice(4).replace(
      /\n/g,
      "",
    );
    deepEqual(readAddresses(encoded), [{ name, address: "a@example.com" }], encoded);
  }
});

Deno.test("encodeText() takes no more than a line, and reads back", () => {
  equal(encodeText("a\r\nb\tc\u0000d\u2028e"), "a b c d e");
  equal(decodeWords(encodeText("für 田中 und alle")), "für 田中 und alle");
});

Deno.test("wrap() keeps to 72 columns and leaves short code whole", () => {
  const lines = wrap(`${"word ".repeat(40)}\`foo->bar (baz)\` ${"x".repeat(100)} end`, "  ");
  ok(lines.every((line) => line.length <= 72 || !line.trim().includes(" ")));
  equal(lines.some((line) => line.includes("`foo->bar (baz)`")), true);
});
