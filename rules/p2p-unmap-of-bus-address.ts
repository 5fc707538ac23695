/**
 * U04: a PCI bus address is unmapped or synced, although nobody mapped it.
 *
 * @module
 */

import type { Call, Expr } from "./engine/ast.ts";
import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type Draft, type FunctionView, type SourceFile, type Use } from "./engine/rule.ts";
import { type Flow, flow, type Store } from "./facts/flow.ts";
import { addressPlace } from "./facts/map_type.ts";
import { handling } from "./facts/mappings.ts";
import { mentioned } from "./facts/mention.ts";
import { isGoverned } from "./facts/outcome.ts";
import { isImplementation } from "./facts/place.ts";

const MAKES = /^(?:pci_p2pdma_bus_addr_map|pci_p2pmem_virt_to_bus)$/;
const MARKS = "sg_dma_mark_bus_address";
const LISTS = /^dma_unmap_sg(?:_attrs|table)?$/;
const UNMAPS_TABLE = /\bdma_unmap_sg(?:_attrs|table)?\s*\(/;
const RANGES = /^dma_(?:unmap_(?:single|page|phys|resource)(?:_attrs)?|sync_single_(?:range_)?for_\w+)$/;
/** A test that says nothing of what kind of address it is. */
const PLAIN_TEST = /^!?(?:ret|err|rc|error|status|dma_mapping_error\(.*\))(?: (?:[!=<>]=?) -?\w+)?$/;

export default defineRule({
  id: "p2p-unmap-of-bus-address",
  since: "0.1.0",
  code: "U04",
  severity: "error",
  confidence: "medium",
  category: "unmap-pairing",
  scope: "function",
  summary: "a PCI bus address is unmapped or synced, although no mapping was made for it",
  why:
    `\`pci_p2pdma_bus_addr_map()\` and \`pci_p2pmem_virt_to_bus()\` only compute: there is no IOVA, no bounce buffer, nothing to
give back. \`dma_unmap_*()\` of the result tears down whatever mapping has that number in the device's IOMMU domain, or
flushes the caches of memory that has nothing to do with it.

\`dma_unmap_sg()\` leaves the entries of a list alone that \`sg_dma_mark_bus_address()\` marked. A bus address that is put
into a list without the mark is unmapped with the rest.`,
  limits:
    `Code that unmaps in another function what this one made is not compared: it may know the kind of each address by a
flag. Any test on the way that could be about the kind is taken for one.`,
  unless: "the address is another one by the time it is unmapped",
  sources: [
    "include/linux/pci-p2pdma.h: pci_p2pdma_bus_addr_map()",
    "include/linux/scatterlist.h: sg_dma_mark_bus_address(); kernel/dma/direct.c: dma_direct_unmap_sg()",
    "drivers/dma-buf/dma-buf-mapping.c: dma_buf_free_sgt(): nothing to do without a state",
  ],
  words: ["pci_p2pdma_bus_addr_map", "pci_p2pmem_virt_to_bus", "dma_unmap_sg"],
  messages: {
    release:
      "`{handle}` is a PCI bus address of {maker}(), for which nothing was mapped: {callee}() must not be called for it",
    unmarked:
      "a PCI bus address is put into `{sg}` without sg_dma_mark_bus_address(), and dma_unmap_sg() of the list will unmap it",
  },
  bad: [
    {
      title: "a bus address is unmapped",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct p2pdma_provider *prov, phys_addr_t phys, size_t len)
+{
+	dma_addr_t addr = pci_p2pdma_bus_addr_map(prov, phys);
+	int ret;
+
+	ret = foo_transfer(foo, addr, len);
+	if (ret)
+		foo_reset(foo);
+	dma_unmap_phys(foo->dev, addr, len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* want: release */
+	return ret;
+}`,
    },
    {
      title: "a list with a bus address that looks like any other",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sg, phys_addr_t phys)
+{
+	sg_dma_address(sg) = pci_p2pdma_bus_addr_map(foo->provider, phys); /* want: unmarked */
+	sg_dma_len(sg) = sg->length;
+}
+
+static void foo_unmap(struct foo *foo, struct scatterlist *sg, int nents)
+{
+	dma_unmap_sg(foo->dev, sg, nents, DMA_TO_DEVICE);
+}`,
    },
  ],
  good: [
    {
      title: "the type is remembered",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct p2pdma_provider *prov, phys_addr_t phys, size_t len, bool is_bus)
+{
+	dma_addr_t addr;
+	int ret;
+
+	if (is_bus)
+		addr = pci_p2pdma_bus_addr_map(prov, phys);
+	else
+		addr = dma_map_phys(foo->dev, phys, len, DMA_TO_DEVICE, DMA_ATTR_MMIO);
+	ret = foo_transfer(foo, addr, len);
+	if (!is_bus)
+		dma_unmap_phys(foo->dev, addr, len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: release */
+	return ret;
+}`,
    },
    {
      title: "one variable for two addresses",
      patch: String.raw`
+static void foo_two(struct foo *foo, struct p2pdma_provider *prov, phys_addr_t phys, size_t len)
+{
+	dma_addr_t addr = pci_p2pdma_bus_addr_map(prov, phys);
+
+	foo_transfer(foo, addr, len);
+	addr = dma_map_single(foo->dev, foo->buf, len, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, addr))
+		return;
+	foo_transfer(foo, addr, len);
+	dma_unmap_single(foo->dev, addr, len, DMA_TO_DEVICE); /* ok: release */
+}`,
    },
    {
      title: "RAM is unmapped, a BAR is not",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sg, phys_addr_t phys)
+{
+	sg_dma_address(sg) = pci_p2pdma_bus_addr_map(foo->provider, phys); /* ok: unmarked */
+	sg_dma_len(sg) = sg->length;
+}
+
+static void foo_unmap(struct foo *foo, struct sg_table *sgt)
+{
+	if (!foo->is_bar)
+		dma_unmap_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0);
+}`,
    },
    {
      title: "a marked entry",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sg, phys_addr_t phys)
+{
+	sg->dma_address = pci_p2pdma_bus_addr_map(foo->provider, phys); /* ok: unmarked */
+	sg_dma_len(sg) = sg->length;
+	sg_dma_mark_bus_address(sg);
+}
+
+static void foo_unmap(struct foo *foo, struct scatterlist *sg, int nents)
+{
+	dma_unmap_sg(foo->dev, sg, nents, DMA_TO_DEVICE);
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const { releases, syncs } = use(handling, fn);
    const makes = values.stores.flatMap((store) => {
      const maker = makerOf(store.value);
      return maker === null || store.op !== "=" ? [] : [{ store, maker }];
    });
    if (makes.length === 0) return;
    for (const { call, node, handle } of [...releases, ...syncs]) {
      if (handle === null || !RANGES.test(call.name)) continue;
      const made = makes.find(({ store }) => store.place === handle && reaches(store, node, values, fn));
      if (made === undefined) continue;
      yield {
        at: call,
        say: "release",
        with: { handle, maker: made.maker.name, callee: call.name },
        because: [{ at: made.maker, note: "a bus address, computed and not mapped" }],
        subject: `${call.name} ${handle}`,
      };
    }
    if (unmapsLists(fn.file, use)) yield* unmarked(makes.map(({ store }) => store), fn, values);
  },
});

function* unmarked(stores: readonly Store[], fn: FunctionView, values: Flow): Generator<Draft<"unmarked">> {
  if (!fn.whole) return;
  if (values.calls.some(({ call }) => call.name === MARKS)) return;
  for (const { place, target } of stores) {
    const sg = /^(.+?)(?:->|\.)dma_address$/.exec(addressPlace(place))?.[1];
    if (sg === undefined) continue;
    yield { at: target, say: "unmarked", with: { sg }, subject: sg };
  }
}

/** Whether the file unmaps lists, and never asks what is in them before it does. */
function unmapsLists(file: SourceFile, use: Use): boolean {
  if (!mentioned(file, UNMAPS_TABLE)) return false;
  const sites = file.functions.flatMap((fn) => {
    const values = use(flow, fn);
    return values.calls.filter(({ call }) => LISTS.test(call.name)).map(({ node }) =>
      isGoverned(node, values)
    );
  });
  return sites.length > 0 && !sites.includes(true);
}

function makerOf(expr: Expr): Call | null {
  if (expr.kind === "cast") return makerOf(expr.value);
  return expr.kind === "call" && MAKES.test(expr.name) ? expr : null;
}

/** Whether the address gets there with nothing but tests for errors on the way. */
function reaches(store: Store, to: CfgNode, values: Flow, fn: FunctionView): boolean {
  const again = new Set(
    values.stores.filter((other) => other !== store && other.place === store.place).map(({ node }) => node),
  );
  return search(store.node, (node) => {
    if (node === to) return "hit";
    if (again.has(node) || node.kind === "hole" || node.kind === "switch") return "stop";
    if (node.kind !== "test") return "go";
    return node.expr !== null && PLAIN_TEST.test(fn.file.textOf(node.expr)) ? "go" : "stop";
  }).hit !== null;
}
