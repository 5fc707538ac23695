/**
 * Prose with a hanging indent: what stands before the first line is the column of the others. Pure.
 *
 * @module
 */

/** Columns of a line that suits a mail and a terminal. */
export const MAIL_WIDTH = 72;

/** A text as lines of at most `width` columns: the first behind `lead`, the others set in as far. */
export function hang(text: string, width: number, lead = ""): string[] {
  const inset = " ".repeat(lead.length);
  const out: string[] = [];
  let line = lead;
  let isEmpty = true;
  for (const word of text.split(" ").flatMap((word) => pieces(word, width - lead.length))) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      out.push(line);
      line = inset;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  out.push(line);
  return out.map((each) => each.trimEnd());
}

/** A word that is longer than a line, cut. */
function pieces(word: string, width: number): string[] {
  if (word.length <= width) return [word];
  const out: string[] = [];
  for (let i = 0; i < word.length; i += width) out.push(word.slice(i, i + width));
  return out;
}
