/**
 * Checkstyle's report, which many tools read: `<file>` by `<file>`, one `<error>` per finding. There is no official
 * schema; the shape is that of its XMLLogger. Pure.
 *
 * @module
 */

import type { Severity } from "../../rules/engine/types.ts";
import { inOrder, type Judged, type Renderer, type RunStart } from "./renderer.ts";
import { attribute } from "./xml.ts";

// Checkstyle's SeverityLevel: ignore, info, warning, error.
const LEVEL: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", note: "info" };

/** The checkstyle format. Its readers want a file's findings together, so all is printed at the end. */
export function checkstyleRenderer(): Renderer {
  const files = new Map<string, string[]>();
  return {
    begin: ({ tool }: RunStart) =>
      `<?xml version="1.0" encoding="UTF-8"?>\n<checkstyle${
        attribute("version", `p2plint ${tool.version}`)
      }>\n`,
    report({ report }: Judged) {
      for (const { at, severity, message, rule } of inOrder(report.findings)) {
        const row = attribute("line", at.line) + attribute("column", at.column) +
          attribute("severity", LEVEL[severity]) + attribute("message", message) +
          attribute("source", `p2plint.${rule}`);
        const rows = files.get(at.path) ?? [];
        files.set(at.path, rows);
        rows.push(`<error${row}/>`);
      }
      return "";
    },
    refuse: () => "",
    end: () =>
      [...files].map(([path, rows]) => `<file${attribute("name", path)}>\n${rows.join("\n")}\n</file>\n`)
        .join("") + "</checkstyle>\n",
  };
}
