/**
 * S01: the CPU writes a buffer that it has mapped for the device already.
 *
 * @module
 */

import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { handling } from "./facts/mappings.ts";
import { isImplementation } from "./facts/place.ts";

const FILLS =
  /^(?:memcpy|memset|memmove|memset32|memset64|strcpy|strscpy|snprintf|sprintf|get_random_bytes|sg_copy_to_buffer)$/;
const MAPS = /^dma_map_single$/;

export default defineRule({
  id: "dma-buffer-filled-after-map",
  since: "0.1.0",
  code: "S01",
  severity: "error",
  confidence: "high",
  category: "sync",
  scope: "function",
  summary: "a buffer is filled after it was mapped, and the device is told without a sync",
  why:
    `\`dma_map_single()\` hands the buffer to the device: on a machine without cache coherency it writes the caches
back, and with a bounce buffer it copies. What the CPU writes afterwards stays in its cache, or in the original that the
device never reads, unless \`dma_sync_single_for_device()\` follows the last write.`,
  limits: "Writes through another pointer, or in a function that is called, are not seen.",
  unless: "the device only ever works cache coherently and without bouncing",
  sources: [
    "Documentation/core-api/dma-api.rst: DMA_TO_DEVICE, synchronisation after the last modification by the software",
    "kernel/dma/swiotlb.c: swiotlb_tbl_map_single()",
  ],
  messages: {
    late:
      "`{buffer}` is written after {map}() gave it to the device, and {user}() gets `{handle}` without a dma_sync_single_for_device() in between",
  },
  bad: [
    {
      title: "the descriptor is filled behind the mapping",
      patch: String.raw`
+static int foo_send(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t dma = dma_map_single(foo->dev, desc, sizeof(*desc), DMA_TO_DEVICE); /* want: late */
+
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	desc->flags = cpu_to_le32(FOO_OWN);
+	foo_mailbox(foo, dma);
+	dma_unmap_single(foo->dev, dma, sizeof(*desc), DMA_TO_DEVICE);
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "filled first",
      patch: String.raw`
+static int foo_send(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t dma;
+
+	desc->flags = cpu_to_le32(FOO_OWN);
+	dma = dma_map_single(foo->dev, desc, sizeof(*desc), DMA_TO_DEVICE); /* ok: late */
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	foo_mailbox(foo, dma);
+	dma_unmap_single(foo->dev, dma, sizeof(*desc), DMA_TO_DEVICE);
+	return 0;
+}`,
    },
    {
      title: "synced after the write",
      patch: String.raw`
+static int foo_send(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t dma = dma_map_single(foo->dev, desc, sizeof(*desc), DMA_TO_DEVICE); /* ok: late */
+
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	desc->flags = cpu_to_le32(FOO_OWN);
+	dma_sync_single_for_device(foo->dev, dma, sizeof(*desc), DMA_TO_DEVICE);
+	foo_mailbox(foo, dma);
+	return 0;
+}`,
    },
    {
      title: "the next round has a buffer of its own",
      patch: String.raw`
+static int foo_send(struct foo *foo, int n)
+{
+	struct foo_req *req;
+	dma_addr_t dma;
+
+	while (n--) {
+		req = foo_alloc(foo);
+		req->len = foo->len;
+		dma = dma_map_single(foo->dev, req, sizeof(*req), DMA_TO_DEVICE); /* ok: late */
+		if (dma_mapping_error(foo->dev, dma))
+			return -ENOMEM;
+		foo_mailbox(foo, dma);
+	}
+	return 0;
+}`,
    },
    {
      title: "the CPU only notes the address in the structure that it does not map",
      patch: String.raw`
+static int foo_send(struct foo *foo, struct foo_buf *buf)
+{
+	buf->dma = dma_map_single(foo->dev, buf->data, buf->len, DMA_TO_DEVICE); /* ok: late */
+	if (dma_mapping_error(foo->dev, buf->dma))
+		return -ENOMEM;
+	buf->mapped = true;
+	foo_mailbox(foo, buf->dma);
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const { mappings, releases, syncs, checks } = use(handling, fn);
    for (const mapping of mappings) {
      const { call, handle } = mapping;
      if (!MAPS.test(call.name) || mapping.fate !== "stored" || handle === null) continue;
      const [, memory, , direction] = call.args;
      if (memory === undefined || direction?.kind !== "ident" || direction.name !== "DMA_TO_DEVICE") continue;
      const buffer = values.canonical(memory);
      const shown = fn.file.textOf(memory);
      if (!/^&?[\w.>-]+$/.test(buffer)) continue;
      const ends = new Set([...releases, ...syncs].filter((u) => u.handle === handle).map((u) => u.node));
      // A buffer that is set again is another one.
      const root = /\w+/.exec(buffer)?.[0];
      for (const store of values.stores) {
        if ((store.place === root || store.place === buffer) && store.node !== mapping.node) {
          ends.add(store.node);
        }
      }
      const asks = new Set(checks.map((u) => u.node));
      /** The call at a node that is given the address. */
      const takesHandle = (node: CfgNode) =>
        values.calls.find(({ call, node: at }) =>
          at === node && call.args.some((arg) => values.canonical(arg) === handle)
        ) ?? null;
      const follows = (from: CfgNode, to: CfgNode) =>
        search(from, (node) => node === to ? "hit" : ends.has(node) ? "stop" : "go").hit !== null;
      for (const write of writesOf(buffer)) {
        if (write.node === mapping.node || !follows(mapping.node, write.node)) continue;
        const handover = search(write.node, (node) => {
          if (node.kind === "hole" || ends.has(node) || node === mapping.node) return "stop";
          return !asks.has(node) && takesHandle(node) !== null ? "hit" : "go";
        });
        if (handover.hit === null) continue;
        const user = takesHandle(handover.hit)!;
        yield {
          at: call,
          say: "late",
          with: {
            buffer: shown,
            map: call.name,
            user: user.call.name,
            handle: mapping.handleExpr === null ? handle : fn.file.textOf(mapping.handleExpr),
          },
          because: [
            { at: write.at, note: "written here, after the mapping" },
            { at: user.call, note: "the device learns of it here" },
          ],
          wanted: "fill the buffer, then map it",
          subject: `${call.name} ${buffer}`,
        };
        break;
      }
    }

    function writesOf(buffer: string) {
      const inside = buffer.startsWith("&")
        ? [`${buffer.slice(1)}.`, `${buffer.slice(1)}[`]
        : [`${buffer}->`, `${buffer}[`, `*${buffer}`];
      const stores = values.stores
        .filter((store) => inside.some((prefix) => store.place.startsWith(prefix)))
        .map((store) => ({ node: store.node, at: store.target }));
      const fills = values.calls
        .filter(({ call }) =>
          FILLS.test(call.name) && call.args[0] !== undefined && values.canonical(call.args[0]) === buffer
        )
        .map(({ call, node }) => ({ node, at: call }));
      return [...stores, ...fills];
    }
  },
});
