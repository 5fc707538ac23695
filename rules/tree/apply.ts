/**
 * A diff put upon a text, by git's rules: every context line must match, lines may have moved. When asked for fuzz, by
 * GNU patch's, which gives up outer context lines. Looks at no meaning of code, and reads nothing but its arguments.
 *
 * @module
 */

import type { FileDiff, Hunk } from "../engine/types.ts";

/** Where a hunk went. */
export interface Placed {
  readonly hunk: Hunk;
  /** 0-based line of the old text where the hunk's first line stands, or would if fuzz had not given it up. */
  readonly at: number;
  /** Lines further down (up when negative) than the hunk's header says. */
  readonly offset: number;
  /** Context lines that were given up at the longer end of the hunk; 0 when every line matched. */
  readonly fuzz: number;
  /** How many lines were given up at the hunk's start and end. The file's own stand in their place. */
  readonly dropped: { readonly leading: number; readonly trailing: number };
}

/** A diff that went in. */
export interface Applied {
  /** null when the diff deletes the file. */
  readonly text: string | null;
  /** One for each hunk, in the diff's order. */
  readonly placed: readonly Placed[];
}

/** A diff that did not. Nothing of it was applied. */
export interface Refused {
  /** null when it is not about one hunk. */
  readonly hunk: Hunk | null;
  /** In a reviewer's words, lower case, no full stop: `hunk 2 of 3 does not apply: …` */
  readonly reason: string;
}

/** Whether what {@link applyDiff} gave is a text. */
export const isApplied = (result: Applied | Refused): result is Applied => "placed" in result;

/**
 * Applies a diff to the text of its old path (null: there is no such file). Without fuzz the outcome is that of
 * `git apply`, which is more lenient twice, at the wrong place: it appends to the file what has no context (`diff -U0`),
 * and takes a context line without an end for any line of the same text. With fuzz the outcome is that of
 * `patch --force --fuzz=N`. A binary diff, a merge's and a quote are refused.
 */
export function applyDiff(
  text: string | null,
  diff: FileDiff,
  options: { readonly fuzz: 0 | 1 | 2 } = { fuzz: 0 },
): Applied | Refused {
  const obstacle = obstacleIn(text, diff);
  if (obstacle !== null) return { hunk: null, reason: obstacle };
  const image = new Image(text ?? "");
  const find = options.fuzz === 0 ? findAsGit : findAsPatch;
  const placed: Placed[] = [];
  for (const [index, hunk] of diff.hunks.entries()) {
    const name = diff.hunks.length === 1 ? "the hunk" : `hunk ${index + 1} of ${diff.hunks.length}`;
    const flaw = flawOf(hunk, diff.status);
    if (flaw !== null) return { hunk, reason: `${name} ${flaw}` };
    const sides = sidesOf(hunk);
    const found = find(image, sides, options.fuzz);
    if (found === null) return { hunk, reason: `${name} does not apply: ${image.whyNot(sides)}` };
    const at = image.put(sides, found);
    placed.push({ ...found, hunk, at, offset: at - statedLine(hunk) });
  }
  if (diff.status !== "deleted") return { text: image.text(), placed };
  const left = image.lines.length;
  if (left > 0) {
    return { hunk: null, reason: `the deletion leaves ${left} line${left === 1 ? "" : "s"} behind` };
  }
  return { text: null, placed };
}

/** What keeps the whole diff from being applied; null when nothing does. */
function obstacleIn(text: string | null, { status, origin, hunks }: FileDiff): string | null {
  if (origin !== "diff") return "not a diff: its lines have no place in a file";
  if (status === "binary") return "a binary diff";
  if (status === "combined") return "a merge's diff, which has two old files";
  if (status === "created") return text === null ? null : "the file that it creates is there already";
  if (text === null) return "there is no such file";
  return status === "modified" && hunks.length === 0 ? "its hunks are missing" : null;
}

function flawOf({ whole, lines, oldCount, newCount }: Hunk, status: FileDiff["status"]): string | null {
  if (!whole) return "is damaged: its lines do not fit its header";
  if (lines.every(({ kind }) => kind === "context")) return "changes nothing";
  if (status === "created" && oldCount > 0) return "has old lines though the file is new";
  if (status === "deleted" && newCount > 0) return "has new lines though the file is deleted";
  return null;
}

/** 0-based. A hunk without old lines stands behind the line that it names. */
const statedLine = ({ oldStart, oldCount }: Hunk) => oldCount === 0 ? oldStart : Math.max(0, oldStart - 1);

