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
import { excerpt, type Json, JsonText } from "./json_text.ts";
import { UsageError } from "./options.ts";
import { CONFIDENCES, readRelease } from "./settings.ts";

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
const FAIL_ON: readonly FailOn[] = ["note", "warning", "error", "never"];
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
  const reader = new ConfigReader(new JsonText(text, name), ruleId);
  return { name, ...await reader.config() };
}

class ConfigReader {
  constructor(private readonly json: JsonText, private readonly ruleId: RuleId) {}

  async config(): Promise<Omit<Config, "name">> {
    const members = await this.json.members(this.json.root, "", KEYS);
    const kernel = members.get("kernel")?.value;
    const confidence = members.get("min-confidence")?.value;
    const failOn = members.get("fail-on")?.value;
    const rules = members.get("rules")?.value;
    const overrides = members.get("overrides")?.value;
    return {
      kernel: kernel === undefined ? null : this.release(kernel),
      minConfidence: confidence === undefined
        ? null
        : this.json.choice(confidence, "min-confidence", CONFIDENCES),
      failOn: failOn === undefined ? null : this.json.choice(failOn, "fail-on", FAIL_ON),
      levels: [
        ...rules === undefined ? [] : [{ paths: null, ...await this.rules(rules, "rules") }],
        ...overrides === undefined ? [] : await this.overrides(overrides),
      ],
    };
  }

  private async overrides(json: Json): Promise<Levels[]> {
    const out: Levels[] = [];
    for (const [index, item] of this.json.items(json, "overrides").entries()) {
      const path = `overrides[${index}]`;
      const members = await this.json.members(item, path, OVERRIDE_KEYS);
      const [paths, rules] = OVERRIDE_KEYS.map((key) => members.get(key)?.value);
      if (paths === undefined) throw this.json.wrong(item, path, 'lacks "paths"');
      if (rules === undefined) throw this.json.wrong(item, path, 'lacks "rules"');
      out.push({ paths: this.globs(paths, `${path}.paths`), ...await this.rules(rules, `${path}.rules`) });
    }
    return out;
  }

  private globs(json: Json, path: string): Glob[] {
    const items = this.json.items(json, path);
    if (items.length === 0) throw this.json.wrong(json, path, "is empty, and so matches no path");
    return items.map((item, index) => {
      const place = `${path}[${index}]`;
      const glob = this.json.string(item, place, "a path or a glob such as drivers/gpu/**");
      const problem = globProblem(glob);
      if (problem !== null) throw this.json.wrong(item, place, `is ${excerpt(glob)}: ${problem}`);
      return toGlob(glob);
    });
  }

  private async rules(json: Json, path: string): Promise<Omit<Levels, "paths">> {
    const byRule = new Map<string, Level>();
    let others: Level | null = null;
    for (const [name, { keyAt, value }] of this.json.object(json, path)) {
      const place = `${path}.${name === ALL_RULES ? name : excerpt(name).slice(1, -1)}`;
      const level = this.json.choice(value, place, LEVELS);
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
      const message = error.message.replace(`"${name}"`, () => excerpt(name));
      throw this.json.error(at, `${path}: ${message} (p2plint rules lists them, "*" is all others)`);
    }
  }

  private release(json: Json): Version {
    const what = 'a release in quotes such as "6.12"';
    const text = this.json.string(json, "kernel", what);
    const release = readRelease(text);
    if (release === null) throw this.json.wrong(json, "kernel", `is ${excerpt(text)}, not ${what}`);
    return release;
  }
}
