/**
 * Bytes to text: content transfer encodings (RFC 2045 6), charsets, and encoded words in headers (RFC 2047).
 * Pure and total: whatever a stranger sends decodes to something; what had to be guessed is said in the result.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Text, and how sure we are of it. */
export interface Decoded {
  readonly text: string;
  /** False: the bytes are not UTF-8 and the declared charset does not fit, so latin1 was assumed. */
  readonly isSure: boolean;
}

/** One byte is one character: lets V8's own string search run over bytes, at several GB/s. */
export function toLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The way back. Not `Buffer.from(text, "latin1")`: that is a slow loop over checked stores in Deno 2.9. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

const NO_DIGIT = 64;
/** Value of each base64 digit by its code. */
const DIGITS = new Uint8Array(256).fill(NO_DIGIT);
for (
  const [value, digit] of Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    .entries()
) {
  DIGITS[digit.charCodeAt(0)] = value;
}
/** What base64 text has nowhere; a blank it has only at the end of a line. */
const NO_BASE64 = /[^A-Za-z0-9+/=\s]|[ \t][A-Za-z0-9+/=]/;

/**
 * Decodes a base64 body given as latin1. Ends before the first line that is not base64: lists append their footer in
 * clear, and its bytes would spoil the charset of everything above. Padding in the middle starts afresh, as git reads
 * several encoders' output glued together; `Buffer` would stop there.
 */
export function decodeBase64(encoded: string): Uint8Array {
  const strange = encoded.search(NO_BASE64);
  const end = strange < 0 ? encoded.length : encoded.lastIndexOf("\n", strange) + 1 || strange;
  const bytes = new Uint8Array(Math.ceil(end * 3 / 4));
  let length = 0;
  let held = 0;
  let bits = 0;
  for (let at = 0; at < end; at++) {
    const digit = DIGITS[encoded.charCodeAt(at)] ?? NO_DIGIT;
    if (digit === NO_DIGIT) {
      if (encoded[at] === "=") bits = 0;
      continue;
    }
    held = (held << 6 | digit) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = held >> bits & 0xff;
  }
  return bytes.subarray(0, length);
}

/**
 * Decodes quoted-printable, latin1 in, latin1 out (RFC 2045 6.7). An `=` that encodes nothing stays as it is, and
 * so do trailing blanks, which matter in a diff: git does the same.
 */
export function unquotePrintable(encoded: string): string {
  if (!encoded.includes("=")) return encoded;
  return encoded.replace(
    /=(?:[ \t]*\r?\n|([0-9A-Fa-f]{2}))/g,
    (_, hex: string | undefined) => hex === undefined ? "" : String.fromCharCode(parseInt(hex, 16)),
  );
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const latin1 = new TextDecoder("latin1");
const decoders = new Map<string, TextDecoder | null>();

/** A decoder that throws on what does not fit; null for a charset nobody knows (`y`, `all`, `unknown-8bit`). */
function decoderFor(charset: string): TextDecoder | null {
  const label = charset.trim().toLowerCase();
  const known = decoders.get(label);
  if (known !== undefined) return known;
  let decoder: TextDecoder | null;
  try {
    decoder = new TextDecoder(label, { fatal: true });
  } catch {
    decoder = null; // The answer to an unknown label is a RangeError; that is all there is to learn from it.
  }
  // Labels come from strangers: the memory of them is bounded.
  if (decoders.size < 64) decoders.set(label, decoder);
  return decoder;
}

/** The charsets that hide other letters behind escape sequences of plain ASCII bytes (RFC 1468, RFC 1843). */
const ESCAPED_CHARSET = /^(?:iso-2022-|csiso2022|hz-gb)/i;

function tryDecode(decoder: TextDecoder | null, bytes: Uint8Array): string | null {
  try {
    return decoder === null ? null : decoder.decode(bytes);
  } catch {
    return null; // A fatal decoder says "does not fit" by throwing.
  }
}

/**
 * Bytes to text. UTF-8 wins when the bytes are valid UTF-8, because senders declare charsets wrongly far more often
 * than another charset looks like UTF-8 by chance; then the declared charset, then latin1.
 */
export function decodeText(bytes: Uint8Array, charset: string | null): Decoded {
  if (charset !== null && ESCAPED_CHARSET.test(charset)) {
    const text = tryDecode(decoderFor(charset), bytes);
    if (text !== null) return { text, isSure: true };
  }
  const text = tryDecode(utf8, bytes);
  if (text !== null) return { text, isSure: true };
  const declared = charset === null ? null : tryDecode(decoderFor(charset), bytes);
  if (declared !== null) return { text: declared, isSure: true };
  return { text: latin1.decode(bytes), isSure: false };
}

const WORD = /=\?([^?\s*]{1,64})(?:\*[^?\s]*)?\?([bBqQ])\?([^?\r\n]*)\?=/g;
const WORDS = /=\?[^?\s]{1,64}\?[bBqQ]\?[^?\r\n]*\?=(?:[ \t\r\n]*=\?[^?\s]{1,64}\?[bBqQ]\?[^?\r\n]*\?=)*/g;

/**
 * Decodes the encoded words of a header value (RFC 2047). Neighbours lose the white space between them (6.2), and
 * their bytes are joined before they are decoded: some mailers cut a multi-byte character in two.
 */
export function decodeWords(value: string): string {
  if (!value.includes("=?")) return value;
  return value.replace(WORDS, (run) => {
    let text = "";
    let pending: Uint8Array[] = [];
    let pendingCharset = "";
    const flush = () => {
      if (pending.length > 0) text += decodeText(Buffer.concat(pending), pendingCharset).text;
      pending = [];
    };
    for (const [, charset = "", encoding = "", encoded = ""] of run.matchAll(WORD)) {
      const label = charset.toLowerCase();
      if (label !== pendingCharset) flush();
      pendingCharset = label;
      pending.push(
        encoding.toLowerCase() === "b"
          ? decodeBase64(encoded.replace(/[^A-Za-z0-9+/=]/g, ""))
          : fromLatin1(unquotePrintable(encoded.replaceAll("_", " "))),
      );
    }
    flush();
    return text;
  });
}
