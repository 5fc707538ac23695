/**
 * Hidden marks by which p2plint knows its own words again. They count only where they open a text: the code that a
 * comment quotes may hold what looks like one. Pure.
 *
 * @module
 */

/** What a mark says of a finding. */
export interface Mark {
  readonly id: string;
  readonly state: "open" | "fixed";
}

const MARK = /^<!-- p2plint:v1 (\{"id":"[0-9a-f#]{1,40}","state":"(?:open|fixed)"\}) -->\n/;
/** Opens the one comment that sums up. */
const SUMMARY = "<!-- p2plint:v1 summary -->\n";

/** The text with its marks in front. */
export const marked = (marks: readonly Mark[], text: string): string =>
  marks.map(({ id, state }) => `<!-- p2plint:v1 ${JSON.stringify({ id, state })} -->\n`).join("") + text;

/** The marks of a text, and what follows them. */
export function readMarks(body: string): { readonly marks: readonly Mark[]; readonly text: string } {
  const marks: Mark[] = [];
  // Browsers send line ends of their own when somebody edits a comment.
  let text = body.replaceAll("\r\n", "\n");
  for (let found = MARK.exec(text); found !== null; found = MARK.exec(text)) {
    marks.push(JSON.parse(found[1]!));
    text = text.slice(found[0].length);
  }
  return { marks, text };
}

/** The summary with its mark. */
export const markedSummary = (text: string): string => SUMMARY + text;

/** Whether a text is the summary. */
export const isSummary = (body: string): boolean => body.replaceAll("\r\n", "\n").startsWith(SUMMARY);
