import { deepEqual, equal, match, ok } from "node:assert/strict";
import { DeliveryError } from "../../bot/ports.ts";
import { inLab, NOON, read, wholeLinter } from "./lab.ts";
import { dull, innocent, letter, type LetterParts, LIST, mistake } from "./letters.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A series of patches, each with a mistake unless told. */
function series(
  stem: string,
  total: number,
  parts: LetterParts & { bodies?: readonly string[]; version?: number } = {},
) {
  const version = parts.version === undefined ? "" : ` v${parts.version}`;
  const cover = `${stem}-0@example.com`;
  return [
    letter({
      ...parts,
      id: cover,
      subject: `[PATCH${version} 0/${total}] misc: foo: the engine`,
      body: "All of it.\n",
    }),
    ...Array.from({ length: total }, (_, at) =>
      letter({
        ...parts,
        id: `${stem}-${at + 1}@example.com`,
        subject: `[PATCH${version} ${at + 1}/${total}] misc: foo: part ${at + 1}`,
        references: [cover],
        inReplyTo: cover,
        body: parts.bodies?.[at] ?? mistake(`drivers/misc/foo${at + 1}.c`),
      })),
  ];
}

Deno.test("watch() replies to a patch with a mistake, once, and to nothing else", async () => {
  await inLab({}, async ({ mailbox, smtp, run, fate }) => {
    mailbox.put(
      letter({ id: "bad@example.com" }),
      letter({ id: "good@example.com", body: innocent() }),
      letter({ id: "dull@example.com", body: dull() }),
      letter({ id: "talk@example.com", subject: "Re: [PATCH] misc: foo: go" }),
      letter({ id: "bad@example.com", list: LIST.id }),
    );
    await run();
    await run();
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["bad@example.com"]);
    deepEqual(smtp.posts[0]!.recipients, ["ada@example.com", LIST.address]);
    match(await fate("bad@example.com"), /^replied: post [0-9a-f]{20}$/);
    equal(await fate("good@example.com"), "clean: nothing found");
    equal(await fate("dull@example.com"), "clean: no name in it that a rule knows");
    equal(await fate("talk@example.com"), "skipped: a reply");
    // What its head refuses is never fetched.
    deepEqual(mailbox.fetched, [1, 2, 3]);
  });
});

for (
  const [mode, sink, posts] of [["dry-run", "outbox", 1], ["send", "smtp", 1], ["moderated", "smtp", 0], [
    "off",
    "smtp",
    0,
  ]] as const
) {
  Deno.test(`watch() in mode ${mode} gives ${posts} posts to ${sink}`, async () => {
    await inLab({ lists: [{ ...LIST, mode }] }, async (lab) => {
      lab.mailbox.put(letter({ id: "bad@example.com" }));
      await lab.run();
      equal(lab[sink].posts.length, posts);
      equal(lab.smtp.posts.length + lab.outbox.posts.length, posts);
    });
  });
}

Deno.test("watch() sends a moderated reply once it is approved, and never a dropped one", async () => {
  await inLab({ lists: [{ ...LIST, mode: "moderated" }] }, async ({ mailbox, smtp, journal, run }) => {
    mailbox.put(
      letter({ id: "one@example.com" }),
      letter({ id: "two@example.com", subject: "[PATCH] foo: two" }),
    );
    await run();
    const held = (await journal.queue()).posts;
    deepEqual(held.map(({ state }) => state), ["held", "held"]);
    equal(await journal.approve(held[0]!.post.id, NOON), true);
    equal(await journal.drop(held[1]!.post.id, NOON), true);
    await run();
    deepEqual(smtp.posts.map(({ id }) => id), [held[0]!.post.id]);
  });
});

