/**
 * Paths to inputs: files, folders, maildirs, mboxes, standard input. Reads, and decides nothing about what it read
 * but its kind. A path that cannot be read is an item like any other; the rest is still read.
 *
 * @module
 */
import { join } from "@std/path";
import { decodeText } from "../../rules/engine/encoding.ts";
import { mailFromText, readMail } from "../../rules/engine/mail.ts";
import {
  type Kind,
  type Masking,
  MAX_MESSAGE_BYTES,
  recognise,
  splitMbox,
  unescapeFrom,
} from "../../rules/engine/mailbox.ts";
import type { Mail } from "../../rules/engine/types.ts";

/** One thing to look at. */
export interface Input {
  /** The path as given on the command line, `-` for standard input; for a file of a folder its path below that. */
  readonly input: string;
  /** 1-based position in an mbox, or of the file in its folder; null for a lone file. */
  readonly position: number | null;
  /** Never `mbox`: the messages of an mbox are inputs of their own. */
  readonly kind: Exclude<Kind, "mbox">;
  /** As read, envelope line and masking included. A view, valid until the next input is asked for. */
  readonly bytes: Uint8Array;
  /** Of the whole message or file; more than `bytes.length` when it was too long to be kept. */
  readonly size: number;
  /** How the mbox that it comes from masks `From ` lines; null when it comes from none. */
  readonly masking: Masking | null;
}

/** A path that gave nothing. */
export interface Problem {
  readonly input: string;
  /** Lower case, no full stop: `no such file`. */
  readonly problem: string;
}

/** Whether an item of {@link inputs} is a path that gave nothing. */
export const isProblem = <Item extends object>(item: Item | Problem): item is Problem => "problem" in item;

/** Read size: large enough that searching dominates, small enough to stay in the processor's cache. */
const CHUNK_BYTES = 1024 * 1024;
/** Folders in folders, deeper than any archive. */
const MAX_DEPTH = 32;
/** A folder with both of these is a maildir, whose `tmp` holds half-delivered messages. */
const MAILDIR_FOLDERS = ["cur", "new"];

/** Said of what a `Deno` call threw; never the path, which a caller has. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "not among the files that deno may read";
  return error instanceof Error ? error.message.toLowerCase() : "cannot be read";
}

type Chunks = AsyncIterable<Uint8Array>;

async function* readChunks(path: string): AsyncGenerator<Uint8Array, void, void> {
  using file = await Deno.open(path);
  // One buffer is enough: whoever reads the chunks copies what they keep.
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    yield buffer.subarray(0, count);
  }
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The first bytes of a stream, and the stream from its start. */
async function peek(chunks: Chunks): Promise<{ head: Uint8Array; isWhole: boolean; all: Chunks }> {
  const source = chunks[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let length = 0;
  let isWhole = false;
  while (length < CHUNK_BYTES && !isWhole) {
    const next = await source.next();
    if (next.done) {
      isWhole = true;
    } else {
      held.push(next.value.slice());
      length += next.value.length;
    }
  }
  const head = concat(held, length);
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield head;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  return { head, isWhole, all: all() };
}

/** Everything up to the limit, and the size of all of it. */
async function readAll(chunks: Chunks): Promise<{ bytes: Uint8Array; size: number }> {
  const parts: Uint8Array[] = [];
  let kept = 0;
  let size = 0;
  for await (const chunk of chunks) {
    const part = chunk.slice(0, Math.max(0, MAX_MESSAGE_BYTES - kept));
    if (part.length > 0) parts.push(part);
    kept += part.length;
    size += chunk.length;
  }
  return { bytes: concat(parts, kept), size };
}

const ENVELOPE_START = new TextEncoder().encode("From ");

async function* readStream(
  input: string,
  position: number | null,
  stream: Chunks,
): AsyncGenerator<Input, void, void> {
  const { head, isWhole, all } = await peek(stream);
  const kind = recognise(head);
  // A long file that starts with an envelope line may hold a second one behind what was recognised.
  const mayBeMbox = !isWhole && ENVELOPE_START.every((byte, at) => head[at] === byte);
  if (kind === "mbox" || (kind === "mail" && mayBeMbox)) {
    for await (const { position, bytes, size, masking } of splitMbox(all)) {
      yield { input, position, kind: "mail", bytes, size, masking };
    }
    return;
  }
  const { bytes, size } = isWhole ? { bytes: head, size: head.length } : await readAll(all);
  yield { input, position, kind, bytes, size, masking: null };
}

/**
 * The files below a folder, sorted by code unit so that the order is the same on every machine. Hidden ones are left
 * out, and links: one that stays inside names a file that is read anyway, one that leaves is not ours to follow.
 */
async function* filesBelow(
  folder: string,
  depth: number,
): AsyncGenerator<{ path: string } | Problem, void, void> {
  if (depth > MAX_DEPTH) {
    yield { input: folder, problem: `more than ${MAX_DEPTH} folders deep` };
    return;
  }
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    yield { input: folder, problem: reasonOf(error) };
    return;
  }
  const names = new Set(entries.filter((entry) => entry.isDirectory).map((entry) => entry.name));
  const isMaildir = MAILDIR_FOLDERS.every((name) => names.has(name));
  entries.sort((one, other) => one.name < other.name ? -1 : 1);
  for (const { name, isDirectory, isFile, isSymlink } of entries) {
    if (name.startsWith(".") || isSymlink || (isMaildir && name === "tmp")) continue;
    const path = join(folder, name);
    if (isDirectory) yield* filesBelow(path, depth + 1);
    else if (isFile) yield { path };
  }
}

