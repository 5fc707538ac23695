/**
 * Address headers to names and addresses (RFC 5322 3.4, groups included). Total: what is no address is left out.
 *
 * Why not mailparser's reader: addresses are wanted of every mail, mailparser only of few (see mail.ts).
 *
 * @module
 */
import { decodeWords } from "./encoding.ts";
import type { Address } from "./types.ts";

/** More recipients than this on one header is not a patch's address list; the rest is ignored. */
export const MAX_ADDRESSES = 1000;

/** One mailbox's raw pieces. */
interface Pieces {
  words: string;
  angle: string | null;
  comment: string;
}

const empty = (): Pieces => ({ words: "", angle: null, comment: "" });

/** The end of a quoted string or comment that opens at `open`: the offset behind the closing mark. */
function skipDelimited(value: string, open: number, close: string): number {
  const nests = close === ")";
  let depth = 1;
  let at = open + 1;
  for (; at < value.length && depth > 0; at++) {
    const character = value[at];
    if (character === "\\") at++;
    else if (character === close) depth--;
    else if (nests && character === "(") depth++;
  }
  return at;
}

const unescape = (quoted: string): string => quoted.replace(/\\(.)/g, "$1");

/** Splits at the commas and semicolons that stand outside of quotes, comments and angle brackets. */
function* split(value: string): Generator<Pieces> {
  let now = empty();
  for (let at = 0; at < value.length;) {
    const character = value[at];
    if (character === '"') {
      const end = skipDelimited(value, at, '"');
      now.words += unescape(value.slice(at + 1, value[end - 1] === '"' && end - 1 > at ? end - 1 : end));
      at = end;
    } else if (character === "(") {
      const end = skipDelimited(value, at, ")");
      now.comment ||= unescape(value.slice(at + 1, end - 1));
      // A comment inside a name (`Foo (Bar) <foo@example.org>`) is kept as it was written.
      now.words += value.slice(at, end);
      at = end;
    } else if (character === "<") {
      const end = value.indexOf(">", at);
      now.angle = value.slice(at + 1, end < 0 ? value.length : end);
      at = end < 0 ? value.length : end + 1;
    } else if (character === "," || character === ";") {
      yield now;
      now = empty();
      at++;
    } else if (character === ":" && now.angle === null && !now.words.includes("@")) {
      now = empty(); // `group name:` opens a group; its members are ordinary mailboxes.
      at++;
    } else {
      now.words += character;
      at++;
    }
  }
  yield now;
}

const fold = (text: string): string => text.replace(/\s+/g, " ").trim();

/**
 * The mailboxes of an address header, as it stands in the mail. A piece without an address is taken for the first
 * half of a name whose comma should have been quoted: `Doe, Jane <jane@example.org>`.
 */
export function readAddresses(value: string): readonly Address[] {
  const found: Address[] = [];
  let halfName = "";
  for (const { words, angle, comment } of split(value)) {
    if (found.length >= MAX_ADDRESSES) break;
    const bare = angle === null ? fold(words.replace(/\([^()]*\)/g, " ")) : "";
    const address = fold(angle ?? bare).replace(/^mailto:/i, "");
    if (!/^[^\s@]+@[^\s@]+$/.test(address)) {
      if (fold(words) !== "" && angle === null) halfName += `${fold(words)}, `;
      continue;
    }
    const name = angle === null ? comment : words;
    found.push({ name: fold(decodeWords(halfName + fold(name))), address });
    halfName = "";
  }
  return found;
}
