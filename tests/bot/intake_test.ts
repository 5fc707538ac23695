import { deepEqual, equal } from "node:assert/strict";
import { admit, foreignPath, isForStable } from "../../bot/intake.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { readSubject } from "../../rules/engine/subject.ts";
import { BOT, config, NOON, read } from "./lab.ts";
import { dull, letter, type LetterParts, mistake } from "./letters.ts";

const OWN = "p2plint.0123456789abcdef0123@bots.example.net";

async function admission(parts: LetterParts, over: Record<string, unknown> = {}, size = 5000) {
  const mail = await read(letter(parts));
  const found = admit(mail, { size, arrived: NOON, now: NOON }, config(over));
  return found.act === "skip" ? found.reason : found.act;
}

Deno.test("admit() lets in a patch that came through a configured list", async () => {
  const found = admit(await read(letter()), { size: 5000, arrived: NOON, now: NOON }, config());
  deepEqual(found, { act: "patch", list: "linux-foo.example.org" });
});

for (
  const [what, parts, reason] of [
    ["mail of no list", { list: null }, "came through no list"],
    ["mail of another list", { list: "linux-bar.example.org" }, "came through a list that is not configured"],
    ["a doubled List-Id", { more: ["List-Id: <linux-bar.example.org>"] }, "more than one List-Id"],
    [
      "a list whose name ours begins",
      { list: "linux-foo.example.org.evil.example" },
      "came through a list that is not configured",
    ],
    [
      "what a program sent",
      { more: ["Auto-Submitted: auto-generated"] },
      "sent by a program (Auto-Submitted)",
    ],
    [
      "what a program sent, folded",
      { more: ["Auto-Submitted:", " auto-replied (vacation)"] },
      "sent by a program (Auto-Submitted)",
    ],
    ["another p2plint", { more: ["X-P2plint: version=9"] }, "sent by another p2plint"],
    ["the bot's own address", { from: `Somebody <${BOT.toUpperCase()}>` }, "sent by the bot's address"],
    ["the kernel test robot", { from: "kernel test robot <lkp@intel.com>" }, "sent by a robot"],
    ["syzbot", { from: "syzbot <syzbot+0123@syzkaller.appspotmail.com>" }, "sent by a robot"],
    ["patchwork's bot", { from: "patchwork-bot+netdevbpf@kernel.org" }, "sent by a robot"],
    ["somebody else with an id of ours", { id: OWN }, "a Message-ID of ours, from somebody else"],
    ["a reply", { subject: "Re: [PATCH] misc: foo: go" }, "a reply"],
    ["a letter", { subject: "How to map a BAR?" }, "no patch"],
    ["a pull request", { subject: "[GIT PULL] misc for 6.20" }, "no patch"],
    ["a patchwork hint", { more: ["X-Patchwork-Hint: ignore"] }, "X-Patchwork-Hint: ignore"],
    [
      "AUTOSEL",
      { subject: "[PATCH AUTOSEL 6.1 3/9] misc: foo: go" },
      "for a stable tree: it was reviewed for mainline",
    ],
    [
      "a stable series",
      { subject: "[PATCH 5.10 003/120] misc: foo: go" },
      "for a stable tree: it was reviewed for mainline",
    ],
    ["X-stable", { more: ["X-stable: review"] }, "for a stable tree: it was reviewed for mainline"],
    ["xfstests", { subject: "[PATCH xfstests] generic: go" }, "for another project: xfstests"],
    ["iproute2-next", { subject: "[PATCH iproute2-next v2] rdma: go" }, "for another project: iproute2"],
    ["an old patch that arrives now", { date: "Tue, 5 Jan 2010 10:00:00 +0000" }, "older than 14 days"],
    ["a Message-ID that is none", { id: 'a"b\\c@example.com' }, "a Message-ID that no header can quote"],
  ] as const
) {
  Deno.test(`admit() refuses ${what}`, async () => {
    equal(await admission(parts, { intake: { maxAgeDays: 14 } }), reason);
  });
}

Deno.test("admit() knows its own post when it comes back, before anything else", async () => {
  equal(await admission({ id: OWN, from: BOT, more: ["Auto-Submitted: auto-replied"] }), "own");
});

Deno.test("admit() looks at an answer to a post of ours", async () => {
  equal(await admission({ subject: "Re: [PATCH] misc: foo: go", inReplyTo: OWN }), "answer");
  const other = OWN.replace("bots.example.net", "elsewhere.example");
  equal(await admission({ subject: "Re: [PATCH] misc: foo: go", inReplyTo: other }), "a reply");
});

Deno.test("admit() takes a Date in the future for now", async () => {
  equal(await admission({ date: "Mon, 5 Jan 2099 10:00:00 +0000" }, { intake: { maxAgeDays: 14 } }), "patch");
});

Deno.test("admit() does not let in what is too large", async () => {
  const reason = "too large: 9000000 bytes, the limit is 2097152";
  equal(await admission({}, {}, 9_000_000), reason);
});

Deno.test("admit() lets in a patch that a configured sender wrote directly", async () => {
  const senders = [{ address: "ada@example.com" }];
  equal(await admission({ list: null }, { senders }), "patch");
  equal(await admission({ list: null, more: ["Precedence: bulk"] }, { senders }), "Precedence is bulk");
  // A list that is not configured stays out, whoever writes to it.
  equal(
    await admission({ list: "linux-bar.example.org" }, { senders }),
    "came through a list that is not configured",
  );
});

Deno.test("admit() asks for the list's own server where the configuration does", async () => {
  const lists = [{
    id: "linux-foo.example.org",
    address: "linux-foo@example.org",
    returnPathDomain: "lists.example.org",
  }];
  const forged = "List-Id of linux-foo.example.org, not sent by its server";
  equal(await admission({}, { lists }), forged);
  equal(await admission({ more: ["Return-Path: <x@evillists.example.org>"] }, { lists }), forged);
  equal(await admission({ more: ["Return-Path: <x@lists.example.org>"] }, { lists }), "patch");
  equal(await admission({ more: ["Return-Path: <x@a.lists.example.org>"] }, { lists }), "patch");
});

Deno.test("isForStable() knows a kernel from a revision", () => {
  const forStable = [
    "[PATCH 6.1 1/2] a",
    "[PATCH 6.6.y] a",
    "[PATCH v5.15] a",
    "[PATCH stable] a",
    "[PATCH stable-6.1] a",
  ];
  const forMainline = [
    "[PATCH v2.1 1/2] a",
    "[PATCH net-next] a",
    "[PATCH 2/6] a",
    "[PATCH for-6.19] a",
    "[PATCH v6] a",
  ];
  deepEqual(forStable.filter((subject) => !isForStable(readSubject(subject))), []);
  deepEqual(forMainline.filter((subject) => isForStable(readSubject(subject))), []);
});

Deno.test("foreignPath() names the folder that the kernel has not", async () => {
  const patchOf = async (body: string) => readPatch(await read(letter({ body })));
  equal(foreignPath(await patchOf(mistake("hw/vfio/pci.c"))), "hw");
  equal(foreignPath(await patchOf(dull("drivers/vfio/pci.c"))), null);
  equal(foreignPath(await patchOf(dull("Makefile"))), null);
});
