/**
 * The schema of `.p2plint.json`, and its reader. Strict: what is not declared here is an error that names the file,
 * the place, the key, and what is allowed. Pure: finding the file is not done here. The file may be a stranger's: all
 * that it can do is to lint differently.
 *
 * @module
 */

import type { Confidence, Severity } from "../rules/engine/types.ts";
import type { Version } from "../rules/kernel/types.ts";
import { type Glob, globProblem, toGlob } from "./glob.ts";
import { excerpt, type Json, type JsonText, type Member, readJson } from "./json_text.ts";
import { nearest, UsageError } from "./options.ts";
import { readRelease } from "./settings.ts";

/** From which severity on findings count. */
export type FailOn = Severity | "never";

/** What a rule's findings are taken for; `on` leaves them as the rule has them. */
export type Level = Severity | "off" | "on";

/** A file's own name of a rule made the rule's id; throws a UsageError for what is none. */
export type RuleId = (name: string) => Promise<string>;

/** Rule levels for some paths. */
export interface Levels {
  /** null: all paths. */
  readonly paths: readonly Glob[] | null;
  /** Of the rules that are not in `byRule`; null: as before. */
  readonly others: Level | null;
  /** By id. */
  readonly byRule: ReadonlyMap<string, Level>;
}

/** A configuration file; null: it says nothing about that. */
export interface Config {
  /** The file, for messages. */
  readonly name: string;
  readonly kernel: Version | null;
  readonly minConfidence: Confidence | null;
  readonly failOn: FailOn | null;
  /** Later ones win. */
  readonly levels: readonly Levels[];
}

/** From the least on. */
export const CONFIDENCES: readonly Confidence[] = ["low", "medium", "high"];
/** From the least on. */
export const FAIL_ON: readonly FailOn[] = ["note", "warning", "error", "never"];
const LEVELS: readonly Level[] = ["off", "note", "warning", "error", "on"];
const KEYS = ["kernel", "min-confidence", "fail-on", "rules", "overrides"] as const;
const OVERRIDE_KEYS = ["paths", "rules"] as const;
/** In `rules`: every rule that is not named beside it. */
const ALL_RULES = "*";

/**
 * Reads a configuration file.
 *
 * @param name The file's name, for complaints
 * @throws {UsageError} If it is not JSON, or a key or value in it is not allowed
 */
export async function readConfig(text: string, name: string, ruleId: RuleId): Promise<Config> {
  const reader = new ConfigReader(readJson(text, name), ruleId);
  return { name, ...await reader.config() };
}

class ConfigReader {
  constructor(private readonly json: JsonText, private readonly ruleId: RuleId) {}

  async config(): Promise<Omit<Config, "name">> {
    const members = await this.members(this.json.root, "", KEYS);
    const kernel = members.get("kernel")?.value;
    const confidence = members.get("min-confidence")?.value;
    const failOn = members.get("fail-on")?.value;
    const rules = members.get("rules")?.value;
    const overrides = members.get("overrides")?.value;
    return {
      kernel: kernel === undefined ? null : this.release(kernel),
      minConfidence: confidence === undefined ? null : this.choice(confidence, "min-confidence", CONFIDENCES),
      failOn: failOn === undefined ? null : this.choice(failOn, "fail-on", FAIL_ON),
      levels: [
        ...rules === undefined ? [] : [{ paths: null, ...await this.rules(rules, "rules") }],
        ...overrides === undefined ? [] : await this.overrides(overrides),
      ],
    };
  }

  private async overrides(json: Json): Promise<Levels[]> {
    const out: Levels[] = [];
    for (const [index, item] of this.items(json, "overrides").entries()) {
      const path = `overrides[${index}]`;
      const members = await this.members(item, path, OVERRIDE_KEYS);
      const [paths, rules] = OVERRIDE_KEYS.map((key) => members.get(key)?.value);
      if (paths === undefined) throw this.wrong(item, path, 'lacks "paths"');
      if (rules === undefined) throw this.wrong(item, path, 'lacks "rules"');
      out.push({ paths: this.globs(paths, `${path}.paths`), ...await this.rules(rules, `${path}.rules`) });
    }
    return out;
  }

