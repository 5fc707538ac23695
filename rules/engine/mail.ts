/**
 * Bytes of one message to `Mail`. Never throws for what a stranger sent: what cannot be read is a defect. May not
 * touch disk, network, clock or console. The only file that names mailparser.
 *
 * Decision: mailparser is loaded for messages of several parts only, and asked only for the tree of parts. It costs
 * 100 ms to load and 3 ms a mail, more than all the rest of the work on an ordinary patch; and it decodes text by the
 * declared charset alone, which on these lists is wrong too often (`charset=y`). The oracle is `git mailinfo`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readAddresses } from "./address.ts";
import { decodeBase64, decodeText, decodeWords, fromLatin1, toLatin1, unquotePrintable } from "./encoding.ts";
import { bodyOffset, type Fields, headOffset, readFields, readParameters } from "./header.ts";
import { MAX_MESSAGE_BYTES } from "./mailbox.ts";
import { isReadable, type Leaf, type LeafText, readLeaf, unixLines } from "./mime.ts";
import { plain } from "./plain.ts";
import { readSubject } from "./subject.ts";
import type { Address, Defect, Mail } from "./types.ts";

/** A longer head is read up to here; the longest real one seen is 27 KiB. */
export const MAX_HEAD_BYTES = 1024 * 1024;
/** Deepest nesting in real kernel mail is 3 (mailman around a signature around alternatives). */
export const MAX_MULTIPARTS = 64;
/** Most leaves of one message. */
export const MAX_LEAVES = 256;
/** How many in-body header lines are looked at; git stops at the first that is none, real mails have up to 4. */
const MAX_IN_BODY_LINES = 64;

/** Where a message was found. */
export interface Origin {
  /** The path as given on the command line, `-` for standard input. */
  readonly input: string;
  /** 1-based position in an mbox or folder; null for a lone message. */
  readonly position: number | null;
}

const TOO_LARGE = (reason: string): Defect => ({ damage: "too-large", bodyNo: null, reason });
const MIME = (reason: string): Defect => ({ damage: "mime", bodyNo: null, reason });

const first = (fields: Fields, name: string): string | undefined => fields.get(name)?.[0];

const ids = (value: string | undefined): readonly string[] =>
  Array.from((value ?? "").matchAll(/<([^<>\s]+)>/g), (match) => match[1] ?? "");

/** Some clients leave the angle brackets out. */
const oneId = (value: string | undefined): string | null =>
  ids(value)[0] ?? (/^\s*([^<>\s]+@[^<>\s]+)\s*$/.exec(value ?? "")?.[1] ?? null);

/** Every address of every field of that name: mailing list software repeats To and Cc. */
const addresses = (fields: Fields, name: string): readonly Address[] =>
  (fields.get(name) ?? []).flatMap((value) => readAddresses(value));

/** Takes a leaf's transfer encoding off. */
function decodeTransfer(
  body: Uint8Array,
  encoding: string,
): { bytes: Uint8Array; defects: readonly Defect[] } {
  switch (encoding.trim().toLowerCase()) {
    case "base64":
      return { bytes: decodeBase64(toLatin1(body)), defects: [] };
    case "quoted-printable":
      return { bytes: fromLatin1(unquotePrintable(toLatin1(body))), defects: [] };
    case "":
    case "7bit":
    case "8bit":
    case "8-bit":
    case "7-bit":
    case "binary":
      return { bytes: body, defects: [] };
    default:
      return {
        bytes: body,
        defects: [{
          damage: "encoding",
          bodyNo: null,
          reason: `transfer encoding ${plain(encoding)} is unknown: read as it stands`,
        }],
      };
  }
}

/** A field value as mailparser hands it out for Content-Type. */
interface ParsedType {
  readonly value?: string;
  readonly params?: Readonly<Record<string, string>>;
}

/**
 * The leaves of a message in order, transfer encoding taken off.
 *
 * @throws {Error} When mailparser cannot make sense of it or one of its limits is reached
 */
