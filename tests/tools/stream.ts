/**
 * The recorded list traffic beside the checkout, for the benches of the bot.
 *
 * @module
 */

import { splitMbox, unescapeFrom } from "../../rules/engine/mailbox.ts";
import { readMail } from "../../rules/engine/mail.ts";
import { listIdOf } from "../../bot/recipients.ts";

/** A recorded mail. */
export interface Recorded {
  readonly messageId: string;
  readonly bytes: Uint8Array;
  readonly isPatch: boolean;
}

/** Mails, and the lists they came through. */
export interface Stream {
  readonly mails: readonly Recorded[];
  readonly lists: readonly { readonly id: string; readonly address: string }[];
}

const FOLDER = new URL("../../../shared/mail/", import.meta.url);

/** Reads the mboxes. Each Message-ID comes once. @throws {Deno.errors.NotFound} If they are not there */
export async function readStream(names: readonly string[] = ["stream.mbox", "dma.mbox"]): Promise<Stream> {
  const mails = new Map<string, Recorded>();
  const ids = new Set<string>();
  for (const name of names) {
    using file = await Deno.open(new URL(name, FOLDER));
    for await (const { bytes, masking } of splitMbox(file.readable)) {
      // A copy: `slice` of a Buffer would be none.
      const plain = new Uint8Array(unescapeFrom(bytes, masking));
      const mail = await readMail(plain, { input: name, position: null });
      const list = listIdOf(mail.headers.get("list-id")?.[0] ?? "");
      if (mail.messageId === null || mails.has(mail.messageId)) continue;
      if (/^[a-z0-9._-]+$/.test(list)) ids.add(list);
      const isPatch = mail.subject.isPatch && !mail.subject.isReply;
      mails.set(mail.messageId, { messageId: mail.messageId, bytes: plain, isPatch });
    }
  }
  return {
    mails: [...mails.values()],
    lists: [...ids].map((id) => ({ id, address: id.replace(".", "@") })),
  };
}

/** Numbers that look random and are the same each time (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
