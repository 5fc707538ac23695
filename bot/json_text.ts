/**
 * JSON with its places, for files that people write: what is wrong is said with line and column, whether it is the
 * JSON or what stands in it. Stricter than JSON.parse(): a key that stands twice is an error, since the first of the
 * two would be lost in silence. Objects become maps, so no key of a stranger's file means anything to us. Pure.
 *
 * @module
 */

import { nearest, UsageError } from "./options.ts";

/** A value and the offset at which it starts. */
export type Json =
  & { readonly at: number }
  & (
    | { readonly kind: "value"; readonly value: string | number | boolean | null }
    | { readonly kind: "list"; readonly items: readonly Json[] }
    | { readonly kind: "object"; readonly members: ReadonlyMap<string, Member> }
  );

/** A key's value and where the key stands. */
export interface Member {
  readonly keyAt: number;
  readonly value: Json;
}

/** No file of ours nests deeper than four; a hostile one may not exhaust the stack. */
const MAX_DEPTH = 16;
const MAX_EXCERPT = 60;
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z]+/y;
const WORDS: ReadonlyMap<string, boolean | null> = new Map([["true", true], ["false", false], [
  "null",
  null,
]]);

/** A stranger's text, short enough for a message. */
export function excerpt(text: string): string {
  return `"${text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text}"`;
}

/**
 * A file's JSON, and the questions that a strict reader asks of it. `path` names a place for a complaint, as in
 * `overrides[0].paths`; "" is the file. Each of them throws a UsageError where the answer is no.
 */
export class JsonText {
  readonly root: Json;

  /**
   * Reads the text of a file.
   *
   * @param name The file's name, for complaints
   * @throws {UsageError} If it is not JSON, or nests deeper than any file of ours
   */
  constructor(private readonly text: string, private readonly name: string) {
    this.root = new Reader(text, (at, what) => this.error(at, what)).all();
  }

  /** The complaint `what` about the place at an offset, to be thrown. */
  error(at: number, what: string): UsageError {
    const before = this.text.slice(0, at).split("\n");
    return new UsageError(`${this.name}:${before.length}:${before.at(-1)!.length + 1}: ${what}`);
  }

  /** The complaint `what` about a value, to be thrown. */
  wrong({ at }: Json, path: string, what: string): UsageError {
    return this.error(at, `${path === "" ? "the file" : path} ${what}`);
  }

  /** The members of an object that has no other keys than these. */
  async members(
    json: Json,
    path: string,
    allowed: readonly string[],
  ): Promise<ReadonlyMap<string, Member>> {
    const members = this.object(json, path);
    for (const [key, { keyAt }] of members) {
      if (allowed.includes(key)) continue;
      const near = await nearest(key, allowed);
      throw this.error(
        keyAt,
        `unknown key ${excerpt(key)}${path === "" ? "" : ` in ${path}`}${
          near === null ? "" : `, did you mean "${near}"?`
        } (allowed: ${allowed.join(", ")})`,
      );
    }
    return members;
  }

  object(json: Json, path: string): ReadonlyMap<string, Member> {
    if (json.kind !== "object") throw this.wrong(json, path, `is ${kindOf(json)}, not an object {…}`);
    return json.members;
  }

  items(json: Json, path: string): readonly Json[] {
    if (json.kind !== "list") throw this.wrong(json, path, `is ${kindOf(json)}, not a list […]`);
    return json.items;
  }

  /** `what` says what else is wanted than the value that stands there. */
  string(json: Json, path: string, what: string): string {
    if (json.kind === "value" && typeof json.value === "string") return json.value;
    throw this.wrong(json, path, `is ${kindOf(json)}, not ${what}`);
  }

  choice<Choice extends string>(json: Json, path: string, choices: readonly Choice[]): Choice {
    const text = this.string(json, path, `one of ${choices.join(", ")}`);
    const found = choices.find((choice) => choice === text);
    if (found === undefined) {
      throw this.wrong(json, path, `is ${excerpt(text)}, not one of ${choices.join(", ")}`);
    }
    return found;
  }
}

function kindOf(json: Json): string {
  if (json.kind !== "value") return json.kind === "list" ? "a list" : "an object";
  return json.value === null ? "null" : `a ${typeof json.value}`;
}

class Reader {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly error: (at: number, what: string) => UsageError,
  ) {}

  all(): Json {
    const root = this.value();
    this.space();
    if (this.at < this.text.length) throw this.expected("nothing more");
    return root;
  }

  private value(): Json {
    this.space();
    const at = this.at;
    const sign = this.text[at];
    if (sign === '"') return { at, kind: "value", value: this.string() };
    if (sign === "{" || sign === "[") {
      if (++this.depth > MAX_DEPTH) throw this.error(at, `nested deeper than ${MAX_DEPTH} levels`);
      const nested: Json = sign === "{"
        ? { at, kind: "object", members: this.members() }
        : { at, kind: "list", items: this.items() };
      this.depth--;
      return nested;
    }
    const number = this.match(NUMBER);
    if (number !== "") return { at, kind: "value", value: Number(number) };
    const value = WORDS.get(this.match(WORD));
    if (value !== undefined) return { at, kind: "value", value };
    this.at = at;
    throw this.expected("a value");
  }

  private members(): Map<string, Member> {
    const members = new Map<string, Member>();
    this.at++;
    if (this.closes("}")) return members;
    do {
      this.space();
      const keyAt = this.at;
      if (this.text[keyAt] !== '"') throw this.expected("a key in double quotes");
      const key = this.string();
      if (members.has(key)) throw this.error(keyAt, `key ${excerpt(key)} stands here a second time`);
      this.space();
      if (this.text[this.at] !== ":") throw this.expected('":"');
      this.at++;
      members.set(key, { keyAt, value: this.value() });
    } while (this.continues("}"));
    return members;
  }

  private items(): Json[] {
    const items: Json[] = [];
    this.at++;
    if (this.closes("]")) return items;
    do items.push(this.value()); while (this.continues("]"));
    return items;
  }

  private closes(sign: string): boolean {
    this.space();
    if (this.text[this.at] !== sign) return false;
    this.at++;
    return true;
  }

  private continues(close: string): boolean {
    if (this.closes(close)) return false;
    if (this.text[this.at] !== ",") throw this.expected(`"," or "${close}"`);
    this.at++;
    return true;
  }

  private string(): string {
    const from = this.at;
    let i = from + 1;
    while (i < this.text.length && this.text[i] !== '"' && this.text[i] !== "\n") {
      i += this.text[i] === "\\" ? 2 : 1;
    }
    if (this.text[i] !== '"') throw this.error(from, "not JSON: this string is not closed on its line");
    this.at = i + 1;
    try {
      return JSON.parse(this.text.slice(from, this.at));
    } catch {
      throw this.error(from, "not JSON: a control character or an unknown \\ sequence in this string");
    }
  }

  private space(): void {
    this.match(SPACE);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }

  private expected(what: string): UsageError {
    const found = this.text.codePointAt(this.at);
    return this.error(
      this.at,
      `not JSON: expected ${what}, found ${
        found === undefined ? "the end of the file" : `"${String.fromCodePoint(found)}"`
      }`,
    );
  }
}