async function readLeaves(
  message: Uint8Array,
  { MailParser }: typeof import("mailparser"),
): Promise<readonly Leaf[]> {
  const parser = new MailParser({
    checksumAlgo: false,
    maxHeadSize: MAX_HEAD_BYTES,
    maxChildNodes: MAX_LEAVES,
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
  });
  // mailparser merges the leaves it takes for text into one string and loses their order, bytes and line breaks.
  // Of attachments it gives bytes in order; with no type counted as text every leaf is one.
  (parser as unknown as { textTypes: readonly string[] }).textTypes = [];
  const leaves: Leaf[] = [];
  const done = new Promise<void>((resolve, reject) => {
    parser.on("error", reject);
    parser.on("end", resolve);
    parser.on("data", (part) => {
      if (part.type !== "attachment") return;
      const chunks: Uint8Array[] = [];
      part.content.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      part.content.on("error", reject);
      part.content.on("end", () => {
        const type = part.headers.get("content-type") as ParsedType | undefined;
        leaves.push({
          type: {
            value: (type?.value ?? "").toLowerCase(),
            parameters: new Map(Object.entries(type?.params ?? {})),
          },
          filename: part.filename ?? null,
          bytes: Buffer.concat(chunks),
        });
        part.release?.();
      });
    });
  });
  parser.end(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
  await done;
  return leaves;
}

/** The message's text: every readable leaf, in order. */
async function readParts(message: Uint8Array, text: string, bodyAt: number): Promise<LeafText> {
  const asItStands = (defect: Defect): LeafText => {
    const raw = unixLines(decodeText(message.subarray(bodyAt), null).text);
    return { text: raw, raw, defects: [defect] };
  };
  if ((text.match(/boundary\*?\d*\*?=/gi)?.length ?? 0) > MAX_MULTIPARTS) {
    return asItStands(TOO_LARGE(`more than ${MAX_MULTIPARTS} multiparts in one message: read as it stands`));
  }
  const mailparser = await import("mailparser"); // Outside of `try`: a package that is not there is no stranger's fault.
  let leaves: readonly Leaf[];
  try {
    leaves = await readLeaves(message, mailparser);
  } catch (error) {
    return asItStands(MIME(`parts cannot be told apart, read as they stand: ${plain(String(error))}`));
  }
  const readable = leaves.filter(isReadable).map(readLeaf);
  if (readable.length === 0) {
    return { text: "", raw: "", defects: [MIME(`no part is text, of ${leaves.length} parts`)] };
  }
  const joined = (pick: (leaf: LeafText) => string) =>
    readable.map(pick).reduce((all, next) => all + (all === "" || all.endsWith("\n") ? "" : "\n") + next);
  return {
    text: joined((leaf) => leaf.text),
    raw: joined((leaf) => leaf.raw),
    defects: readable.flatMap((leaf) => leaf.defects),
  };
}

const IN_BODY = /^(?:From|Date|Subject|To|Cc|Message-Id|In-Reply-To|X-[\w-]+):[ \t]/i;
/** The first line of a `git format-patch` file that was pasted whole; git passes over it too. */
const PATCH_ENVELOPE = /^>?From [0-9a-f]{40,64} Mon Sep 17 00:00:00 2001$/;
/** Scissors in a cut mark. */
const SCISSORS = />8|8<|>%|%</;

/** Whether git mailinfo --scissors takes the line for a cut mark (`is_scissors_line`): mostly dashes, with scissors. */
function isCutMark(line: string): boolean {
  if (!SCISSORS.test(line)) return false;
  const visible = line.trim();
  let perforation = 0;
  let gap = 0;
  let scissors = 0;
  let isPerforated = false;
  for (let at = 0; at < visible.length; at++) {
    const character = visible[at] ?? "";
    if (character === "-") {
      isPerforated = true;
      perforation++;
    } else if (SCISSORS.test(visible.slice(at, at + 2))) {
      isPerforated = true;
      perforation += 2;
      scissors += 2;
      at++;
    } else if (character !== " " && character !== "\t") {
      isPerforated = false;
    } else if (isPerforated) {
      perforation++;
      gap++;
    }
  }
  return scissors > 0 && visible.length >= 8 && visible.length < perforation * 3 && gap * 2 < perforation;
}

/** The `From:` among the header lines at the top of `lines`, from `at` on. */
function authorAt(lines: readonly string[], at: number): Address | null {
  while (at < lines.length && (lines[at]?.trim() === "" || PATCH_ENVELOPE.test(lines[at] ?? ""))) at++;
  const end = Math.min(lines.length, at + MAX_IN_BODY_LINES);
  for (; at < end && IN_BODY.test(lines[at] ?? ""); at++) {
    let line = lines[at] ?? "";
    while (/^[ \t]+\S/.test(lines[at + 1] ?? "") && at + 1 < end) line += lines[++at];
    if (/^from:/i.test(line)) return readAddresses(line.slice("from:".length))[0] ?? null;
  }
  return null;
}

/**
 * The author that the body names: at its top, or behind a cut mark. Everything above a cut mark is left in place
 * (`git am` cuts only when asked to).
 */
function inBodyAuthor(body: string): Address | null {
  const diffAt = body.search(/^(?:diff --git |---$|--- \S|Index: )/m);
  const lines = (diffAt < 0 ? body : body.slice(0, diffAt)).split("\n");
  const atTop = authorAt(lines, 0);
  if (atTop !== null) return atTop;
  const cut = lines.findIndex(isCutMark);
  return cut < 0 ? null : authorAt(lines, cut + 1);
}

/**
 * Reads one message. A leading envelope line (`From …`) is passed over; `>From ` is left alone, since only who split
 * an mbox knows its rules. `author` of a reply is its sender: what stands in its body is quoted.
 */
export async function readMail(bytes: Uint8Array, origin: Origin): Promise<Mail> {
  const defects: Defect[] = [];
  let message = bytes;
  if (bytes.length > MAX_MESSAGE_BYTES) {
    message = bytes.subarray(0, MAX_MESSAGE_BYTES);
    defects.push(TOO_LARGE(`message of ${bytes.length} bytes, read up to ${MAX_MESSAGE_BYTES}`));
  }
  const text = toLatin1(message);
  const headAt = headOffset(text);
  const bodyAt = headAt + bodyOffset(text.slice(headAt));
  if (bodyAt - headAt > MAX_HEAD_BYTES) {
    defects.push(TOO_LARGE(`head of ${bodyAt - headAt} bytes, read up to ${MAX_HEAD_BYTES}`));
  }
  const fields = readFields(text.slice(headAt, Math.min(bodyAt, headAt + MAX_HEAD_BYTES)));

  const type = readParameters(first(fields, "content-type"));
  let content: LeafText;
  if (/^multipart\//.test(type.value) && type.parameters.has("boundary") || type.value === "message/rfc822") {
    content = await readParts(message.subarray(envelopeEnd(text, headAt)), text, bodyAt);
  } else {
    const transfer = decodeTransfer(
      message.subarray(bodyAt),
      first(fields, "content-transfer-encoding") ?? "",
    );
    const leaf = readLeaf({ type, filename: null, bytes: transfer.bytes });
    content = { ...leaf, defects: [...transfer.defects, ...leaf.defects] };
    if (type.value === "text/html") {
      content = {
        ...content,
        defects: [...content.defects, MIME("the only text is html: read as it stands")],
      };
    }
  }
  defects.push(...content.defects);

  const subject = readSubject(decodeWords(first(fields, "subject") ?? ""));
  const from = addresses(fields, "from")[0] ?? null;
  const inBody = subject.isReply ? null : inBodyAuthor(content.text);
  return {
    ...origin,
    messageId: oneId(first(fields, "message-id")),
    inReplyTo: oneId(first(fields, "in-reply-to")),
    references: ids(fields.get("references")?.join(" ")),
    author: inBody ?? addresses(fields, "x-original-from")[0] ?? from,
    from,
    to: addresses(fields, "to"),
    cc: addresses(fields, "cc"),
    date: first(fields, "date") || null,
    subject,
    headers: fields,
    body: content.text,
    rawBody: content.raw === content.text ? null : content.raw,
    defects,
  };
}

/** mailparser takes an envelope line for the end of the head, so it is not shown one. */
function envelopeEnd(text: string, headAt: number): number {
  if (!/^>?From /.test(text.slice(headAt, headAt + 6))) return headAt;
  const end = text.indexOf("\n", headAt);
  return end < 0 ? headAt : end + 1;
}

/** A bare diff, patch or source text as a `Mail` without head: no Message-ID, no subject, the text as the body. */
export function mailFromText(text: string, origin: Origin): Mail {
  return {
    ...origin,
    messageId: null,
    inReplyTo: null,
    references: [],
    author: null,
    from: null,
    to: [],
    cc: [],
    date: null,
    subject: readSubject(""),
    headers: new Map(),
    body: unixLines(text),
    rawBody: null,
    defects: [],
  };
}
