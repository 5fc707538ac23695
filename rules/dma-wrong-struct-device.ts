/**
 * W04: a mapping for a struct device that is not the one that does the DMA: a DMA engine's client, a class device.
 *
 * @module
 */

import type { Call, Expr } from "./engine/ast.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { mentioned } from "./facts/mention.ts";
import { declaredType, isChannelDevice, rootOf } from "./facts/device.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { handling, type Mapping } from "./facts/mappings.ts";
import { broughtIn, handleKey } from "./facts/pairs.ts";
import { formerCall, formerValue, linesOf } from "./facts/former.ts";
import { isDmaEngine, isMapper } from "./facts/place.ts";
import { DEVICE_MEMBERS } from "./kernel/mod.ts";

/** Prints that name the driver's own device. */
const PRINT = /^dev_(?:err|warn|info|dbg|notice|crit|err_probe|vdbg)(?:_\w+)?$/;
/** Devices of a bus, which probe() is called for. */
const OWN = /^struct (?:platform_device|pci_dev|amba_device) \*$/;
const INERT = new Map(
  DEVICE_MEMBERS.filter((row) => !row.dma && !row.pointer && row.structType !== "dma_chan_dev")
    .map((row) => [`${row.structType}.${row.member}`, row]),
);
/** Who gives such a device a mask uses it on purpose. */
const MASK =
  /\bdma_(?:coerce_|set_)\w*mask|\bof_dma_configure\b|\bset_dma_ops\b|(?:->|\.)(?:coherent_)?dma_mask\b/;

