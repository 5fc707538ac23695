/**
 * Makes a stranger's text fit for HTML and SVG: what is special in markup becomes a reference, what is invisible becomes
 * visible. Pure.
 *
 * @module
 */

import { printable } from "./printable.ts";

const REFERENCES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/** Text for element content or a quoted attribute value (HTML 13.1.2, XML 2.4). Tabs stay, line ends do not. */
export function escapeMarkup(text: string): string {
  return printable(text).replace(/[&<>"'`]/g, (sign) => REFERENCES[sign]!);
}
