/**
 * Text as XML. Pure.
 *
 * @module
 */

import { printable, printableLines } from "./printable.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
};

/** U+FFFE and U+FFFF are no characters of XML 1.0 (2.2, Char); of the others printable() leaves none. */
const escape = (text: string) =>
  text.replace(/[&<>"\t]/g, (sign) => ENTITIES[sign]!).replace(/[\ufffe\uffff]/g, "\ufffd");

/** An attribute with its value, a blank in front. What XML 1.0 cannot hold is made visible. */
export const attribute = (name: string, value: string | number): string =>
  ` ${name}="${escape(printable(String(value)))}"`;

/** Text between tags; lines stay lines. */
export const content = (text: string): string => printableLines(text).map(escape).join("\n");
