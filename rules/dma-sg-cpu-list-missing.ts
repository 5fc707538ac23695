/**
 * T10: the two sides of a scatterlist confused: pages that are not there, and CPU entries read as DMA entries.
 *
 * @module
 */

import { type Expr, type Stmt, walkExpr, walkStmt } from "./engine/ast.ts";
import { type Because, defineRule } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { type Flow, flow } from "./facts/flow.ts";
import type { Origin } from "./facts/origin.ts";
import { isImplementation } from "./facts/place.ts";
import { ITERATORS } from "./kernel/names.ts";

const MAPS = /^(?:ib_)?dma_map_sg/;
/** Look at the CPU side of one entry. */
const ENTRY = new Set(["sg_page", "sg_virt", "sg_phys"]);
/** Fields of the CPU side; `offset` survives the mapping of an entry that was not joined. */
const FIELDS = new Set(["length", "page_link"]);
/** Read the pages of a whole list, with the position of the list. */
const WHOLE = new Map([
  ["sg_copy_to_buffer", 0],
  ["sg_copy_from_buffer", 0],
  ["sg_pcopy_to_buffer", 0],
  ["sg_pcopy_from_buffer", 0],
  ["sg_miter_start", 1],
  ["drm_prime_sg_to_page_array", 0],
  ["sg_page", 0],
  ["sg_virt", 0],
  ["sg_phys", 0],
]);

export default defineRule({
  id: "dma-sg-cpu-list-missing",
  since: "0.1.0",
  code: "T10",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "the CPU side of a scatterlist is used where there is none, or in place of the DMA side",
  why:
    `A scatterlist is two lists in one. The CPU side, \`sg_page()\`, \`length\` and \`offset\`, describes memory
with a \`struct page\`; \`dma_map_sg()\` reads it. The DMA side, \`sg_dma_address()\` and \`sg_dma_len()\`, is what
comes out, and because entries may be joined the n-th entry of one side is not the n-th of the other.

A dma-buf's table need not have a CPU side at all: for device memory the pages are NULL, and CONFIG_DMABUF_DEBUG
mangles them for everybody so that a driver which looks is found out. For the same reason memory without \`struct
page\` must not be put into a list that is mapped afterwards: since v6.0 \`dma_map_sg()\` looks into each page to see
whether it is P2PDMA memory.`,
  limits:
    "A table that is kept in a struct and used in another function is known as a dma-buf's only by what the patch shows.",
  unless: "the buffer can only come from an exporter whose memory has pages, and no entries are joined",
  sources: [
    "include/linux/dma-buf.h: struct dma_buf_ops.map_dma_buf",
    "include/linux/scatterlist.h: for_each_sgtable_dma_sg()",
    "Documentation/core-api/dma-api.rst: dma_map_sg()",
    "https://lore.kernel.org/all/20220105143705.GS2328285@nvidia.com/",
    "https://lore.kernel.org/all/20210622131816.GA2371267@nvidia.com/",
  ],
  messages: {
    pageless:
      "{callee}() reads the pages of the list, and sg_set_page() gave it none: memory without struct page cannot be mapped through a scatterlist",
    again: "{callee}() of a dma-buf's table: dma_buf_map_attachment() has mapped it for the device already",
    dmabuf:
      "{what} looks at the CPU side of a dma-buf's table, which need not have one: use sg_dma_address() and sg_dma_len()",
    iterator: "{what} is of the CPU side, and {loop}() walks the DMA side: use {instead}",
  },
  bad: [
    {
      title: "a list without pages is mapped",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct scatterlist *sg)
+{
+	sg_init_table(sg, 1);
+	sg_set_page(sg, NULL, SZ_64K, 0);
+	return dma_map_sg(foo->dev, sg, 1, DMA_BIDIRECTIONAL) ? 0 : -EIO; /* want: pageless */
+}`,
    },
    {
      title: "a dma-buf's table is mapped once more and read by the CPU",
      patch: String.raw`
+static int foo_import(struct foo *foo, struct dma_buf_attachment *attach)
+{
+	struct sg_table *sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
+	int ret;
+
+	if (IS_ERR(sgt))
+		return PTR_ERR(sgt);
+	ret = dma_map_sgtable(foo->dev, sgt, DMA_BIDIRECTIONAL, 0); /* want: again */
+	if (ret)
+		return ret;
+	sg_copy_to_buffer(sgt->sgl, sgt->orig_nents, foo->header, SZ_64); /* want: dmabuf */
+	return 0;
+}`,
    },
    {
      title: "the wrong side in a loop",
      patch: String.raw`
+static void foo_program(struct foo *foo, struct sg_table *sgt)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sgtable_dma_sg(sgt, sg, i)
+		foo_write(foo, sg_dma_address(sg), sg->length); /* want: iterator */
+}`,
    },
  ],
  good: [
    {
      title: "each side in its loop",
      patch: String.raw`
+static int foo_program(struct foo *foo, struct sg_table *sgt)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sgtable_sg(sgt, sg, i)
+		sg_set_page(sg, foo->pages[i], PAGE_SIZE, 0);
+	if (dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0)) /* ok: pageless */
+		return -ENOMEM;
+	for_each_sgtable_dma_sg(sgt, sg, i)
+		foo_write(foo, sg_dma_address(sg), sg_dma_len(sg)); /* ok: iterator */
+	return 0;
+}`,
    },
    {
      title: "an exporter of device memory fills the DMA side only",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	struct scatterlist *sg = foo->sgt.sgl;
+
+	sg_set_page(sg, NULL, foo->size, 0); /* ok: pageless */
+	sg_dma_address(sg) = foo->addr;
+	sg_dma_len(sg) = foo->size;
+	return &foo->sgt;
+}`,
    },
    {
      title: "an importer reads the DMA side",
      patch: String.raw`
+static int foo_import(struct foo *foo, struct dma_buf_attachment *attach)
+{
+	struct sg_table *sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
+
+	if (IS_ERR(sgt))
+		return PTR_ERR(sgt);
+	foo->addr = sg_dma_address(sgt->sgl); /* ok: dmabuf */
+	foo->count = sgt->nents;
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    const { file } = fn;
    if (isImplementation(file)) return;
    const values = use(flow, fn);
    const loops = loopsOf(fn.node.body);
    for (const { call } of values.calls) {
      if (MAPS.test(call.name) && call.args[1] !== undefined) {
        const list = call.args[1];
        const imported = importedIn(list, values);
        if (imported !== null) {
          yield {
            at: call,
            say: "again",
            with: { callee: call.name },
            because: chain(imported),
            subject: `${call.name} ${values.canonical(list)}`,
          };
        }
        const empty = values.calls.find(({ call: other }) =>
          other.name === "sg_set_page" && other.start < call.start && isNull(other.args[1]) &&
          other.args[0] !== undefined && isOneList(other.args[0], list, loops, values)
        );
        if (empty !== undefined) {
          const because: Because[] = [{ at: empty.call, note: "no page: the CPU side is empty" }];
          yield {
            at: call,
            say: "pageless",
            with: { callee: call.name },
            because,
            subject: `${call.name} ${values.canonical(list)}`,
          };
        }
        continue;
      }
      const position = WHOLE.get(call.name);
      const list = position === undefined ? undefined : call.args[position];
      if (list === undefined) continue;
      const imported = importedIn(list, values) ?? importedIn(loops.get(nameOf(list))?.list ?? list, values);
      if (imported === null) continue;
      yield {
        at: call,
        say: "dmabuf",
        with: { what: `${call.name}()` },
        because: chain(imported),
        severity: "warning",
        confidence: "medium",
        subject: `${call.name} ${values.canonical(list)}`,
      };
    }
    yield* wrongSide();

    function* wrongSide() {
      for (const [entry, loop] of loops) {
        if (loop.side !== "dma" || importedIn(loop.list, values) !== null) continue;
        const seen: { at: Expr; what: string }[] = [];
        const visit = (expr: Expr) =>
          walkExpr(expr, (part) => {
            if (part.kind === "call" && ENTRY.has(part.name) && nameOf(part.args[0]) === entry) {
              seen.push({ at: part, what: `${part.name}()` });
            } else if (part.kind === "member" && FIELDS.has(part.field) && nameOf(part.object) === entry) {
              seen.push({ at: part, what: `\`${file.textOf(part)}\`` });
            }
          });
        walkStmt(loop.body, {
          expr: visit,
        });
        for (const { at, what } of seen) {
          yield {
            at,
            say: "iterator" as const,
            with: {
              what,
              loop: loop.name,
              instead: what.endsWith("length`")
                ? "sg_dma_len()"
                : "sg_dma_address(), or a loop over the pages",
            },
            because: [{ at: loop.at, note: "walks the DMA side" }],
            subject: `${what} ${loop.name} ${values.canonical(loop.list)}`,
          };
        }
      }
    }
  },
});