export default defineRule({
  id: "dma-wrong-struct-device",
  since: "0.1.0",
  code: "W04",
  severity: "warning",
  confidence: "medium",
  category: "wrong-device",
  scope: "function",
  summary: "memory is mapped for a struct device that does not do the DMA",
  why:
    `The address that a DMA engine gets is emitted by the engine, not by the driver that uses it: the memory has to be
mapped for the channel's device, \`dmaengine_get_dma_device(chan)\` or \`chan->device->dev\`. The client's own device may
stand behind another IOMMU or none, and has its own mask and coherence; its mapping works as long as neither has an
IOMMU and both are coherent alike.

A network interface, an SPI or I2C device, a class device is no bus master: it has no DMA mask, \`dma_map_*()\` warns
and fails, and no IOMMU translates for it. The controller or parent below it is meant.`,
  limits:
    `The address is followed to \`dmaengine_prep_*()\` inside one function only. The client's own device is recognised by
the prints that it is used for, or by its type.`,
  unless: "the DMA engine is part of the same device",
  sources: [
    "Documentation/driver-api/dmaengine/client.rst: dma_map_sg(chan->device->dev, …)",
    "include/linux/dmaengine.h: dmaengine_get_dma_device()",
    "kernel/dma/mapping.c: dma_map_page_attrs(): WARN_ON_ONCE(!dev->dma_mask)",
    "https://lore.kernel.org/all/20200831130720.4524-1-vigneshr@ti.com/",
  ],
  messages: {
    channel:
      "`{handle}` is mapped for `{device}`, but it is the DMA engine of `{chan}` that uses it: map for dmaengine_get_dma_device({chan})",
    moved:
      "this was for `{was}`, the DMA engine's device, and is now for `{device}`; it is still the DMA engine that uses the memory",
    client:
      "`{device}` is the client of the channel; it is the DMA engine that reads and writes what {callee}() maps for it here",
    inert: "{callee}() is called for {what}, which does no DMA and has no mask or IOMMU; use {instead}",
  },
  bad: [
    {
      title: "a read through a channel into memory mapped for the client",
      patch: String.raw`
+static int foo_read(struct foo *foo, struct platform_device *pdev, void *buf, size_t n)
+{
+	struct dma_async_tx_descriptor *tx;
+	dma_addr_t dst;
+
+	dst = dma_map_single(&pdev->dev, buf, n, DMA_FROM_DEVICE); /* want: channel */
+	if (dma_mapping_error(&pdev->dev, dst))
+		return -ENOMEM;
+	tx = dmaengine_prep_slave_single(foo->rx_chan, dst, n, DMA_DEV_TO_MEM, 0);
+	return foo_issue(foo, tx);
+}`,
    },
    {
      title: "a list, and the device is the one of the prints",
      patch: String.raw`
+static int foo_submit(struct foo *foo, struct scatterlist *sgl, int nents)
+{
+	struct device *dev = foo->dev;
+	int n = dma_map_sg(dev, sgl, nents, DMA_TO_DEVICE); /* want: channel */
+
+	if (!n) {
+		dev_err(foo->dev, "no mapping\n");
+		return -ENOMEM;
+	}
+	return foo_issue(foo, dmaengine_prep_slave_sg(foo->chan, sgl, n, DMA_MEM_TO_DEV, 0));
+}`,
    },
    {
      title: "the patch goes back from the channel's device to the client's",
      patch: String.raw`
@@ static int foo_init(struct foo *foo)
 	foo->chan = chan;
-	foo->buf = dma_alloc_coherent(foo->chan->device->dev, SZ_4K, &foo->addr, GFP_KERNEL);
+	foo->buf = dma_alloc_coherent(foo->dev, SZ_4K, &foo->addr, GFP_KERNEL); /* want: moved */
 	if (!foo->buf)
 		return -ENOMEM;
@@ static int foo_read(struct foo *foo, struct device *dev, void *buf, size_t n)
-	struct device *ddev;
 	dma_addr_t dst;

-	ddev = dmaengine_get_dma_device(foo->chan);
-	dst = dma_map_single(ddev, buf, n, DMA_FROM_DEVICE);
+	dst = dma_map_single(dev, buf, n, DMA_FROM_DEVICE); /* want: moved */
 	foo_issue(foo, dst);`,
    },
    {
      title: "a DMA engine's own descriptor is mapped for the client",
      path: "drivers/dma/foo.c",
      patch: String.raw`
+static int foo_lock(struct dma_chan *chan, struct foo_desc *desc)
+{
+	return dma_map_sg(chan->slave, &desc->sg, 1, DMA_TO_DEVICE); /* want: client */
+}`,
    },
    {
      title: "a network interface is no bus master",
      patch: String.raw`
+static int foo_xmit(struct sk_buff *skb, struct net_device *ndev)
+{
+	dma_addr_t addr = dma_map_single(&ndev->dev, skb->data, skb->len, DMA_TO_DEVICE); /* want: inert */
+
+	return foo_queue(ndev, addr);
+}`,
    },
  ],
  good: [
    {
      title: "mapped for the channel's device",
      patch: String.raw`
+static int foo_read(struct foo *foo, void *buf, size_t n)
+{
+	struct device *ddev = foo->chan->device->dev;
+	struct dma_async_tx_descriptor *tx;
+	dma_addr_t dst = dma_map_single(ddev, buf, n, DMA_FROM_DEVICE); /* ok: channel */
+
+	dev_dbg(ddev, "read %zu\n", n);
+	tx = dmaengine_prep_slave_single(foo->chan, dst, n, DMA_DEV_TO_MEM, 0);
+	return foo_issue(foo, tx);
+}`,
    },
    {
      title: "the channel goes, or its device gets another name",
      patch: String.raw`
@@ static int foo_init(struct foo *foo)
-	foo->buf = dma_alloc_coherent(foo->chan->device->dev, SZ_4K, &foo->addr, GFP_KERNEL);
+	foo->buf = dma_alloc_coherent(dmaengine_get_dma_device(foo->chan), SZ_4K, &foo->addr, GFP_KERNEL); /* ok: moved */
 	if (!foo->buf)
 		return -ENOMEM;
+	ddev = foo->chan->device->dev;
-	foo->two = dma_alloc_coherent(foo->chan->device->dev, SZ_4K, &foo->addr2, GFP_KERNEL);
+	foo->two = dma_alloc_coherent(ddev, SZ_4K, &foo->addr2, GFP_KERNEL); /* ok: moved */
 	return 0;`,
    },
    {
      title: "devices of which nothing is known",
      patch: String.raw`
+static int foo_read(struct foo *foo, struct device *dev, void *buf, size_t n)
+{
+	dma_addr_t dst = dma_map_single(foo->dma_dev, buf, n, DMA_FROM_DEVICE); /* ok: channel */
+	dma_addr_t src = dma_map_single(dev, foo->buf, n, DMA_TO_DEVICE); /* ok: channel */
+
+	return foo_issue(foo, dmaengine_prep_dma_memcpy(foo->chan, dst, src, n, 0));
+}`,
    },
    {
      title: "the parent of the interface, and a device that was given a mask",
      patch: String.raw`
+static int foo_open(struct net_device *ndev, struct auxiliary_device *adev)
+{
+	struct foo *foo = netdev_priv(ndev);
+
+	if (dma_coerce_mask_and_coherent(&adev->dev, DMA_BIT_MASK(64)))
+		return -EIO;
+	foo->a = dma_alloc_coherent(ndev->dev.parent, SZ_4K, &foo->da, GFP_KERNEL); /* ok: inert */
+	foo->b = dma_alloc_coherent(&adev->dev, SZ_4K, &foo->db, GFP_KERNEL); /* ok: inert */
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    const { mappings } = use(handling, fn);
    if (!isDmaEngine(fn.file)) {
      yield* forChannel(fn, values, mappings);
      yield* fromChannel(fn, mappings);
    } else yield* forClient(fn, values, mappings);
    if (mentioned(fn.file, MASK)) return;
    for (const { call, api, deviceExpr, device } of mappings) {
      if (deviceExpr === null || device === null || api.params[api.device!] !== "device") continue;
      const row = inertOf(fn, device);
      if (row === null) continue;
      yield {
        at: deviceExpr,
        say: "inert" as const,
        with: {
          callee: call.name,
          what: `\`${fn.file.textOf(deviceExpr)}\`, ${row.what}`,
          instead: row.instead ?? "its parent",
        },
        unless: "something else gave that device a DMA mask and an IOMMU",
        subject: `${device} ${call.name}`,
      };
    }
  },
});

