/**
 * Command lines: what a command takes, how it is read, how its help looks. Strict: what is not declared is an error
 * that names what may have been meant. Prints nothing.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import type { Version } from "../rules/kernel/types.ts";
import { readRelease } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** An option of a command. */
export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** One letter, when there is a short form. */
  readonly short?: string;
  /** What stands for the value in the help; null: the option takes none. */
  readonly value: string | null;
  readonly help: string;
  /** The only values there are. */
  readonly choices?: readonly string[];
  readonly default?: string;
}

/** A command of p2plint. */
export interface Command {
  readonly name: string;
  /** What follows the options: `PATH…`. */
  readonly operands: string;
  /** One line, lower case, no full stop. */
  readonly summary: string;
  /** Paragraphs of the help below the options. */
  readonly notes: string;
  readonly options: readonly Option[];
  /** A command line that works in a checkout of p2plint. */
  readonly example: string;
}

/** A command line as read. */
export interface Arguments {
  /** Option name to value, defaults filled in; absent: not given and without a default. */
  readonly values: ReadonlyMap<string, string>;
  readonly flags: ReadonlySet<string>;
  readonly operands: readonly string[];
}

/** A command with what it does. */
export interface CommandModule {
  readonly command: Command;
  /**
   * Runs the command.
   *
   * @returns The exit code
   * @throws {UsageError} If an operand or an option's value makes no sense
   */
  run(args: Arguments, terminal: Terminal): Promise<number>;
}

/** The command line is wrong, or a file that it goes by. The message is for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Every command has it. */
export const HELP: Option = { name: "help", short: "h", value: null, help: "print this help" };

/** For the commands that can paint. */
export const COLOR: Option = {
  name: "color",
  value: "WHEN",
  help: "auto, always or never",
  choices: ["auto", "always", "never"],
  default: "auto",
};

/** Whether to paint; `auto` paints on a terminal unless NO_COLOR is set. */
export function isColorWanted({ values }: Arguments, terminal: Terminal): boolean {
  const when = values.get(COLOR.name);
  return when === "always" || (when === "auto" && terminal.isColorful);
}

/**
 * Reads what follows the command's name.
 *
 * @throws {UsageError} If an option is unknown, lacks its value, or has one that is none of its choices
 */
export async function readArguments(command: Command, argv: readonly string[]): Promise<Arguments> {
  const options = [...command.options, HELP];
  const textual = options.filter(({ value }) => value !== null).map(({ name }) => name);
  const unknown: string[] = [];
  const read = parseArgs([...argv], {
    string: ["_", ...textual],
    boolean: options.filter(({ value }) => value === null).map(({ name }) => name),
    alias: Object.fromEntries(
      options.flatMap(({ name, short }) => short === undefined ? [] : [[name, short]]),
    ),
    collect: textual,
    unknown: (argument: string, key?: string) => {
      if (key === undefined) return;
      unknown.push(argument);
      return false;
    },
  }) as { readonly _: string[]; readonly [name: string]: unknown };
  const first = unknown[0];
  if (first !== undefined) {
    const given = first.replace(/=.*/s, "");
    const near = await nearest(given.replace(/^-+/, ""), options.map(({ name }) => name));
    throw new UsageError(`unknown option "${given}"${near === null ? "" : `, did you mean --${near}?`}`);
  }
  const values = new Map<string, string>();
  const flags = new Set<string>();
  for (const option of options) {
    if (option.value === null) {
      if (read[option.name] === true) flags.add(option.name);
      continue;
    }
    const given = (read[option.name] as string[] | undefined)?.at(-1);
    const value = given ?? option.default;
    if (value === undefined) continue;
    if (value === "") throw new UsageError(`option --${option.name} needs a value: ${option.value}`);
    if (option.choices !== undefined && !option.choices.includes(value)) {
      throw new UsageError(`--${option.name} is "${value}", not one of ${option.choices.join(", ")}`);
    }
    values.set(option.name, value);
  }
  return { values, flags, operands: read._ };
}

/**
 * The release that --kernel names; null without it.
 *
 * @throws {UsageError} If the value is no release
 */
export function kernelFrom(value: string | undefined): Version | null {
  if (value === undefined) return null;
  const release = readRelease(value);
  if (release === null) throw new UsageError(`--kernel is "${value}", not a release such as 6.12`);
  return release;
}

/** The candidate that is spelled most like `word`; null when none comes close. */
export async function nearest(word: string, candidates: readonly string[]): Promise<string | null> {
  // Needed on the way to an error only: start-up time is counted.
  const { levenshteinDistance } = await import("@std/text/levenshtein-distance");
  let best: string | null = null;
  let least = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = candidate.startsWith(word) && word.length > 1 ? 1 : levenshteinDistance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** A list given as one value: `a,b`. */
export function listOf(value: string | undefined): string[] {
  return (value ?? "").split(",").map((part) => part.trim()).filter((part) => part !== "");
}

/** The help of a command. */
export function commandHelp(command: Command): string {
  const rows = [...command.options, HELP].map((option) => {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const value = option.value === null ? "" : ` ${option.value}`;
    const fallback = option.default === undefined ? "" : ` (default: ${option.default})`;
    return [`  ${short}--${option.name}${value}`, option.help + fallback] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const operands = command.operands === "" ? "" : ` ${command.operands}`;
  return [
    `p2plint ${command.name}: ${command.summary}`,
    "",
    `usage: p2plint ${command.name} [options]${operands}`,
    "",
    ...rows.map(([left, right]) => left.padEnd(width) + right),
    "",
    ...(command.notes === "" ? [] : [command.notes, ""]),
    "example:",
    `  ${command.example}`,
    "",
  ].join("\n");
}
