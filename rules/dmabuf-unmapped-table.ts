/**
 * D06: a dma-buf exporter gives its importers a table that nobody mapped.
 *
 * @module
 */

import { walkExpr } from "./engine/ast.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { mentioned } from "./facts/mention.ts";
import { attachmentOf } from "./facts/device.ts";
import { flow } from "./facts/flow.ts";
import { isImplementation } from "./facts/place.ts";

/** What a callback may do without mapping anything. */
const IDLE =
  /^(?:mutex_\w*lock\w*|dma_resv_\w+|lockdep_\w+|might_sleep|IS_ERR\w*|PTR_ERR\w*|ERR_PTR|ERR_CAST|WARN\w*|(?:dev|pr|drm)_\w+|container_of|unlikely|likely)$/;
/** Anything that makes a DMA address. */
const MAPS =
  /\b(?:ib_|pci_)?dma_map_\w+|\bdma_iova_\w+|\bdma_buf_(?:map|phys_vec)\w*|\w*map_(?:sg|attach|dma_buf|table)\w*\s*\((?!struct)/;

export default defineRule({
  id: "dmabuf-unmapped-table",
  since: "0.1.0",
  code: "D06",
  severity: "error",
  confidence: "medium",
  category: "dma-buf",
  scope: "function",
  summary: "a map_dma_buf callback returns a table that was never mapped for the importer",
  why:
    `An importer reads \`sg_dma_address()\` and \`sg_dma_len()\` of the table that \`->map_dma_buf\` returns. They hold
nothing until \`dma_map_sgtable(attach->dev, …)\` has run: without it the device gets address 0, or what the field
held by chance. Memory that the CPU must not touch is mapped all the same, with \`DMA_ATTR_SKIP_CPU_SYNC\`.`,
  limits:
    "Only callbacks that call nothing that could map are judged, and only with the attach callback in sight.",
  unless: "the table was mapped for each importer in lines that are not shown",
  sources: [
    "include/linux/dma-buf.h: struct dma_buf_ops, @map_dma_buf",
    "drivers/dma-buf/heaps/system_heap.c: system_heap_map_dma_buf()",
  ],
  messages: {
    unmapped:
      "`{table}` is returned as it is, and nothing maps it for the importer: it wants dma_map_sgtable({attach}->dev, …)",
    byhand:
      "the DMA address in `{table}` is written by hand, and nothing maps it for the importer: it wants dma_map_sgtable({attach}->dev, …)",
  },
  bad: [
    {
      title: "the table of the attachment as it is",
      patch: String.raw`
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	struct foo_buffer *own = buf->priv;
+
+	attach->priv = foo_copy_table(&own->table);
+	return attach->priv ? 0 : -ENOMEM;
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct sg_table *table = attach->priv;
+
+	return table; /* want: unmapped */
+}`,
    },
    {
      title: "a number of the firmware's where the importer reads an address",
      patch: String.raw`
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	struct foo_buffer *own = buf->priv;
+
+	attach->priv = foo_copy_table(&own->table);
+	return attach->priv ? 0 : -ENOMEM;
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_buffer *own = attach->dmabuf->priv;
+	struct sg_table *table = attach->priv;
+
+	sg_dma_address(table->sgl) = own->handle;
+	sg_dma_len(table->sgl) = own->size;
+	return table; /* want: byhand */
+}`,
    },
  ],
  good: [
    {
      title: "mapped in the callback, or while attaching",
      patch: String.raw`
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	struct foo_buffer *own = buf->priv;
+
+	attach->priv = own->table;
+	return dma_map_sgtable(attach->dev, own->table, DMA_BIDIRECTIONAL, 0);
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	return attach->priv; /* ok: unmapped */
+}`,
    },
    {
      title: "a helper may map",
      patch: String.raw`
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	return 0;
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_buffer *own = attach->dmabuf->priv;
+
+	return foo_get_table(own, attach->dev, dir); /* ok: unmapped */
+}
+
+static struct sg_table *foo_no_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	return ERR_PTR(-EOPNOTSUPP); /* ok: unmapped */
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file) || !fn.whole) return;
    const attach = attachmentOf(fn);
    const { params, returns } = fn.node;
    if (attach === null || params.length !== 2 || !/\bsg_table\b/.test(returns)) return;
    if (!/^enum dma_data_direction$/.test(params[1]!.type)) return;
    const values = use(flow, fn);
    if (values.calls.some(({ call }) => !IDLE.test(call.name))) return;
    if (!fn.file.functions.some(isAttach) || mentioned(fn.file, MAPS)) return;
    const written = values.stores.find(({ target }) =>
      "kind" in target &&
      (target.kind === "call"
        ? target.name === "sg_dma_address"
        : target.kind === "member" && target.field === "dma_address")
    );
    for (const { value, node } of values.returns) {
      let isError = false;
      walkExpr(value, (expr) => isError ||= expr.kind === "call" || expr.kind === "number");
      if (isError || fn.file.textOf(value) === "NULL") continue;
      const table = fn.file.textOf(value);
      yield written === undefined
        ? { at: node.at, say: "unmapped", with: { table, attach }, subject: table }
        : {
          at: node.at,
          say: "byhand",
          with: { table, attach },
          because: [{ at: written.node.at, note: "no mapping gave this address" }],
          unless: "what is written is an address that the importer's device can use as it is",
          severity: "warning",
          subject: table,
        };
    }
  },
});

/** An attach callback, all of it. */
const isAttach = (fn: FunctionView) =>
  fn.whole && fn.node.params.length === 2 && attachmentOf(fn) === fn.node.params[1]!.name &&
  fn.node.returns.includes("int");
