/**
 * The report formats by name. A new format is one file and one row here.
 *
 * @module
 */

import { htmlRenderer } from "./html.ts";
import { jsonRenderer } from "./json.ts";
import type { Renderer } from "./renderer.ts";
import { terseRenderer } from "./terse.ts";
import { textRenderer } from "./text.ts";

export type { BaselineSummary, Judged, Refused, Renderer, RunStart, Summary } from "./renderer.ts";

const FORMATS = {
  text: textRenderer,
  json: jsonRenderer,
  terse: terseRenderer,
  html: htmlRenderer,
} satisfies Record<string, () => Renderer>;

/** The name of a report format. */
export type Format = keyof typeof FORMATS;

/** Every format, the default first. */
export const formats = Object.keys(FORMATS) as readonly Format[];

/** A fresh renderer for one run. */
export function renderer(format: Format): Renderer {
  return FORMATS[format]();
}