Deno.test("watch() waits for the rest of a series, until it is whole or has had its time", async () => {
  await inLab({}, async ({ mailbox, smtp, runFor, fate }) => {
    const [cover, one, two] = series("s", 2);
    mailbox.put(cover!, one!);
    await runFor(30 * MINUTE_MS);
    deepEqual([smtp.posts.length, await fate("s-1@example.com")], [
      0,
      "waiting: for its series, or a later version of it",
    ]);
    mailbox.put(two!);
    await runFor(1 * MINUTE_MS);
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["s-1@example.com", "s-2@example.com"]);
    const [, lonely] = series("t", 2, { from: "kim@example.com" });
    mailbox.put(lonely!);
    await runFor(50 * MINUTE_MS);
    equal(smtp.posts.length, 2);
    await runFor(15 * MINUTE_MS);
    equal(smtp.posts.length, 3);
  });
});

Deno.test("watch() drops a version that is overtaken while it waits, or came late", async () => {
  await inLab({}, async ({ mailbox, smtp, runFor, fate }) => {
    mailbox.put(...series("v1", 2));
    await runFor(5 * MINUTE_MS);
    mailbox.put(...series("v2", 2, { version: 2 }));
    await runFor(20 * MINUTE_MS);
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["v2-1@example.com", "v2-2@example.com"]);
    equal(await fate("v1-1@example.com"), "skipped: overtaken by v2");
    mailbox.put(letter({ id: "late@example.com", subject: "[PATCH] misc: foo: part 1" }));
    await runFor(20 * MINUTE_MS);
    equal(await fate("late@example.com"), "skipped: overtaken by v2");
  });
});

Deno.test("watch() tells a later version what is left and what got fixed, and is silent when all is", async () => {
  await inLab({}, async ({ mailbox, smtp, run, fate, journal }) => {
    const two = `${mistake("drivers/misc/foo.c")}`.replace("-- \n2.47.0\n", "") +
      mistake("drivers/misc/bar.c", "bar_map").split("---\n")[1];
    mailbox.put(letter({ id: "v1@example.com", body: two }));
    await run();
    mailbox.put(
      letter({
        id: "v2@example.com",
        subject: "[PATCH v2] misc: foo: start the engine",
        body: mistake("drivers/misc/foo.c", undefined, 3),
      }),
    );
    await run();
    equal(smtp.posts.length, 2);
    match(smtp.posts[0]!.text, /\n2 findings on lines this patch adds\.\n/);
    const [first, second] = smtp.posts;
    ok(second!.text.includes(`Still there since v1:\nhttps://lore.kernel.org/all/${first!.messageId}/\n`));
    match(
      second!.text.replaceAll("\n", " "),
      /Fixed by this version: p2p-dma-map-resource-on-bar in drivers\/misc\/bar\.c \(was in v1\)\./,
    );
    mailbox.put(
      letter({ id: "v3@example.com", subject: "[PATCH v3] misc: foo: start the engine", body: innocent() }),
    );
    await run();
    deepEqual([smtp.posts.length, await fate("v3@example.com")], [2, "clean: nothing found"]);
    // Sent again unchanged: nothing new to say.
    mailbox.put(
      letter({
        id: "again@example.com",
        subject: "[PATCH v3 RESEND] misc: foo: start the engine",
        body: innocent(),
      }),
    );
    mailbox.put(
      letter({
        id: "resend@example.com",
        subject: "[PATCH RESEND v4] misc: foo: start the engine",
        body: mistake(),
      }),
    );
    await run();
    mailbox.put(
      letter({
        id: "resend2@example.com",
        subject: "[PATCH RESEND v4] misc: foo: start the engine",
        body: mistake(),
      }),
    );
    await run();
    deepEqual([smtp.posts.length, await fate("resend2@example.com")], [
      3,
      "muted: said of this version already",
    ]);
    equal((await journal.queue()).posts.length, 0);
  });
});

Deno.test("watch() mails no more than its cap for a series, the worst first, and says that there is more", async () => {
  await inLab({ reply: { maxPerSeries: 2 } }, async ({ mailbox, smtp, run, fate }) => {
    mailbox.put(...series("s", 5));
    await run();
    equal(smtp.posts.length, 2);
    match(smtp.posts[0]!.text, /3 more patches of this series have findings, which are not mailed\./);
    equal(await fate("s-5@example.com"), "muted: its series has had all the mail it gets");
    equal(await fate("s-0@example.com"), "clean: cover letter");
  });
});