/** Addresses and lists that end in a descriptor of a DMA engine. */
function* forChannel(fn: FunctionView, values: Flow, mappings: readonly Mapping[]) {
  for (const { call, api } of values.calls) {
    if (api === null || api.role !== "hardware" || api.params[0] !== "dma-chan") continue;
    const chanExpr = call.args[0];
    if (chanExpr === undefined) continue;
    const chan = values.canonical(chanExpr);
    for (const [i, meaning] of api.params.entries()) {
      const arg = call.args[i];
      if (arg === undefined || (meaning !== "dma" && meaning !== "sg")) continue;
      const sources = meaning === "dma" ? ofAddress(arg, values, mappings) : ofList(arg, values, mappings);
      // Of several sources, all must be the client's.
      if (sources.length === 0 || !sources.every((m) => isClient(m, chan, fn, values))) continue;
      const mapping = sources[0]!;
      yield {
        at: broughtIn(fn, mapping.deviceExpr!, call),
        say: "channel" as const,
        with: {
          handle: fn.file.textOf(arg),
          device: fn.file.textOf(mapping.deviceExpr!),
          chan: fn.file.textOf(chanExpr),
        },
        because: [
          { at: mapping.call, note: `mapped for \`${mapping.device}\`` },
          { at: call, note: `the DMA engine of \`${chan}\` uses it` },
        ],
        wanted: `${mapping.call.name}(dmaengine_get_dma_device(${fn.file.textOf(chanExpr)}), …)`,
        subject: `${handleKey(values.canonical(arg))} ${mapping.call.name}`,
      };
    }
  }
}

/** Mappings of a DMA engine's driver for the device that has requested the channel. */
function* forClient(fn: FunctionView, values: Flow, mappings: readonly Mapping[]) {
  for (const { call, api, device, deviceExpr } of mappings) {
    if (deviceExpr?.kind !== "member" || api.params[api.device!] !== "device") continue;
    if (deviceExpr.field !== "slave" || !/^struct dma_chan\b/.test(values.typeOf(deviceExpr.object) ?? "")) {
      continue;
    }
    yield {
      at: deviceExpr,
      say: "client" as const,
      with: { device: fn.file.textOf(deviceExpr), callee: call.name },
      unless: "the client itself reads what is mapped",
      subject: `${device} ${call.name}`,
    };
  }
}

