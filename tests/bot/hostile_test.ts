import { deepEqual, equal, ok } from "node:assert/strict";
import { problemsOf } from "../../bot/outgoing.ts";
import { random } from "../tools/stream.ts";
import { hostileMails } from "./hostile.ts";
import { config, inLab, type Lab } from "./lab.ts";
import { heldMiB } from "../memory.ts";
import { letter, LIST } from "./letters.ts";

const COUNT = 2000;
const SEED = 20260105;
const WIDE = { perHour: 10_000, perListPerHour: 10_000, perAuthorPerDay: 10_000, perThread: 1000 };
/** Beside the mails themselves, which the test holds. */
const MOST_MIB = 60;

Deno.test(`watch() is not moved by ${COUNT} hostile mails: no answer where none is due, no crash, bounded memory`, async () => {
  await inLab({ limits: WIDE }, async ({ mailbox, smtp, journal, log, run }) => {
    const never = new Set<string>();
    const before = heldMiB();
    for (const { bytes, id, answer } of hostileMails(COUNT, random(SEED))) {
      mailbox.mails.push(bytes);
      if (answer === "never") never.add(id);
    }
    await run();
    // And after them the bot still does its work.
    mailbox.put(letter({ id: "after@example.com", subject: "[PATCH] foo: after the storm" }));
    await run();
    deepEqual(
      smtp.posts.filter(({ inReplyTo }) => never.has(inReplyTo)).map(({ inReplyTo }) => inReplyTo),
      [],
    );
    ok(smtp.posts.some(({ inReplyTo }) => inReplyTo === "after@example.com"));
    // The patches among them are answered, so that the mails below mean something.
    ok(smtp.posts.length > 300, `${smtp.posts.length} answers`);
    const most = config().reply.maxRecipients;
    for (const post of smtp.posts) {
      deepEqual(problemsOf(post), []);
      ok(post.recipients.length <= most);
      equal(/^(?:bcc|list-id):/im.test(post.text.slice(0, post.text.indexOf("\n\n"))), false);
    }
    equal(new Set(smtp.posts.map(({ messageId }) => messageId)).size, smtp.posts.length);
    const { mails } = await journal.counts();
    // Two mails without an id at the same place cannot be; those with one id are one mail.
    ok([...mails.values()].reduce((all, one) => all + one, 0) > COUNT * 0.9);
    equal(mails.get("waiting"), undefined);
    equal(mails.get("verdict"), undefined);
    deepEqual([...await journal.optedOut(["ada@example.com", "eve@evil.example"])], []);
    deepEqual(log.lines.filter(({ level, event }) => level === "error" && event !== "parked"), []);
    const own = mailbox.mails.reduce((sum, { length }) => sum + length, 0) / 1024 ** 2;
    const grown = heldMiB() - before - own;
    ok(grown < MOST_MIB, `${grown} MiB more`);
  });
});

/** What a bot sends comes to the list, and so to every bot. */
async function roundsOf(labs: readonly Lab[], rounds: number): Promise<void> {
  const seen = labs.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    for (const lab of labs) await lab.run();
    for (const [at, { smtp }] of labs.entries()) {
      for (const { text } of smtp.posts.slice(seen[at])) {
        for (const { mailbox } of labs) {
          mailbox.put(text.replace("\n\n", `\nList-Id: <${LIST.id}>\nPrecedence: bulk\n\n`));
        }
      }
      seen[at] = smtp.posts.length;
    }
  }
}

Deno.test("two bots on one list answer the patch, and never each other", async () => {
  const other = { bot: { address: "p2plint@elsewhere.example" } };
  await inLab({}, (one) =>
    inLab(other, async (two) => {
      for (const { mailbox } of [one, two]) mailbox.put(letter({ id: "patch@example.com" }));
      await roundsOf([one, two], 5);
      deepEqual([one.smtp.posts.length, two.smtp.posts.length], [1, 1]);
    }));
});

Deno.test("a program that sends each answer back as a new patch is answered until the thread is full", async () => {
  await inLab({ limits: { ...WIDE, perThread: 4 } }, async (lab) => {
    lab.mailbox.put(letter({ id: "patch@example.com" }));
    let last = "patch@example.com";
    for (let round = 0; round < 20; round++) {
      await lab.run();
      const post = lab.smtp.posts.at(-1)!;
      // It hides that it is a program, and keeps the thread.
      lab.mailbox.put(letter({
        id: `echo-${round}@example.com`,
        subject: `[PATCH] foo: echo ${round}`,
        references: ["patch@example.com", last, post.messageId],
        inReplyTo: post.messageId,
      }));
      last = `echo-${round}@example.com`;
    }
    equal(lab.smtp.posts.length, 4);
  });
});