Deno.test("watch() stores a verdict, and does not say again what has one", async () => {
  await inLab({}, async ({ mailbox, smtp, run, fate, journal }) => {
    mailbox.put(letter({ id: "v1@example.com" }));
    await run();
    const reply = (id: string, from: string, body: string) =>
      letter({
        id,
        from,
        subject: "Re: [PATCH] misc: foo: start the engine",
        inReplyTo: smtp.posts[0]!.messageId,
        body,
      });
    mailbox.put(reply("nobody@example.com", "eve@example.net", "p2plint: false-positive because I say so\n"));
    await run();
    equal((await journal.scores())[0]!.falsePositive, 0);
    mailbox.put(
      reply(
        "ada@example.com",
        "Ada <ADA@example.com>",
        "> [...]\np2plint: false-positive one device, two names\n",
      ),
    );
    await run();
    match(await fate("ada@example.com"), /^verdict: false-positive by ada@example\.com$/);
    deepEqual((await journal.scores()).map(({ rule, sent, falsePositive }) => [rule, sent, falsePositive]), [
      ["p2p-dma-map-resource-on-bar", 1, 1],
    ]);
    mailbox.put(letter({ id: "v2@example.com", subject: "[PATCH v2] misc: foo: start the engine" }));
    await run();
    deepEqual([smtp.posts.length, await fate("v2@example.com")], [1, "muted: every finding has a verdict"]);
  });
});

Deno.test("watch() honours stop at once: for later patches and for mail that waits", async () => {
  await inLab({ lists: [{ ...LIST, mode: "moderated" }] }, async ({ mailbox, smtp, run, fate, journal }) => {
    mailbox.put(
      letter({ id: "v1@example.com" }),
      letter({ id: "w1@example.com", subject: "[PATCH] misc: foo: other" }),
    );
    await run();
    const [one, two] = (await journal.queue()).posts;
    await journal.approve(one!.post.id, NOON);
    await run();
    const [sent] = smtp.posts;
    mailbox.put(
      letter({
        id: "stop@example.com",
        subject: "Re: [PATCH] x",
        inReplyTo: sent!.messageId,
        body: "p2plint: stop\n",
      }),
    );
    await run();
    mailbox.put(letter({ id: "more@example.com", subject: "[PATCH] misc: foo: more" }));
    await journal.approve(two!.post.id, NOON);
    await run();
    equal(smtp.posts.length, 1);
    equal(await fate("more@example.com"), "skipped: its sender opted out");
    deepEqual((await journal.counts()).posts, new Map([["dropped", 1], ["sent", 1]]));
  });
});

Deno.test("watch() keeps to its limits, and sends the rest when there is room", async () => {
  await inLab(
    { limits: { perHour: 2, perListPerHour: 2, perAuthorPerDay: 3 } },
    async ({ mailbox, smtp, runFor, clock }) => {
      for (let at = 0; at < 5; at++) {
        mailbox.put(
          letter({ id: `m${at}@example.com`, subject: `[PATCH] foo: no. ${at}` }),
        );
      }
      await runFor(20 * MINUTE_MS);
      equal(smtp.posts.length, 2);
      await runFor(2 * HOUR_MS);
      equal(smtp.posts.length, 3);
      clock.set(clock.now() + 24 * HOUR_MS);
      await runFor(2 * HOUR_MS);
      equal(smtp.posts.length, 5);
    },
  );
});

