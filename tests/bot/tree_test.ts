import { deepEqual, equal, match } from "node:assert/strict";
import { main } from "../../bot/main.ts";
import { keep } from "./reports.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url).pathname;

/** The made-up kernel of the fixtures, outside of any git repository. */
async function withTree(run: (tree: string) => Promise<void>): Promise<void> {
  const tree = await Deno.makeTempDir({ prefix: "p2plint-tree-" });
  const copy = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(`${FIXTURES}tree/${folder}`)) {
      const path = `${folder}${name}`;
      if (!isDirectory) await Deno.copyFile(`${FIXTURES}tree/${path}`, `${tree}/${path}`);
      else {
        await Deno.mkdir(`${tree}/${path}`);
        await copy(`${path}/`);
      }
    }
  };
  try {
    await copy("");
    await run(tree);
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

async function checked(...argv: string[]) {
  const terminal = keep();
  const code = await main(["check", "--format", "json", ...argv], terminal);
  const { out, err } = terminal.printed;
  const document = out === "" ? null : JSON.parse(out);
  const findings: string[] = (document?.findings ?? []).map(
    ({ path, line, rule }: { path: string; line: number; rule: string }) => `${path}:${line} ${rule}`,
  );
  return { code, err, document, findings };
}

const ON_BAR = "drivers/misc/foo/foo_dmabuf.c:32 p2p-dma-map-resource-on-bar";

Deno.test("check --tree sees what a field of another file holds", () =>
  withTree(async (tree) => {
    const { code, findings, document } = await checked(
      "--tree",
      tree,
      `${FIXTURES}field-of-another-file.patch`,
    );
    deepEqual([code, findings], [1, [ON_BAR]]);
    equal(document.findings[0].because[0].path, "drivers/misc/foo/foo_window.c");
  }));

Deno.test("check leaves out what a later patch repairs, and names it", async () => {
  const { code, findings, document } = await checked(`${FIXTURES}series/helper-repaired.mbox`);
  deepEqual([code, findings], [0, []]);
  equal(document.mended[0].by.subject, "[PATCH 4/4] misc: foo: leave the route to p2pdma");
});

Deno.test("check --tree judges a folder of the tree as it stands", () =>
  withTree(async (tree) => {
    await Deno.writeTextFile(
      `${tree}/drivers/misc/foo/foo_peer.c`,
      `#include "foo.h"

int foo_peer(struct foo *foo, struct dma_buf_attachment *attach, dma_addr_t *addr)
{
	*addr = dma_map_resource(attach->dev, foo->win.base, foo->win.len, DMA_BIDIRECTIONAL, 0);
	return dma_mapping_error(attach->dev, *addr);
}
`,
    );
    const expected = ["drivers/misc/foo/foo_peer.c:5 p2p-dma-map-resource-on-bar"];
    for (const path of ["drivers", "drivers/misc/foo/foo_peer.c", `${tree}/drivers/misc`, tree]) {
      const { code, findings, document } = await checked("--tree", tree, path);
      deepEqual([path, code, findings], [path, 1, expected]);
      equal(document.summary.files, path.endsWith(".c") ? 1 : 4);
    }
    const other = await checked("--tree", tree, "--disable", "p2p-dma-map-resource-on-bar", "drivers/misc");
    deepEqual([other.code, other.findings], [0, []]);
  }));

Deno.test("check --tree says what is no tree, and what is in none", () =>
  withTree(async (tree) => {
    const none = await checked("--tree", `${tree}/nothing`, "drivers");
    equal(none.code, 2);
    match(none.err, /no such folder/);
    const absent = await checked("--tree", tree, "drivers/bar");
    equal(absent.code, 2);
    match(absent.err, /drivers\/bar: no such file/);
  }));
