/**
 * The head of a message: where it ends and what its fields say (RFC 5322 2.2). Works on text in which one character
 * is one byte, and decodes nothing but the bytes of the field values.
 *
 * @module
 */
import { decodeText, fromLatin1 } from "./encoding.ts";

/** The start of a field line as git takes it (`is_rfc2822_header` in mailinfo.c), envelope lines included. */
const FIELD = /[!-9;-~]+:|>?From /y;

const LF = 10;
const CR = 13;
const TAB = 9;
const SPACE = 32;

/**
 * The offset of the head's first byte: web archives, editors and shell redirection leave blank lines or a byte order
 * mark before it; git passes over them too.
 */
export function headOffset(message: string): number {
  return /^(?:\xef\xbb\xbf)?[ \t]*(?:\r?\n[ \t]*)*/.exec(message)?.[0].length ?? 0;
}

/**
 * The offset of the body's first byte. As in git, a line that is no field ends the head even without a blank line
 * before it; a text that has no head gives 0.
 */
export function bodyOffset(message: string): number {
  let at = 0;
  while (at < message.length) {
    const code = message.charCodeAt(at);
    if (code === LF) return at + 1;
    if (code === CR && message.charCodeAt(at + 1) === LF) return at + 2;
    if (at === 0 || (code !== SPACE && code !== TAB)) {
      FIELD.lastIndex = at;
      if (!FIELD.test(message)) return at;
    }
    const end = message.indexOf("\n", at);
    if (end < 0) return message.length;
    at = end + 1;
  }
  return at;
}

/** Lower-case field name to its values: unfolded (line breaks gone), not decoded, in order of appearance. */
export type Fields = ReadonlyMap<string, readonly string[]>;

/** Reads the fields of a head (one character per byte). Values in raw UTF-8 or latin1 come out as such. */
export function readFields(head: string): Fields {
  // deno-lint-ignore no-control-regex -- what is not ASCII is the point of the test
  const text = /[^\x00-\x7f]/.test(head) ? decodeText(fromLatin1(head), null).text : head;
  const fields = new Map<string, string[]>();
  for (const line of text.replace(/\r?\n(?=[ \t])/g, "").split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon <= 0 || line.startsWith("From ") || line.startsWith(">From ")) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return fields;
}

/** A structured value such as `text/plain; charset="utf-8"; format=flowed` (RFC 2045 5.1). */
export interface Parameterised {
  /** Lower case, without comment: `text/plain`; "" when the field is missing. */
  readonly value: string;
  /** Lower-case name to value without quotes. */
  readonly parameters: ReadonlyMap<string, string>;
}

const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s;]*))/g;

/** Reads a structured value; what does not parse is left out. */
export function readParameters(value: string | undefined): Parameterised {
  if (value === undefined) return { value: "", parameters: new Map() };
  const parameters = new Map<string, string>();
  for (const [, name = "", quoted, plain] of value.matchAll(PARAMETER)) {
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "");
  }
  return { value: (/^\s*([^\s;(]*)/.exec(value)?.[1] ?? "").toLowerCase(), parameters };
}
