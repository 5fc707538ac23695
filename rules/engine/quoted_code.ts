/**
 * Tells code with a diff's prefix from prose lists. May look only at the text of single lines.
 *
 * @module
 */

/** How a line of C ends, or begins. Prose lines end with a word or a full stop. */
const CODE_END = /(?:[;{},(\\=|&+?]|\)|\*\/|\b(?:else|do)|^\s*[\w ]+:)\s*$/;

const CODE_START =
  /^\s*(?:[{}#]|\/[*/]|\* |\*\/|&&|\|\||(?:if|for|while|switch|return|goto|case|static|struct|const|unsigned|int|void|u\d+|extern|typedef|enum)\b)/;

/** Punctuation that proves code: a statement's end, a block, a call left open, a member, an assignment. */
const PROOF = /[;{}]\s*$|\w\([^)]*[,(]\s*$|\w->\w|\w (?:[-+|&]?=|==|!=) [\w&*(-]/;

/** A list item: the sign, one blank, a word. */
const ITEM = /^[+-] \S/;

/** Longer lines are no code that somebody typed; it also bounds the work of the patterns. */
const MAX_LENGTH = 400;

/** Whether a line of text (without prefix) may be C. */
export function looksLikeCode(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  return CODE_END.test(text) || CODE_START.test(text);
}

/**
 * Whether lines with a prefix are a piece of a diff of C code: at least two changed lines, most of them like
 * code, one of them surely. Lines that could be list items must all look like code.
 */
export function looksLikeDiff(lines: readonly string[]): boolean {
  const changed = lines.filter((line) =>
    /^[+-]/.test(line) && line.length <= MAX_LENGTH && line.slice(1).trim() !== ""
  );
  if (changed.length < 2) return false;
  const code = changed.filter((line) => looksLikeCode(line.slice(1)));
  if (!code.some((line) => PROOF.test(line.slice(1)))) return false;
  const areItems = changed.every((line) => ITEM.test(line));
  return areItems
    ? code.length === changed.length && code.some((line) => /[;{]\s*$/.test(line))
    : 2 * code.length >= changed.length && code.length >= 2;
}
