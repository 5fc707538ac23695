/**
 * E04: the three steps of the IOVA API: a link or a sync that fails unseen, a refusal taken for an error, an address
 * that is given to the device before the sync.
 *
 * @module
 */

import { defineRule, type FunctionView } from "./engine/rule.ts";
import { asCall, search } from "./engine/cfg.ts";
import { declaredType } from "./facts/device.ts";
import { failures } from "./facts/failure.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import { leadsToError, outcomeOf } from "./facts/outcome.ts";
import { isMapper } from "./facts/place.ts";
import { type Sink, sinks } from "./facts/sinks.ts";

const STEPS: ReadonlySet<string> = new Set(["dma_iova_link", "dma_iova_sync"]);
/** The other way to map, or the question which way was taken. */
const FALLBACK = /\b(?:ib_)?dma_map_\w+\s*\(|\bdma_use_iova\s*\(/;

export default defineRule({
  id: "dma-iova-result-ignored",
  since: "0.1.0",
  code: "E04",
  severity: "error",
  confidence: "high",
  category: "error-check",
  scope: "function",
  kernel: { since: [6, 16] },
  summary: "dma_iova_link() or dma_iova_sync() fails unseen, or dma_iova_try_alloc() is taken for an error",
  why:
    `\`dma_iova_link()\` allocates page tables and may bounce: it fails with \`-ENOMEM\`, \`-EIO\`, or \`-EPERM\` for
MMIO that would have to be bounced. \`dma_iova_sync()\` makes the links visible to the IOMMU, and fails as well. A
device that is started although one of them failed, or before the sync, faults on an I/O virtual address that nothing
stands behind, or hits what the IOTLB still knows of it.

\`dma_iova_try_alloc()\` is no such call. It returns false wherever the device has no dma-iommu domain, which is every
machine without an IOMMU, and for buffers that need bouncing: "the normal streaming DMA mapping API should be used"
then.`,
  limits:
    `Whether an error path undoes the links that were made (\`dma_iova_destroy()\`), and whether the unmap side asks
\`dma_use_iova()\`, is not looked at. An address that goes into a descriptor is not judged: the sync may still come
before the doorbell.`,
  unless: "a helper that is not shown does the step",
  sources: [
    "Documentation/core-api/dma-api.rst: Part Ie - IOVA-based DMA mappings (v6.16)",
    "drivers/iommu/dma-iommu.c: dma_iova_try_alloc(), dma_iova_link(), dma_iova_sync() (v6.16)",
    "https://lore.kernel.org/all/17ba63991aeaf8a80d5aca9ba5d028f1daa58f62.1757423202.git.leonro@nvidia.com/",
  ],
  messages: {
    ignored: "the result of {callee}() is ignored: when it fails, nothing stands behind the IOVA",
    untested:
      "`{place}` holds the result of {callee}() and is never tested: when it fails, nothing stands behind the IOVA",
    refused:
      "dma_iova_try_alloc() returns false wherever dma-iommu is not used: that is no error, map with dma_map_phys() or dma_map_page() then",
    unsynced:
      "`{address}` is given to the device before dma_iova_sync(): the IOMMU need not know the links yet",
  },
  bad: [
    {
      title: "nobody looks at the results",
      patch: String.raw`
+static int foo_map(struct device *dev, struct foo *foo, struct dma_iova_state *st)
+{
+	int ret;
+
+	dma_iova_link(dev, st, foo->phys, 0, foo->len, DMA_TO_DEVICE, 0); /* want: ignored */
+	ret = dma_iova_sync(dev, st, 0, foo->len); /* want: untested */
+	foo->addr = st->addr;
+	return 0;
+}`,
    },
    {
      title: "no IOMMU, no DMA",
      patch: String.raw`
+static int foo_setup(struct device *dev, struct foo *foo, phys_addr_t phys, size_t len)
+{
+	int ret;
+
+	if (!dma_iova_try_alloc(dev, &foo->state, phys, len)) /* want: refused */
+		return -ENOMEM;
+	ret = dma_iova_link(dev, &foo->state, phys, 0, len, DMA_TO_DEVICE, 0);
+	if (ret)
+		dma_iova_free(dev, &foo->state);
+	return ret;
+}`,
    },
    {
      title: "started before the sync",
      patch: String.raw`
+static int foo_start(struct device *dev, struct foo *foo, struct dma_iova_state *st)
+{
+	int ret = dma_iova_link(dev, st, foo->phys, 0, foo->len, DMA_TO_DEVICE, 0);
+
+	if (ret)
+		return ret;
+	writeq(st->addr, foo->regs + FOO_START); /* want: unsynced */
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "all three steps, and the other way",
      patch: String.raw`
+static int foo_map(struct device *dev, struct foo *foo, struct dma_iova_state *st)
+{
+	int ret;
+
+	if (!dma_iova_try_alloc(dev, st, foo->phys, foo->len)) /* ok: refused */
+		return foo_map_streaming(dev, foo);
+	ret = dma_iova_link(dev, st, foo->phys, 0, foo->len, DMA_TO_DEVICE, 0); /* ok: ignored */
+	if (!ret)
+		ret = dma_iova_sync(dev, st, 0, foo->len); /* ok: untested */
+	if (ret) {
+		dma_iova_destroy(dev, st, foo->len, DMA_TO_DEVICE, 0);
+		return ret;
+	}
+	writeq(st->addr, foo->regs + FOO_START); /* ok: unsynced */
+	return 0;
+}`,
    },
    {
      title: "the result goes to the caller, who syncs",
      patch: String.raw`
+static int foo_link(struct device *dev, struct dma_iova_state *st, phys_addr_t phys, size_t at, size_t len)
+{
+	int ret = dma_iova_link(dev, st, phys, at, len, DMA_TO_DEVICE, 0); /* ok: untested */
+
+	return ret;
+}
+
+static void foo_try(struct device *dev, struct foo *foo)
+{
+	dma_iova_try_alloc(dev, &foo->state, 0, foo->size); /* ok: refused */
+	foo->is_iova = dma_use_iova(&foo->state);
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, node } of values.calls) {
      if (!STEPS.has(call.name)) continue;
      const callee = call.name;
      const state = call.args[1] === undefined ? "" : values.canonical(call.args[1]);
      if (node.kind === "expr" && node.expr !== null && asCall(node.expr) === call) {
        yield { at: call, say: "ignored", with: { callee }, subject: `${callee} ${state}` };
        continue;
      }
      const { kept, tests, isUsed } = outcomeOf(call, node, values);
      if (kept === null || tests.length > 0 || isUsed || !fn.whole || !isOwn(fn, kept.place)) continue;
      yield { at: call, say: "untested", with: { callee, place: kept.place }, subject: `${callee} ${state}` };
    }
    for (const { mapping, edge, on } of use(failures, fn)) {
      if (mapping.api.name !== "dma_iova_try_alloc" || !fn.whole || !leadsToError(edge)) continue;
      if (mentioned(fn.file, FALLBACK)) continue;
      yield {
        at: mapping.call,
        say: "refused",
        because: [{ at: on, note: "an error where it is false" }],
        unless: "the caller maps with the streaming API when it gets this error",
        confidence: "medium",
        subject: `refused ${mapping.handle}`,
      };
    }
    yield* unsynced(values, use(sinks, fn));
  },
});

/** A variable of the function itself, which nobody else can look at. */
const isOwn = (fn: FunctionView, place: string) =>
  /^\w+$/.test(place) && declaredType(fn, place) !== null &&
  !fn.node.params.some(({ name }) => name === place);

/** Registers that are written with the IOVA of a state which the function links and never syncs. */
function* unsynced(values: Flow, all: readonly Sink[]) {
  const registers = all.filter(({ kind }) => kind === "register");
  if (registers.length === 0 || values.calls.some(({ call }) => call.name === "dma_iova_sync")) return;
  for (const { call, node } of values.calls) {
    const arg = call.name === "dma_iova_link" ? call.args[1] : undefined;
    if (arg === undefined) continue;
    const state = values.canonical(arg);
    const address = state.startsWith("&") ? `${state.slice(1)}.addr` : `${state}->addr`;
    // Whoever else is given the state may do the sync.
    const others = new Set(
      values.calls.filter((site) =>
        site.call.name !== "dma_iova_link" &&
        site.call.args.some((other) => values.canonical(other) === state)
      ).map((site) => site.node),
    );
    for (const sink of registers) {
      if (!values.canonical(sink.value).includes(address)) continue;
      const found = search(
        node,
        (at) => at === sink.node ? "hit" : at.kind === "hole" || others.has(at) ? "stop" : "go",
      );
      if (found.hit === null) continue;
      yield {
        at: sink.at,
        say: "unsynced" as const,
        with: { address },
        because: [{ at: call, note: "linked, not yet synced" }],
        subject: `unsynced ${address}`,
      };
    }
  }
}
