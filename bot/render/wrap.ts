/**
 * Prose in lines. Pure.
 *
 * @module
 */

/** What list readers expect of prose: room for three levels of quoting in 80 columns. */
export const WIDTH = 72;

/** The paragraph in lines of at most {@link WIDTH} columns, each behind `indent`; a longer word stands alone. */
export function wrap(paragraph: string, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words(paragraph)) {
    if (line !== "" && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") lines.push(indent + line);
  return lines;
}

/** The words; short code in backticks is one, so that it is not torn apart. */
function words(paragraph: string): string[] {
  return (paragraph.match(/(?:`[^`]{1,40}`|\S)+/g) ?? []);
}
