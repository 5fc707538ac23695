/**
 * JUnit's report as Jenkins and GitLab read it: a suite per input, a failure per finding, a skipped case for what was
 * not judged, an error for a rule that threw. Pure.
 *
 * @module
 */

import type { Finding } from "../../rules/engine/types.ts";
import { paint } from "./color.ts";
import { inOrder, type Judged, type Refused, type Renderer } from "./renderer.ts";
import { findingLines, placeOf, suppressedLine } from "./text.ts";
import { attribute, content } from "./xml.ts";

/** The JUnit format. */
export function junitRenderer(): Renderer {
  return {
    begin: () => `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="p2plint">\n`,
    report({ report }: Judged) {
      const cases = [
        ...inOrder(report.findings).map(findingCase),
        ...report.suppressed.filter(({ byPatch }) => byPatch).map((one) =>
          testcase(
            one.finding.rule,
            `${one.finding.at.path}:${one.finding.at.line} allowed`,
            `<system-out>${content(suppressedLine(one, paint(false)))}</system-out>`,
          )
        ),
        ...report.unseen.map(({ what, reason }) =>
          testcase("not judged", what === "" ? "the input" : what, `<skipped>${content(reason)}</skipped>`)
        ),
        ...report.faults.map(({ rule, where, error }) =>
          testcase(rule, where, `<error${attribute("type", "fault")}${attribute("message", error.message)}/>`)
        ),
      ];
      if (cases.length === 0) cases.push(testcase("p2plint", "no findings", ""));
      const name = `${placeOf(report.patch.mail)} ${report.patch.mail.subject.text}`.trim();
      const failures = report.findings.filter(isFailure).length;
      return suite(name, cases, failures, report.faults.length, report.unseen.length);
    },
    refuse: ({ input, reason }: Refused) =>
      suite(
        input,
        [
          testcase("p2plint", "read", `<error${attribute("type", "input")}${attribute("message", reason)}/>`),
        ],
        0,
        1,
        0,
      ),
    end: () => "</testsuites>\n",
  };
}

// A note is nothing that fails a build.
const isFailure = ({ severity }: Finding) => severity !== "note";

function findingCase(finding: Finding): string {
  const { at, rule, severity, message } = finding;
  const lines = content(findingLines(finding, paint(false)).join("\n"));
  const said = isFailure(finding)
    ? `<failure${attribute("type", severity)}${attribute("message", message)}>${lines}</failure>`
    : `<system-out>${lines}</system-out>`;
  return testcase(rule, `${at.path}:${at.line}`, said);
}

const testcase = (className: string, name: string, inside: string) =>
  `<testcase${attribute("classname", className)}${attribute("name", name)}>${inside}</testcase>\n`;

function suite(
  name: string,
  cases: readonly string[],
  failures: number,
  errors: number,
  skipped: number,
): string {
  const counts = attribute("tests", cases.length) + attribute("failures", failures) +
    attribute("errors", errors) + attribute("skipped", skipped);
  return `<testsuite${attribute("name", name)}${counts}>\n${cases.join("")}</testsuite>\n`;
}
