/**
 * U02: a mapping is undone by a function that undoes another kind of mapping.
 *
 * @module
 */

import type { Call } from "./engine/ast.ts";
import { compare } from "./engine/version.ts";
import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { handling, type Mapping, type Use_ } from "./facts/mappings.ts";
import { broughtIn, handleKey, mappedElsewhere, pairs, tailOf } from "./facts/pairs.ts";
import { isMapper } from "./facts/place.ts";
import type { Api, Family } from "./kernel/mod.ts";

/** What memory of a family is, in a message. */
const KIND: Readonly<Partial<Record<Family, string>>> = {
  "coherent": "coherent memory",
  "wc": "write-combined memory",
  "managed": "memory that devres frees",
  "pool": "a block of a dma_pool",
  "resource": "MMIO",
  "phys-vec-sgt": "a table that lives in a private container",
};

export default defineRule({
  id: "dma-unmap-wrong-function",
  since: "0.1.0",
  code: "U02",
  severity: "error",
  confidence: "high",
  category: "unmap-pairing",
  scope: "function",
  summary: "a DMA mapping or allocation is released by a function for another kind",
  why:
    `Each way to get a DMA address keeps its own books. \`dma_unmap_single()\` of coherent memory unmaps the IOVA, or
does nothing at all, and leaves the memory and its remapping allocated; of a \`dma_map_resource()\` mapping it looks for
cache lines and bounce buffers of MMIO. \`dma_unmap_resource()\` of RAM skips the cache maintenance and leaks the bounce
buffer. What \`dmam_alloc_coherent()\` gave is freed a second time by devres. The table of \`dma_buf_phys_vec_to_sgt()\` is
part of a larger allocation that only \`dma_buf_free_sgt()\` knows.

\`dma_map_single()\`, \`dma_map_page()\` and their kin are one family, since they are one implementation.`,
  limits:
    `A field that is mapped in one function and released in another is compared only where one patch shows both, and
when no other mapping of that field in the file fits.`,
  unless: "the address that is released came from somewhere else than the mapping shown",
  sources: [
    "Documentation/core-api/dma-api.rst, Documentation/core-api/dma-api-howto.rst",
    'kernel/dma/debug.c: check_unmap(): "device driver frees DMA memory with wrong function"',
    "drivers/dma-buf/dma-buf-mapping.c: dma_buf_free_sgt() (v6.19)",
    "https://lore.kernel.org/all/1591803717-11218-1-git-send-email-krzk@kernel.org/",
  ],
  messages: {
    pair: "`{handle}` comes from {map}() but is released by {release}(); use {undo}()",
    field:
      "`{handle}` comes from {map}() in {function} but {here} releases it with {release}(); use {undo}()",
  },
  bad: [
    {
      title: "an on-chip window and a coherent buffer are unmapped like RAM",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct resource *res, size_t n)
+{
+	dma_addr_t win, dma;
+	void *buf;
+
+	win = dma_map_resource(foo->dev, res->start, n, DMA_FROM_DEVICE, 0);
+	if (dma_mapping_error(foo->dev, win))
+		return -ENOMEM;
+	foo_wait(foo, win);
+	dma_unmap_single(foo->dev, win, n, DMA_FROM_DEVICE); /* want: pair */
+	buf = dma_alloc_coherent(foo->dev, n, &dma, GFP_KERNEL);
+	if (!buf)
+		return -ENOMEM;
+	foo_copy(foo, buf, dma);
+	dma_unmap_single(foo->dev, dma, n, DMA_TO_DEVICE); /* want: pair */
+	return 0;
+}`,
    },
    {
      title: "a buffer of probe is released by the wrong function in remove",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->buf = dma_alloc_coherent(foo->dev, SZ_4K, &foo->dma, GFP_KERNEL);
+	return foo->buf ? 0 : -ENOMEM;
+}
+
+static void foo_exit(struct foo *foo)
+{
+	dma_unmap_single(foo->dev, foo->dma, SZ_4K, DMA_TO_DEVICE); /* want: field */
+}`,
    },
    {
      title: "the table of the p2p helper",
      patch: String.raw`
+static int foo_probe_table(struct dma_buf_attachment *attach, struct foo *foo)
+{
+	struct sg_table *sgt;
+
+	sgt = dma_buf_phys_vec_to_sgt(attach, foo->provider, foo->vec, 1, foo->len, DMA_TO_DEVICE);
+	if (IS_ERR(sgt))
+		return PTR_ERR(sgt);
+	foo_count(foo, sgt);
+	dma_unmap_sgtable(attach->dev, sgt, DMA_TO_DEVICE, 0); /* want: pair */
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "single and page are one family, and so are the forms with attributes",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct page *page, struct sg_table *sgt)
+{
+	dma_addr_t addr = dma_map_page(foo->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(foo->dev, addr))
+		return -ENOMEM;
+	foo_wait(foo, addr);
+	dma_unmap_single(foo->dev, addr, PAGE_SIZE, DMA_TO_DEVICE); /* ok: pair */
+	if (dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0))
+		return -ENOMEM;
+	dma_unmap_sg(foo->dev, sgt->sgl, sgt->orig_nents, DMA_TO_DEVICE); /* ok: pair */
+	return 0;
+}`,
    },
    {
      title: "the kind is known by a flag",
      patch: String.raw`
+static int foo_run(struct foo *foo, void *buf, phys_addr_t phys, size_t n)
+{
+	dma_addr_t addr;
+
+	if (foo->is_mmio)
+		addr = dma_map_resource(foo->dev, phys, n, DMA_TO_DEVICE, 0);
+	else
+		addr = dma_map_single(foo->dev, buf, n, DMA_TO_DEVICE);
+	foo_wait(foo, addr);
+	if (foo->is_mmio)
+		dma_unmap_resource(foo->dev, addr, n, DMA_TO_DEVICE, 0); /* ok: pair */
+	else
+		dma_unmap_single(foo->dev, addr, n, DMA_TO_DEVICE); /* ok: pair */
+	return 0;
+}`,
    },
    {
      title: "dma_map_phys() is what the others are made of",
      patch: String.raw`
+static int foo_run(struct foo *foo, phys_addr_t ram, phys_addr_t bar, size_t n)
+{
+	dma_addr_t a = dma_map_phys(foo->dev, ram, n, DMA_TO_DEVICE, 0);
+	dma_addr_t b = dma_map_resource(foo->dev, bar, n, DMA_TO_DEVICE, 0);
+
+	foo_wait(foo, a, b);
+	dma_unmap_page(foo->dev, a, n, DMA_TO_DEVICE); /* ok: pair */
+	dma_unmap_phys(foo->dev, b, n, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: pair */
+	return 0;
+}`,
    },
    {
      title: "a pointer tells which kind it is",
      patch: String.raw`
 static int foo_pin(struct foo *foo)
 {
+	foo->sgt = dma_buf_map_attachment(foo->attach, DMA_TO_DEVICE);
@@ static int foo_other(struct foo *foo)
 	foo_last(foo);
 }
@@ static void foo_unpin(struct foo *foo)
+	if (foo->attach)
+		dma_buf_unmap_attachment(foo->attach, foo->sgt, DMA_TO_DEVICE);
+	else
+		dma_unmap_sgtable(foo->dev, foo->sgt, DMA_TO_DEVICE, 0); /* ok: field */
 }`,
    },
    {
      title: "a helper may have set the address",
      patch: String.raw`
+static int foo_fill(struct foo *foo, size_t n)
+{
+	dma_addr_t addr = 0;
+	void *buf = foo_take(foo, &addr);
+
+	if (!addr)
+		addr = dma_map_single(foo->dev, foo->big, n, DMA_TO_DEVICE);
+	if (!foo_send(foo, addr))
+		return 0;
+	if (buf)
+		dma_pool_free(foo->pool, buf, addr); /* ok: pair */
+	return -EIO;
+}`,
    },
    {
      title: "one struct for buffers of two kinds",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	struct foo_buf *desc = foo_first(foo);
+	struct foo_buf *buf = foo_next(foo);
+
+	desc->va = dma_pool_alloc(foo->pool, GFP_KERNEL, &desc->dma);
+	buf->va = dma_alloc_coherent(foo->dev, SZ_4K, &buf->dma, GFP_KERNEL);
+	return desc->va && buf->va ? 0 : -ENOMEM;
+}
+
+static void foo_exit(struct foo *foo)
+{
+	struct foo_buf *old = foo_first(foo);
+
+	dma_pool_free(foo->pool, old->va, old->dma); /* ok: field */
+	foo_retire(foo, old);
+}`,
    },
    {
      title: "two ways to fill one field",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->buf = dma_alloc_coherent(foo->dev, SZ_4K, &foo->dma, GFP_KERNEL);
+	return foo->buf ? 0 : -ENOMEM;
+}
+
+static int foo_init_small(struct foo *foo)
+{
+	foo->dma = dma_map_single(foo->dev, foo->small, SZ_64, DMA_TO_DEVICE);
+	return dma_mapping_error(foo->dev, foo->dma);
+}
+
+static void foo_exit_small(struct foo *foo)
+{
+	dma_unmap_single(foo->dev, foo->dma, SZ_64, DMA_TO_DEVICE); /* ok: field */
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const paired = new Set<Call>();
    for (const { use: one, kind, sources, isOpen } of use(pairs, fn)) {
      if (kind !== "release") continue;
      paired.add(one.call);
      if (sources.some(({ mapping }) => fits(mapping, one, fn, use))) continue;
      const { mapping, viaHole } = sources[0]!;
      const isLocal = /^&?\w+$/.test(one.handle!);
      if ((viaHole || (isOpen && !isLocal)) && isReleasedRightly(mapping, one, fn, use)) continue;
      yield {
        at: broughtIn(fn, one.call, mapping.call),
        say: "pair",
        with: {
          handle: fn.file.textOf(one.handleExpr!),
          map: mapping.call.name,
          release: one.call.name,
          undo: mapping.api.undo[0]!,
        },
        because: [
          { at: mapping.call, note: `${mapping.call.name}()${kindOf(mapping.api)}` },
          { at: one.call, note: `${one.call.name}() releases ${one.api.families.join(", ")} mappings` },
        ],
        wanted: `${mapping.api.undo[0]}()`,
        ...(viaHole || (isOpen && !isLocal) || isClose(mapping.api, one.api)
          ? { severity: "warning" as const, confidence: "medium" as const }
          : {}),
        subject: `${one.handle} ${mapping.call.name} ${one.call.name}`,
      };
    }
    for (const one of use(handling, fn).releases) {
      if (paired.has(one.call) || one.handle === null || one.handleExpr === null) continue;
      const found = mappedElsewhere(one, fn, use);
      if (found.length === 0 || found.some(({ mapping }) => fits(mapping, one, fn, use))) continue;
      // The right function is called for it as well: some flag tells which kind it is.
      if (fn.file.functions.some((f) => isReleasedRightly(found[0]!.mapping, one, f, use))) continue;
      const { mapping, by } = found[0]!;
      yield {
        at: by.file === fn.file ? broughtIn(fn, one.call, mapping.call) : one.call,
        say: "field",
        with: {
          handle: fn.file.textOf(one.handleExpr),
          map: mapping.call.name,
          function: by.isNamed ? `${by.name}()` : "another function",
          here: fn.isNamed ? `${fn.name}()` : "another function",
          release: one.call.name,
          undo: mapping.api.undo[0]!,
        },
        because: [{ at: mapping.call, note: `${mapping.call.name}()${kindOf(mapping.api)}`, file: by.file }],
        wanted: `${mapping.api.undo[0]}()`,
        severity: "warning",
        confidence: "medium",
        subject: `${one.handle} ${mapping.call.name} ${one.call.name}`,
      };
    }
  },
});

const kindOf = (api: Api): string => {
  const kind = api.families.map((family) => KIND[family]).find((text) => text !== undefined);
  return kind === undefined ? "" : ` gives ${kind}`;
};

/** The same release with or without the reservation lock, or a write-combining flag: wrong, but not fatal. */
const isClose = (map: Api, release: Api) =>
  [...map.families, ...release.families].every((family) => family.startsWith("attachment")) ||
  [...map.families, ...release.families].every((family) => family === "coherent" || family === "wc");

/** Whether the release undoes such a mapping. */
function fits(mapping: Mapping, one: Use_, fn: FunctionView, use: Use): boolean {
  const { api } = mapping;
  if (api.undo.length === 0 || api.families.includes("p2p-bus")) return true;
  if (api.undo.includes(one.call.name) || api.families.some((f) => one.api.families.includes(f))) return true;
  // Since v6.18 all of them are dma_map_phys(), with or without DMA_ATTR_MMIO.
  const kernel = use.side.kernel;
  if (kernel !== null && compare(kernel, [6, 18]) < 0) return false;
  const families = [...api.families, ...one.api.families];
  if (!families.includes("phys")) return false;
  const isMmio = (from: { readonly call: Call; readonly api: Api }): boolean | null => {
    if (from.api.families.includes("resource")) return true;
    const attrs = from.api.attrs === null ? undefined : from.call.args[from.api.attrs];
    if (attrs === undefined) return false;
    const text = fn.file.textOf(attrs);
    return /DMA_ATTR_MMIO/.test(text) ? true : /^(?:0|DMA_ATTR_\w+)$/.test(text) ? false : null;
  };
  const [left, right] = [isMmio(mapping), isMmio(one)];
  return families.every((family) => family === "phys" || family === "single" || family === "resource") &&
    (left === null || right === null || left === right);
}

/** Whether the function also releases the same handle as the mapping wants it. */
function isReleasedRightly(mapping: Mapping, one: Use_, fn: FunctionView, use: Use): boolean {
  const key = tailOf(one.handle!) ?? handleKey(one.handle!);
  return use(handling, fn).releases.some((other) =>
    other.call !== one.call && other.handle !== null &&
    (tailOf(other.handle) ?? handleKey(other.handle)) === key && fits(mapping, other, fn, use)
  );
}
