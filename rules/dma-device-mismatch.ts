/**
 * W02: mapped for one device, checked, synced or released for another, or for none.
 *
 * @module
 */

import type { At } from "./engine/ast.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { declaredType, relate, rootOf } from "./facts/device.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { broughtIn, pairs, type Source } from "./facts/pairs.ts";
import { isMapper } from "./facts/place.ts";
import { DEVICE_MEMBERS } from "./kernel/mod.ts";

const DEED = { check: "tested", sync: "synced", release: "released" } as const;
const ROLES = new Set(["map", "unmap", "alloc", "free", "sync"]);
/** Structures that are, or hold by value, a struct device of their own. */
const EMBEDDED = new Map(
  DEVICE_MEMBERS.filter((row) => !row.pointer).map((row) => [`${row.structType}.${row.member}`, row]),
);

export default defineRule({
  id: "dma-device-mismatch",
  since: "0.1.0",
  code: "W02",
  severity: "error",
  confidence: "high",
  category: "wrong-device",
  scope: "function",
  summary: "a DMA address is mapped for one device and checked, synced or released for another or for NULL",
  why:
    `A DMA address belongs to the device that it was mapped for. \`dma_unmap_*()\` looks it up in the IOMMU domain, the
bounce buffers and the coherence of the device that it is given: with another one the mapping leaks, and what that
device has at the same address is torn down. \`dma_mapping_error()\` uses the device for the bookkeeping of
CONFIG_DMA_API_DEBUG only, which then reports the mapping as unchecked.

A NULL device has neither a DMA mask nor operations: every function of the DMA API but \`dma_mapping_error()\`
dereferences it.`,
  limits:
    `Two names are called different devices only when the patch proves it: the importer of a dma-buf, the device of a
DMA channel or a parent against somebody else, two devices of different kinds, two members of one structure. What is
mapped in one function and released in another is not compared.`,
  unless: "both names stand for the same struct device",
  sources: [
    "Documentation/core-api/dma-api.rst: dma_unmap_single(): all parameters must be those of the mapping",
    "kernel/dma/mapping.c: get_dma_ops(), dma_alloc_attrs(), dma_free_attrs()",
    "kernel/dma/debug.c: check_unmap()",
    "https://lore.kernel.org/all/20250210053551.2399716-4-niravkumar.l.rabara@intel.com/",
  ],
  messages: {
    mismatch: "`{handle}` is mapped for `{mapped}` and {deed} for `{other}`, another device",
    members: "`{handle}` is mapped for `{mapped}` and {deed} for `{other}`, which looks like another device",
    null:
      "{callee}() is given NULL for the device: there is no DMA mask, no IOMMU domain, and it is dereferenced",
  },
  bad: [
    {
      title: "a channel's mapping is undone for the driver's own device",
      patch: String.raw`
+static int foo_read(struct platform_device *pdev, struct dma_chan *chan, void *buf, size_t n)
+{
+	dma_addr_t addr = dma_map_single(chan->device->dev, buf, n, DMA_FROM_DEVICE);
+
+	if (dma_mapping_error(chan->device->dev, addr))
+		return -ENOMEM;
+	foo_wait(chan, addr, n);
+	dma_unmap_single(&pdev->dev, addr, n, DMA_FROM_DEVICE); /* want: mismatch */
+	return 0;
+}`,
    },
    {
      title: "the network interface has no DMA, its PCI function has",
      patch: String.raw`
+static int foo_xmit(struct net_device *ndev, struct sk_buff *skb)
+{
+	struct pci_dev *pdev = foo_pdev(ndev);
+	dma_addr_t addr;
+
+	addr = dma_map_single(&pdev->dev, skb->data, skb->len, DMA_TO_DEVICE);
+	if (dma_mapping_error(&ndev->dev, addr)) /* want: mismatch */
+		return -ENOMEM;
+	return foo_queue(ndev, addr);
+}`,
    },
    {
      title: "two members of one structure",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->buf = dma_alloc_coherent(foo->dma_dev, SZ_4K, &foo->dma, GFP_KERNEL);
+	if (!foo->buf)
+		return -ENOMEM;
+	if (foo_start(foo)) {
+		dma_free_coherent(foo->dev, SZ_4K, foo->buf, foo->dma); /* want: members */
+		return -EIO;
+	}
+	return 0;
+}`,
    },
    {
      title: "no device at all",
      patch: String.raw`
+static void foo_exit(struct foo *foo)
+{
+	dma_free_coherent(NULL, SZ_4K, foo->buf, foo->dma); /* want: null */
+}`,
    },
  ],
  good: [
    {
      title: "one device by two names",
      patch: String.raw`
+static int foo_map(struct platform_device *pdev, struct foo *foo, void *buf, size_t n)
+{
+	struct device *dev = &pdev->dev;
+	dma_addr_t addr = dma_map_single(dev, buf, n, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(&pdev->dev, addr)) /* ok: mismatch */
+		return -ENOMEM;
+	foo_run(foo, addr);
+	dma_unmap_single(dev, addr, n, DMA_TO_DEVICE); /* ok: mismatch */
+	return 0;
+}`,
    },
    {
      title: "names of which nothing is known",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct device *dev, void *buf, size_t n)
+{
+	dma_addr_t addr = dma_map_single(foo_dev(foo), buf, n, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(dev, addr)) /* ok: mismatch */
+		return -ENOMEM;
+	dma_unmap_single(foo->hw->dev, addr, n, DMA_TO_DEVICE); /* ok: mismatch */
+	return 0;
+}`,
    },
    {
      title: "one variable for two mappings",
      patch: String.raw`
+static int foo_both(struct foo *foo, struct dma_chan *chan, void *buf, size_t n)
+{
+	dma_addr_t addr = dma_map_single(chan->device->dev, buf, n, DMA_TO_DEVICE);
+
+	foo_run(foo, addr);
+	dma_unmap_single(chan->device->dev, addr, n, DMA_TO_DEVICE);
+	addr = dma_map_single(foo->dev, buf, n, DMA_FROM_DEVICE);
+	foo_run(foo, addr);
+	dma_unmap_single(foo->dev, addr, n, DMA_FROM_DEVICE); /* ok: mismatch */
+	return 0;
+}`,
    },
    {
      title: "two members that were made the same",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->dma_dev = foo->dev;
+	foo->buf = dma_alloc_coherent(foo->dma_dev, SZ_4K, &foo->dma, GFP_KERNEL);
+	if (!foo->buf)
+		return -ENOMEM;
+	dma_free_coherent(foo->dev, SZ_4K, foo->buf, foo->dma); /* ok: members */
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, api } of values.calls) {
      if (api === null || api.device === null || api.params[api.device] !== "device") continue;
      const device = call.args[api.device];
      if (!ROLES.has(api.role) || device === undefined || !isNull(values.canonical(device))) continue;
      yield {
        at: device,
        say: "null",
        with: { callee: call.name },
        subject: `${call.name} ${call.args.slice(1).map((arg) => values.canonical(arg)).join(" ")}`,
      };
    }
    const sites = use(pairs, fn);
    for (const { use: one, kind, sources } of sites) {
      if (one.device === null || one.deviceExpr === null || isNull(one.device)) continue;
      const relations = sources.map(({ mapping }) =>
        mapping.device === null || isSameText(fn, mapping.deviceExpr, one.deviceExpr)
          ? "unknown"
          : compare(fn, values, mapping.device, one.device!)
      );
      // Of several mappings that reach it, none may fit.
      if (relations.some((relation) => relation === "unknown" || relation === "same")) continue;
      const { mapping, viaHole }: Source = sources[0]!;
      if (mapping.deviceExpr === null || isNull(mapping.device!)) continue;
      const isMembers = relations.includes("members");
      if (isMembers && isCompared(fn, mapping.device!, one.device)) continue;
      const at = broughtIn(fn, one.deviceExpr, mapping.deviceExpr);
      yield {
        at,
        say: isMembers ? "members" : "mismatch",
        with: {
          handle: one.handle!,
          mapped: fn.file.textOf(mapping.deviceExpr),
          other: fn.file.textOf(one.deviceExpr),
          deed: DEED[kind],
        },
        because: [
          { at: mapping.call, note: `mapped for \`${mapping.device}\`` },
          { at: one.call, note: `${DEED[kind]} for \`${one.device}\`` },
        ],
        ...(isMembers || viaHole || kind === "check"
          ? { severity: "warning" as const, confidence: "medium" as const }
          : {}),
        subject: `${one.handle} ${one.call.name}`,
      };
    }
  },
});