interface Loop {
  readonly name: string;
  readonly at: Expr;
  readonly list: Expr;
  readonly side: "cpu" | "dma" | "either";
  readonly body: Stmt;
}

/** The loops over scatterlists by the name of the variable that walks. */
function loopsOf(body: Stmt): ReadonlyMap<string, Loop> {
  const loops = new Map<string, Loop>();
  walkStmt(body, {
    stmt: (stmt) => {
      if (stmt.kind !== "loop" || stmt.form !== "each" || stmt.test?.kind !== "call") return;
      const { test } = stmt;
      const row = ITERATORS.find(({ name }) => name === test.name);
      const list = row === undefined ? undefined : test.args[row.list];
      const entry = row === undefined ? "" : nameOf(test.args[row.entry]);
      if (row === undefined || list === undefined || entry === "") return;
      // A variable that walks two loops is the last one's; the side must be the same for a claim.
      const before = loops.get(entry);
      if (before !== undefined && before.side !== row.side && row.side !== "dma") return;
      loops.set(entry, { name: test.name, at: test, list, side: row.side, body: stmt.body });
    },
  });
  return loops;
}

const nameOf = (expr: Expr | undefined): string => expr?.kind === "ident" ? expr.name : "";

const isNull = (expr: Expr | undefined): boolean =>
  expr !== undefined && (nameOf(expr) === "NULL" || (expr.kind === "number" && expr.value === 0n));

/** The dma-buf table that the expression is, or whose list it is; null when it is not known to be one. */
function importedIn(list: Expr, values: Flow): Origin | null {
  const table = list.kind === "member" && list.field === "sgl" ? list.object : list;
  const known = values.valueOf(table).filter(({ meaning }) => meaning !== "param");
  return known.length > 0 && known.every(({ meaning }) => meaning === "sgt-dmabuf") ? known[0]! : null;
}

/** Whether the entry is one of the list's. */
function isOneList(entry: Expr, list: Expr, loops: ReadonlyMap<string, Loop>, values: Flow): boolean {
  const walked = loops.get(nameOf(entry))?.list ?? entry;
  const form = (expr: Expr) => values.canonical(expr).replace(/^&/, "").replace(/(?:->|\.)sgl$/, "");
  return form(walked) === form(list);
}
