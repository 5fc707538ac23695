import { deepEqual, equal } from "node:assert/strict";
import { judgeReply, readCommands } from "../../bot/verdict.ts";
import type { FindingRecord, PostRecord, ReplyPost } from "../../bot/ports.ts";
import { config, NOON, read } from "./lab.ts";
import { letter, type LetterParts } from "./letters.ts";

const FINDINGS: readonly FindingRecord[] = ["dma-one", "dma-two"].map((rule, at) => ({
  fingerprint: `f${at}`,
  rule,
  severity: "error",
  path: "drivers/foo.c",
  line: 1,
  message: "wrong",
  messageId: "patch@example.com",
  post: "0".repeat(20),
}));
const RECORD: PostRecord<ReplyPost> = {
  post: {
    kind: "reply",
    id: "0".repeat(20),
    messageId: `p2plint.${"0".repeat(20)}@bots.example.net`,
    inReplyTo: "patch@example.com",
    sender: "p2plint@bots.example.net",
    recipients: [],
    text: "",
    list: "linux-foo.example.org",
    author: "ada@example.com",
    thread: "patch@example.com",
    sink: "smtp",
  },
  state: "sent",
  reason: "",
  attempts: 1,
  madeAt: NOON,
  claimedAt: NOON,
};

async function judge(body: string, parts: LetterParts = {}, verdicts = {}) {
  const mail = await read(letter({ subject: "Re: [PATCH] misc: foo: go", ...parts, body }));
  return judgeReply(mail, [{ record: RECORD, findings: FINDINGS }], config({ verdicts }));
}

Deno.test("readCommands() takes lines of the reply itself, with the tag quoted above", () => {
  const commands = readCommands([
    "On Monday p2plint wrote:",
    "> p2plint: stop",
    ">   [dma-one, error]",
    "P2PLINT: False-Positive the map is in the core\r",
    " p2plint: fixed",
    "p2plint: improve yourself",
    "-- ",
    "p2plint: stop",
  ].join("\n"));
  deepEqual(commands, [{ verb: "false-positive", reason: "the map is in the core", rule: "dma-one" }]);
});

Deno.test("judgeReply() believes the author, about the finding that is quoted or named, else about all", async () => {
  const fingerprints = async (body: string) =>
    (await judge(body)).verdicts.map(({ fingerprint }) => fingerprint);
  deepEqual(await fingerprints("p2plint: wontfix"), ["f0", "f1"]);
  deepEqual(await fingerprints(">   [dma-two, error]\np2plint: wontfix"), ["f1"]);
  deepEqual(await fingerprints(">   [dma-two, error]\np2plint: wontfix dma-one: it is old hardware"), ["f0"]);
});

Deno.test("judgeReply() believes a maintainer and nobody else", async () => {
  const from = "Grace Example <Grace@example.net>";
  const said = await judge("p2plint: false-positive", { from });
  deepEqual([said.verdicts, said.reason], [
    [],
    "false-positive by grace@example.net: neither author nor maintainer",
  ]);
  equal(
    (await judge("p2plint: false-positive", { from }, { maintainers: ["grace@example.net"] })).verdicts
      .length,
    2,
  );
});

Deno.test("judgeReply() lets anybody stop their own mail", async () => {
  const said = await judge("p2plint: stop", { from: "kim@example.net" });
  deepEqual([said.optOut, said.verdicts], ["kim@example.net", []]);
});

Deno.test("judgeReply() asks for DKIM where the configuration does, of our own server only", async () => {
  const body = "p2plint: fixed";
  const at = { authserv: "mx.example.net" };
  const results = (value: string) => ({ more: [`Authentication-Results: ${value}`] });
  const count = async (parts: LetterParts) => (await judge(body, parts, at)).verdicts.length;
  equal(await count({}), 0);
  equal(await count(results("mx.example.net; spf=pass; dkim=pass header.d=example.com")), 2);
  equal(await count(results("mx.example.net; dkim=pass header.d=evil.example")), 0);
  equal(await count(results("mx.example.net; dkim=fail header.d=example.com")), 0);
  equal(await count(results("evil.example; dkim=pass header.d=example.com")), 0);
});
