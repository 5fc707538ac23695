/**
 * The report formats by name. A new format is one file and one row here.
 *
 * @module
 */

import { b4Renderer } from "./b4.ts";
import { checkstyleRenderer } from "./checkstyle.ts";
import { githubRenderer } from "./github.ts";
import { htmlRenderer } from "./html.ts";
import { jsonRenderer } from "./json.ts";
import { junitRenderer } from "./junit.ts";
import { markdownRenderer } from "./markdown.ts";
import type { Renderer } from "./renderer.ts";
import { sarifRenderer } from "./sarif.ts";
import { terseRenderer } from "./terse.ts";
import { textRenderer } from "./text.ts";

export type { BaselineSummary, Judged, Refused, Renderer, RuleText, RunStart, Summary } from "./renderer.ts";

const FORMATS = {
  text: textRenderer,
  json: jsonRenderer,
  terse: terseRenderer,
  html: htmlRenderer,
  sarif: sarifRenderer,
  github: githubRenderer,
  markdown: markdownRenderer,
  checkstyle: checkstyleRenderer,
  junit: junitRenderer,
  b4: b4Renderer,
} satisfies Record<string, () => Renderer>;

/** The name of a report format. */
export type Format = keyof typeof FORMATS;

/** Every format, the default first. */
export const formats = Object.keys(FORMATS) as readonly Format[];

/** A fresh renderer for one run. */
export function renderer(format: Format): Renderer {
  return FORMATS[format]();
}
