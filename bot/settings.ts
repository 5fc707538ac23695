/**
 * What a run goes by: the configuration file, and the command line, which wins over it. Says which rules run and what
 * their findings are taken for, path by path. Pure.
 *
 * @module
 */

import type { Rule } from "../rules/engine/rule.ts";
import type { Confidence, Finding, Report } from "../rules/engine/types.ts";
import type { Version } from "../rules/kernel/types.ts";
import type { Config, FailOn, Level, Levels } from "./config.ts";

/** From the least on. */
export const CONFIDENCES: readonly Confidence[] = ["low", "medium", "high"];

/** What the command line says; null: nothing. */
export interface Wishes {
  readonly kernel: Version | null;
  readonly minConfidence: Confidence | null;
  readonly failOn: FailOn | null;
  /** Only these; empty: all. The file cannot turn them off. */
  readonly only: ReadonlySet<Rule>;
  readonly without: ReadonlySet<Rule>;
}

/** A release such as `6.12`, `v6.12` or `6.12.3`; null when it is none. */
export function readRelease(text: string): Version | null {
  const found = /^v?(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?$/.exec(text);
  return found === null ? null : [Number(found[1]), Number(found[2])];
}

/** What a run goes by. */
export interface Settings {
  /** null: the newest. */
  readonly kernel: Version | null;
  readonly minConfidence: Confidence;
  readonly failOn: FailOn;
  /** The rules that are on for at least one path. */
  readonly rules: readonly Rule[];
  /** What a rule's findings in a file are taken for. */
  levelOf(rule: string, path: string): Level;
  /** The report with every finding at its level, those of rules that are off for their path left out. */
  apply(report: Report): Report;
}

/** The command line over the file over what holds when neither says anything. */
export function settingsFrom(wishes: Wishes, config: Config | null, all: readonly Rule[]): Settings {
  const { only, without } = wishes;
  const scopes = config?.levels ?? [];
  const named = new Set([...only].map(({ id }) => id));
  const levelOf = remembered((rule: string, path: string): Level => {
    const level = lastLevel(scopes, rule, path);
    return level === "off" && named.has(rule) ? "on" : level;
  });
  const leveled = (finding: Finding): readonly Finding[] => {
    const level = levelOf(finding.rule, finding.at.path);
    if (level === "off") return [];
    return [level === "on" || level === finding.severity ? finding : { ...finding, severity: level }];
  };
  return {
    kernel: wishes.kernel ?? config?.kernel ?? null,
    minConfidence: wishes.minConfidence ?? config?.minConfidence ?? "medium",
    failOn: wishes.failOn ?? config?.failOn ?? "warning",
    rules: all.filter((rule) =>
      !without.has(rule) && (only.size > 0 ? only.has(rule) : mayBeOn(scopes, rule.id))
    ),
    levelOf,
    apply(report) {
      if (scopes.length === 0) return report;
      const withLevel = <Holder extends { readonly finding: Finding }>(
        holders: readonly Holder[],
      ): Holder[] => holders.flatMap((one) => leveled(one.finding).map((finding) => ({ ...one, finding })));
      return {
        ...report,
        findings: report.findings.flatMap(leveled),
        suppressed: withLevel(report.suppressed),
        mended: withLevel(report.mended),
        fixed: withLevel(report.fixed),
      };
    },
  };
}

const levelIn = ({ byRule, others }: Levels, rule: string): Level | null => byRule.get(rule) ?? others;

function lastLevel(scopes: readonly Levels[], rule: string, path: string): Level {
  for (const scope of scopes.toReversed()) {
    const level = levelIn(scope, rule);
    if (level !== null && (scope.paths === null || scope.paths.some((glob) => glob(path)))) return level;
  }
  return "on";
}

/** Whether there may be a path for which the rule is on. */
function mayBeOn(scopes: readonly Levels[], rule: string): boolean {
  for (const scope of scopes.toReversed()) {
    const level = levelIn(scope, rule);
    if (level === null) continue;
    if (level !== "off") return true;
    if (scope.paths === null) return false;
  }
  return true;
}

function remembered(find: (rule: string, path: string) => Level): (rule: string, path: string) => Level {
  const known = new Map<string, Level>();
  return (rule, path) => {
    const key = `${rule} ${path}`;
    let level = known.get(key);
    if (level === undefined) known.set(key, level = find(rule, path));
    return level;
  };
}