/** A hunk as the two texts that it is about, each line with its end. */
interface Sides {
  readonly hunk: Hunk;
  readonly old: readonly string[];
  readonly new: readonly string[];
  /** Context lines in front of the first change, and behind the last. */
  readonly leading: number;
  readonly trailing: number;
}

function sidesOf(hunk: Hunk): Sides {
  const old: string[] = [];
  const fresh: string[] = [];
  for (const { kind, raw, marker } of hunk.lines) {
    // The carriage return of a CRLF file is part of the line, which is why it is not `text`.
    const line = raw.slice(1) + (marker === null ? "\n" : "");
    if (line === "") continue;
    if (kind !== "added") old.push(line);
    if (kind !== "removed") fresh.push(line);
  }
  const isChange = ({ kind }: Hunk["lines"][number]) => kind !== "context";
  return {
    hunk,
    old,
    new: fresh,
    leading: hunk.lines.findIndex(isChange),
    trailing: hunk.lines.length - 1 - hunk.lines.findLastIndex(isChange),
  };
}

/** A place in the image. */
type Found = Pick<Placed, "at" | "fuzz" | "dropped">;

const WHOLE = { leading: 0, trailing: 0 };

/** Line comparisons for one diff: ten thousand hunks that each search a large file are an attack on our time. */
const MAX_COMPARISONS = 20_000_000;

/** The file while hunk after hunk goes in. */
class Image {
  readonly lines: string[];
  /** For each line its number in the old text, 0-based; -1 when a hunk added it. */
  private readonly olds: number[];
  private readonly oldCount: number;
  /** Old lines that a hunk has as context. */
  private readonly covered = new Set<number>();
  private comparisons = 0;
  /** Lines up to the last one that a hunk changed. */
  frozen = 0;
  /** Lines that were added less those that were removed. */
  growth = 0;
  /** How far the last hunk stood from where it was expected, summed up. */
  drift = 0;

  constructor(text: string) {
    this.lines = splitKeepingEnds(text);
    this.oldCount = this.lines.length;
    this.olds = Array.from(this.lines, (_, index) => index);
  }

  text(): string {
    return this.lines.join("");
  }

  get isExhausted(): boolean {
    return this.comparisons > MAX_COMPARISONS;
  }

  /** Whether `wanted`, less its ends, stands where its first line would be at `at`; in no hunk's lines, if so asked. */
  matches(at: number, wanted: readonly string[], from = 0, to = wanted.length, isUntouched = false): boolean {
    if (at + from < 0 || at + to > this.lines.length) return false;
    for (let i = from; i < to; i++) {
      this.comparisons++;
      if (this.lines[at + i] !== wanted[i]) return false;
      if (isUntouched && this.isTouched(at + i)) return false;
    }
    return !this.isExhausted;
  }

  private isTouched(index: number): boolean {
    const old = this.olds[index]!;
    return old === -1 || this.covered.has(old);
  }

  /** Puts a hunk's new lines in the place of its old ones. Gives the line of the old text where the hunk stands. */
  put(sides: Sides, { at, dropped }: Found): number {
    const old = this.oldLine(at);
    const from = at + dropped.leading;
    const kept = sides.old.length - dropped.leading - dropped.trailing;
    const lines = sides.new.slice(dropped.leading, sides.new.length - dropped.trailing);
    const olds: number[] = [];
    let next = from;
    for (
      const { kind } of sides.hunk.lines.slice(dropped.leading, sides.hunk.lines.length - dropped.trailing)
    ) {
      if (kind === "added") olds.push(-1);
      else if (kind === "removed") next++;
      else olds.push(this.olds[next++]!);
    }
    for (const line of olds) this.covered.add(line);
    // Fuzz may have given up a last line without an end, behind which lines come now.
    const last = this.lines[from - 1];
    if (lines.length > 0 && last !== undefined && !last.endsWith("\n")) this.lines[from - 1] = `${last}\n`;
    replace(this.lines, from, kept, lines);
    replace(this.olds, from, kept, olds.slice(0, lines.length));
    this.frozen = at + sides.new.length - sides.trailing;
    this.growth += sides.new.length - sides.old.length;
    return old;
  }

  private oldLine(at: number): number {
    for (let i = at; i < this.olds.length; i++) if (this.olds[i] !== -1) return this.olds[i]!;
    return this.oldCount;
  }

