/**
 * W03: a dma-buf exporter keeps one mapped table for all importers. The IOVAs in it belong to one of them.
 *
 * @module
 */

import { search } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { attachmentOf } from "./facts/device.ts";
import { comparesImporter } from "./facts/dmabuf.ts";
import { flow } from "./facts/flow.ts";
import { handleKey } from "./facts/pairs.ts";
import { handling } from "./facts/mappings.ts";
import { isImplementation } from "./facts/place.ts";

export default defineRule({
  id: "dma-handle-crosses-devices",
  since: "0.1.0",
  code: "W03",
  severity: "warning",
  confidence: "medium",
  category: "wrong-device",
  scope: "function",
  summary: "a dma-buf exporter keeps one mapped table for all of its importers",
  why:
    `A DMA address is good for the device that it was mapped for and for no other: another importer has another
IOMMU domain, another mask, another place behind the switches. Each attachment therefore gets a table of its own;
"exporters should not try to cache the scatter list, or return the same one for multiple calls". A table that is kept in
the buffer and handed to whoever comes next holds the addresses of the first importer. One that is mapped anew for each
importer loses the addresses of the one before, who then unmaps those of the new one.`,
  limits:
    `Only dma-buf exporters are looked at. A handle that is mapped for one device and written to a register or a
descriptor of another is not: that both devices are not one requester on the bus is not to be seen from their names
(a network card's PF and its VFs, an admin queue).`,
  unless: "the exporter takes only one importer, or only importers of one IOMMU domain",
  sources: [
    "include/linux/dma-buf.h: struct dma_buf_ops, @map_dma_buf",
    "drivers/dma-buf/heaps/system_heap.c: system_heap_attach(): one table for each attachment",
    "https://lore.kernel.org/all/YxjDBOIavc79ZByZ@nvidia.com/",
  ],
  messages: {
    cached:
      "`{table}` was mapped for the device that came first and is returned to every other: map one table for each attachment",
    shared:
      "{callee}() maps `{table}`, the table of the buffer, for each importer in turn: the addresses of the one before are lost",
  },
  bad: [
    {
      title: "mapped once, returned for ever",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	struct sg_table *sgt;
+	int ret;
+
+	if (bo->sgt)
+		return bo->sgt; /* want: cached */
+	sgt = foo_new_table(bo);
+	if (IS_ERR(sgt))
+		return sgt;
+	ret = dma_map_sgtable(attach->dev, sgt, dir, 0);
+	if (ret)
+		return foo_free_table(sgt, ret);
+	bo->sgt = sgt;
+	return sgt;
+}`,
    },
    {
      title: "one table, mapped for each importer",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	int ret = dma_map_sgtable(attach->dev, &bo->sgt, dir, 0); /* want: shared */
+
+	return ret ? ERR_PTR(ret) : &bo->sgt;
+}`,
    },
  ],
  good: [
    {
      title: "a table for each attachment",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_attachment *fa = attach->priv;
+	int ret;
+
+	if (fa->is_mapped)
+		return &fa->sgt; /* ok: cached */
+	ret = dma_map_sgtable(attach->dev, &fa->sgt, dir, 0); /* ok: shared */
+	return ret ? ERR_PTR(ret) : &fa->sgt;
+}`,
    },
    {
      title: "a new table each time",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	int ret;
+
+	bo->sgt = foo_new_table(bo);
+	ret = dma_map_sgtable(attach->dev, bo->sgt, dir, 0); /* ok: shared */
+	return ret ? ERR_PTR(ret) : bo->sgt;
+}
`,
    },
    {
      title: "one table for the only device that may attach",
      patch: String.raw`
+static struct sg_table *bar_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct bar_bo *bo = attach->dmabuf->priv;
+	int ret;
+
+	if (attach->dev != bo->client)
+		return ERR_PTR(-EOPNOTSUPP);
+	ret = dma_map_sgtable(attach->dev, bo->sgt, dir, 0); /* ok: shared */
+	return ret ? ERR_PTR(ret) : bo->sgt;
+}`,
    },
  ],
  *check(fn, use) {
    const { params, returns } = fn.node;
    const attach = attachmentOf(fn);
    if (isImplementation(fn.file) || attach === null || !/\bsg_table\b/.test(returns)) return;
    if (params.length !== 2 || params[1]!.type !== "enum dma_data_direction") return;
    const values = use(flow, fn);
    if (comparesImporter(fn.file, use)) return;
    const shared = `${attach}->dmabuf->priv`;
    const mappings = use(handling, fn).mappings.filter(({ api, handle }) =>
      api.families.includes("sg") && handle !== null
    );
    for (const { call, handle, handleExpr } of mappings) {
      // Who sets the table here has one for each call.
      const isSet = values.stores.some(({ place, op }) =>
        op === "=" && handleKey(place) === handleKey(handle!)
      );
      if (!handle!.includes(shared) || handleExpr === null || isSet) continue;
      yield {
        at: call,
        say: "shared",
        with: { callee: call.name, table: fn.file.textOf(handleExpr) },
        because: [{ at: handleExpr, note: `\`${handle}\`: one for all attachments` }],
        subject: `${call.name} ${handle}`,
      };
    }
    for (const { value, node } of values.returns) {
      const form = values.canonical(value);
      const isPlace = value.kind === "member" || value.kind === "ident" || value.kind === "unary";
      if (!isPlace || !form.includes(shared) || !/^&?[\w>.()-]+$/.test(form)) continue;
      // What was mapped on the way here, or on no way at all, is the business of others.
      const from = values.stores.filter(({ place, op }) =>
        op === "=" && handleKey(place) === handleKey(form)
      );
      if (mappings.length === 0 || from.length === 0) continue;
      const made = new Set([...from, ...mappings].map((made) => made.node));
      if (search(values.cfg.entry, (at) => at === node ? "hit" : made.has(at) ? "stop" : "go").hit === null) {
        continue;
      }
      yield {
        at: node.at,
        say: "cached",
        with: { table: fn.file.textOf(value) },
        because: [
          { at: mappings[0]!.call, note: "mapped for the importer that comes first" },
          { at: from[0]!.value, note: `kept in \`${form}\`` },
        ],
        subject: form,
      };
    }
  },
});
