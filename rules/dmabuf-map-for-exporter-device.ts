/**
 * W01: a dma-buf exporter maps for its own device instead of the importer's.
 *
 * @module
 */

import { defineRule } from "./engine/rule.ts";
import { attachmentOf, relate } from "./facts/device.ts";
import { comparesImporter } from "./facts/dmabuf.ts";
import { handling } from "./facts/mappings.ts";
import { wrapped } from "./facts/wrapped.ts";
import { isImplementation } from "./facts/place.ts";

export default defineRule({
  id: "dmabuf-map-for-exporter-device",
  since: "0.1.0",
  code: "W01",
  severity: "error",
  confidence: "high",
  category: "wrong-device",
  scope: "function",
  summary: "a dma-buf exporter maps for its own device instead of the importer's, `attach->dev`",
  why:
    `The addresses that \`->map_dma_buf\` puts into the table are emitted by the device that imports the buffer:
\`attach->dev\`. An IOVA exists only in the IOMMU domain of the device that it was mapped for, bounce buffers follow
that device's mask, and the route to peer-to-peer memory starts at it. A mapping for the exporter works for the
importer only while both share a domain or neither has an IOMMU, which is what a desktop without one looks like.`,
  limits:
    `Helpers that are given the exporter's device as an argument are not followed. A device that was kept in
\`attach->priv\` is taken for the importer's.`,
  unless: "the exporter refuses every importer but its own device",
  sources: [
    "include/linux/dma-buf.h: struct dma_buf_ops, @map_dma_buf",
    "https://lore.kernel.org/all/YxjDBOIavc79ZByZ@nvidia.com/",
    "https://lore.kernel.org/all/YxiJcQ72ogLBpY25@infradead.org/",
  ],
  messages: {
    map: "{callee}() maps for `{device}`, the exporter; the importer `{attach}->dev` issues the DMA",
    release:
      "{callee}() is called for `{device}`, the exporter; the table is mapped for the importer `{attach}->dev`",
  },
  bad: [
    {
      title: "a table is mapped and unmapped for the exporter",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	int ret;
+
+	ret = dma_map_sgtable(bo->foo->dev, bo->sgt, dir, 0); /* want: map */
+	return ret ? ERR_PTR(ret) : bo->sgt;
+}
+
+static void foo_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	struct device *dev = &bo->foo->pdev->dev;
+
+	dma_unmap_sgtable(dev, sgt, dir, 0); /* want: release */
+}`,
    },
    {
      title: "a helper maps for the exporter, or for whom it is told to",
      patch: String.raw`
+static int foo_map_own(struct foo_bo *bo, enum dma_data_direction dir)
+{
+	return dma_map_sgtable(bo->foo->dev, bo->sgt, dir, 0);
+}
+
+static int foo_map_for(struct foo_bo *bo, struct device *dev, enum dma_data_direction dir)
+{
+	return dma_map_sgtable(dev, bo->sgt, dir, 0);
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	int ret = foo_map_own(bo, dir); /* want: map */
+
+	if (!ret)
+		ret = foo_map_for(bo, bo->foo->dev, dir); /* want: map */
+	return ret ? ERR_PTR(ret) : bo->sgt;
+}`,
    },
  ],
  good: [
    {
      title: "a helper maps for the device that it is given",
      patch: String.raw`
+static int foo_map_bo(struct foo_bo *bo, struct device *dev, enum dma_data_direction dir)
+{
+	return dma_map_sgtable(dev, bo->sgt, dir, 0);
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	int ret = foo_map_bo(bo, attach->dev, dir); /* ok: map */
+
+	return ret ? ERR_PTR(ret) : bo->sgt;
+}`,
    },
    {
      title: "the importer, which has a device of its own",
      patch: String.raw`
+static int foo_import(struct drm_device *drm, struct dma_buf_attachment *attach, struct sg_table *sgt)
+{
+	if (sgt->nents > attach->dmabuf->size / PAGE_SIZE)
+		return -EINVAL;
+	return dma_map_sgtable(drm->dev, sgt, DMA_BIDIRECTIONAL, 0); /* ok: map */
+}`,
    },
    {
      title: "mapped for the importer, also through a local name",
      patch: String.raw`
+static struct sg_table *foo_map(struct dma_buf_attachment *a, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = a->dmabuf->priv;
+	struct foo_attachment *fa = a->priv;
+	struct device *dev = a->dev;
+	int ret;
+
+	ret = dma_get_sgtable(bo->foo->dev, &fa->sgt, bo->vaddr, bo->dma, bo->size);
+	if (!ret)
+		ret = dma_map_sgtable(dev, &fa->sgt, dir, 0); /* ok: map */
+	if (ret)
+		return ERR_PTR(ret);
+	return &fa->sgt;
+}`,
    },
    {
      title: "the attachment remembers its device",
      patch: String.raw`
+static void foo_unmap(struct dma_buf_attachment *a, struct sg_table *sgt, enum dma_data_direction dir)
+{
+	struct foo_attachment *fa = a->priv;
+
+	dma_unmap_sgtable(fa->dev, sgt, dir, 0); /* ok: release */
+}`,
    },
    {
      title: "nobody else may attach",
      patch: String.raw`
+static int foo_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
+{
+	struct foo_bo *bo = dmabuf->priv;
+
+	return attach->dev == bo->foo->dev ? 0 : -EOPNOTSUPP;
+}
+
+static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
+{
+	struct foo_bo *bo = attach->dmabuf->priv;
+	int ret = dma_map_sgtable(bo->foo->dev, bo->sgt, dir, 0); /* ok: map */
+
+	return ret ? ERR_PTR(ret) : bo->sgt;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const attach = attachmentOf(fn);
    if (attach === null) return;
    // Who is given an attachment and its table is the importer: an exporter makes the table.
    const isGiven = fn.node.params.some(({ type }) => type === "struct sg_table *");
    if (isGiven && fn.node.params.some(({ type }) => /^struct (?:drm_device|device) \*$/.test(type))) return;
    const { mappings, releases, syncs } = use(handling, fn);
    const importer = `${attach}->dev`;
    for (const { call, api, device, deviceExpr, handle } of [...mappings, ...releases, ...syncs]) {
      if (device === null || deviceExpr === null || api.params[api.device!] !== "device") continue;
      if (api.role === "alloc" || api.role === "free" || relate(fn, device, importer) !== "different") {
        continue;
      }
      // What an exporter maps for itself and keeps for itself is its own business.
      const isOwn = mappings.some((mapping) => mapping.call !== call && mapping.handle === handle);
      if (api.role !== "map" && isOwn) continue;
      if (!api.families.includes("sg") && api.role !== "map") continue;
      if (comparesImporter(fn.file, use)) return;
      const isMap = api.role === "map";
      yield {
        at: call,
        say: isMap ? "map" : "release",
        with: { callee: call.name, device: fn.file.textOf(deviceExpr), attach },
        because: [{ at: deviceExpr, note: `\`${device}\`: reached through the exporter's own data` }],
        wanted: `${call.name}(${importer}, …)`,
        subject: `${call.name} ${handle}`,
      };
    }
    for (const { call, inner, device, step } of use(wrapped, fn)) {
      if (inner.api.role !== "map" || relate(fn, device, importer) !== "different") continue;
      if (comparesImporter(fn.file, use)) return;
      yield {
        at: call,
        say: "map",
        with: { callee: call.name, device, attach },
        because: [step],
        confidence: "medium",
        subject: `${call.name} ${device}`,
      };
    }
  },
});
