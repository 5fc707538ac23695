/**
 * The names in a diff's header. May not look at hunks, and never touches a file system: a name is only text.
 *
 * @module
 */

/** git's default prefixes and those of `diff.mnemonicPrefix` (git-config(1)); no kernel folder has such a name. */
const GIT_PREFIX = /^[abciow12]\//;

/** Single-letter escapes of a quoted path (git's quote.c, `core.quotePath`). */
const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "\\": 92,
};

const NAMELESS = "/dev/null";

/** Old and new path of one file; null on the side where the file does not exist. */
export interface Paths {
  readonly oldPath: string | null;
  readonly newPath: string | null;
}

/**
 * Reads the C-style quoted name that starts at `from` (a double quote): `"a/b\303\251.c"`.
 *
 * @returns The decoded name and the index behind the closing quote; null when the quote is not closed
 */
export function unquotePath(text: string, from = 0): { name: string; end: number } | null {
  if (text[from] !== '"') return null;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  let plainFrom = from + 1;
  for (let i = from + 1; i < text.length; i++) {
    const char = text[i];
    if (char !== '"' && char !== "\\") continue;
    if (i > plainFrom) { for (const byte of encoder.encode(text.slice(plainFrom, i))) bytes.push(byte); }
    if (char === '"') return { name: new TextDecoder().decode(new Uint8Array(bytes)), end: i + 1 };
    const octal = /^[0-3][0-7]{2}/.exec(text.slice(i + 1, i + 4))?.[0];
    const letter = text[i + 1] ?? "";
    if (octal !== undefined) bytes.push(parseInt(octal, 8));
    else bytes.push(ESCAPES[letter] ?? letter.charCodeAt(0));
    i += octal === undefined ? 1 : 3;
    plainFrom = i + 1;
  }
  return null;
}

/** The name on a `--- ` or `+++ ` line, `/dev/null` included, without time stamp, revision or carriage return. */
export function headerName(line: string): string {
  const rest = line.slice(4);
  if (rest[0] === '"') {
    const quoted = unquotePath(rest);
    if (quoted !== null) return quoted.name;
  }
  const tab = rest.indexOf("\t");
  const name = tab < 0 ? rest : rest.slice(0, tab);
  // Mailers that expand tabs leave diff's time stamp behind a blank.
  const stamp = /\s(?:\d{4}-\d\d-\d\d \d|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} )/.exec(name);
  return (stamp === null ? name : name.slice(0, stamp.index)).trimEnd();
}

/**
 * The two names of a `diff --git` line, prefixes included.
 * Unquoted names may hold blanks: then they are split where both halves name the same file, as git does.
 */
export function gitNames(line: string): { old: string; new: string } | null {
  const rest = line.slice("diff --git ".length).trimEnd();
  if (rest[0] === '"') {
    const first = unquotePath(rest);
    if (first === null) return null;
    const second = rest.slice(first.end + 1);
    return { old: first.name, new: unquotePath(second)?.name ?? second };
  }
  if (rest.endsWith('"')) {
    const quote = rest.indexOf(' "');
    const second = quote < 0 ? null : unquotePath(rest, quote + 1);
    if (second !== null) return { old: rest.slice(0, quote), new: second.name };
  }
  const middle = rest.length >> 1;
  if (rest[middle] === " ") {
    const [left, right] = [rest.slice(0, middle), rest.slice(middle + 1)];
    if (left === right || tail(left) === tail(right)) return { old: left, new: right };
  }
  const split = rest.indexOf(" b/");
  const cut = split < 0 ? rest.indexOf(" ") : split;
  return cut <= 0 ? null : { old: rest.slice(0, cut), new: rest.slice(cut + 1) };
}

/**
 * Takes the prefixes off: `a/` and `b/`, or a first folder that differs while the rest is the same
 * (`linux.orig/x.c`, `linux/x.c`). Names without such a prefix (`-p0`) stay as they are.
 */
export function stripPrefixes(oldName: string, newName: string): Paths {
  if (oldName === NAMELESS || newName === NAMELESS) {
    return {
      oldPath: oldName === NAMELESS ? null : stripOne(oldName),
      newPath: newName === NAMELESS ? null : stripOne(newName),
    };
  }
  const foldersDiffer = head(oldName) !== head(newName) && head(oldName) !== "" && head(newName) !== "";
  if (foldersDiffer && tail(oldName) === tail(newName)) {
    return { oldPath: tail(oldName), newPath: tail(newName) };
  }
  return { oldPath: stripOne(oldName), newPath: stripOne(newName) };
}

/**
 * Whether a path could lead outside the tree or act on a terminal: empty, absolute, with a `..` or `.git`
 * part, a backslash, a drive letter, or a control or direction-override character.
 */
export function isHostilePath(path: string): boolean {
  if (path === "" || path[0] === "/" || /^[A-Za-z]:/.test(path)) return true;
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\\]/.test(path)) return true;
  return /(?:^|\/)(?:\.\.?|\.git)(?:\/|$)/i.test(path);
}

function stripOne(name: string): string {
  return GIT_PREFIX.test(name) ? name.slice(2) : name;
}

function head(name: string): string {
  const slash = name.indexOf("/");
  return slash < 0 ? "" : name.slice(0, slash);
}

function tail(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}
