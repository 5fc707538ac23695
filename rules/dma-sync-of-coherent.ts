/**
 * S03: a dma_sync on memory that is coherent.
 *
 * @module
 */

import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { flow, general } from "./facts/flow.ts";
import { handling, type Use_ } from "./facts/mappings.ts";
import { isImplementation } from "./facts/place.ts";

/** Their memory has no cache to write back; that of dma_alloc_noncoherent() and dma_alloc_pages() has. */
const COHERENT = /^(?:dmam?_(?:alloc|free)_coherent|dma_pool_(?:z?alloc|free))$/;
const SYNC = /^dma_sync_single_(?:range_)?for_(?:cpu|device)$/;

export default defineRule({
  id: "dma-sync-of-coherent",
  since: "0.1.0",
  code: "S03",
  severity: "warning",
  confidence: "medium",
  category: "sync",
  scope: "function",
  summary: "dma_sync_single_for_cpu() or _for_device() on memory of dma_alloc_coherent()",
  why:
    `Coherent memory is seen by the CPU and by the device at the same time: nothing has to be handed over. The
\`dma_sync_*()\` calls are for streaming mappings. On coherent memory they maintain the caches of a virtual address that
is computed from the DMA address, which need not be the one that the memory is mapped at, and they hide what is
needed instead: \`dma_wmb()\` before the device is told, \`dma_rmb()\` after it said that it is done.`,
  limits: "The allocation, or the release, must be in the patch and name the handle in the same words.",
  unless: "the same handle is also used for a streaming mapping in lines that are not shown",
  sources: [
    "Documentation/core-api/dma-api.rst: dma_alloc_coherent()",
    "https://lore.kernel.org/all/b258387c-365e-e18d-7b7c-e38105786193@arm.com/",
  ],
  messages: {
    sync:
      "{sync}() is for streaming mappings, and `{handle}` is coherent memory: it needs dma_wmb() or dma_rmb() at most",
  },
  bad: [
    {
      title: "a ring that is synced",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL);
+	return foo->ring ? 0 : -ENOMEM;
+}
+
+static void foo_kick(struct foo *foo)
+{
+	foo->ring[0] = FOO_GO;
+	dma_sync_single_for_device(foo->dev, foo->ring_dma, FOO_RING, DMA_TO_DEVICE); /* want: sync */
+	writel(1, foo->regs);
+}`,
    },
  ],
  good: [
    {
      title: "a sync that was there before is only given another device",
      patch: String.raw`
 static void foo_stop(struct foo *foo)
 {
-	dma_sync_single_for_cpu(foo->dev, foo->ring_dma, SZ_4K, DMA_FROM_DEVICE);
-	dma_free_coherent(foo->dev, SZ_4K, foo->ring, foo->ring_dma);
+	dma_sync_single_for_cpu(foo->dma_dev, foo->ring_dma, SZ_4K, DMA_FROM_DEVICE); /* ok: sync */
+	dma_free_coherent(foo->dma_dev, SZ_4K, foo->ring, foo->ring_dma);
 }`,
    },
    {
      title: "a streaming mapping, and noncoherent memory",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_RING, &foo->ring_dma, GFP_KERNEL);
+	foo->mem = dma_alloc_noncoherent(foo->dev, FOO_MEM, &foo->mem_dma, DMA_TO_DEVICE, GFP_KERNEL);
+	foo->dma = dma_map_single(foo->dev, foo->buf, FOO_BUF, DMA_TO_DEVICE);
+	return foo->ring && foo->mem && !dma_mapping_error(foo->dev, foo->dma) ? 0 : -ENOMEM;
+}
+
+static void foo_kick(struct foo *foo)
+{
+	dma_sync_single_for_device(foo->dev, foo->mem_dma, FOO_MEM, DMA_TO_DEVICE); /* ok: sync */
+	dma_sync_single_for_device(foo->dev, foo->dma, FOO_BUF, DMA_TO_DEVICE); /* ok: sync */
+	writel(1, foo->regs);
+}`,
    },
    {
      title: "one handle for either kind of memory",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	if (foo->is_small)
+		foo->mem = dma_alloc_coherent(foo->dev, FOO_MEM, &foo->dma, GFP_KERNEL);
+	else
+		foo->dma = dma_map_single(foo->dev, foo->buf, FOO_BUF, DMA_TO_DEVICE);
+	return foo_check(foo);
+}
+
+static void foo_kick(struct foo *foo)
+{
+	dma_sync_single_for_device(foo->dev, foo->dma, FOO_BUF, DMA_TO_DEVICE); /* ok: sync */
+	writel(1, foo->regs);
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    for (const sync of use(handling, fn).syncs) {
      if (!SYNC.test(sync.call.name) || sync.handle === null || sync.handleExpr === null) continue;
      // A local name says nothing in another function.
      const isShared = /->|\./.test(sync.handle);
      const owner = coherentOf(general(sync.handle), isShared ? fn.file.functions : [fn], use);
      if (owner === null) continue;
      yield {
        at: sync.call,
        say: "sync",
        with: { sync: sync.call.name, handle: fn.file.textOf(sync.handleExpr) },
        because: [{ at: owner.call, note: `\`${sync.handle}\` is of coherent memory` }],
        wanted: sync.call.name.endsWith("_cpu") ? "dma_rmb()" : "dma_wmb()",
        subject: `${sync.call.name} ${general(sync.handle)}`,
      };
    }
  },
});

/** The allocation or release of coherent memory with this handle; null when it is also that of something else. */
function coherentOf(handle: string, functions: readonly FunctionView[], use: Use): Use_ | null {
  let found: Use_ | null = null;
  for (const fn of functions) {
    const { mappings, releases } = use(handling, fn);
    const tail = /\w+(?:\[\])?$/.exec(handle)?.[0] ?? handle;
    for (const one of [...mappings, ...releases]) {
      const other = one.handle === null ? null : general(one.handle);
      if (other === null) continue;
      if (COHERENT.test(one.call.name)) {
        if (other === handle) found ??= one;
      } else if (other.endsWith(tail)) return null;
    }
    const isSetOtherwise = use(flow, fn).stores.some((store) =>
      general(store.place) === handle &&
      !store.origins.every((origin) => COHERENT.test(origin.api)) &&
      !(store.value.kind === "number" && store.value.value === 0n)
    );
    if (isSetOtherwise) return null;
  }
  return found;
}
