/**
 * A series upon its tree: patches apply one upon another in memory, each is judged with whole files, with the files
 * near it and with what the earlier patches brought. A finding belongs to the patch that introduces it; one that a
 * later patch of the series repairs is not reported.
 *
 * @module
 */

import type { Linter, ReadFile, Surroundings } from "../engine/lint.ts";
import type { SourceFile } from "../engine/source.ts";
import { withSeries } from "../engine/suppress.ts";
import type { FileDiff, Finding, Patch, Report, Unseen } from "../engine/types.ts";
import { type Applied, applyDiff, isApplied } from "./apply.ts";
import { type Base, baseFor, findPreImage, isFound } from "./base.ts";
import { blobId } from "./blob.ts";
import { createNeighbourhood, type Neighbourhood } from "./near.ts";
import type { Repository, Tree, TreeFile } from "./tree.ts";
import { unchanged, widen } from "./widen.ts";

/** Judges patches that belong together. */
export interface Reviewer {
  /**
   * Judges patches that apply one upon another.
   *
   * @param patches In the order in which they apply; a cover letter may be among them
   * @returns One report for each patch, in the same order
   */
  review(patches: readonly Patch[]): Promise<readonly Report[]>;
}

/**
 * Makes a reviewer.
 *
 * @param concerns Whether code is of interest, as the linter was told
 * @param repository The kernel tree; null: there is none, and what the patches show is all there is
 */
export function createReviewer(
  linter: Linter,
  concerns: (code: string) => boolean,
  repository: Repository | null,
): Reviewer {
  const neighbourhood = createNeighbourhood(concerns);
  return {
    async review(patches) {
      const state = new State(patches, neighbourhood, concerns, repository);
      const reports: Report[] = [];
      for (const patch of patches) {
        const { around, unseen } = state.next(patch, reports.flatMap(({ findings }) => findings));
        const report = await linter.lint(patch, around);
        for (const [i, earlier] of reports.entries()) {
          const gone = earlier.findings.filter((finding) => report.repaired.includes(finding));
          if (gone.length === 0) continue;
          reports[i] = {
            ...earlier,
            findings: earlier.findings.filter((finding) => !gone.includes(finding)),
            mended: [...earlier.mended, ...gone.map((finding) => ({ finding, by: patch.mail }))],
          };
        }
        const suppressed = withSeries(report.suppressed, reports.map(({ patch }) => patch));
        reports.push({ ...report, suppressed, unseen: [...unseen, ...report.unseen] });
      }
      return reports;
    },
  };
}

/** The tree as the patches so far have left it. */
class Overlay implements Tree {
  /** null: deleted. */
  private readonly changed = new Map<string, string | null>();

  constructor(private readonly below: Tree | null) {}

  get name(): string {
    return this.below?.name ?? "the series alone";
  }

  /** Whether a patch has written the file, so that its text is the one that it leaves. */
  has(path: string): boolean {
    return this.changed.has(path);
  }

  /** Forgets a file: a patch changed it, and nobody knows into what. */
  lose(path: string): void {
    this.changed.set(path, null);
  }

  write(path: string, text: string | null): void {
    this.changed.set(path, text);
  }

  read(path: string): TreeFile | null {
    const text = this.changed.get(path);
    if (text === undefined) return this.below?.read(path) ?? null;
    return text === null ? null : { path, text, blob: blobId(new TextEncoder().encode(text)) };
  }

  list(folder: string): readonly string[] {
    const names = new Set(this.below?.list(folder) ?? []);
    for (const [path, text] of this.changed) {
      if (path.slice(0, Math.max(0, path.lastIndexOf("/"))) !== folder) continue;
      if (text === null) names.delete(path);
      else names.add(path);
    }
    return [...names].sort();
  }

  folders(folder: string): readonly string[] {
    return this.below?.folders(folder) ?? [];
  }
}

class State {
  private readonly overlay: Overlay;
  private readonly base: Base | null;
  /** What earlier patches showed of files that are not known as a whole. */
  private readonly fragments: FileDiff[] = [];