  /** What a reviewer wants to know of a hunk that went nowhere. */
  whyNot(sides: Sides): string {
    if (this.isExhausted) return "too many places would have to be tried";
    if (sides.old.length === 0) return "it has no context that would tell its place";
    const isThere = (wanted: readonly string[]) => this.lines.some((_, at) => this.matches(at, wanted));
    const isAdding = sides.hunk.lines.some(({ kind }) => kind === "added");
    if (isAdding && isThere(sides.new)) return "its new lines are in the file already";
    const present = new Set(this.lines);
    const absent = sides.old.find((line) => !present.has(line));
    if (absent !== undefined) return `the file has no line "${shorten(absent)}"`;
    if (!isThere(sides.old)) return "its lines are in the file, but not in a row";
    const mustEnd = sides.trailing === 0;
    const where = mustBegin(sides.hunk)
      ? (mustEnd ? "as all of it" : "at its start")
      : mustEnd
      ? "at its end"
      : null;
    return where === null
      ? "its lines are in the file only where a hunk before it has been"
      : `its lines are in the file, but not ${where}`;
  }
}

/** `splice` takes its lines as arguments, which the stack bounds. */
function replace<Item>(items: Item[], at: number, count: number, by: readonly Item[]): void {
  const CHUNK = 10_000;
  if (by.length <= CHUNK) {
    items.splice(at, count, ...by);
    return;
  }
  const rest = items.splice(at);
  for (const item of by) items.push(item);
  for (let i = count; i < rest.length; i++) items.push(rest[i]!);
}

const MAX_SHOWN = 80;

function shorten(line: string): string {
  const text = line.trim();
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

/** A hunk that starts at the first line has nothing in front of it that could have been left out. */
const mustBegin = ({ oldStart }: Hunk) => oldStart <= 1;

/** git apply: the place nearest to the one stated, the later of two; first and last line stay first and last. */
function findAsGit(image: Image, { hunk, old, trailing }: Sides): Found | null {
  const fits = (at: number) => image.matches(at, old, 0, old.length, true);
  const last = image.lines.length - old.length;
  const mustEnd = trailing === 0;
  let at: number | null;
  if (mustBegin(hunk)) at = fits(0) && (!mustEnd || last === 0) ? 0 : null;
  else if (mustEnd) at = old.length > 0 && fits(last) ? last : null;
  else at = nearest(hunk.newStart - 1, 0, last, fits);
  return at === null ? null : { at, fuzz: 0, dropped: WHOLE };
}

/**
 * GNU patch: hunks go in in order, each is expected as far off as the one before, and fuzz takes lines from the longer
 * context first.
 */
function findAsPatch(image: Image, sides: Sides, maxFuzz: number): Found | null {
  const { hunk, old, leading, trailing } = sides;
  const guess = statedLine(hunk) + image.growth + image.drift;
  const context = Math.max(leading, trailing);
  for (let fuzz = 0; fuzz <= Math.min(maxFuzz, context); fuzz++) {
    const dropped = {
      leading: Math.max(0, fuzz + leading - context),
      trailing: Math.max(0, fuzz + trailing - context),
    };
    const fits = (at: number) =>
      at >= image.frozen && image.matches(at, old, dropped.leading, old.length - dropped.trailing);
    const last = image.lines.length - old.length;
    let at: number | null;
    if (old.length === 0) at = Math.min(Math.max(guess, image.frozen), image.lines.length);
    else if (fuzz + leading < context && mustBegin(hunk)) at = fits(0) ? 0 : null;
    else if (fuzz + trailing < context) at = fits(last) ? last : null;
    else at = nearest(guess, image.frozen, last + dropped.trailing, fits);
    if (at !== null) {
      image.drift += at - guess;
      return { at, fuzz, dropped };
    }
  }
  return null;
}

/** The number from `low` to `high` that is nearest to `start` and fits; of two the higher one. */
function nearest(start: number, low: number, high: number, fits: (at: number) => boolean): number | null {
  let up = Math.max(start, low);
  let down = Math.min(start - 1, high);
  while (up <= high || down >= low) {
    if (up <= high && (down < low || up - start <= start - down)) {
      if (fits(up)) return up;
      up++;
    } else {
      if (fits(down)) return down;
      down--;
    }
  }
  return null;
}

function splitKeepingEnds(text: string): string[] {
  const lines: string[] = [];
  for (let from = 0; from < text.length;) {
    const end = text.indexOf("\n", from);
    const next = end === -1 ? text.length : end + 1;
    lines.push(text.slice(from, next));
    from = next;
  }
  return lines;
}