/** Mappings that the patch takes away from the device of a DMA engine, though the engine stays. */
function* fromChannel(fn: FunctionView, mappings: readonly Mapping[]) {
  for (const { call, api, device, deviceExpr } of mappings) {
    if (device === null || deviceExpr === null || api.params[api.device!] !== "device") continue;
    const text = fn.file.textOf(deviceExpr);
    if (isChannelDevice(device) || /dma|chan/i.test(`${device} ${text}`)) continue;
    const former = formerCall(fn.file, call);
    if (former?.index == null || former.index !== api.device) continue;
    const was = former.args[former.index]!;
    const value = isChannelDevice(was) ? was : formerValue(fn.file, was);
    if (value === null || !isChannelDevice(value)) continue;
    // A name that is still set so, or a driver that does without the engine from now on.
    const removed = linesOf(fn.file, "removed");
    const name = /\w+$/.exec(text)?.[0] ?? text;
    if (new RegExp(`\\b${name}\\s*=[^;=]*(?:device->dev|dmaengine_get_dma_device)\\b`).test(fn.file.text)) {
      continue;
    }
    if (STOPS.test(removed) && !STOPS.test(linesOf(fn.file, "added"))) continue;
    yield {
      at: deviceExpr,
      say: "moved" as const,
      with: { was: value, device: text },
      because: [{ at: call, note: `was for \`${value}\`` }],
      unless: "the device does the transfer itself from now on",
      wanted: `${call.name}(${value}, …)`,
      subject: `${device} ${call.name}`,
    };
  }
}

/** A driver that gives up its channel. */
const STOPS = /\bdmaengine_(?:prep_\w+|submit|slave_config)\b|\bdma_request_(?:slave_)?chan/;

function ofAddress(arg: Expr, values: Flow, mappings: readonly Mapping[]): Mapping[] {
  const origins = values.valueOf(arg).filter((origin) => origin.meaning === "dma");
  const found = origins.map((origin) => mappings.find((m) => m.call === (origin.expr as Call)));
  return found.every((m) => m !== undefined) ? found : [];
}

function ofList(arg: Expr, values: Flow, mappings: readonly Mapping[]): Mapping[] {
  const key = handleKey(values.canonical(arg));
  return mappings.filter((m) =>
    m.api.families.includes("sg") && m.handle !== null && handleKey(m.handle) === key &&
    isSameEntry(m.handle, values.canonical(arg))
  );
}

/** False for `sgl[0]` and `sgl[1]`. */
function isSameEntry(one: string, other: string): boolean {
  const numbers = (place: string) => [...place.matchAll(/\[(\d+)\]/g)].map(([, n]) => n);
  const [first, second] = [numbers(one), numbers(other)];
  return first.length !== second.length || first.every((n, i) => n === second[i]);
}

/** Whether the mapping is for the client's own device, of which something proves that it is not the channel's. */
function isClient(mapping: Mapping, chan: string, fn: FunctionView, values: Flow): boolean {
  const device = mapping.device;
  if (device === null || mapping.deviceExpr === null || isChannelDevice(device)) return false;
  if (device.includes(chan) || /dma|chan/i.test(device.replace(/^&/, ""))) return false;
  // dma_map_resource() of the client's FIFO has other rules.
  if (mapping.api.families.includes("resource")) return false;
  const owner = /^&(\w+)->dev$/.exec(device)?.[1];
  if (owner !== undefined && OWN.test(declaredType(fn, owner) ?? "")) return true;
  return values.calls.some(({ call }) =>
    PRINT.test(call.name) && call.args[0] !== undefined && values.canonical(call.args[0]) === device
  );
}

function inertOf(fn: FunctionView, device: string) {
  const found = /^&(\w+)->(\w+)$/.exec(device);
  if (found === null) return null;
  const struct = /^struct (\w+) \*$/.exec(declaredType(fn, rootOf(device)) ?? "")?.[1];
  return struct === undefined ? null : INERT.get(`${struct}.${found[2]}`) ?? null;
}
