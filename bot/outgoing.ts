/**
 * The last look at a mail before it may leave: a reply that breaks a rule of the lists is parked, never sent. Reads
 * the finished text, not what it was made of. Pure.
 *
 * @module
 */

import { readAddresses } from "../rules/engine/address.ts";
import { bodyOffset, readFields } from "../rules/engine/header.ts";
import { sameAddress } from "./mailboxes.ts";
import type { ReplyPost } from "./ports.ts";
import { isAscii } from "./render/header.ts";

const MAX_BYTES = 64 * 1024;
const MAX_LINES = 400;
/** RFC 5322 2.1.1. */
const MAX_LINE_BYTES = 998;
/** Prose; quoted lines, indented code and lines with an address of the web are left as they are. */
const MAX_COLUMNS = 76;
/** What only a human may say. Fourteen kernel maintainers answered a bot's `Reviewed-by` with a NAK. */
const TAG = /^\s*(?:[A-Z][a-z]+-)+by:/im;
/** Exactly one of each. */
const REQUIRED = [
  "from",
  "to",
  "subject",
  "date",
  "message-id",
  "in-reply-to",
  "references",
  "auto-submitted",
  "mime-version",
  "content-type",
  "content-transfer-encoding",
  "x-p2plint",
];

/** What is wrong with a composed post; empty when it may leave. */
export function problemsOf({ text, messageId, inReplyTo, recipients, sender }: ReplyPost): readonly string[] {
  const problems: string[] = [];
  const want = (isFine: boolean, problem: string) => {
    if (!isFine) problems.push(problem);
  };
  const bytes = new TextEncoder().encode(text).length;
  want(bytes <= MAX_BYTES, `${bytes} bytes, the limit is ${MAX_BYTES}`);
  want(text.endsWith("\n"), "the last line has no end");
  // deno-lint-ignore no-control-regex -- they are what is looked for
  want(!/[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f]/.test(text), "a control character");
  want(!/[\p{Bidi_Control}\u2028\u2029]/u.test(text), "a character that turns the direction of writing");

  const bodyAt = bodyOffset(text);
  want(text.slice(bodyAt - 2, bodyAt) === "\n\n", "no blank line behind the head");
  const head = text.slice(0, bodyAt - 1);
  want(isAscii(head), "a header that is not ASCII");
  want(!/^\s*$/m.test(head.trimEnd()), "a blank line in the head");
  const fields = readFields(head);
  for (const name of REQUIRED) {
    want(fields.get(name)?.length === 1, `${fields.get(name)?.length ?? 0} headers ${name}`);
  }
  const allowed = new Set([...REQUIRED, "cc"]);
  for (const name of fields.keys()) want(allowed.has(name), `a header ${name}`);
  const value = (name: string) => fields.get(name)?.[0] ?? "";
  want(value("message-id") === `<${messageId}>`, "Message-ID is not the post's");
  want(value("in-reply-to") === `<${inReplyTo}>`, "In-Reply-To is not the patch");
  want(value("references").endsWith(`<${inReplyTo}>`), "References do not end with the patch");
  want(value("auto-submitted") === "auto-replied", "Auto-Submitted is not auto-replied");
  want(/^text\/plain;\s*charset=utf-8$/.test(value("content-type")), "not plain text");
  want(/^re: /i.test(value("subject")) || value("subject").startsWith("=?"), "the subject is no reply");

  const addressed = ["to", "cc"].flatMap((name) => readAddresses(value(name))).map(({ address }) =>
    sameAddress(address)
  );
  want(readAddresses(value("to")).length > 0, "nobody in To");
  want(
    addressed.length === new Set(addressed).size &&
      [...addressed].sort().join() === recipients.map(sameAddress).sort().join(),
    "To and Cc are not who it is sent to",
  );
  want(!addressed.includes(sameAddress(sender)), "it would be sent to ourselves");

  const body = text.slice(bodyAt);
  const lines = body.split("\n");
  want(
    (value("content-transfer-encoding") === "7bit") === isAscii(body),
    "wrong transfer encoding",
  );
  want(lines.length <= MAX_LINES, `${lines.length} lines, the limit is ${MAX_LINES}`);
  for (const line of text.split("\n")) {
    want(
      new TextEncoder().encode(line).length <= MAX_LINE_BYTES,
      `a line of more than ${MAX_LINE_BYTES} bytes`,
    );
  }
  for (const line of lines) {
    if (line.startsWith(">") || line.startsWith("    ") || /\bhttps?:\/\//.test(line)) continue;
    want(line.length <= MAX_COLUMNS || !line.trim().includes(" "), `a line of ${line.length} columns`);
    want(!TAG.test(line), `a tag: ${line.trim()}`);
  }
  want(lines.includes("-- "), "no footer");
  want(/^p2plint /m.test(body.slice(body.indexOf("\n-- \n") + 5)), "the footer does not say who we are");
  want(lines.some((line) => /^ {2}\[[a-z0-9-]+, (?:error|warning|note)\]$/.test(line)), "no rule is named");
  return [...new Set(problems)];
}
