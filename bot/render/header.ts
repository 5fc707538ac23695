/**
 * Header fields of a mail that we send: encoded (RFC 2047), quoted (RFC 5322 3.2.4) and folded. Whatever a stranger's
 * name or subject holds, one field comes out. Pure.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Address } from "../../rules/engine/types.ts";

/** Lines are folded to it where they can be (RFC 5322 2.1.1). */
const WIDTH = 76;
/** An encoded word has at most 75 characters (RFC 2047 section 2); the rest is `=?utf-8?b?…?=`. */
const MAX_WORD_BYTES = 45;
/** A display name or subject that is longer says nothing more. */
const MAX_TEXT = 900;

const IS_PLAIN = /^[\x20-\x7e]*$/;

/** Without what could end a line or hide a letter; white space is one blank. */
const clean = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, " ").trim().slice(0, MAX_TEXT);

/** Unstructured text, such as a subject. */
export function encodeText(text: string): string {
  const shown = clean(text);
  // Plain text that looks like an encoded word would be decoded by the reader.
  return IS_PLAIN.test(shown) && !shown.includes("=?") ? shown : encodedWords(shown);
}

function encodedWords(text: string): string {
  const words: string[] = [];
  let now = "";
  for (const sign of text) {
    if (Buffer.byteLength(now + sign) > MAX_WORD_BYTES) {
      words.push(now);
      now = "";
    }
    now += sign;
  }
  words.push(now);
  return words.map((word) => `=?utf-8?b?${Buffer.from(word).toString("base64")}?=`).join(" ");
}

/** A name and address; the name quoted or encoded as it needs. */
export function encodeAddress({ name, address }: Address): string {
  const shown = clean(name);
  if (shown === "") return address;
  if (!IS_PLAIN.test(shown) || shown.includes("=?")) return `${encodedWords(shown)} <${address}>`;
  const isAtoms = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(shown);
  return `${isAtoms ? shown : `"${shown.replace(/["\\]/g, "\\$&")}"`} <${address}>`;
}

/** A field, folded at blanks. @param pieces Are joined by one blank each, and never torn */
export function field(name: string, pieces: readonly string[]): string {
  let line = `${name}:`;
  const lines: string[] = [];
  for (const piece of pieces) {
    if (line.length + 1 + piece.length > WIDTH && line.trim() !== "" && line !== `${name}:`) {
      lines.push(line);
      line = "";
    }
    line += ` ${piece}`;
  }
  lines.push(line);
  return lines.join("\n");
}

/** A list of addresses as one field. */
export const addressField = (name: string, addresses: readonly Address[]): string =>
  field(name, addresses.map((each, at) => encodeAddress(each) + (at < addresses.length - 1 ? "," : "")));

/** Whether a text is ASCII: then each of its characters is one byte. */
export const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length;

/** A Date field's value, in UTC (RFC 5322 3.3). */
export const encodeDate = (ms: number): string => new Date(ms).toUTCString().replace("GMT", "+0000");
