/**
 * Measures p2plint against what else reads patches, in one run on one machine: the ratios count, not the seconds.
 * Runs with all permissions: Deno gives /proc to nobody else, and the peak of memory stands there.
 * `deno task bench [--checkpatch FILE] [--patch FILE] [--mbox FILE]… [--survey FOLDER]`
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { KERNEL_TREE, missingTree } from "../kernel_tree.ts";

const ROOT = new URL("../../", import.meta.url);
const PATCH_RUNS = 7;
const MBOX_RUNS = 1;
const POLL_MS = 20;
const SAMPLES = ["stream.mbox", "dma.mbox"].map((name) => new URL(`../shared/mail/${name}`, ROOT).pathname);

interface Cost {
  /** User and system time of the command and its children. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Peak resident set; 0 where /proc does not say. */
  readonly peakMiB: number;
  readonly stdout: string;
}

/** Runs a command once. The shell's `times` counts what its children took (POSIX). */
async function measure(command: readonly string[]): Promise<Cost> {
  const start = performance.now();
  const child = new Deno.Command("sh", {
    args: ["-c", '"$@"; echo; times', "sh", ...command],
    cwd: ROOT,
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let peakKiB = 0;
  const timer = setInterval(() => peakKiB = Math.max(peakKiB, childPeakKiB(child.pid)), POLL_MS);
  const { stdout } = await child.output();
  clearInterval(timer);
  const wallSeconds = (performance.now() - start) / 1000;
  const text = new TextDecoder().decode(stdout);
  const seconds = [...text.trimEnd().split("\n").at(-1)!.matchAll(/(\d+)m([\d.]+)s/g)]
    .map(([, minutes, rest]) => Number(minutes) * 60 + Number(rest));
  return {
    cpuSeconds: seconds.reduce((sum, part) => sum + part, 0),
    wallSeconds,
    peakMiB: peakKiB / 1024,
    stdout: text,
  };
}

/** Peak of the shell's children so far (Linux: proc(5), VmHWM). */
function childPeakKiB(shell: number): number {
  try {
    const children = Deno.readTextFileSync(`/proc/${shell}/task/${shell}/children`).trim().split(" ");
    return Math.max(
      ...children.map((pid) =>
        Number(/VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0)
      ),
    );
  } catch {
    // No /proc, or the child has just gone.
    return 0;
  }
}

async function median(command: readonly string[], runs: number): Promise<Cost> {
  const costs: Cost[] = [];
  for (let run = 0; run < runs; run++) costs.push(await measure(command));
  return costs.toSorted((a, b) => a.cpuSeconds - b.cpuSeconds)[Math.floor(runs / 2)]!;
}

const p2plint = (...args: string[]) => [
  Deno.execPath(),
  "run",
  "--no-prompt",
  // As the task has it: the young generation is what a stream of mails fills.
  "--v8-flags=--max-semi-space-size=4",
  "--allow-read",
  "--allow-run=git",
  "mod.ts",
  "check",
  "--fail-on",
  "never",
  ...args,
];

const say = (name: string, { cpuSeconds, wallSeconds, peakMiB }: Cost, more = "") =>
  console.log(
    `  ${name.padEnd(12)} ${cpuSeconds.toFixed(2)} s CPU, ${wallSeconds.toFixed(2)} s wall` +
      (peakMiB > 0 ? `, ${peakMiB.toFixed(0)} MiB peak` : "") + more,
  );

const exists = (path: string) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
};

/** A checkpatch.pl of Debian's packages: unpacked, or taken out of linux-source's archive into a scratch folder. */
async function findCheckpatch(): Promise<string | null> {
  const source = "/usr/src";
  let entries: Deno.DirEntry[] = [];
  try {
    entries = [...Deno.readDirSync(source)];
  } catch {
    // Not Debian.
  }
  for (const { name } of entries) {
    const path = `${source}/${name}/scripts/checkpatch.pl`;
    if (exists(path)) return path;
  }
  const archive = entries.find(({ name }) => /^linux-source-.*\.tar\.xz$/.test(name));
  if (archive === undefined) return null;
  const scratch = Deno.makeTempDirSync();
  console.log(`unpacking checkpatch.pl of ${archive.name} …`);
  await new Deno.Command("tar", {
    args: [
      "-xJf",
      `${source}/${archive.name}`,
      "-C",
      scratch,
      "--strip-components=1",
      "--wildcards",
      "*/scripts/checkpatch.pl",
      "*/scripts/spelling.txt",
      "*/scripts/const_structs.checkpatch",
    ],
    stderr: "null",
  }).output();
  const path = `${scratch}/scripts/checkpatch.pl`;
  return exists(path) ? path : null;
}

async function benchPatch(patch: string, given: string | undefined): Promise<void> {
  console.log(`one patch: ${patch}`);
  const ours = await median(p2plint(patch), PATCH_RUNS);
  say("p2plint", ours);
  const checkpatch = given ?? await findCheckpatch();
  if (checkpatch === null) {
    console.log("  checkpatch   skipped: none given with --checkpatch and none below /usr/src");
    return;
  }
  const theirs = await median(["perl", checkpatch, "--no-tree", patch], PATCH_RUNS);
  say("checkpatch", theirs);
  console.log(`  ratio        ${(ours.cpuSeconds / theirs.cpuSeconds).toFixed(2)} of checkpatch's CPU`);
}

async function benchMbox(mbox: string): Promise<void> {
  if (!exists(mbox)) {
    console.log(`mbox: skipped, no ${mbox}`);
    return;
  }
  console.log(`mbox: ${mbox}, ${(Deno.statSync(mbox).size / 2 ** 20).toFixed(0)} MiB`);
  const ours = await median(p2plint("--format", "json", mbox), MBOX_RUNS);
  const { summary } = JSON.parse(ours.stdout.slice(0, ours.stdout.lastIndexOf("}") + 1)) as {
    summary: { inputs: number; patches: number };
  };
  say(
    "p2plint",
    ours,
    `, ${
      Math.round(summary.inputs / ours.wallSeconds)
    } messages/s (${summary.inputs}, ${summary.patches} judged)`,
  );
  const theirs = await median(["grep", "-c", "dma", mbox], 3);
  say("grep -c dma", theirs);
  console.log(`  ratio        ${(ours.wallSeconds / theirs.wallSeconds).toFixed(1)} times grep's wall time`);
}

/** A survey of one folder of a kernel against coccinelle with an equivalent rule: all its jobs against all of ours. */
async function benchSurvey(folder: string): Promise<void> {
  const missing = missingTree();
  if (missing !== null) {
    console.log(`survey: skipped, ${missing}`);
    return;
  }
  console.log(`survey: ${folder} of ${KERNEL_TREE}`);
  const rule = ["--tree", KERNEL_TREE, "--rules", "dma-mapping-unchecked", "--format", "json", folder];
  const ours = await measure(p2plint(...rule));
  say("p2plint", ours);
  say("all rules", await measure(p2plint("--tree", KERNEL_TREE, "--format", "json", folder)));
  const cocci = new URL("unchecked.cocci", import.meta.url).pathname;
  const spatch = [
    "spatch",
    "--very-quiet",
    "-D",
    "report",
    "--sp-file",
    cocci,
    "--dir",
    `${KERNEL_TREE}/${folder}`,
  ];
  for (const jobs of [1, navigator.hardwareConcurrency]) {
    const theirs = await measure([...spatch, "--jobs", String(jobs)]);
    if (!theirs.stdout.includes(": unchecked")) {
      console.log("  spatch       skipped: not installed (apt-get install coccinelle), or it found nothing");
      return;
    }
    say(`spatch -j${jobs}`, theirs);
    console.log(
      `  ratio        p2plint is ${
        (theirs.wallSeconds / ours.wallSeconds).toFixed(1)
      } times as fast by the clock, ` +
        `${(theirs.cpuSeconds / ours.cpuSeconds).toFixed(1)} by CPU time`,
    );
  }
}

if (import.meta.main) {
  const given = parseArgs(Deno.args, {
    string: ["checkpatch", "patch", "mbox", "survey"],
    collect: ["mbox"],
  });
  if (given.survey === undefined) {
    await benchPatch(given.patch ?? "fixtures/p2p-export.patch", given.checkpatch);
    const boxes = given.mbox as string[];
    for (const mbox of boxes.length > 0 ? boxes : SAMPLES) await benchMbox(mbox);
  }
  await benchSurvey(given.survey ?? "drivers/net/ethernet");
}
