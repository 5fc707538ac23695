/**
 * A rule's Markdown page for a terminal: headings painted, fences gone, code set in. Pure.
 *
 * @module
 */

import type { Paint } from "./color.ts";

/** The page as plain or painted lines. */
export function printablePage(markdown: string, brush: Paint): string {
  const out: string[] = [];
  let isCode = false;
  for (const line of markdown.split("\n")) {
    if (line.startsWith("```")) isCode = !isCode;
    else if (isCode) out.push(`    ${code(line, brush)}`);
    else if (line.startsWith("<!--") || /^\|(?: --- \|)+$/.test(line)) continue;
    else if (line.startsWith("#")) out.push(brush("place", line.replace(/^#+ /, "")));
    else if (line.startsWith("|")) out.push(cells(line));
    else out.push(line);
  }
  // A dropped line leaves the blank lines around it.
  return out.join("\n").replace(/\n{3,}/g, "\n\n");
}

function code(line: string, brush: Paint): string {
  if (line.startsWith("+")) return brush("added", line);
  if (line.startsWith("-")) return brush("removed", line);
  return line;
}

function cells(line: string): string {
  return line.slice(1, -1).split("|").map((cell) => cell.trim().padEnd(14)).join("  ").trimEnd();
}