/** Turns what reading throws into a problem, so that the next path is still read. */
async function* guarded(
  input: string,
  items: AsyncIterable<Input | Problem>,
): AsyncGenerator<Input | Problem, void, void> {
  try {
    yield* items;
  } catch (error) {
    yield { input, problem: reasonOf(error) };
  }
}

async function* readPath(path: string): AsyncGenerator<Input | Problem, void, void> {
  const { isDirectory } = await Deno.stat(path);
  if (!isDirectory) {
    yield* readStream(path, null, readChunks(path));
    return;
  }
  let position = 0;
  for await (const found of filesBelow(path, 0)) {
    if (isProblem(found)) yield found;
    else yield* guarded(found.path, readStream(found.path, ++position, readChunks(found.path)));
  }
  if (position === 0) yield { input: path, problem: "no file in this folder" };
}

/**
 * Every input of the paths, in order: a patch, mail or source file is one, an mbox as many as it has messages, a
 * folder or maildir all of its files. `-` stands for standard input. Streams: memory is bounded by the longest
 * message. What cannot be read comes as a {@link Problem}.
 *
 * @param paths As given on the command line
 * @param stdin Read when a path is `-`
 */
export async function* inputs(
  paths: readonly string[],
  stdin: AsyncIterable<Uint8Array>,
): AsyncGenerator<Input | Problem, void, void> {
  for (const path of paths) {
    yield* guarded(path, path === "-" ? readStream("-", null, stdin) : readPath(path));
  }
}

/**
 * The `Mail` of an input of any kind: of a diff, source or unknown text one without head. Copies what it keeps, so
 * that the next input may be asked for.
 */
export async function mailOf({ input, position, kind, bytes, size, masking }: Input): Promise<Mail> {
  const origin = { input, position };
  const read = kind === "mail"
    ? await readMail(masking === null ? bytes : unescapeFrom(bytes, masking), origin)
    : mailFromText(decodeText(bytes, null).text, origin);
  if (size === bytes.length) return read;
  const cut = {
    damage: "too-large",
    bodyNo: null,
    reason: `${size} bytes, read up to ${bytes.length}`,
  } as const;
  return { ...read, defects: [cut, ...read.defects] };
}
