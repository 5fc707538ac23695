/**
 * The baseline of a run: its file is read, the reports are sifted, and the file is written when that was asked for.
 *
 * @module
 */

import { join } from "@std/path";
import type { Report } from "../rules/engine/types.ts";
import { Baseline, type Known, printBaseline, readBaseline } from "./baseline.ts";
import { UsageError } from "./options.ts";
import type { BaselineSummary } from "./render/mod.ts";
import { kernelFolder } from "./source/kernel_path.ts";
import { foundProblem, mayWrite, readTextFile, replaceTextFile } from "./source/text_file.ts";

/** The baseline of a run. */
export interface KnownFindings {
  /** As of {@link Baseline}. */
  sift(report: Report, whole: readonly string[]): Report;
  /** Ends the run, and writes the file when that was asked for. */
  end(read: Folders): Promise<BaselineSummary>;
}

/** What was read to the last file. What is no folder does not matter. */
export interface Folders {
  /** Paths of the file system; those that are in no kernel tree do not matter either. */
  readonly outside: readonly string[];
  /** Paths from the root of the tree. */
  readonly inTree: readonly string[];
}

/** The value of `--baseline` that asks for a new one. */
const WRITE = "write";
/** The name of the file that is written. */
const BASELINE_NAME = ".p2plint-baseline.json";
/** Some fifty thousand findings. */
const MAX_BASELINE_BYTES = 16 * 1024 * 1024;

/**
 * Reads the baseline of a run.
 *
 * @param wish `write`, or the path of a baseline
 * @param folder Where the file is written
 * @param isLooked Whether the run looks for such findings at all
 * @throws {UsageError} If the file cannot be read or may not be written
 */
export async function knownFindings(
  wish: string,
  folder: string,
  isLooked: (known: Known) => boolean,
): Promise<KnownFindings> {
  const isWrite = wish === WRITE;
  const path = isWrite ? join(folder, BASELINE_NAME) : wish;
  const known = isWrite ? await writable(path, folder) : await readKnown(path);
  const baseline = new Baseline(known, isLooked, isWrite);
  return {
    sift: (report, whole) => baseline.sift(report, whole),
    async end({ outside, inTree }) {
      const folders = await Promise.all(outside.map(kernelFolder));
      for (const folder of [...folders, ...inTree]) if (folder !== null) baseline.survey(folder);
      const { hidden, stale, next, added } = baseline.end();
      const problem = isWrite ? await replaceTextFile(path, printBaseline(next)) : null;
      const written = isWrite && problem === null ? { findings: next.length, added } : null;
      return { file: path, hidden, stale, written, problem };
    },
  };
}

async function readKnown(path: string): Promise<Known[]> {
  const file = await readTextFile(path, MAX_BASELINE_BYTES);
  if ("problem" in file) throw new UsageError(`${path}: ${file.problem}`);
  return await readBaseline(file.text, path);
}

/** What the file to be written knows so far. Said before the run, which may take long. */
async function writable(path: string, folder: string): Promise<Known[]> {
  if (!await mayWrite(path)) {
    throw new UsageError(
      `--baseline ${WRITE} writes ${path}, for which deno was not given leave: run it with --allow-write=${folder}`,
    );
  }
  const problem = await foundProblem(path);
  if (problem === null) return [];
  if (problem !== "") throw new UsageError(`${path}: ${problem}`);
  return await readKnown(path);
}
