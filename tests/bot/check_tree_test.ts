/**
 * Configuration, comments and baseline where there is a kernel tree behind the patch.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import { main } from "../../bot/main.ts";
import { keep } from "./reports.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url).pathname;
const PATCH = await Deno.readTextFile(`${FIXTURES}field-of-another-file.patch`);
const FILE = "drivers/misc/foo/foo_dmabuf.c";
const RULE = "p2p-dma-map-resource-on-bar";
const HEAD = "struct sg_table *foo_map(";
const COMMENT = `/* p2plint: allow ${RULE}: the importers share a switch */`;

/** The tree of the fixtures, to be changed. */
async function withTree(run: (root: string) => Promise<void>) {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/drivers/misc/foo`, { recursive: true });
    const files = [
      "MAINTAINERS",
      "Kbuild",
      ...["foo.h", "foo_window.c", "foo_dmabuf.c"].map((name) => `drivers/misc/foo/${name}`),
    ];
    for (const file of files) await Deno.copyFile(`${FIXTURES}tree/${file}`, `${root}/${file}`);
    await run(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function check(root: string, patch: string, ...argv: string[]) {
  await Deno.writeTextFile(`${root}/a.patch`, patch);
  const terminal = keep();
  const code = await main(["check", "--tree", root, ...argv, `${root}/a.patch`], terminal);
  return { code, ...terminal.printed };
}

async function checkJson(root: string, patch: string, ...argv: string[]) {
  const { code, out } = await check(root, patch, "--format", "json", ...argv);
  return { code, ...JSON.parse(out) };
}

async function comment(root: string) {
  const text = await Deno.readTextFile(`${root}/${FILE}`);
  await Deno.writeTextFile(`${root}/${FILE}`, text.replace(HEAD, `${COMMENT}\n${HEAD}`));
}

Deno.test("check --tree goes by the configuration of the tree", async () => {
  await withTree(async (root) => {
    equal((await check(root, PATCH)).code, 1);
    const overrides = [{ paths: ["drivers/misc/**"], rules: { [RULE]: "note" } }];
    await Deno.writeTextFile(`${root}/.p2plint.json`, JSON.stringify({ overrides }));
    const { code, findings, summary } = await checkJson(root, PATCH);
    deepEqual([code, findings.map(({ severity }: { severity: string }) => severity)], [0, ["note"]]);
    equal(summary.config, `${root}/.p2plint.json`);
    equal((await check(root, PATCH, "--no-config")).code, 1);
    await Deno.remove(`${root}/.p2plint.json`);
    await Deno.symlink("/etc/passwd", `${root}/.p2plint.json`);
    const { code: failed, err } = await check(root, PATCH);
    equal(failed, 2);
    match(
      err,
      /\.p2plint\.json: a link, not a file: name one with --config, or leave it out with --no-config$/m,
    );
  });
});

Deno.test("check --tree sees the comment above the function, which the patch does not show", async () => {
  await withTree(async (root) => {
    await comment(root);
    const { code, findings, suppressed } = await checkJson(root, PATCH);
    deepEqual([code, findings, suppressed.length], [0, [], 1]);
    equal(suppressed[0].suppression.byPatch, false);
    match((await check(root, PATCH)).out, /^1 finding allowed by comments in the code$/m);
  });
});

Deno.test("check says so when an earlier patch of the series adds the comment", async () => {
  await withTree(async (root) => {
    const old = (await Deno.readTextFile(`${root}/${FILE}`)).split("\n");
    const at = old.findIndex((line) => line.startsWith(HEAD));
    const diff = `--- a/${FILE}\n+++ b/${FILE}\n@@ -${at},2 +${at},3 @@\n ${old[at - 1]}\n+${COMMENT}\n ${
      old[at]
    }\n`;
    const mail = (no: number, body: string) =>
      `From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nMessage-Id: <${no}@example.org>\n` +
      (no === 1 ? "" : "In-Reply-To: <1@example.org>\n") +
      `From: Ada Example <ada@example.org>\nDate: Mon, 2 Nov 2026 10:0${no}:00 +0000\n` +
      `Subject: [PATCH ${no}/2] misc: foo: step ${no}\n\nMore.\n\n---\n${body}-- \n2.39.5\n\n`;
    const series = mail(1, diff) +
      mail(2, PATCH.slice(PATCH.indexOf("diff --git"), PATCH.indexOf("-- \n2.39.5")));
    const { code, findings, suppressed, summary, unseen } = await checkJson(root, series);
    deepEqual([code, findings, unseen, summary.suppressedByPatch], [0, [], [], 1]);
    equal(suppressed[0].messageId, "2@example.org");
  });
});

Deno.test("check --tree writes the baseline beside the tree, and knows the finding again", async () => {
  await withTree(async (root) => {
    const file = `${root}/.p2plint-baseline.json`;
    const { code, baseline } = await checkJson(root, PATCH, "--baseline", "write");
    deepEqual([code, baseline.file, baseline.written], [0, file, { findings: 1, added: 1 }]);
    const again = await checkJson(root, PATCH, "--baseline", file);
    deepEqual([again.code, again.baseline.hidden, again.baseline.stale], [0, 1, []]);
    // The same line, and nobody maps a BAR.
    const right = PATCH.replace("foo->win.base, foo->win.len, dir, 0);", "foo->fifo, foo->win.len, dir, 0);");
    deepEqual((await checkJson(root, right, "--baseline", file)).baseline.stale, []);
  });
});

const BAD = `#include <linux/pci.h>
int foo_dma_setup(struct foo *foo, struct pci_dev *pdev, struct pci_dev *peer)
{
	foo->addr = dma_map_resource(&peer->dev, pci_resource_start(pdev, 2), SZ_4K, DMA_TO_DEVICE, 0);
	return dma_mapping_error(&peer->dev, foo->addr);
}
`;

Deno.test("check --tree surveys a folder by configuration, comments and baseline", async () => {
  await withTree(async (root) => {
    const survey = async (...argv: string[]) => {
      const terminal = keep();
      const code = await main(["check", "--format", "json", "--tree", root, ...argv, "drivers"], terminal);
      return { code, ...JSON.parse(terminal.printed.out) };
    };
    const file = (name: string) => `${root}/drivers/misc/foo/${name}.c`;
    for (const name of ["kept", "gone", "cured", "allowed"]) await Deno.writeTextFile(file(name), BAD);
    const written = await survey("--baseline", "write");
    deepEqual([written.code, written.baseline.written], [0, { findings: 4, added: 4 }]);

    await Deno.remove(file("gone"));
    await Deno.writeTextFile(file("cured"), BAD.replace(/pci_resource_start\(.*?\)/, "foo->fifo"));
    await Deno.writeTextFile(file("allowed"), BAD.replace("\tfoo->addr", `\t${COMMENT}\n\tfoo->addr`));
    await Deno.writeTextFile(file("off"), BAD);
    const overrides = [{ paths: ["**/off.c"], rules: { "*": "off" } }];
    await Deno.writeTextFile(`${root}/.p2plint.json`, JSON.stringify({ overrides }));
    const { code, findings, suppressed, summary, baseline } = await survey(
      "--baseline",
      `${root}/.p2plint-baseline.json`,
    );
    deepEqual([code, findings, baseline.hidden, summary.suppressedByPatch], [0, [], 1, 0]);
    deepEqual(suppressed.map(({ path }: { path: string }) => `${root}/${path}`), [file("allowed")]);
    deepEqual(baseline.stale.map(({ path }: { path: string }) => `${root}/${path}`), [
      file("cured"),
      file("gone"),
    ]);
  });
});
