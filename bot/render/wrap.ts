/**
 * Prose in lines. Pure.
 *
 * @module
 */

/** What list readers expect of prose, and what suits a terminal: room for three levels of quoting in 80 columns. */
export const WIDTH = 72;

/** The paragraph in lines of at most {@link WIDTH} columns, each behind `indent`; a longer word stands alone. */
export function wrap(paragraph: string, indent = ""): string[] {
  return paragraph.trim() === "" ? [] : fill(words(paragraph), WIDTH, indent, indent);
}

/**
 * A text with a hanging indent, in lines of at most `width` columns: the first behind `lead`, the others set in as far.
 * A word that is longer is cut.
 */
export function hang(text: string, width: number, lead = ""): string[] {
  const cut = words(text).flatMap((word) => pieces(word, width - lead.length));
  return fill(cut, width, lead, " ".repeat(lead.length));
}

function fill(words: readonly string[], width: number, lead: string, inset: string): string[] {
  const out: string[] = [];
  let line = lead;
  let isEmpty = true;
  for (const word of words) {
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

/** The words; short code in backticks is one, so that it is not torn apart. */
function words(paragraph: string): string[] {
  return paragraph.match(/(?:`[^`]{1,40}`|\S)+/g) ?? [];
}

/** A word that is longer than a line, cut. */
function pieces(word: string, width: number): string[] {
  if (word.length <= width) return [word];
  const out: string[] = [];
  for (let i = 0; i < word.length; i += width) out.push(word.slice(i, i + width));
  return out;
}
