/**
 * The parts of a diff that are kept but not judged: binary patches and the hunks of combined diffs. May not
 * interpret them.
 *
 * @module
 */

/** A line of base85 with its length letter (git's base85.c). */
const BASE85 = /^[A-Za-z][0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]{5,65}\r?$/;

const METHOD = /^(?:literal|delta) \d{1,12}\r?$/;

const COMBINED = /^(@{3,10}) ((?:-\d{1,9}(?:,\d{1,9})? ){2,9})\+\d{1,9}(?:,(\d{1,9}))? @{3,10}/;

/**
 * Finds the end of `Binary files a and b differ`, or of a `GIT binary patch` with its one or two blocks.
 *
 * @returns Index of the first line behind it
 */
export function readBinary(lines: readonly string[], at: number): number {
  let next = at + 1;
  if (!lines[at]?.startsWith("GIT binary patch")) return next;
  while (METHOD.test(lines[next] ?? "")) {
    next++;
    while (BASE85.test(lines[next] ?? "")) next++;
    if (lines[next]?.trim() === "") next++;
  }
  return next;
}

/**
 * Finds the end of the `@@@` hunks of a merge's diff; every parent has its own column and count
 * (git-diff(1), "combined diff format").
 *
 * @returns Index of the first line behind them
 */
export function readCombinedHunks(lines: readonly string[], at: number): number {
  let next = at;
  for (;;) {
    const match = COMBINED.exec(lines[next] ?? "");
    if (match === null) return next;
    const left = (match[2] as string).trimEnd().split(" ").map((range) => Number(range.split(",")[1] ?? 1));
    const parents = left.length;
    let newLeft = Number(match[3] ?? 1);
    next++;
    while (next < lines.length && (newLeft > 0 || left.some((count) => count > 0))) {
      const line = lines[next] as string;
      if (line !== "" && !/^[ +\\-]/.test(line)) break;
      next++;
      if (line.startsWith("\\")) continue;
      const prefix = line.slice(0, parents).padEnd(parents);
      const isRemoved = prefix.includes("-");
      if (!isRemoved) newLeft--;
      for (let i = 0; i < parents; i++) {
        if (prefix[i] === (isRemoved ? "-" : " ")) left[i] = (left[i] as number) - 1;
      }
    }
    if (lines[next]?.startsWith("\\ ")) next++;
  }
}
