/**
 * What stands in a tree, without any patch: every line counts as new. The files of a folder are judged together, as
 * they share their structs and helpers; what they use of other folders is read, not judged.
 *
 * @module
 */

import { fileFromSource } from "../engine/diff.ts";
import type { Linter } from "../engine/lint.ts";
import { mailFromText } from "../engine/mail.ts";
import type { FileDiff, Report, Unseen } from "../engine/types.ts";
import { createNeighbourhood } from "./near.ts";
import type { Tree } from "./tree.ts";

/** Files that are judged together. */
export interface Lot {
  readonly folder: string;
  /** Paths of C sources and headers. */
  readonly paths: readonly string[];
}

/** A lot with more files than that is split: what is known of one file is kept for all of them. */
const MAX_LOT_FILES = 64;
/** Folders in folders, deeper than any kernel. */
const MAX_DEPTH = 32;

const isC = (path: string) => /\.[ch]$/.test(path);

/** All C files at and below a path, a lot at a time; none when there is no such path. */
export function* lots(tree: Tree, path: string, depth = 0): Generator<Lot, void, void> {
  const at = path.replace(/\/+$/, "").replace(/^\.$/, "");
  const files = tree.list(at).filter(isC);
  for (let i = 0; i < files.length; i += MAX_LOT_FILES) {
    yield { folder: at, paths: files.slice(i, i + MAX_LOT_FILES) };
  }
  if (depth < MAX_DEPTH) { for (const folder of tree.folders(at)) yield* lots(tree, folder, depth + 1); }
  if (isC(at) && tree.read(at) !== null) {
    yield { folder: at.slice(0, Math.max(0, at.lastIndexOf("/"))), paths: [at] };
  }
}

/** Judges lots. */
export interface Surveyor {
  /** The report's patch stands for the lot: its files are those that hold code of interest. */
  judge(lot: Lot): Promise<Report>;
}

/**
 * Makes a surveyor.
 *
 * @param concerns Whether code is of interest, as the linter was told
 */
export function createSurveyor(
  linter: Linter,
  concerns: (code: string) => boolean,
  tree: Tree,
): Surveyor {
  const neighbourhood = createNeighbourhood(concerns);
  return {
    async judge({ folder, paths }) {
      const files: FileDiff[] = [];
      const unseen: Unseen[] = [];
      for (const path of paths) {
        const file = tree.read(path);
        if (file === null) {
          unseen.push({ what: path, reason: "cannot be read, or is too large for a source" });
        } else if (concerns(file.text)) files.push(fileFromSource(path, file.text));
      }
      const mail = mailFromText("", { input: folder, position: null });
      const patch = { mail, files, defects: [], baseCommit: null, changeId: null };
      const report = await linter.lint(patch, {
        files,
        open: [],
        context: (sources, _side, read) => neighbourhood.of(sources, tree, read),
      });
      return { ...report, unseen: [...unseen, ...report.unseen] };
    },
  };
}
