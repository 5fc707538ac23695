/**
 * Real drivers with one change each: mistakes that must be found, and changes that are none. What is asked for is the
 * share that is found, and silence on the rest; the drivers are those of the kernel, not of ours.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { readPatch } from "../rules/engine/diff.ts";
import { createLinter } from "../rules/engine/lint.ts";
import { mailFromText } from "../rules/engine/mail.ts";
import { INTEREST } from "../rules/kernel/mod.ts";
import { rules } from "../rules/mod.ts";
import { loadGrammar } from "./grammar.ts";
import { KERNEL_TREE, missingTree } from "./kernel_tree.ts";

const FOLDERS = [
  "drivers/net/ethernet",
  "drivers/crypto",
  "drivers/dma",
  "drivers/media/platform",
  "drivers/gpu/drm",
  "drivers/spi",
  "drivers/scsi",
  "drivers/net/wireless",
];
const MAX_EACH = 20;

const CALL = String.raw`(?:[^()]|\((?:[^()]|\([^()]*\))*\))*`;
const CHECK = String.raw`dma_mapping_error\(${CALL}\)`;
const BLOCK = String.raw`(?: \{\n(?:\t+[^\n}]*\n)+?\t+\}\n|\n\t+[^\n]*;\n)`;

type Change = readonly [pattern: RegExp, to: string | ((...found: string[]) => string)];

/** Each makes a mistake of what was right. */
const MISTAKES: Readonly<Record<string, Change>> = {
  "the check goes": [
    new RegExp(String.raw`(?<=\bdma_map_\w+\(${CALL}\);\n)\t+if \((?:unlikely\()?${CHECK}\)?\)${BLOCK}`),
    "",
  ],
  "the check is of another variable": [
    new RegExp(
      String
        .raw`(\w+)( = dma_map_(?:single|page)\(${CALL}\);\n\t+if \(dma_mapping_error\((?:[^(),]|\([^()]*\))*, )\1\)`,
    ),
    (_, handle, between) => `${handle}${between}foo_${handle})`,
  ],
  "the test is for NULL": [
    /(= dma_map_single\([^;]*\);\n\t+if \()dma_mapping_error\((?:[^(),]|\([^()]*\))*,\s*([\w>.-]+)\)/,
    "$1!$2",
  ],
  "the memory is not tested": [
    new RegExp(String.raw`(?<=\n\t+([\w>.-]+) = dma_alloc_coherent\([^;]*\);\n)\t+if \(!\1\)${BLOCK}`),
    "",
  ],
  "the mask's test is turned round": [
    /(if \((?=dma_set_mask_and_coherent\()|(?:ret|err|rc) = dma_set_mask_and_coherent\([^;]*\);\n\t+if \((?=\w+\)))/,
    "$1!",
  ],
  "an error pointer is compared with NULL": [
    /([\w>-]+)( = dma_buf_\w+\([^;]*\);\n\t+if \()IS_ERR\(\1\)/,
    "$1$2!$1",
  ],
  "the count is compared as an error code": [/(\w+)( = dma_map_sg\([^;]*\);\n\t+if \()!\1\)/, "$1$2$1 < 0)"],
  "the device is NULL": [/(dma_unmap_(?:single|page)\()(?:[^(),]|\([^()]*\))+,/, "$1NULL,"],
  "the direction is of the other enum": [/(dma_map_single\([^;]*)DMA_TO_DEVICE/, "$1DMA_MEM_TO_DEV"],
};

/** None of them does. */
const HARMLESS: Readonly<Record<string, Change>> = {
  "a hint": [new RegExp(String.raw`if \((${CHECK})\)`), "if (unlikely($1))"],
  "NULL in words": [/(= dma_alloc_coherent\([^;]*\);\n\t+if \()!([\w>.-]+)\)/, "$1$2 == NULL)"],
  "a result that is kept": [new RegExp(String.raw`(\t+)if \((${CHECK})\)`), "$1ret = $2;\n$1if (ret)"],
  "a helper that checks": [
    /if \(dma_mapping_error\((?:[^(),]|\([^()]*\))*,\s*([^()]*)\)\)/,
    "if (foo_mapping_failed(priv, $1))",
  ],
  "a helper that unmaps": [/\bdma_unmap_single\(/g, "foo_unmap_single("],
  "a helper that maps": [/\bdma_map_single\(/g, "foo_map_single("],
  "another name of the device": [
    /\b(dma_(?:un)?map_(?:single|page)|dma_mapping_error)\(\w+,/g,
    "$1(&pdev->dev,",
  ],
};

/** The sources below some folders, in one order whatever the file system says. */
function* sources(): Generator<string> {
  function* below(folder: string): Generator<string> {
    const entries = [...Deno.readDirSync(`${KERNEL_TREE}/${folder}`)].sort((a, b) =>
      a.name < b.name ? -1 : 1
    );
    for (const { name, isDirectory, isFile } of entries) {
      if (isDirectory) yield* below(`${folder}/${name}`);
      else if (isFile && name.endsWith(".c")) yield `${folder}/${name}`;
    }
  }
  const all = FOLDERS.map((folder) => [...below(folder)]);
  for (let i = 0; all.some((paths) => i < paths.length); i++) {
    for (const paths of all) if (i < paths.length) yield paths[i]!;
  }
}

/** The lines that differ, as `git diff` shows them. */
function diff(path: string, before: string, after: string): string {
  const [old, now] = [before.split("\n"), after.split("\n")];
  const hunks: string[] = [];
  const hunk = (from: number, oldEnd: number, nowEnd: number) => {
    const first = Math.max(0, from - 3);
    const last = Math.min(old.length, oldEnd + 3);
    const section = old.slice(0, first).findLast((line) => /^[A-Za-z_$]/.test(line)) ?? "";
    const show = (lines: readonly string[], mark: string) => lines.map((line) => `${mark}${line}\n`).join("");
    const grown = nowEnd - oldEnd;
    hunks.push(
      `@@ -${first + 1},${last - first} +${first + 1},${last - first + grown} @@ ${section.slice(0, 80)}\n` +
        show(old.slice(first, from), " ") + show(old.slice(from, oldEnd), "-") +
        show(now.slice(from, nowEnd), "+") + show(old.slice(oldEnd, last), " "),
    );
  };
  if (old.length === now.length) {
    // Lines far from each other change: one hunk for each.
    for (let i = 0; i < old.length; i++) {
      if (old[i] === now[i]) continue;
      let end = i + 1;
      for (let next = end; next < Math.min(old.length, end + 7); next++) {
        if (old[next] !== now[next]) end = next + 1;
      }
      hunk(i, end, end);
      i = end + 6;
    }
  } else {
    let from = 0;
    while (old[from] === now[from]) from++;
    let same = 0;
    while (old.at(-1 - same) === now.at(-1 - same) && same < Math.min(old.length, now.length) - from) same++;
    hunk(from, old.length - same, now.length - same);
  }
  return `--- a/${path}\n+++ b/${path}\n${hunks.join("")}`;
}

const linter = createLinter({ rules, interest: INTEREST, load: loadGrammar, minConfidence: "medium" });

/** For each change how many patches were made with it, and those of them of which something was said. */
async function tried(
  changes: Readonly<Record<string, Change>>,
): Promise<{ change: string; made: number; told: readonly string[] }[]> {
  const results = Object.keys(changes).map((change) => ({ change, made: 0, told: [] as string[] }));
  for (const path of sources()) {
    const open = results.filter(({ made }) => made < MAX_EACH);
    if (open.length === 0) break;
    const before = Deno.readTextFileSync(`${KERNEL_TREE}/${path}`);
    if (!/dma_/.test(before)) continue;
    for (const result of open) {
      const [pattern, to] = changes[result.change]!;
      const after = typeof to === "string" ? before.replace(pattern, to) : before.replace(pattern, to);
      if (after === before) continue;
      result.made++;
      const text = diff(path, before, after);
      const { findings } = await linter.lint(readPatch(mailFromText(text, { input: path, position: null })));
      const said = findings.filter(({ severity }) => severity !== "note");
      if (said.length > 0) result.told.push(`${said.map(({ message }) => message).join("; ")}\n${text}`);
    }
  }
  return results;
}

const ignore = missingTree() !== null;
if (ignore) console.log(`trial_test.ts: skipped, ${missingTree()}`);

Deno.test({ name: "a mistake in a real driver is found", ignore }, async () => {
  for (const { change, made, told } of await tried(MISTAKES)) {
    ok(made >= 5, `${change}: only ${made} could be made`);
    ok(told.length / made >= 0.65, `${change}: ${told.length} of ${made}`);
  }
});

Deno.test({ name: "a change in a real driver that is no mistake is passed over", ignore }, async () => {
  for (const { change, made, told } of await tried(HARMLESS)) {
    ok(made >= 5, `${change}: only ${made} could be made`);
    ok(told.length === 0, `${change}: ${told.length} of ${made}\n${told.join("\n")}`);
  }
});
