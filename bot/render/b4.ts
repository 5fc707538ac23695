/**
 * The check protocol of b4 review (docs/maintainer/review.rst, "CI check integration"): one mail in, an array of
 * results out. A cover letter gives an empty array. Pure.
 *
 * @module
 */

import { paint } from "./color.ts";
import { printableJson } from "./printable.ts";
import { inOrder, type Judged, type Refused, type Renderer, type Summary } from "./renderer.ts";
import { findingLines, summaryLines, suppressedLine } from "./text.ts";

/** b4's format. */
export function b4Renderer(): Renderer {
  const details: string[] = [];
  let isCover = true;
  let couldRead = true;
  return {
    begin: () => "",
    report({ report }: Judged) {
      const { files, mail, defects } = report.patch;
      isCover &&= files.length === 0 && (mail.subject.index === 0 || !mail.subject.isPatch);
      const plain = paint(false);
      for (const finding of inOrder(report.findings)) details.push(...findingLines(finding, plain), "");
      for (const one of report.suppressed.filter(({ byPatch }) => byPatch)) {
        details.push(suppressedLine(one, plain), "");
      }
      for (const { reason } of defects) details.push(`damaged: ${reason}`);
      for (const { what, reason } of report.unseen) details.push(`not judged: ${what}: ${reason}`);
      return "";
    },
    refuse({ input, reason }: Refused) {
      isCover = false;
      couldRead = false;
      details.push(`${input}: ${reason}`);
      return "";
    },
    end(summary: Summary) {
      if (isCover) return "[]\n";
      const { error, warning } = summary.findings;
      const status = error > 0 || !couldRead ? "fail" : warning > 0 ? "warn" : "pass";
      const said = { tool: "p2plint", status, summary: summaryLines(summary)[0]! };
      return printableJson([
        details.length === 0 ? said : { ...said, details: details.join("\n").trimEnd() },
      ]) +
        "\n";
    },
  };
}
