/**
 * `deno task mailbox FOLDER [PATH…]`: a Dovecot on the loopback with a mailbox of these mails, and a configuration of
 * the bot for it, to try the bot with. Without paths the mailbox holds the patch of `fixtures/`. The server stays;
 * `kill $(cat FOLDER/dovecot/run/master.pid)` ends it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join, resolve } from "@std/path";
import { inputs, isProblem, mailOf } from "../../bot/source/files.ts";
import { listIdOf } from "../../bot/recipients.ts";
import { unescapeFrom } from "../../rules/engine/mailbox.ts";
import { startDovecot } from "../bot/dovecot.ts";

const PORT = 1143;

const [given, ...paths] = Deno.args;
if (given === undefined) throw new Error("Cannot make a mailbox: name a folder for it");
const folder = resolve(given);
const dovecot = await startDovecot({ folder: join(folder, "dovecot"), port: PORT });
const lists = new Set<string>();
const senders = new Set<string>();
const fixture = new URL("../../fixtures/p2p-export.patch", import.meta.url).pathname;
let count = 0;
for await (const input of inputs(paths.length > 0 ? paths : [fixture], Deno.stdin.readable)) {
  if (isProblem(input)) {
    console.error(`${input.input}: ${input.problem}`);
    continue;
  }
  const mail = await mailOf(input);
  const plain = new TextDecoder("latin1").decode(
    input.masking === null ? input.bytes : unescapeFrom(input.bytes, input.masking),
  ).replace(/^From .*\n/, "");
  // A file of git format-patch has no Message-ID before it is sent.
  const id = createHash("sha256").update(plain).digest("hex").slice(0, 20);
  const text = mail.messageId === null ? `Message-ID: <${id}@localhost>\n${plain}` : plain;
  dovecot.deliver(Uint8Array.from(text, (sign) => sign.charCodeAt(0)));
  count++;
  const list = listIdOf(mail.headers.get("list-id")?.[0] ?? "");
  if (/^[a-z0-9_-]+\.[a-z0-9.-]+$/.test(list)) lists.add(list);
  else if (mail.from !== null) senders.add(mail.from.address.toLowerCase());
}
await Deno.writeTextFile(join(folder, "password"), dovecot.password, { mode: 0o600 });
await Deno.writeTextFile(
  join(folder, "p2plint.json"),
  JSON.stringify(
    {
      bot: { address: "p2plint@localhost.localdomain" },
      state: "state.sqlite",
      outbox: "outbox",
      accounts: [{
        name: "local",
        host: "127.0.0.1",
        port: PORT,
        tls: "none",
        user: dovecot.user,
        password: { file: "password" },
      }],
      lists: [...lists].map((id) => ({ id, address: id.replace(".", "@") })),
      senders: [...senders].map((address) => ({ address })),
      // Mails of any age: this is a trial.
      intake: { maxAgeDays: 36_500 },
    },
    null,
    2,
  ) + "\n",
);
console.log(
  `${count} mails wait on 127.0.0.1:${PORT}, user ${dovecot.user}; the configuration is ${folder}/p2plint.json`,
);
// The server lives on without us.
Deno.exit(0);
