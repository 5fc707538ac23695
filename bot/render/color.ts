/**
 * Terminal colours. Only texts of our own are painted, so nothing here makes a stranger's text safe: printable.ts
 * does. Pure.
 *
 * @module
 */

/** What a piece of a report is. */
export type Ink = "error" | "warning" | "note" | "place" | "caret" | "added" | "removed" | "faint";

// SGR codes (ECMA-48 8.3.117), the colours of gcc and git.
const SGR: Readonly<Record<Ink, string>> = {
  error: "1;31",
  warning: "1;35",
  note: "1;36",
  place: "1",
  caret: "1;32",
  added: "32",
  removed: "31",
  faint: "2",
};

/** Paints text, or leaves it. */
export type Paint = (ink: Ink, text: string) => string;

/** A brush: the identity when colour is off. */
export function paint(color: boolean): Paint {
  if (!color) return (_, text) => text;
  return (ink, text) => `\x1b[${SGR[ink]}m${text}\x1b[0m`;
}
