/**
 * S02: a buffer is freed or read while it is still mapped; its unmap stands further down.
 *
 * @module
 */

import type { Call } from "./engine/ast.ts";
import { search } from "./engine/cfg.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { type CallSite, flow } from "./facts/flow.ts";
import { handling, type Use_ } from "./facts/mappings.ts";
import { isImplementation } from "./facts/place.ts";
import { namesIn, rewrites } from "./facts/rewrite.ts";

const FREES =
  /^(?:k[vz]?free(?:_sensitive)?|kzfree|vfree|free_pages?|__free_pages?|(?:dev_)?(?:k|consume_)(?:free_)?skb(?:_any|_irq)?)$/;
const READS =
  /^(?:memcpy|memcmp|memmove|scatterwalk_map_and_copy|memcpy_to_sglist|sg_p?copy_from_buffer|skb_put_data|skb_copy_to_linear_data|copy_to_user|print_hex_dump\w*)$/;
const FROM_DEVICE = /^DMA_(?:FROM_DEVICE|BIDIRECTIONAL)$/;

export default defineRule({
  id: "dma-buffer-used-before-unmap",
  since: "0.1.0",
  code: "S02",
  severity: "error",
  confidence: "medium",
  category: "sync",
  scope: "function",
  summary: "a buffer is freed or copied from before it is unmapped",
  why:
    `Until \`dma_unmap_single()\` the buffer belongs to the device. With a bounce buffer it is the unmap that copies what
the device wrote: who reads before sees what was there earlier, and when the buffer is freed first, the unmap copies into
memory that is somebody else's. Without cache coherency the unmap throws away the stale lines that a read before it
would be given.`,
  limits:
    `Either the mapping is in sight, so that it is known which handle goes with which buffer, or the patch turns the order
of the two calls around.`,
  unless: "the handle that is unmapped belongs to another buffer",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: dma_unmap_single() before the CPU looks at the data",
    "kernel/dma/swiotlb.c: __swiotlb_tbl_unmap_single()",
    "https://lore.kernel.org/all/20230601101000.18293-2-giovanni.cabiddu@intel.com/",
  ],
  messages: {
    freed: "`{buffer}` is freed here, and {unmap}() of `{handle}`, which maps it, comes after that",
    swapped: "{user}() now comes before {unmap}() of `{handle}`: unmap first, then {verb} the buffer",
  },
  bad: [
    {
      title: "freed, then unmapped",
      patch: String.raw`
+static int foo_send(struct foo *foo, size_t len)
+{
+	void *buf = kmalloc(len, GFP_KERNEL);
+	dma_addr_t addr;
+
+	if (!buf)
+		return -ENOMEM;
+	addr = dma_map_single(foo->dev, buf, len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, addr)) {
+		kfree(buf);
+		return -ENOMEM;
+	}
+	foo_run(foo, addr);
+	kfree(buf); /* want: freed */
+	dma_unmap_single(foo->dev, addr, len, DMA_TO_DEVICE);
+	return 0;
+}`,
    },
    {
      title: "the patch moves the unmap down",
      patch: String.raw`
@@ static void foo_done(struct foo *foo, struct foo_req *req)
 	req->len = foo->len;
-	dma_unmap_single(foo->dev, req->out.dma, req->len, DMA_FROM_DEVICE);
 	if (req->bounce) {
 		scatterwalk_map_and_copy(req->bounce, req->dst, 0, req->len, 1); /* want: swapped */
 		kfree(req->bounce);
 	}
+	dma_unmap_single(foo->dev, req->out.dma, req->len, DMA_FROM_DEVICE);
 	foo_next(foo);`,
    },
    {
      title: "the patch moves the free up",
      patch: String.raw`
@@ static void foo_done(struct foo *foo, struct foo_req *req)
 	req->err = foo->err;
+	kfree_sensitive(req->key); /* want: swapped */
 	dma_unmap_single(foo->dev, req->key_dma, req->len,
 			 DMA_TO_DEVICE);
-	kfree_sensitive(req->key);
 	foo_next(foo);`,
    },
  ],
  good: [
    {
      title: "the entries before the one that failed",
      patch: String.raw`
+static int foo_alloc(struct foo *foo)
+{
+	int i;
+
+	for (i = 0; i < foo->n; i++) {
+		foo->ring[i].buf = kmalloc(foo->len, GFP_KERNEL);
+		if (!foo->ring[i].buf)
+			goto err;
+		foo->ring[i].dma = dma_map_single(foo->dev, foo->ring[i].buf, foo->len, DMA_FROM_DEVICE);
+		if (dma_mapping_error(foo->dev, foo->ring[i].dma)) {
+			kfree(foo->ring[i].buf); /* ok: freed */
+			goto err;
+		}
+	}
+	return 0;
+
+err:
+	while (i > 0) {
+		--i;
+		dma_unmap_single(foo->dev, foo->ring[i].dma, foo->len, DMA_FROM_DEVICE);
+		kfree(foo->ring[i].buf); /* ok: freed */
+	}
+	return -ENOMEM;
+}`,
    },
    {
      title: "unmapped, then freed; on the failing way there is nothing to unmap",
      patch: String.raw`
+static int foo_send(struct foo *foo, void *buf, size_t len)
+{
+	dma_addr_t addr = dma_map_single(foo->dev, buf, len, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(foo->dev, addr)) {
+		kfree(buf); /* ok: freed */
+		return -ENOMEM;
+	}
+	kfree(foo->last); /* ok: freed */
+	foo_run(foo, addr);
+	dma_unmap_single(foo->dev, addr, len, DMA_TO_DEVICE);
+	kfree(buf); /* ok: freed */
+	return 0;
+}`,
    },
    {
      title: "the steps of an error path change places, and what is read is not what the device wrote",
      patch: String.raw`
@@ static int foo_init(struct foo *foo)
 	return 0;

-err_unmap:
-	dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
 err_free:
 	kfree(foo->table); /* ok: swapped */
+err_unmap:
+	dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
 	return ret;
@@ static void foo_done(struct foo *foo)
 	foo_stop(foo);
-	dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
 	memcpy(foo->saved, foo->state, foo->len); /* ok: swapped */
+	dma_unmap_single(foo->dev, foo->dma, foo->len, DMA_TO_DEVICE);
 	foo_next(foo);`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const { mappings, releases } = use(handling, fn);
    for (const release of releases) {
      if (release.api.role !== "unmap" || release.handle === null || release.handleExpr === null) continue;
      const own = mappings.filter((mapping) =>
        mapping.handle === release.handle && mapping.api.memory !== null && mapping.api.role === "map"
      );
      const buffers = own.map(({ call, api }) => call.args[api.memory!]).filter((arg) => arg !== undefined)
        .map((arg) => values.canonical(arg));
      const again = new Set(
        values.stores.filter((store) => store.place === release.handle || buffers.includes(store.place)).map((
          store,
        ) => store.node),
      );
      const variables = namesIn(release.handle, fn.file.textOf(release.handleExpr));
      const isBefore = ({ node }: CallSite) =>
        node !== release.node &&
        search(
            node,
            (at) =>
              at === release.node
                ? "hit"
                : at.kind === "hole" || (at !== node && (again.has(at) || rewrites(at, variables, values)))
                ? "stop"
                : "go",
          ).hit !== null;
      const names = { unmap: release.call.name, handle: fn.file.textOf(release.handleExpr) };
      const freed = values.calls.find((site) =>
        FREES.test(site.call.name) && site.call.args[0] !== undefined &&
        buffers.includes(values.canonical(site.call.args[0])) && isBefore(site) &&
        // Mapped by then.
        own.some((mapping) =>
          search(mapping.node, (at) => at === site.node ? "hit" : at.kind === "hole" ? "stop" : "go").hit !==
            null
        )
      );
      if (freed !== undefined) {
        yield {
          at: freed.call,
          say: "freed",
          with: { ...names, buffer: fn.file.textOf(freed.call.args[0]!) },
          because: [{ at: release.call, note: "unmapped here, too late" }],
          confidence: "high",
          subject: `${freed.call.name} ${release.handle}`,
        };
        continue;
      }
      // The handle of another buffer, for all that is in sight.
      if (own.length > 0) continue;
      const isRead = release.call.args.some((arg) => arg.kind === "ident" && FROM_DEVICE.test(arg.name));
      const user = values.calls.find((site) =>
        (FREES.test(site.call.name) || (isRead && READS.test(site.call.name))) &&
        isSwapped(fn, release, site.call) && isBefore(site)
      );
      if (user === undefined) continue;
      yield {
        at: user.call,
        say: "swapped",
        with: { ...names, user: user.call.name, verb: FREES.test(user.call.name) ? "free" : "read" },
        because: [{ at: release.call, note: "came first before the patch" }],
        subject: `${user.call.name} ${release.handle}`,
      };
    }
  },
});

/** Whether the release came before the use, and the patch put it behind it; a label between them starts anew. */
function isSwapped(fn: FunctionView, release: Use_, user: Call): boolean {
  const { file } = fn;
  if (file.side !== "new" || user.start > release.call.start) return false;
  if (/^\w+:/m.test(file.text.slice(user.start, release.call.end))) return false;
  const first = file.lineAt(user.start);
  const last = file.lineAt(release.call.start);
  const hunk = file.diff.hunks.find(({ lines }) => first !== null && lines.includes(first));
  if (hunk === undefined || last === null || !hunk.lines.includes(last)) return false;
  const before = tight(hunk.lines.filter((line) => line.kind !== "added").map((line) => line.text).join(" "));
  const release_ = before.indexOf(tight(file.textOf(release.call)));
  const user_ = before.lastIndexOf(tight(file.textOf(user)));
  return release_ !== -1 && user_ > release_;
}

const tight = (text: string) => text.replace(/\s+/g, "");
