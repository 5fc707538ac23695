import { deepEqual, equal, match } from "node:assert/strict";
import { createLinter } from "../../rules/engine/lint.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { mailFromText, readMail } from "../../rules/engine/mail.ts";
import { splitMbox } from "../../rules/engine/mailbox.ts";
import type { Patch, Report } from "../../rules/engine/types.ts";
import { INTEREST } from "../../rules/kernel/mod.ts";
import { rules } from "../../rules/mod.ts";
import { createReviewer } from "../../rules/tree/review.ts";
import type { Repository } from "../../rules/tree/tree.ts";
import { loadGrammar } from "../grammar.ts";
import { repositoryOf } from "./memory_tree.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url);
const TREE = ["foo.h", "foo_window.c", "foo_dmabuf.c"].map((name) => `drivers/misc/foo/${name}`);
const tree = repositoryOf(
  Object.fromEntries(TREE.map((path) => [path, Deno.readTextFileSync(new URL(`tree/${path}`, FIXTURES))])),
);

const linter = createLinter({ rules, interest: INTEREST, load: loadGrammar });

async function fixture(name: string): Promise<Patch[]> {
  const patches: Patch[] = [];
  const bytes = await Deno.readFile(new URL(name, FIXTURES));
  async function* stream() {
    yield bytes;
  }
  for await (const message of splitMbox(stream())) {
    patches.push(readPatch(await readMail(message.bytes, { input: name, position: message.position })));
  }
  return patches;
}

const patchOf = (text: string) => readPatch(mailFromText(text, { input: "a.diff", position: null }));

const review = (patches: readonly Patch[], repository: Repository | null) =>
  createReviewer(linter, INTEREST.direct, repository).review(patches);

const found = (reports: readonly Report[]) =>
  reports.flatMap(({ patch, findings }) =>
    findings.map(({ rule, at }) => `${patch.mail.subject.index} ${at.path}:${at.line} ${rule}`)
  );

const MISUSE = "3 drivers/misc/foo/foo_dmabuf.c:32 p2p-dma-map-resource-on-bar";

for (const [repository, name] of [[null, "without a tree"], [tree, "upon a tree"]] as const) {
  Deno.test(`review() knows in patch 3 the helper that patch 1 adds, ${name}`, async () => {
    const reports = await review(await fixture("series/helper-misused.mbox"), repository);
    deepEqual(found(reports), [MISUSE]);
    const [finding] = reports[3]!.findings;
    deepEqual(finding!.because.map(({ at }) => at.path), [
      "drivers/misc/foo/foo_window.c",
      "drivers/misc/foo/foo_dmabuf.c",
      "drivers/misc/foo/foo_dmabuf.c",
    ]);
  });

  Deno.test(`review() leaves out what patch 4 repairs, and says so, ${name}`, async () => {
    const reports = await review(await fixture("series/helper-repaired.mbox"), repository);
    deepEqual(found(reports), []);
    deepEqual(reports.flatMap(({ mended }) => mended.map(({ by }) => by.subject.index)), [4]);
  });
}

Deno.test("review() finds in the tree what a field of another file holds", async () => {
  const patches = await fixture("field-of-another-file.patch");
  deepEqual(found(await review(patches, null)), []);
  const reports = await review(patches, tree);
  deepEqual(found(reports), ["1 drivers/misc/foo/foo_dmabuf.c:32 p2p-dma-map-resource-on-bar"]);
  equal(reports[0]!.findings[0]!.because[0]!.at.path, "drivers/misc/foo/foo_window.c");
  deepEqual(reports[0]!.unseen, []);
});

Deno.test("review() says what does not apply, and judges it from the diff", async () => {
  const other = repositoryOf({ "drivers/misc/foo/foo_dmabuf.c": "int x;\n" });
  const reports = await review(await fixture("series/helper-misused.mbox"), other);
  deepEqual(found(reports), [MISUSE]);
  match(reports[3]!.unseen[0]!.what, /foo_dmabuf\.c beyond its hunks/);
});