  private globs(json: Json, path: string): Glob[] {
    const items = this.items(json, path);
    if (items.length === 0) throw this.wrong(json, path, "is empty, and so matches no path");
    return items.map((item, index) => {
      const place = `${path}[${index}]`;
      const glob = this.string(item, place, "a path or a glob such as drivers/gpu/**");
      const problem = globProblem(glob);
      if (problem !== null) throw this.wrong(item, place, `is ${excerpt(glob)}: ${problem}`);
      return toGlob(glob);
    });
  }

  private async rules(json: Json, path: string): Promise<Omit<Levels, "paths">> {
    const byRule = new Map<string, Level>();
    let others: Level | null = null;
    for (const [name, { keyAt, value }] of this.object(json, path)) {
      const place = `${path}.${name === ALL_RULES ? name : excerpt(name).slice(1, -1)}`;
      const level = this.choice(value, place, LEVELS);
      if (name === ALL_RULES) {
        others = level;
        continue;
      }
      const id = await this.idOf(name, path, keyAt);
      if (byRule.has(id)) throw this.json.error(keyAt, `${place}: ${id} has a level here already`);
      byRule.set(id, level);
    }
    return { others, byRule };
  }

  private async idOf(name: string, path: string, at: number): Promise<string> {
    try {
      return await this.ruleId(name);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw this.json.error(at, `${path}: ${error.message} (p2plint rules lists them, "*" is all others)`);
    }
  }

  private release(json: Json): Version {
    const what = 'a release in quotes such as "6.12"';
    const text = this.string(json, "kernel", what);
    const release = readRelease(text);
    if (release === null) throw this.wrong(json, "kernel", `is ${excerpt(text)}, not ${what}`);
    return release;
  }

  private async members(
    json: Json,
    path: string,
    allowed: readonly string[],
  ): Promise<ReadonlyMap<string, Member>> {
    const members = this.object(json, path);
    for (const [key, { keyAt }] of members) {
      if (allowed.includes(key)) continue;
      const near = await nearest(key, allowed);
      throw this.json.error(
        keyAt,
        `unknown key ${excerpt(key)}${path === "" ? "" : ` in ${path}`}${
          near === null ? "" : `, did you mean "${near}"?`
        } (allowed: ${allowed.join(", ")})`,
      );
    }
    return members;
  }

  private object(json: Json, path: string): ReadonlyMap<string, Member> {
    if (json.kind !== "object") throw this.wrong(json, path, `is ${kindOf(json)}, not an object {…}`);
    return json.members;
  }

  private items(json: Json, path: string): readonly Json[] {
    if (json.kind !== "list") throw this.wrong(json, path, `is ${kindOf(json)}, not a list […]`);
    return json.items;
  }

  private string(json: Json, path: string, what: string): string {
    if (json.kind === "value" && typeof json.value === "string") return json.value;
    throw this.wrong(json, path, `is ${kindOf(json)}, not ${what}`);
  }

  private choice<Choice extends string>(json: Json, path: string, choices: readonly Choice[]): Choice {
    const text = this.string(json, path, `one of ${choices.join(", ")}`);
    const found = choices.find((choice) => choice === text);
    if (found === undefined) {
      throw this.wrong(json, path, `is ${excerpt(text)}, not one of ${choices.join(", ")}`);
    }
    return found;
  }

  private wrong({ at }: Json, path: string, what: string): UsageError {
    return this.json.error(at, `${path === "" ? "the file" : path} ${what}`);
  }
}

function kindOf(json: Json): string {
  if (json.kind !== "value") return json.kind === "list" ? "a list" : "an object";
  return json.value === null ? "null" : `a ${typeof json.value}`;
}
