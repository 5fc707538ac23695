/**
 * Makes a stranger's words safe to put into a sentence of ours.
 *
 * @module
 */

/** Longest quotation, in characters. */
const MAX_QUOTED = 40;

/** The text in double quotes, cut short, control and format characters (terminal escapes, bidi marks) as `?`. */
export function plain(text: string): string {
  const cut = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return `"${cut.replace(/[\p{C}"\u2028\u2029]/gu, "?")}"`;
}