const CREATE = `diff --git a/drivers/bar/bar.c b/drivers/bar/bar.c
new file mode 100644
--- /dev/null
+++ b/drivers/bar/bar.c
@@ -0,0 +1,14 @@
+#include <linux/dma-mapping.h>
+
+static int bar_send(struct bar *bar, void *buf, size_t len)
+{
+	dma_addr_t addr;
+
+	addr = dma_map_single(bar->dev, buf, len, DMA_TO_DEVICE);
+	writeq(addr, bar->regs);
+	writel(len, bar->regs + 8);
+	bar_wait(bar);
+	dma_unmap_single(bar->dev, addr, len, DMA_TO_DEVICE);
+
+	return 0;
+}
`;
// The hunk does not show the call that the finding is about: only the whole file does.
const REPAIR = `diff --git a/drivers/bar/bar.c b/drivers/bar/bar.c
--- a/drivers/bar/bar.c
+++ b/drivers/bar/bar.c
@@ -7,2 +7,4 @@ static int bar_send(struct bar *bar, void *buf, size_t len)
 	addr = dma_map_single(bar->dev, buf, len, DMA_TO_DEVICE);
+	if (dma_mapping_error(bar->dev, addr))
+		return -ENOMEM;
 	writeq(addr, bar->regs);
`;

Deno.test("review() applies a patch to the file that an earlier one creates", async () => {
  deepEqual(found(await review([patchOf(CREATE)], null)), [
    "1 drivers/bar/bar.c:7 dma-mapping-unchecked",
  ]);
  const reports = await review([patchOf(CREATE), patchOf(REPAIR)], null);
  deepEqual(found(reports), []);
  equal(reports[0]!.mended[0]!.finding.rule, "dma-mapping-unchecked");
});

const HEADER = `diff --git a/drivers/bar/bar.h b/drivers/bar/bar.h
--- a/drivers/bar/bar.h
+++ b/drivers/bar/bar.h
@@ -1,4 +1,4 @@
 static inline u64 bar_peer(struct bar *bar)
 {
-	return bar->peer_dma;
+	return pci_resource_start(bar->peer, 2);
 }
`;
const HEADER_REPAIR = HEADER.replace("-\treturn bar->peer_dma;\n+", "-").replace(
  " }\n",
  "+\treturn bar->peer_dma;\n }\n",
);
const USER = `diff --git a/drivers/bar/bar.c b/drivers/bar/bar.c
--- a/drivers/bar/bar.c
+++ b/drivers/bar/bar.c
@@ -3,3 +3,5 @@
 static void bar_go(struct bar *bar, struct dma_buf_attachment *attach)
 {
+	dma_addr_t addr = dma_map_resource(attach->dev, bar_peer(bar), SZ_4K, DMA_BIDIRECTIONAL, 0);
+	bar_post(bar, addr);
 }
`;

Deno.test("review() sees that a helper in another file repairs what an earlier patch brought", async () => {
  const repository = repositoryOf({
    "drivers/bar/bar.h": "static inline u64 bar_peer(struct bar *bar)\n{\n\treturn bar->peer_dma;\n}\n",
    "drivers/bar/bar.c":
      '#include "bar.h"\n\nstatic void bar_go(struct bar *bar, struct dma_buf_attachment *attach)\n{\n}\n',
  });
  const onBar = (reports: readonly Report[]) =>
    found(reports).filter((line) => line.endsWith("p2p-dma-map-resource-on-bar")).length;
  equal(onBar(await review([patchOf(HEADER), patchOf(USER)], repository)), 1);
  const reports = await review([patchOf(HEADER), patchOf(USER), patchOf(HEADER_REPAIR)], repository);
  equal(onBar(reports), 0);
});

Deno.test("review() takes the file that a patch creates from the patch, though the tree has a later one", async () => {
  const repository = repositoryOf({ "drivers/bar/bar.c": "int later;\n" });
  const reports = await review([patchOf(CREATE), patchOf(REPAIR)], repository);
  deepEqual(reports.map(({ unseen }) => unseen), [[], []]);
  equal(reports[0]!.mended.length, 1);
});