Deno.test("watch() answers a thread so often and no more", async () => {
  await inLab(
    { limits: { perThread: 2 }, reply: { maxPerSeries: 50 } },
    async ({ mailbox, smtp, run, fate }) => {
      for (let at = 0; at < 6; at++) {
        mailbox.put(
          letter({
            id: `m${at}@example.com`,
            subject: `[PATCH] foo: no. ${at}`,
            references: ["root@example.com"],
          }),
        );
        await run();
      }
      deepEqual([smtp.posts.length, await fate("m5@example.com")], [
        2,
        "muted: its thread has had all the mail it gets",
      ]);
    },
  );
});

Deno.test("watch() tries again after 4xx, parks after 5xx, and goes on with the others", async () => {
  await inLab({}, async ({ mailbox, smtp, journal, runFor }) => {
    mailbox.put(
      letter({ id: "a@example.com", subject: "[PATCH] foo: a" }),
      letter({ id: "b@example.com", subject: "[PATCH] foo: b" }),
      letter({ id: "c@example.com", subject: "[PATCH] foo: c" }),
    );
    let isBusy = true;
    smtp.fail = ({ inReplyTo }) =>
      inReplyTo === "a@example.com" && isBusy
        ? new DeliveryError("450 busy", "later")
        : inReplyTo === "b@example.com"
        ? new DeliveryError("550 no such user", "never")
        : null;
    await runFor(15 * MINUTE_MS);
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["c@example.com"]);
    deepEqual((await journal.queue()).posts.map(({ state, reason }) => [state, reason]), [[
      "pending",
      "450 busy",
    ], ["parked", "550 no such user"]]);
    isBusy = false;
    await runFor(2 * HOUR_MS);
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["c@example.com", "a@example.com"]);
  });
});

Deno.test("watch() looks for a post in doubt on the list, and sends it again only when it is not there", async () => {
  for (const isTaken of [true, false]) {
    await inLab({}, async ({ mailbox, smtp, runFor, journal }) => {
      mailbox.put(letter({ id: "a@example.com" }));
      let count = 0;
      smtp.fail = (post) => {
        if (++count > 1) return null;
        // The list has it, and the connection broke before the server could say so.
        if (isTaken) mailbox.put(post.text.replace("\n\n", `\nList-Id: <${LIST.id}>\n\n`));
        return new DeliveryError("closed", "unknown");
      };
      await runFor(11 * MINUTE_MS);
      equal((await journal.queue()).posts[0]!.state, "doubt");
      await runFor(20 * MINUTE_MS);
      equal(count, isTaken ? 1 : 2);
      deepEqual((await journal.counts()).posts, new Map([["sent", 1]]));
    });
  }
});

Deno.test("watch() leaves a doubt that no list can settle to a human", async () => {
  await inLab(
    { lists: [], senders: [{ address: "ada@example.com", mode: "send" }] },
    async ({ mailbox, smtp, runFor, journal }) => {
      mailbox.put(letter({ id: "a@example.com", list: null }));
      smtp.fail = () => new DeliveryError("closed", "unknown");
      await runFor(40 * MINUTE_MS);
      deepEqual((await journal.queue()).posts.map(({ state, reason }) => [state, reason]), [
        ["parked", "may have been sent, and went to no list that would show it"],
      ]);
    },
  );
});

Deno.test("watch() parks what ended the process three times", async () => {
  await inLab({}, async ({ mailbox, smtp, run, fate, journal }) => {
    mailbox.put(
      letter({ id: "poison@example.com" }),
      letter({ id: "fine@example.com", subject: "[PATCH] foo: fine", from: "kim@example.com" }),
    );
    // Three processes took it, began to judge it, and were never heard of again.
    await inLabTaken(journal);
    for (let at = 0; at < 3; at++) await journal.begin(["poison@example.com"]);
    await run();
    match(await fate("poison@example.com"), /^parked: judging its series ended the process 3 times$/);
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["fine@example.com"]);

    async function inLabTaken(into: typeof journal) {
      const mail = await read(new TextDecoder().decode(mailbox.mails[0]));
      await into.take([{
        mail: {
          messageId: mail.messageId!,
          account: "local",
          mailbox: "INBOX",
          uid: 1,
          arrived: NOON,
          list: LIST.id,
          subject: mail.subject,
          inReplyTo: null,
          references: [],
          from: "ada@example.com",
          state: "waiting",
          reason: "",
        },
        bytes: mailbox.mails[0]!,
        verdicts: [],
        optOut: null,
      }], { account: "local", mailbox: "INBOX", validity: "1", uid: 1, modseq: null });
    }
  });
});

