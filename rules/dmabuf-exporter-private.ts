/**
 * D04: an importer reads what a dma-buf's exporter keeps for itself.
 *
 * @module
 */

import { type Expr, walkExpr, walkStmt } from "./engine/ast.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { mentioned } from "./facts/mention.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isImplementation } from "./facts/place.ts";

/** Who asks whose buffer it is may look into it. */
const ASKS = /(?:->|\.)ops\s*[!=]=|[!=]=\s*&?\w+(?:->|\.)ops\b|\bdrm_gem_is_prime_exported_dma_buf\b/;
/** Who exports buffers may well walk its own. */
const EXPORTS =
  /\bdma_buf_export\b|\bDEFINE_DMA_BUF_EXPORT_INFO\b|\bstruct dma_buf_ops\b|\bdrm_gem_prime_export\b/;

export default defineRule({
  id: "dmabuf-exporter-private",
  since: "0.1.0",
  code: "D04",
  severity: "error",
  confidence: "medium",
  category: "dma-buf",
  scope: "function",
  summary: "an importer reads dma_buf->priv or walks dma_buf->attachments",
  why:
    `\`dma_buf->priv\` belongs to the exporter: it may be a GEM object, a heap's buffer, a page array or anything
else. An importer that takes it for its own structure reads, and often writes, memory of another driver as soon as user
space passes it a buffer from there. Only \`dma_buf->ops\` tells who exported the buffer: compare it with one's own
operations first, as \`drm_gem_is_prime_exported_dma_buf()\` does.

The list of attachments is the dma-buf core's and holds those of every importer. A driver keeps the attachment that
\`dma_buf_attach()\` gave it.`,
  limits:
    `Only buffers that came from \`dma_buf_get()\` or into a \`gem_prime_import\` callback of the same function are taken
for foreign ones. \`list_empty()\` of the attachments is reported with low confidence: an exporter may ask that of its own
buffer.`,
  unless: "something out of sight makes sure that the buffer is one of the driver's own",
  sources: [
    "include/linux/dma-buf.h: struct dma_buf, @priv, @attachments",
    "drivers/gpu/drm/drm_prime.c: drm_gem_is_prime_exported_dma_buf(), drm_gem_prime_import_dev()",
  ],
  messages: {
    priv:
      "`{text}` is the exporter's: nothing tells who exported the buffer; compare `{buffer}->ops` with one's own operations first",
    attachments:
      "`{text}` is the dma-buf core's list and holds every importer's attachments; keep the one that dma_buf_attach() returned",
  },
  bad: [
    {
      title: "any buffer is taken for a GEM object",
      patch: String.raw`
+static struct drm_gem_object *foo_own(struct drm_device *drm, struct dma_buf *buf)
+{
+	struct drm_gem_object *obj = buf->priv; /* want: priv */
+
+	return obj && obj->dev == drm ? obj : NULL;
+}
+
+static int foo_import(struct foo *foo, int fd)
+{
+	struct dma_buf *buf = dma_buf_get(fd);
+	struct foo_bo *bo;
+
+	if (IS_ERR(buf))
+		return PTR_ERR(buf);
+	bo = buf->priv; /* want: priv */
+	return foo_use(foo, bo);
+}`,
    },
    {
      title: "the buffer of a framebuffer is not always the driver's own",
      patch: String.raw`
+static int foo_pin_fb(struct drm_framebuffer *fb)
+{
+	if (!fb->obj[0]->dma_buf)
+		return -EINVAL;
+	return drm_gem_pin(fb->obj[0]->dma_buf->priv); /* want: priv */
+}`,
    },
    {
      title: "an importer looks for its attachment",
      patch: String.raw`
+static struct dma_buf_attachment *foo_find(struct device *dev, struct dma_buf *buf)
+{
+	struct dma_buf_attachment *pos;
+
+	list_for_each_entry(pos, &buf->attachments, node) { /* want: attachments */
+		if (pos->dev == dev)
+			return pos;
+	}
+	return NULL;
+}`,
    },
  ],
  good: [
    {
      title: "whose it is, is asked first",
      patch: String.raw`
+static struct drm_gem_object *foo_gem_prime_import(struct drm_device *drm, struct dma_buf *buf)
+{
+	if (buf->ops == &foo_dmabuf_ops) {
+		struct foo_bo *bo = buf->priv; /* ok: priv */
+
+		drm_gem_object_get(&bo->base);
+		return &bo->base;
+	}
+	return drm_gem_prime_import(drm, buf);
+}`,
    },
    {
      title: "an exporter's callback, and an exporter's own list",
      patch: String.raw`
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	struct foo_buffer *own = buf->priv; /* ok: priv */
+	struct foo_attachment *a;
+
+	list_for_each_entry(a, &own->attachments, list) /* ok: attachments */
+		foo_note(a);
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file) || fn.file.path.startsWith("drivers/dma-buf/")) return;
    const values = use(flow, fn);
    const isBuffer = (expr: Expr) => /^(?:const )?struct dma_buf \*$/.test(values.typeOf(expr) ?? "");
    const asks = mentioned(fn.file, ASKS);
    const exports = mentioned(fn.file, EXPORTS);
    const found: Expr[] = [];
    walkStmt(fn.node.body, { expr: (top) => walkExpr(top, (expr) => void found.push(expr)) });
    for (const expr of new Set(found)) {
      if (expr.kind !== "member" || !expr.arrow || !isBuffer(expr.object)) continue;
      const with_ = { text: fn.file.textOf(expr), buffer: fn.file.textOf(expr.object) };
      if (expr.field === "priv" && !asks && isForeign(expr.object, fn, values)) {
        yield { at: expr, say: "priv", with: with_, subject: with_.text };
      } else if (expr.field === "attachments" && !exports && !asks) {
        // Whether anybody is attached an exporter may ask of its own buffer, which a driver that does both has as well.
        const isCount = found.some((call) =>
          call.kind === "call" && call.name === "list_empty" &&
          call.args.some((arg) => arg.kind === "unary" && arg.operand === expr)
        );
        yield {
          at: expr,
          say: "attachments",
          with: with_,
          ...(isCount ? { confidence: "low" as const } : {}),
          subject: with_.text,
        };
      }
    }
  },
});

/** Whether any exporter's buffer may be there: user space chose it. */
function isForeign(buffer: Expr, fn: FunctionView, values: Flow): boolean {
  if (buffer.kind === "member") {
    // The buffer behind a GEM object may have been imported; that of an import attachment was.
    const type = values.typeOf(buffer.object) ?? "";
    return /^struct drm_gem_object\b/.test(type) ||
      (buffer.object.kind === "member" && buffer.object.field === "import_attach");
  }
  if (buffer.kind !== "ident") return false;
  const { params, returns } = fn.node;
  if (
    params.length === 2 && params[1]!.name === buffer.name &&
    /^struct drm_device \*$/.test(params[0]!.type) &&
    /\bdrm_gem_object\b/.test(returns)
  ) return true;
  return values.stores.some((store) =>
    store.place === buffer.name && store.value.kind === "call" && store.value.name === "dma_buf_get"
  );
}
