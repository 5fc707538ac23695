/**
 * Findings as Markdown, for comments and job summaries on code hosts. What a stranger wrote stands in code or is
 * escaped: it forms no link, no HTML and no mention of anybody. Pure.
 *
 * @module
 */

import type { Finding, Span } from "../../rules/engine/types.ts";
import { machinesOf } from "./machines.ts";
import { printable, printableLines } from "./printable.ts";
import { inOrder, type Judged, type Refused, type Renderer, type Summary } from "./renderer.ts";
import { placeOf, summaryLines } from "./text.ts";

/** The Markdown format: what GitHub and GitLab show as a job's summary. */
export function markdownRenderer(): Renderer {
  const refused: string[] = [];
  const notJudged: string[] = [];
  let quiet = false;
  return {
    begin(run) {
      quiet = run.quiet;
      return "";
    },
    report({ report }: Judged) {
      const { mail, files } = report.patch;
      if (mail.position === null || files.length > 0) {
        for (const { what, reason } of report.unseen) {
          notJudged.push(
            `- ${code(placeOf(mail))}${what === "" ? "" : ` ${code(what)}`}: ${prose(reason)}\n`,
          );
        }
      }
      const findings = inOrder(report.findings);
      const allowed = report.suppressed.filter(({ byPatch }) => byPatch)
        .map(({ finding, reason }) =>
          `${findingLine(finding)}\n\nallowed by a comment of the patch itself: ${prose(reason)}\n\n`
        );
      if (findings.length + allowed.length === 0) return "";
      const title = mail.subject.text === "" ? code(placeOf(mail)) : prose(mail.subject.text);
      return `#### ${title}\n\n${findings.map((finding) => `${findingMarkdown(finding)}\n`).join("")}${
        allowed.join("")
      }`;
    },
    refuse({ input, reason }: Refused) {
      refused.push(`- ${code(input)}: ${prose(reason)}\n`);
      return "";
    },
    end(summary: Summary) {
      if (quiet) return "";
      const aside = [...refused, ...notJudged];
      const list = aside.length === 0 ? "" : `\nNot judged:\n\n${aside.join("")}`;
      return `p2plint: ${summaryLines(summary).map(prose).join("\n")}\n${list}`;
    },
  };
}

/** A finding by itself: where, what, why. */
export function findingMarkdown(finding: Finding): string {
  const { at } = finding;
  const line = at.text.trim() === "" ? "" : `\n${block([at.text], "c")}`;
  return `**${finding.severity}** ${place(at)}: ${said(finding)}\n${line}\n${reasons(finding)}`;
}

/** A finding for a comment that stands at its line already. */
export function commentMarkdown(finding: Finding): string {
  return `**${finding.severity}**: ${said(finding)}\n\n${reasons(finding)}`;
}

/** One line. */
export function findingLine(finding: Finding): string {
  return `**${finding.severity}** ${place(finding.at)}: ${said(finding)}`;
}

const said = ({ message, rule }: Finding) => `${prose(message)} [${code(rule)}]`;

const place = ({ path, line, side }: Span) =>
  `${code(`${path}:${line}`)}${side === "old" ? " (removed)" : ""}`;

function reasons(finding: Finding): string {
  const { because, confidence, unless, wanted, since } = finding;
  const steps = because.map(({ at, note }) => `- ${place(at)}: ${prose(note)}\n`).join("");
  const out = [
    `confidence: ${confidence}${unless === "" ? "" : `, unless ${prose(unless)}`}`,
    ...(since === null ? [] : [`still there: v${since} had it, too`]),
    ...machinesOf(finding).map((line) => `\n${prose(line)}`),
  ].join("\n");
  const wish = wanted === null ? "" : `\nwanted:\n${block(wanted.trimEnd().split("\n"), "c")}`;
  return `${steps}${steps === "" ? "" : "\n"}${out}\n${wish}`;
}

/** Text as code within a line. */
export function code(text: string): string {
  const shown = printable(text).replaceAll("\t", " ");
  if (shown.trim() === "") return "` `";
  const fence = "`".repeat(longest(shown) + 1);
  const pad = shown.startsWith("`") || shown.endsWith("`") ? " " : "";
  return `${fence}${pad}${shown}${pad}${fence}`;
}

/** Lines as a block of code. */
export function block(lines: readonly string[], language: string): string {
  const shown = lines.flatMap(printableLines);
  const fence = "`".repeat(Math.max(3, longest(shown.join("\n")) + 1));
  return `${fence}${language}\n${shown.join("\n")}\n${fence}\n`;
}

/**
 * A sentence whose code stands in backticks: the code stays code, of the rest nothing is Markdown. A comment breaks
 * what GitHub makes links and mentions of even where it is escaped.
 */
export function prose(text: string): string {
  const parts = printable(text).replaceAll("\t", " ").split("`");
  // An odd one out: no telling what is code.
  if (parts.length % 2 === 0) return plain(parts.join("'"));
  return parts.map((part, i) => i % 2 === 1 ? (part === "" ? "" : code(part)) : plain(part)).join("");
}

function plain(text: string): string {
  return text.replace(
    /[\\*_{}[\]<>&|~$]/g,
    (sign) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[sign] ?? `\\${sign}`,
  )
    .replace(/^(\s*)([-+#=]|\d+[.)])/, "$1\\$2")
    .replace(/[@#](?=[\w-])|:(?=\/\/)|w(?=ww\.)|(?<=GH)-(?=\d)/gi, (sign) => `${sign}<!-- -->`);
}

const longest = (text: string) => Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