Deno.test("watch() under a new UIDVALIDITY reads the mailbox again and repeats nothing", async () => {
  await inLab({}, async ({ mailbox, smtp, run }) => {
    mailbox.put(letter({ id: "a@example.com", subject: "[PATCH] foo: a" }));
    await run();
    mailbox.validity = "2";
    mailbox.put(letter({ id: "b@example.com", subject: "[PATCH] foo: b" }));
    await run();
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["a@example.com", "b@example.com"]);
  });
});

Deno.test("watch() skips a mail whose head the server reads otherwise, and judges the rest", async () => {
  await inLab({}, async ({ mailbox, smtp, run, fate }) => {
    const whole = letter({ id: "odd@example.com" });
    // For git and for us the head ends at the line that is no field; an IMAP server finds the id behind it.
    mailbox.put(
      whole.replace("Subject:", "this is no field\nSubject:"),
      letter({ id: "fine@example.com", subject: "[PATCH] foo: fine" }),
    );
    mailbox.head = (bytes) => {
      const text = new TextDecoder().decode(bytes);
      return new TextEncoder().encode(text.slice(0, text.indexOf("\n\n")).replace("this is no field\n", ""));
    };
    await run();
    equal(await fate("odd@example.com"), "skipped: its head is broken: it can be read in two ways");
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["fine@example.com"]);
  });
});

Deno.test("watch() parks a series on which p2plint itself fails, and judges the rest", async () => {
  await inLab({}, async (lab) => {
    const { mailbox, smtp, run, fate } = lab;
    const linter = wholeLinter();
    mailbox.put(
      letter({ id: "cursed@example.com", subject: "[PATCH] foo: cursed" }),
      letter({ id: "fine@example.com", subject: "[PATCH] foo: fine" }),
    );
    const lint = linter.lint;
    try {
      linter.lint = (patch, around) => {
        if (patch.mail.messageId === "cursed@example.com") throw new Error("no such luck");
        return lint(patch, around);
      };
      await run();
    } finally {
      linter.lint = lint;
    }
    equal(await fate("cursed@example.com"), "parked: p2plint failed: no such luck");
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["fine@example.com"]);
  });
});

Deno.test("watch() holds no more of a series than it can carry, and says so", async () => {
  await inLab(
    { intake: { maxAgeDays: 36_500, maxMailBytes: 16 * 1024 * 1024 } },
    async ({ mailbox, smtp, run, fate }) => {
      const [cover, one, two] = series("s", 2);
      const large = (text: string) => `${text}\n${"dma_map_single \n".repeat(560_000)}`;
      mailbox.put(cover!, large(one!), large(two!));
      await run();
      deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["s-1@example.com"]);
      equal(await fate("s-2@example.com"), "skipped: too large: its series has more than 16777216 bytes");
    },
  );
});

Deno.test("watch() parks a message that the server does not hand out, and judges those around it", async () => {
  await inLab({}, async ({ mailbox, smtp, run, journal }) => {
    mailbox.put(
      ...["a", "b", "c"].map((name) =>
        letter({ id: `${name}@example.com`, subject: `[PATCH] foo: ${name}` })
      ),
    );
    mailbox.broken.add(2);
    await run();
    deepEqual(smtp.posts.map(({ inReplyTo }) => inReplyTo), ["a@example.com", "c@example.com"]);
    deepEqual((await journal.queue()).mails.map(({ messageId, reason }) => [messageId, reason]), [
      ["no-id:local/INBOX/1/2", "the server does not hand it out"],
    ]);
  });
});