const isNull = (form: string) => form === "NULL";

/** The same words: what they stand for may have been lost on the way, not changed. */
const isSameText = (fn: FunctionView, a: At | null, b: At | null) =>
  a !== null && b !== null && fn.file.textOf(a) === fn.file.textOf(b);

type Answer = "same" | "different" | "members" | "unknown";

function compare(fn: FunctionView, values: Flow, a: string, b: string): Answer {
  // A bare name may hold anything, unless its declaration was followed.
  const isBare = (form: string) => /^\w+$/.test(form);
  if (a === b) return "same";
  if (isBare(a) || isBare(b)) return "unknown";
  const relation = relate(fn, a, b);
  if (relation !== "unknown") return relation;
  const kinds = [kindOf(fn, a), kindOf(fn, b)];
  if (kinds[0] !== null && kinds[1] !== null && kinds[0] !== kinds[1]) return "different";
  const members = [MEMBER.exec(a), MEMBER.exec(b)];
  if (members[0] && members[1] && members[0][1] === members[1][1] && members[0][2] !== members[1][2]) {
    return isStored(values, a) || isStored(values, b) ? "unknown" : "members";
  }
  return "unknown";
}

const MEMBER = /^&?([\w.>-]+?)(?:->|\.)(\w*dev(?:ice)?)$/;

/** A member that this function sets may be whatever it was set to. */
const isStored = (values: Flow, form: string) => values.stores.some((store) => store.place === form);

/** The kernel structure whose device `&x->dev` is; null when the type is not shown. */
function kindOf(fn: FunctionView, form: string): string | null {
  const found = /^&(\w+)->(\w+)$/.exec(form);
  if (found === null) return null;
  const type = declaredType(fn, rootOf(form));
  const struct = type === null ? null : /^struct (\w+) \*$/.exec(type)?.[1] ?? null;
  return struct !== null && EMBEDDED.has(`${struct}.${found[2]}`) ? struct : null;
}

/** Whether the function asks whether the two are the same: it knows what it does. */
function isCompared(fn: FunctionView, a: string, b: string): boolean {
  const text = fn.file.text.slice(fn.node.start, fn.node.end);
  const escape = (form: string) => form.replace(/[.*+?^${}()|[\]\\&]/g, "\\$&");
  return [[a, b], [b, a]].some(([x, y]) => new RegExp(`${escape(x!)}\\s*[!=]=\\s*${escape(y!)}`).test(text));
}