  constructor(
    patches: readonly Patch[],
    private readonly neighbourhood: Neighbourhood,
    private readonly concerns: (code: string) => boolean,
    private readonly repository: Repository | null,
  ) {
    // git puts the trailer into the cover letter, or the first patch.
    const named = patches.find(({ baseCommit }) => baseCommit !== null)?.baseCommit ?? null;
    this.base = repository === null ? null : baseFor(named, repository);
    this.overlay = new Overlay(this.base?.tree ?? null);
  }

  /** What surrounds a patch; the tree moves on to what it leaves. */
  next(patch: Patch, open: readonly Finding[]): { readonly around: Surroundings; readonly unseen: Unseen[] } {
    const unseen: Unseen[] = [];
    const files = patch.files.map((file) => this.apply(file, unseen));
    const touched = new Set(patch.files.flatMap(({ oldPath, newPath }) => [oldPath, newPath]));
    // A finding in a file that this patch leaves alone may be repaired by what it does to a helper.
    const others = new Set(open.map(({ at }) => at.path).filter((path) => !touched.has(path)));
    for (const path of others) {
      const file = this.overlay.has(path) ? this.overlay.read(path) : null;
      if (file !== null) files.push(unchanged(path, file.text));
    }
    const fragments = [...this.fragments];
    this.fragments.push(...files.filter(({ origin, all }) => origin === "diff" && all === null));
    return {
      around: { files, open, context: (sources, _side, read) => this.context(sources, fragments, read) },
      unseen,
    };
  }

  private context(
    sources: readonly SourceFile[],
    fragments: readonly FileDiff[],
    read: ReadFile,
  ): readonly SourceFile[] {
    return [
      ...fragments.map((file) => read(file, "new")).filter((file) => file !== null),
      ...this.neighbourhood.of(sources, this.overlay, read),
    ];
  }

  /** The diff with all lines of its file; the diff itself where it does not apply. */
  private apply(file: FileDiff, unseen: Unseen[]): FileDiff {
    if (file.origin !== "diff" || file.status === "binary" || file.status === "combined") return file;
    const { oldPath, newPath } = file;
    const base = this.baseOf(file);
    if ("reason" in base) {
      // Without a tree the diff is all there is to be expected, and of a Makefile nothing is.
      if (this.repository !== null && newPath !== null && this.isOfInterest(file)) {
        unseen.push({ what: `${newPath ?? oldPath} beyond its hunks`, reason: base.reason });
      }
      // Its later state is not known: nothing may be applied upon the earlier one.
      for (const path of [oldPath, newPath]) if (path !== null) this.overlay.lose(path);
      return file;
    }
    const { before, applied, doubt } = base;
    if (doubt !== null && this.isOfInterest(file)) {
      unseen.push({ what: `${newPath ?? oldPath} where its context differs`, reason: doubt });
    }
    if (oldPath !== null && oldPath !== newPath && file.status !== "copied") {
      this.overlay.write(oldPath, null);
    }
    if (newPath !== null) this.overlay.write(newPath, applied.text);
    if (newPath === null || before === null) return file;
    return widen(file, before, applied.placed) ?? file;
  }

  private isOfInterest({ hunks }: FileDiff): boolean {
    return hunks.some(({ lines }) => lines.some(({ text }) => this.concerns(text)));
  }

  private baseOf(
    file: FileDiff,
  ): { before: string | null; applied: Applied; doubt: string | null } | { reason: string } {
    if (this.repository !== null && this.base !== null) {
      const found = findPreImage(file, this.base, this.repository, this.overlay);
      if (isFound(found)) return { ...found, doubt: found.fuzz > 0 ? found.said : null };
      // A tree that has the file already is later than the patch, which shows all of the file itself.
      const created = file.status === "created" ? applyDiff(null, file) : found;
      return "placed" in created ? { before: null, applied: created, doubt: null } : found;
    }
    const before = file.oldPath === null ? null : this.overlay.read(file.oldPath)?.text ?? null;
    const applied = applyDiff(before, file);
    return isApplied(applied) ? { before, applied, doubt: null } : applied;
  }
}
