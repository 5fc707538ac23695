/**
 * `fetch_alone.ts PORT USER PASSWORD`: what imapflow takes to fetch every message of an INBOX whole, and nothing else.
 *
 * @module
 */

import { ImapFlow } from "imapflow";

const AT_ONCE = 200;

const [port, user = "", pass = ""] = Deno.args;
const client = new ImapFlow({
  host: "127.0.0.1",
  port: Number(port),
  secure: false,
  doSTARTTLS: false,
  auth: { user, pass },
  logger: false,
  disableCompression: true,
});
await client.connect();
const { exists } = await client.mailboxOpen("INBOX", { readOnly: true });
let bytes = 0;
for (let first = 1; first <= exists; first += AT_ONCE) {
  const range = `${first}:${Math.min(exists, first + AT_ONCE - 1)}`;
  for (const { source } of await client.fetchAll(range, { uid: true, source: true })) {
    bytes += source?.length ?? 0;
  }
}
client.close();
console.log(`${exists} messages, ${bytes} bytes`);
Deno.exit(0);
