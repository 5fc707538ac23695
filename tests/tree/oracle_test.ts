/**
 * The oracles of patch application are git and GNU patch: each file of each patch of ../shared/bench, forwards and
 * backwards, gives the same text upon 6.12 as theirs, or is refused by both. So does what chance makes, of few
 * different lines, so that many places look alike.
 */
import { deepEqual, ok } from "node:assert/strict";
import { dirname, join } from "@std/path";
import { inputs, isProblem, mailOf } from "../../bot/source/files.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { decodeText } from "../../rules/engine/encoding.ts";
import type { FileDiff, Hunk, Line, Patch } from "../../rules/engine/types.ts";
import { applyDiff, isApplied } from "../../rules/tree/apply.ts";
import { KERNEL_TREE, missingTree } from "../kernel_tree.ts";
import { type Case, madeCases } from "./made_cases.ts";

const BENCH = join(import.meta.dirname ?? "", "../../../shared/bench");
const MADE = 400;
const FOLDERS = ["mail", "fixes"].map((name) => join(BENCH, name));

function bytesAt(path: string): Uint8Array | null {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function* noInput(): AsyncGenerator<Uint8Array, void, void> {}

async function* realCases(): AsyncGenerator<Case, void, void> {
  for await (const item of inputs(FOLDERS, noInput())) {
    ok(!isProblem(item));
    if (!/\.(?:eml|patch)$/.test(item.input)) continue;
    const patch = readPatch(await mailOf(item));
    for (const [index, diff] of patch.files.entries()) {
      if (diff.origin !== "diff") continue;
      const source = linesOf(patch, index);
      // Of the fixes both ways are there.
      for (const isReversed of item.input.includes("/fixes/") ? [false] : [false, true]) {
        const way = isReversed ? reversed(diff) : diff;
        const bytes = bytesAt(join(KERNEL_TREE, (way.oldPath ?? way.newPath)!));
        if (bytes === null && way.status !== "created") continue;
        const name = `${item.input.slice(BENCH.length + 1)} ${diff.newPath ?? diff.oldPath}${
          isReversed ? " backwards" : ""
        }`;
        yield { name, diff: way, source, isReversed, bytes };
      }
    }
  }
}

function linesOf({ mail, files }: Patch, index: number): string {
  const end = files[index + 1]?.bodyNo;
  return mail.body.split("\n").slice(files[index]!.bodyNo - 1, end === undefined ? undefined : end - 1).join(
    "\n",
  ) +
    "\n";
}

/** The diff that takes back what a diff does. */
function reversed(diff: FileDiff): FileDiff {
  const { oldPath, newPath, status } = diff;
  const back = status === "created" ? "deleted" : status === "deleted" ? "created" : status;
  return { ...diff, oldPath: newPath, newPath: oldPath, status: back, hunks: diff.hunks.map(reversedHunk) };
}

function reversedHunk(hunk: Hunk): Hunk {
  const lines = hunk.lines.map((line): Line => {
    if (line.kind === "context") return { ...line, oldNo: line.newNo, newNo: line.oldNo };
    const { raw, text, bodyNo, marker } = line;
    return line.kind === "added"
      ? { kind: "removed", raw: `-${raw.slice(1)}`, text, bodyNo, marker, oldNo: line.newNo }
      : { kind: "added", raw: `+${raw.slice(1)}`, text, bodyNo, marker, newNo: line.oldNo };
  });
  const { oldStart, oldCount, newStart, newCount } = hunk;
  return { ...hunk, oldStart: newStart, oldCount: newCount, newStart: oldStart, newCount: oldCount, lines };
}

/** What a tool made of a case: the file's bytes, null for a file that is gone, or that it refused. */
type Outcome = { readonly bytes: Uint8Array | null } | "refused";

function run(command: "git" | "patch", { diff, source, isReversed, bytes }: Case, folder: string): Outcome {
  const work = join(folder, "work");
  Deno.mkdirSync(work);
  try {
    const patch = join(folder, "patch");
    Deno.writeTextFileSync(patch, source);
    const path = (diff.oldPath ?? diff.newPath)!;
    if (bytes !== null) {
      Deno.mkdirSync(dirname(join(work, path)), { recursive: true });
      Deno.writeFileSync(join(work, path), bytes);
    }
    const args = command === "git" ? ["apply"] : ["--force", "--fuzz=2", "--silent", "-p1", "-i", patch];
    if (isReversed) args.push("-R");
    if (command === "git") args.push(patch);
    const { success } = new Deno.Command(command, { args, cwd: work, stdout: "null", stderr: "null" })
      .outputSync();
    if (!success) return "refused";
    return { bytes: bytesAt(join(work, diff.newPath ?? diff.oldPath!)) };
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

function ours({ diff, bytes }: Case, fuzz: 0 | 2): Outcome {
  const result = applyDiff(bytes === null ? null : decodeText(bytes, null).text, diff, { fuzz });
  if (!isApplied(result)) return "refused";
  return { bytes: result.text === null ? null : new TextEncoder().encode(result.text) };
}

const isSame = (one: Uint8Array | null, other: Uint8Array | null) =>
  one === null || other === null
    ? one === other
    : one.length === other.length && one.every((byte, at) => byte === other[at]);

/** How far two tools agree. */
class Tally {
  applied = 0;
  private refused = 0;
  readonly differing: string[] = [];

  add(name: string, their: Outcome, our: Outcome): void {
    if (their === "refused" && our === "refused") this.refused++;
    else if (their === "refused") this.differing.push(`${name}: applied by us alone`);
    else if (our === "refused") this.differing.push(`${name}: applied by the other alone`);
    else if (isSame(their.bytes, our.bytes)) this.applied++;
    else this.differing.push(`${name}: other text`);
  }

  toString(): string {
    return `${this.applied} applied the same, ${this.refused} refused by both, ${this.differing.length} differ`;
  }
}

async function obstacle(command: "git" | "patch"): Promise<string | null> {
  if ((await Deno.permissions.query({ name: "run", command })).state !== "granted") {
    return `${command} may not be run`;
  }
  return missingTree() ?? await Deno.stat(BENCH).then(() => null, () => "no ../shared/bench");
}

const [withoutGit, withoutPatch] = [await obstacle("git"), await obstacle("patch")];
const suffix = (reason: string | null) => reason === null ? "" : ` (skipped: ${reason})`;

Deno.test({
  name: `applyDiff() gives what git apply gives${suffix(withoutGit)}`,
  ignore: withoutGit !== null,
  fn: () => compare("git", 0, () => true),
});

Deno.test({
  name: `applyDiff() with fuzz gives what patch gives where git refuses${suffix(withoutPatch)}`,
  ignore: withoutPatch !== null,
  fn: () => compare("patch", 2, (item) => ours(item, 0) === "refused"),
});

async function compare(command: "git" | "patch", fuzz: 0 | 2, matters: (item: Case) => boolean) {
  const folder = await Deno.makeTempDir();
  const [real, made] = [new Tally(), new Tally()];
  try {
    for (const [tally, items] of [[made, madeCases(MADE)], [real, realCases()]] as const) {
      for await (const item of items) {
        if (matters(item)) tally.add(item.name, run(command, item, folder), ours(item, fuzz));
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log(`${command}: ${real}; of what chance made, ${made}`);
  deepEqual([...real.differing, ...made.differing], []);
  ok(real.applied > 50 && made.applied > 50);
}
