/**
 * M02: the page of a scatterlist entry mapped for the CPU without the entry's offset in it.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { isTest } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";

const KMAP = /^kmap(?:_atomic|_local_page|_local_page_prot)?$|^page_address$/;

export default defineRule({
  id: "sg-page-offset-lost",
  since: "0.1.0",
  code: "M02",
  severity: "warning",
  confidence: "medium",
  category: "memory",
  scope: "function",
  summary: "kmap_local_page(sg_page(sg)) without sg->offset, and for one page of several",
  why:
    `An entry of a scatterlist starts \`sg->offset\` bytes into \`sg_page()\` and may go on over many pages.
\`sg_virt()\` adds the offset; \`kmap_local_page(sg_page(sg))\` does not, and it maps the first page alone: what lies behind
it is somebody else's on a machine with highmem. \`sg_miter_start()\` and \`sg_miter_next()\` walk a list page by page and
know the offset.`,
  limits:
    "A function that mentions any offset is left alone, and so is one that is not shown in full or has nothing to do with DMA.",
  unless: "the list is the driver's own, and each entry is one whole page",
  sources: [
    "include/linux/scatterlist.h: sg_virt(), sg_miter_start()",
    "include/linux/highmem.h: kmap_local_page()",
    "https://lore.kernel.org/all/20240122073423.GA25859@lst.de/",
  ],
  messages: {
    lost:
      "{callee}() maps one page, from its start: \`{entry}->offset\` is lost, and so is what the entry holds beyond the page",
  },
  bad: [
    {
      title: "sg_virt() is converted",
      patch: String.raw`
 static void foo_next(struct foo *foo)
 {
 	foo->left = sg_dma_len(foo->sg);
-	foo->buf = sg_virt(foo->sg);
+	foo->buf = kmap_local_page(sg_page(foo->sg)); /* want: lost */
 }`,
    },
    {
      title: "programmed I/O",
      patch: String.raw`
+static void foo_read(struct foo *foo, struct scatterlist *sg)
+{
+	void *buf = kmap_local_page(sg_page(sg)); /* want: lost */
+
+	foo_fifo_read(foo, buf, sg->length);
+	kunmap_local(buf);
+	foo_done(foo, sg_dma_len(sg));
+}`,
    },
  ],
  good: [
    {
      title: "with the offset, here or further down",
      patch: String.raw`
+static void foo_read(struct foo *foo, struct scatterlist *sg)
+{
+	void *buf = kmap_local_page(sg_page(sg)) + sg->offset; /* ok: lost */
+	void *page = kmap_local_page(sg_page(foo->meta)); /* ok: lost */
+
+	foo_fifo_read(foo, buf, sg_dma_len(sg));
+	foo_fifo_read(foo, page + foo->meta->offset, FOO_META);
+}`,
    },
    {
      title: "a page that the function put there itself",
      patch: String.raw`
+static int foo_fill(struct foo *foo, struct scatterlist *sg, struct page *page)
+{
+	sg_set_page(sg, page, PAGE_SIZE, 0);
+	memset(kmap_local_page(sg_page(sg)), 0, PAGE_SIZE); /* ok: lost */
+	return dma_map_sg(foo->dev, sg, 1, DMA_TO_DEVICE) ? 0 : -ENOMEM;
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    const text = fn.file.textOf(fn.node);
    if (/offset|sg_set_|sg_miter|sg_init_/.test(text)) return;
    for (const { call } of values.calls) {
      if (!KMAP.test(call.name)) continue;
      const [page] = call.args;
      const entry: Expr | undefined = page?.kind === "call" && page.name === "sg_page"
        ? page.args[0]
        : undefined;
      if (entry === undefined) continue;
      const before = use(removed, fn.file).at(call);
      if (!fn.whole && !/\bsg_virt\s*\(|->offset\b/.test(before)) continue;
      // A conversion between the kmap() flavours brings no new mistake.
      if (/\b(?:kmap(?:_atomic|_local_page)?|page_address)\s*\(\s*sg_page/.test(before)) continue;
      yield {
        at: call,
        say: "lost",
        with: { callee: call.name, entry: fn.file.textOf(entry) },
        wanted: `sg_miter_start(), or ${call.name}(sg_page(${fn.file.textOf(entry)})) + ${
          fn.file.textOf(entry)
        }->offset for an entry within one page`,
        subject: `${values.canonical(entry)}`,
      };
    }
  },
});
