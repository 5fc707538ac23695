/**
 * What an annotation of a code host says of a finding, as plain text: the words of the text format, without the line
 * that the host shows anyway. Pure.
 *
 * @module
 */

import type { Finding } from "../../rules/engine/types.ts";
import { machinesOf } from "./machines.ts";
import { printable, printableLines } from "./printable.ts";

/** GitHub refuses a message of more than 64 KB; nobody reads a tenth of that. */
const MAX_TEXT = 6000;

/** The message, the evidence, the assumption and the wanted code, a line each. */
export function annotationText(finding: Finding): string {
  const { message, because, confidence, unless, wanted } = finding;
  const lines = [
    printable(message),
    ...because.map(({ at, note }) => `${printable(at.path)}:${at.line}: ${printable(note)}`),
    `confidence: ${confidence}${unless === "" ? "" : `, unless ${printable(unless)}`}`,
  ];
  if (wanted !== null) {
    lines.push(
      "wanted:",
      ...printableLines(wanted.trimEnd()).map((line) => `    ${line}`),
    );
  }
  lines.push(...machinesOf(finding));
  const text = lines.join("\n");
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}

/** One line above it. */
export const titleOf = ({ rule }: Finding): string => `p2plint: ${rule}`;
