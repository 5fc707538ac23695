import { deepEqual, equal } from "node:assert/strict";
import { recipientsOf } from "../../bot/recipients.ts";
import { matchesAny } from "../../bot/mailboxes.ts";
import { BOT, config, read } from "./lab.ts";
import { letter, type LetterParts, LIST } from "./letters.ts";

const FOO = { ...LIST, mode: "send" };
const BAR = { id: "linux-bar.example.org", address: "linux-bar@example.org", mode: "dry-run" };

async function audience(
  parts: LetterParts,
  over: Record<string, unknown> = {},
  optedOut: readonly string[] = [],
) {
  const { mode, list, places } = recipientsOf(await read(letter(parts)), config(over), new Set(optedOut));
  const who = (role: string) =>
    places.filter((place) => place.role === role).map(({ address }) => address.address);
  const why = (address: string) =>
    places.find((place) => place.address.address === address)?.why ?? "not there";
  return { mode, list, to: who("to"), cc: who("cc"), out: who("out"), why, places };
}

Deno.test("recipientsOf() answers the author, the lists that opted in, and the people in To", async () => {
  const found = await audience({
    to: "Grace Example <grace@example.net>, linux-foo@example.org",
    cc: "linux-mm@kvack.org, dri-devel@lists.example.org, kim@example.net",
  });
  deepEqual([found.to, found.cc], [["ada@example.com"], ["linux-foo@example.org", "grace@example.net"]]);
  deepEqual(found.out, ["linux-mm@kvack.org", "dri-devel@lists.example.org", "kim@example.net"]);
  equal(found.why("kim@example.net"), 'in Cc of the patch: people is "to"');
  deepEqual([found.mode, found.list], ["send", LIST.id]);
});

Deno.test("recipientsOf() reads names with commas and parentheses, and groups", async () => {
  const found = await audience({
    from: '"Example, Ada (Foo, Inc.)" <ada@example.com>',
    to:
      'maintainers: "Doe, Jane" <jane@example.net>, kim@example.net (Kim, the second);, linux-foo@example.org',
  });
  equal(found.places[0]!.address.name, "Example, Ada (Foo, Inc.)");
  deepEqual(found.cc, ["linux-foo@example.org", "jane@example.net", "kim@example.net"]);
});

Deno.test("recipientsOf() unmasks who sent through a relay or a list", async () => {
  const relayed = await audience({
    from: "Ada via B4 Relay <devnull+ada.example.com@kernel.org>",
    more: ["X-Original-From: Ada Example <ada@example.com>", "Reply-To: other@example.com"],
  });
  deepEqual(relayed.to, ["ada@example.com"]);
  const munged = await audience({
    from: "Ada Example via linux-foo <linux-foo@example.org>",
    more: ["Reply-To: Ada Example <ada@example.com>"],
  });
  deepEqual([munged.to, munged.cc], [["ada@example.com"], ["linux-foo@example.org"]]);
  const nobody = await audience({ from: "x <devnull+x@kernel.org>", body: "go\n" });
  deepEqual(nobody.to, []);
});

Deno.test("recipientsOf() gives the one who wrote the patch a copy when another one sent it", async () => {
  const found = await audience({ body: "From: Grace Example <grace@example.net>\n\nGo.\n" });
  deepEqual([found.to, found.cc[0]], [["ada@example.com"], "grace@example.net"]);
});

Deno.test("recipientsOf() takes no public list when one of the patch's lists is private", async () => {
  const secret = {
    id: "secret.example.org",
    address: "secret@example.org",
    mode: "send",
    private: true,
    cc: ["boss@example.org"],
  };
  const found = await audience({ to: "secret@example.org, linux-foo@example.org, grace@example.net" }, {
    lists: [FOO, secret],
  });
  deepEqual([found.to, found.cc], [["ada@example.com"], ["boss@example.org"]]);
  deepEqual(found.out.toSorted(), ["grace@example.net", "linux-foo@example.org", "secret@example.org"]);
  const toSecurity = await audience({ to: "security@kernel.org, linux-foo@example.org" });
  deepEqual(toSecurity.cc, []);
});

Deno.test("recipientsOf() goes by the list that wants mail most, and mails only to it", async () => {
  const found = await audience({ to: "linux-bar@example.org, linux-foo@example.org" }, { lists: [BAR, FOO] });
  deepEqual([found.mode, found.cc, found.why("linux-bar@example.org")], [
    "send",
    ["linux-foo@example.org"],
    "list with mode dry-run",
  ]);
});

Deno.test("recipientsOf() leaves out who opted out, robots, relays and itself", async () => {
  const found = await audience(
    {
      to: `linux-foo@example.org, grace@example.net, lkp@intel.com, devnull+x@kernel.org, ${BOT}`,
    },
    {},
    ["grace@example.net"],
  );
  deepEqual(found.cc, ["linux-foo@example.org"]);
  equal(found.why("grace@example.net"), "opted out");
  deepEqual((await audience({}, {}, ["ada@example.com"])).to, []);
});

Deno.test("recipientsOf() stops at the cap, people last", async () => {
  const to = `linux-foo@example.org, ${
    Array.from({ length: 40 }, (_, at) => `p${at}@example.net`).join(", ")
  }`;
  const found = await audience({ to }, { reply: { maxRecipients: 5 } });
  deepEqual([found.to, found.cc], [["ada@example.com"], [
    "linux-foo@example.org",
    "p0@example.net",
    "p1@example.net",
    "p2@example.net",
  ]]);
  equal(found.why("p39@example.net"), "over the cap of 5 recipients");
});

Deno.test("recipientsOf() answers only the sender of what came directly", async () => {
  const found = await audience({ list: null, to: `${BOT}, grace@example.net` }, {
    lists: [],
    senders: [{ address: "ada@example.com", mode: "send" }],
  });
  deepEqual([found.mode, found.list, found.to, found.cc], [
    "send",
    "ada@example.com",
    ["ada@example.com"],
    [],
  ]);
});

Deno.test("matchesAny() takes a star for anything, and never long", () => {
  equal(matchesAny("syzbot+1@syzkaller.appspotmail.com", ["syzbot*@*"]), true);
  equal(matchesAny("a@b", ["a@b*", "x"]), true);
  equal(matchesAny("aba", ["ab*ba"]), false);
  const start = performance.now();
  equal(matchesAny("a".repeat(100_000), [`${"*a".repeat(1000)}b`]), false);
  equal(performance.now() - start < 1000, true);
});
