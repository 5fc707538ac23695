/**
 * Reads a JSON document against a shape. Strict: what the shape does not name is an error that names what may have
 * been meant. All problems are found at once, each with its place in the document. Pure.
 *
 * @module
 */

import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** Reads a value that is there; adds to `problems` and gives anything when it does not fit. */
export type Read<Value> = (value: unknown, at: string, problems: string[]) => Value;

/** A key of an object. */
export interface Field<Value> {
  readonly read: Read<Value>;
  /** What an absent key means; without it the key must be there. */
  readonly fallback?: { readonly value: Value };
}

/** A key that must be there. */
export const required = <Value>(read: Read<Value>): Field<Value> => ({ read });
/** A key that may be absent. */
export const optional = <Value>(read: Read<Value>, value: Value): Field<Value> => ({
  read,
  fallback: { value },
});

type Fields = Readonly<Record<string, Field<unknown>>>;
/** The value of an object with these keys. */
export type ObjectOf<Of extends Fields> = {
  readonly [Key in keyof Of]: Of[Key] extends Field<infer Value> ? Value : never;
};

/** Text that matches, or is at least not empty. */
export function text(what = "text", fits = /^[^]+$/): Read<string> {
  return (value, at, problems) => {
    if (typeof value === "string" && fits.test(value)) return value;
    problems.push(`${at} is ${shown(value)}, not ${what}`);
    return "";
  };
}

/** One of a few words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Read<Word> {
  return (value, at, problems) => {
    if (words.includes(value as Word)) return value as Word;
    problems.push(`${at} is ${shown(value)}, not one of ${words.join(", ")}`);
    return words[0]!;
  };
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number): Read<number> {
  return (value, at, problems) => {
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    problems.push(`${at} is ${shown(value)}, not a whole number from ${least} to ${most}`);
    return least;
  };
}

/** true or false. */
export const flag: Read<boolean> = (value, at, problems) => {
  if (typeof value !== "boolean") problems.push(`${at} is ${shown(value)}, not true or false`);
  return value === true;
};

/** An array. */
export function listOf<Value>(read: Read<Value>, least = 0): Read<readonly Value[]> {
  return (value, at, problems) => {
    if (!Array.isArray(value)) {
      problems.push(`${at} is ${shown(value)}, not a list`);
      return [];
    }
    if (value.length < least) problems.push(`${at} has ${value.length} entries, needs ${least}`);
    return value.map((entry, ordinal) => read(entry, `${at}[${ordinal}]`, problems));
  };
}

/** The value, or null. */
export const nullable = <Value>(read: Read<Value>): Read<Value | null> => (value, at, problems) =>
  value === null ? null : read(value, at, problems);

/** An object with these keys and no other. */
export function object<Of extends Fields>(fields: Of): Read<ObjectOf<Of>> {
  return (value, at, problems) => {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject) problems.push(`${at} is ${shown(value)}, not an object`);
    const given = (isObject ? value : {}) as Record<string, unknown>;
    for (const key of Object.keys(given)) {
      if (Object.hasOwn(fields, key)) continue;
      problems.push(`${place(at, key)} is unknown${meant(key, Object.keys(fields))}`);
    }
    const out: Record<string, unknown> = {};
    for (const [key, { read, fallback }] of Object.entries(fields)) {
      if (Object.hasOwn(given, key)) out[key] = read(given[key], place(at, key), problems);
      else if (fallback !== undefined) out[key] = fallback.value;
      else if (isObject) problems.push(`${place(at, key)} is missing`);
    }
    return out as ObjectOf<Of>;
  };
}

const place = (at: string, key: string): string => at === "" ? JSON.stringify(key) : `${at}.${key}`;

const MAX_SHOWN = 60;
const shown = (value: unknown): string => {
  const json = value === undefined ? "absent" : JSON.stringify(value);
  return json.length > MAX_SHOWN ? `${json.slice(0, MAX_SHOWN)}…` : json;
};

function meant(key: string, known: readonly string[]): string {
  const [best] = known
    .map((name) => ({ name, distance: levenshteinDistance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance);
  const isNear = best !== undefined && best.distance <= Math.max(2, key.length / 2);
  return isNear ? `, did you mean ${best.name}?` : `: known are ${known.join(", ")}`;
}
