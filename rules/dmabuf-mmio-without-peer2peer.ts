/**
 * D01: an exporter gives device memory to importers that never said they can take it. Judged where the whole way of
 * an importer is shown: the table of callbacks, its attach and its map_dma_buf.
 *
 * @module
 */

import { type Expr, HOLE } from "./engine/ast.ts";
import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { attachmentOf } from "./facts/device.ts";
import { callbacks, withHelpers } from "./facts/dmabuf.ts";
import { flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import { isImplementation } from "./facts/place.ts";
import { API } from "./kernel/mod.ts";

const PEER = /\bpeer2peer\b/;
const PCI = /\bpci_\w+/;
/** Calls that are made for the memory of a PCI device only. */
const PCI_MEMORY = new Set(["dma_buf_phys_vec_to_sgt", "pci_p2pdma_bus_addr_map"]);
/** Calls that are made for device memory, of the SoC as well. */
const DEVICE_MEMORY = new Set([...PCI_MEMORY, "dma_map_resource"]);

export default defineRule({
  id: "dmabuf-mmio-without-peer2peer",
  since: "0.1.0",
  code: "D01",
  severity: "warning",
  confidence: "medium",
  category: "dma-buf",
  scope: "file",
  kernel: { since: [5, 8] },
  summary: "a dma-buf exporter returns device memory without looking at attach->peer2peer",
  why:
    `\`attach->peer2peer\` is the importer's word that it can do peer-to-peer DMA and that it does without the
\`struct page\` of the table. An importer that did not give it is promised system memory: it may use \`sg_page()\`, map
the pages for the CPU or bounce them. An exporter of a BAR, which has nothing but device memory, refuses such an
importer in \`->attach\`; one that can move the buffer moves it to system memory. Whether there is a route between the
two devices is the other half of the question: \`pci_p2pdma_distance()\`, or \`dma_buf_phys_vec_to_sgt()\`, which asks
by itself.`,
  limits:
    `Nothing is said where \`peer2peer\` stands anywhere in the file, whatever is made of it, nor where a callback is
in another file or hands the attachment to a function that is not shown. An importer that attaches without
\`allow_peer2peer\` and expects device memory is not looked for.`,
  unless: "importer and exporter are on one bus of the SoC, and no importer looks at the pages",
  sources: [
    "include/linux/dma-buf.h: struct dma_buf_attachment, @peer2peer; struct dma_buf_attach_ops, @allow_peer2peer",
    "drivers/accel/habanalabs/common/memory.c: hl_dmabuf_attach()",
    "drivers/gpu/drm/xe/xe_dma_buf.c: xe_dma_buf_attach()",
  ],
  messages: {
    unasked:
      "{callee}() maps device memory for any importer: nothing asks `{attach}->peer2peer` whether it can take memory without struct pages",
  },
  bad: [
    {
      title: "everybody may attach to a BAR",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, foo->vec, foo->n, foo->size, dir); /* want: unasked */
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.map_dma_buf = foo_map,
+	.unmap_dma_buf = dma_buf_free_sgt,
+	.release = foo_release,
+};`,
    },
  ],
  good: [
    {
      title: "an importer that cannot is refused",
      patch: String.raw`
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	return attach->peer2peer ? 0 : -EOPNOTSUPP;
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, foo->vec, foo->n, foo->size, dir); /* ok: unasked */
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.attach = foo_attach,
+	.map_dma_buf = foo_map,
+};`,
    },
    {
      title: "asked where it is not shown",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+
+	return dma_buf_phys_vec_to_sgt(attach, foo->provider, foo->vec, foo->n, foo->size, dir); /* ok: unasked */
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.attach = foo_common_attach,
+	.map_dma_buf = foo_map,
+};`,
    },
    {
      title: "SRAM of the SoC",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo *foo = attach->dmabuf->priv;
+	dma_addr_t dma = dma_map_resource(attach->dev, foo->sram, foo->size, dir, 0); /* ok: unasked */
+
+	return dma_mapping_error(attach->dev, dma) ? ERR_PTR(-EIO) : foo_table(foo, dma);
+}
+
+static const struct dma_buf_ops foo_ops = {
+	.map_dma_buf = foo_map,
+};`,
    },
  ],
  *check(file, use) {
    if (isImplementation(file) || mentioned(file, PEER)) return;
    const mapping = mentioned(file, PCI) ? DEVICE_MEMORY : PCI_MEMORY;
    for (const table of use(callbacks, file)) {
      const map = table.fn("map_dma_buf");
      if (table.table !== "dma_buf_ops" || map === null || file.textOf(table.at).includes(HOLE)) continue;
      const attach = table.fields.has("attach") ? table.fn("attach") : undefined;
      if (attach === null || [map, attach].some((fn) => fn !== undefined && handsOn(fn, use))) continue;
      const called = use(flow, map).calls.map(({ call }) => call.name);
      for (const fn of withHelpers(map, called)) {
        const found = use(flow, fn).calls.find(({ call }) => mapping.has(call.name));
        if (found === undefined) continue;
        yield {
          at: found.call,
          say: "unasked",
          with: { callee: found.call.name, attach: attachmentOf(map) ?? "attach" },
          because: [{
            at: attach === undefined ? table.at : attach.node,
            note: attach === undefined ? "no ->attach: every importer may attach" : "takes every importer",
          }],
          wanted: "if (!attach->peer2peer) return -EOPNOTSUPP; in ->attach()",
          subject: map.name,
        };
        break;
      }
    }
  },
});

/** Whether the attachment goes where it could be asked out of sight, or part of the function is not shown. */
function handsOn(fn: FunctionView, use: Use): boolean {
  const attach = attachmentOf(fn);
  const values = use(flow, fn);
  const isAttach = (arg: Expr) => values.canonical(arg) === attach;
  return !fn.whole ||
    values.calls.some(({ call }) =>
      !API.has(call.name) && call.args.some(isAttach) &&
      !fn.file.functions.some(({ name }) => name === call.name)
    );
}
