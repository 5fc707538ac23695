/**
 * The sink on a real SMTP server, and the outbox. Not named *_test.ts: it starts servers, for which it needs permissions that the other tests must not have
 * (`deno task test-servers`).
 *
 * @module
 */

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { DeliveryError, type ReplyPost } from "../../bot/ports.ts";
import { type SmtpOptions, smtpSink, verifySmtp } from "../../bot/sink/smtp.ts";
import { outboxSink } from "../../bot/sink/outbox.ts";
import { certify } from "../bot/dovecot.ts";
import { inFolder } from "../bot/lab.ts";
import { type SmtpBehaviour, startSmtp } from "../bot/smtp_server.ts";

const POST: ReplyPost = {
  kind: "reply",
  id: "0123456789abcdef0123",
  messageId: "p2plint.0123456789abcdef0123@bots.example.net",
  inReplyTo: "a@example.com",
  sender: "p2plint@bots.example.net",
  recipients: ["ada@example.com", "linux-foo@example.org"],
  text: "From: p2plint@bots.example.net\nTo: ada@example.com\n\n.dot\ntrailing  \n> \t/* für */\n-- \nend\n",
  list: "linux-foo.example.org",
  author: "ada@example.com",
  thread: "a@example.com",
  sink: "smtp",
};
const { signal } = new AbortController();

const optionsFor = (port: number, more: Partial<SmtpOptions> = {}): SmtpOptions => ({
  host: "127.0.0.1",
  port,
  tls: "none",
  timeoutSeconds: 2,
  user: null,
  password: null,
  ca: null,
  ...more,
});

Deno.test("smtpSink() sends the bytes as they were composed, to everybody", async () => {
  const server = await startSmtp();
  try {
    match(await smtpSink(optionsFor(server.port)).deliver(POST, signal), /^250/);
    const [mail] = server.mails;
    deepEqual([mail!.from, mail!.to], [POST.sender, POST.recipients]);
    equal(mail!.text, POST.text.replaceAll("\n", "\r\n"));
  } finally {
    await server.stop();
  }
});

for (
  const [what, behaviour, outcome] of [
    ["the server is busy for the sender", { mailFrom: 451 }, "later"],
    ["nobody of the recipients is known", { rcptTo: 550 }, "never"],
    ["the mailbox is full for now", { rcptTo: 452 }, "later"],
    ["the mail is refused for now", { data: 451 }, "later"],
    ["the mail is refused", { data: 554 }, "never"],
    ["the connection breaks at the envelope", { hangUp: "mail" }, "unknown"],
    ["the connection breaks after the data", { hangUp: "data" }, "unknown"],
    ["the server says nothing after the data", { hangUp: "silent" }, "unknown"],
    ["the password is wrong", { auth: "no" }, "later"],
  ] as readonly (readonly [string, SmtpBehaviour, DeliveryError["outcome"]])[]
) {
  Deno.test(`smtpSink() says "${outcome}" when ${what}`, async () => {
    const server = await startSmtp(behaviour);
    try {
      const login = behaviour.auth === undefined ? {} : { user: "bot", password: "wrong" };
      await rejects(smtpSink(optionsFor(server.port, login)).deliver(POST, signal), (error) => {
        ok(error instanceof DeliveryError);
        equal(error.outcome, outcome, error.message);
        return true;
      });
    } finally {
      await server.stop();
    }
  });
}

Deno.test('smtpSink() says "later" when nobody listens', async () => {
  const server = await startSmtp();
  await server.stop();
  await rejects(smtpSink(optionsFor(server.port)).deliver(POST, signal), (error) => {
    return error instanceof DeliveryError && error.outcome === "later";
  });
  await rejects(verifySmtp(optionsFor(server.port)));
});

Deno.test("smtpSink() says who of several was refused, and counts the mail as sent", async () => {
  const server = await startSmtp({ refuse: "linux-foo@example.org" });
  try {
    match(await smtpSink(optionsFor(server.port)).deliver(POST, signal), /refused: linux-foo@example\.org$/);
    deepEqual(server.mails[0]!.to, ["ada@example.com"]);
  } finally {
    await server.stop();
  }
});

Deno.test("outboxSink() files a post whole, twice as once", async () => {
  await inFolder(async (folder) => {
    const sink = outboxSink(`${folder}/deep/outbox`);
    await sink.deliver(POST, signal);
    await sink.deliver(POST, signal);
    deepEqual([...Deno.readDirSync(`${folder}/deep/outbox`)].map(({ name }) => name), [`${POST.id}.eml`]);
    equal(await Deno.readTextFile(`${folder}/deep/outbox/${POST.id}.eml`), POST.text);
  });
});

Deno.test("smtpSink() sends by STARTTLS to a server that it can trust, and in clear to none", async () => {
  await inFolder(async (folder) => {
    const cert = await certify(folder);
    const server = await startSmtp({ tls: { cert, key: await Deno.readTextFile(`${folder}/key.pem`) } });
    const plain = await startSmtp();
    try {
      const trusting = { tls: "starttls", ca: cert } as const;
      await smtpSink(optionsFor(server.port, trusting)).deliver(POST, signal);
      deepEqual(server.mails.map(({ isSecure }) => isSecure), [true]);
      for (const [port, more] of [[server.port, { tls: "starttls" }], [plain.port, trusting]] as const) {
        await rejects(smtpSink(optionsFor(port, more)).deliver(POST, signal), (error) => {
          return error instanceof DeliveryError && error.outcome === "later";
        });
      }
      deepEqual([server.mails.length, plain.mails.length], [1, 0]);
    } finally {
      await server.stop();
      await plain.stop();
    }
  });
});
