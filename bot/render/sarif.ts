/**
 * SARIF 2.1.0 (OASIS), as GitHub's code scanning takes it: rules with their pages, results with the evidence as a code
 * flow and the fingerprint that survives a rebase. Pure.
 *
 * @module
 */

import type { Finding, Severity, Span } from "../../rules/engine/types.ts";
import { paint } from "./color.ts";
import { machinesOf } from "./machines.ts";
import { printable, printableJson } from "./printable.ts";
import {
  inOrder,
  type Judged,
  type Refused,
  type Renderer,
  type RuleText,
  type RunStart,
} from "./renderer.ts";
import { suppressedLine } from "./text.ts";

/** What GitHub takes (docs.github.com, "SARIF results exceed one or more limits"). */
export const LIMITS = {
  results: 25_000,
  /** Of a code flow. More are taken, but these are what is shown. */
  locations: 100,
  notifications: 100,
  /** Characters of a description. */
  description: 1024,
  /** Characters of a message: no limit of GitHub's, but of what anybody reads. */
  text: 4000,
};

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/** The name that GitHub's documents use. */
const ROOT = "%SRCROOT%";
/** The number is that of how fingerprints are made. */
const FINGERPRINT = "p2plint/v1";

const LEVEL: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", note: "note" };
const PROBLEM: Readonly<Record<Severity, string>> = {
  error: "error",
  warning: "warning",
  note: "recommendation",
};

/** The SARIF format. The results are kept as text until the end: of too many the most severe ones stay. */
export function sarifRenderer(): Renderer {
  const results: Record<Severity, string[]> = { error: [], warning: [], note: [] };
  const notifications: string[] = [];
  let omitted = 0;
  let ranWell = true;
  let start: RunStart | null = null;
  let indexes: ReadonlyMap<string, number> = new Map();
  const notify = (level: string, text: string) => {
    if (notifications.length < LIMITS.notifications) {
      notifications.push(printableJson({ level, message: { text: message(text) } }));
    } else omitted++;
  };
  return {
    begin(run) {
      start = run;
      indexes = new Map(run.rules().map(({ id }, at) => [id, at]));
      return "";
    },
    report({ input, report }: Judged) {
      for (const finding of inOrder(report.findings)) {
        results[finding.severity].push(
          printableJson(result(finding, input, report.patch.mail.messageId, indexes)),
        );
      }
      for (const one of report.suppressed.filter(({ byPatch }) => byPatch)) {
        notify("note", suppressedLine(one, paint(false)));
      }
      for (const { what, reason } of report.unseen) {
        notify("note", `${input}: not judged: ${what}: ${reason}`);
      }
      for (const { rule, where, error } of report.faults) {
        ranWell = false;
        notify("error", `rule ${rule} failed on ${where} of ${input}: ${error.message}`);
      }
      return "";
    },
    refuse({ input, reason }: Refused) {
      ranWell = false;
      notify("error", `${input}: ${reason}`);
      return "";
    },
    end() {
      const { tool, rules } = start!;
      const all = [...results.error, ...results.warning, ...results.note];
      if (all.length > LIMITS.results) {
        notifications.push(
          printableJson({
            level: "warning",
            message: {
              text: `${
                all.length - LIMITS.results
              } of ${all.length} results are left out, least severe first`,
            },
          }),
        );
      }
      if (omitted > 0) {
        notifications.push(printableJson({ level: "note", message: { text: `${omitted} more of these` } }));
      }
      const driver = {
        name: tool.name,
        version: tool.version,
        semanticVersion: tool.version,
        rules: rules().map(descriptor),
      };
      return [
        `{"$schema":${printableJson(SCHEMA)},"version":"2.1.0","runs":[{`,
        `"tool":${printableJson({ driver })},`,
        `"columnKind":"utf16CodeUnits",`,
        `"originalUriBaseIds":${
          printableJson({ [ROOT]: { description: { text: "the root of the kernel" } } })
        },`,
        `"invocations":[{"executionSuccessful":${ranWell},"toolExecutionNotifications":[${
          notifications.join(",\n")
        }]}],`,
        `"results":[`,
        all.slice(0, LIMITS.results).join(",\n"),
        `]}]}`,
        "",
      ].join("\n");
    },
  };
}

function descriptor({ id, code, severity, confidence, category, summary, why, page }: RuleText): unknown {
  return {
    id,
    name: code,
    shortDescription: { text: cut(summary, LIMITS.description) },
    fullDescription: { text: cut(why.trim(), LIMITS.description) },
    help: { text: page, markdown: page },
    defaultConfiguration: { level: LEVEL[severity] },
    properties: {
      // GitHub's words are ours.
      precision: confidence,
      "problem.severity": PROBLEM[severity],
      tags: ["correctness", "kernel", "dma", category],
    },
  };
}

function result(
  finding: Finding,
  input: string,
  messageId: string | null,
  indexes: ReadonlyMap<string, number>,
): unknown {
  const { rule, key, severity, confidence, at, because, unless, wanted, fingerprint, since } = finding;
  const about = [
    finding.message,
    `confidence: ${confidence}${unless === "" ? "" : `, unless ${unless}`}`,
    ...(wanted === null ? [] : [`wanted: ${wanted.trimEnd()}`]),
    ...machinesOf(finding),
  ].join("\n");
  // A flow ends where the mistake is.
  const steps = [...because.slice(0, LIMITS.locations - 1), { at, note: finding.message }];
  const index = indexes.get(rule);
  return {
    ruleId: rule,
    ...(index === undefined ? {} : { ruleIndex: index }),
    level: LEVEL[severity],
    message: { text: message(about) },
    locations: [{
      ...location(at),
      ...(finding.function === ""
        ? {}
        : { logicalLocations: [{ name: finding.function, kind: "function" }] }),
    }],
    ...(because.length === 0 ? {} : {
      codeFlows: [{
        threadFlows: [{
          locations: steps.map(({ at, note }) => ({
            location: { ...location(at), message: { text: message(note) } },
          })),
        }],
      }],
    }),
    // The second is the one that GitHub looks at.
    partialFingerprints: { [FINGERPRINT]: fingerprint, primaryLocationLineHash: fingerprint },
    properties: { key, confidence, unless, wanted, since, side: at.side, input, messageId },
  };
}

function location({ path, line, column, text }: Span): { readonly physicalLocation: unknown } {
  return {
    physicalLocation: {
      artifactLocation: {
        uri: printable(path).split("/").map(encodeURIComponent).join("/"),
        uriBaseId: ROOT,
      },
      region: {
        startLine: Math.max(1, line),
        startColumn: Math.max(1, column),
        snippet: { text: cut(text, LIMITS.text) },
      },
    },
  };
}

/** Plain text of a message: what would be an embedded link (SARIF 2.1.0, 3.11.6) is escaped. */
function message(text: string): string {
  const shown = cut(text, LIMITS.text);
  return shown.includes("](") ? shown.replace(/[\\[\]]/g, "\\$&") : shown;
}

const cut = (text: string, length: number) => text.length <= length ? text : `${text.slice(0, length - 1)}…`;
