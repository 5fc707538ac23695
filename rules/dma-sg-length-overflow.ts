/**
 * Y02: lengths of peer-to-peer memory that do not fit in 32 bits, pieces that end in the middle of a page, and pieces that
 * are counted in 32 bits. Any other address that loses its upper half is the business of dma-addr-truncated.
 *
 * @module
 */

import { type Call, type Expr, walkExpr } from "./engine/ast.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { addressed, termsOf, wideProduct } from "./facts/addressed.ts";
import { type Flow, flow, general, type Store } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import { isMapper, isTest } from "./facts/place.ts";
import { widthOf, widthOfType } from "./facts/width.ts";

/** Anything that keeps a length small, in whatever helper of the file. */
const BOUND =
  /\bmin(?:_t|3)?\s*\(|\bclamp(?:_t|_val)?\s*\(|\bmax_seg|\b(?:UINT|U32|INT)_MAX\b|\bSZ_[124]G\b|\bcheck_\w+_overflow\b/;
const MIN: ReadonlySet<string> = new Set(["min", "min_t", "umin", "min3", "clamp_t", "clamp"]);
const ALL_ONES = /^\(?(?:UINT_MAX|U32_MAX|~0U|\(u32\)~0|0xffffffffU?)\)?$/i;
/** Block requests have a struct phys_vec as well, and are never that large. */
const DMA_BUF = /\bdma_buf\b|\bdma_buf_/;
/** Calls that map memory by its physical address: a BAR, more often than not. */
const PHYSICAL = /^(?:dma_map_resource|dma_map_phys|pci_p2pdma_bus_addr_map)$/;

export default defineRule({
  id: "dma-sg-length-overflow",
  since: "0.1.0",
  code: "Y02",
  severity: "warning",
  confidence: "medium",
  category: "type",
  scope: "function",
  summary: "a length of peer-to-peer memory is cut to 32 bits, or split in the middle of a page",
  why:
    `\`sg_dma_len()\` and \`sg->length\` are \`unsigned int\`, and the BAR of an accelerator has 8 GiB and more. A
length of 64 bits that is stored there loses its upper half: of 4 GiB nothing is left, of 5 GiB one, and the importer
does DMA to less than it was given, or unmaps less than was mapped. The same holds for an \`unsigned int\` in which such
lengths are added up. The length has to be split over several entries.

Split at \`UINT_MAX\` the pieces do not end at a page: all but the first start at an odd address, which IOMMU page
tables and importers that count in pages do not take. \`ALIGN_DOWN(UINT_MAX, PAGE_SIZE)\` and \`SZ_2G\` are whole pages;
\`sg_alloc_table_from_pages_segment()\` aligns its limit in the same way. And where a piece begins must not be computed
in \`int\`: \`i * UINT_MAX\` has 32 bits and wraps from the third piece on.`,
  limits:
    `Memory is taken for peer-to-peer memory where the entry has no page (\`sg_set_page(sg, NULL, …)\`), where the
function maps by physical address, or where the length is that of a BAR or a \`struct phys_vec\`. Nothing is said where
the file bounds a length anywhere.`,
  unless: "the region is known to be smaller than 4 GiB",
  sources: [
    "include/linux/scatterlist.h: struct scatterlist",
    "lib/scatterlist.c: sg_alloc_append_table_from_pages(): max_segment is aligned down to PAGE_SIZE",
    "drivers/dma-buf/dma-buf-mapping.c: MAX_SG_ENT_SZ",
    "https://lore.kernel.org/all/20251125-dma-buf-overflow-v1-1-b70ea1e6c4ba@fb.com/",
    "https://lore.kernel.org/all/20260609164047.486227-1-xuehaohu@google.com/",
    "https://lore.kernel.org/all/20260623015459.1153884-1-xuehaohu@google.com/",
  ],
  messages: {
    cut:
      "`{length}` is a {type} and `{target}` holds 32 bits: a range of 4 GiB and more must be split over several entries",
    total:
      "`{total}` is {type} and sums up lengths of 64 bits: from 4 GiB on it is too small for what was mapped",
    product:
      "`{expr}` is computed in 32 bits before it becomes a {type}: it overflows from `{count}` = {from} on",
    unaligned:
      "`{limit}` ends a piece in the middle of a page, and the next starts there: split at ALIGN_DOWN(UINT_MAX, PAGE_SIZE)",
  },
  bad: [
    {
      title: "the whole BAR in one entry",
      patch: String.raw`
+static void foo_fill(struct scatterlist *sg, u64 length, dma_addr_t addr)
+{
+	sg_set_page(sg, NULL, 0, 0);
+	sg_dma_address(sg) = addr;
+	sg_dma_len(sg) = length; /* want: cut */
+}
+
+static void foo_fill_bar(struct scatterlist *sg, struct pci_dev *pdev, dma_addr_t addr)
+{
+	sg_dma_address(sg) = addr;
+	sg_dma_len(sg) = pci_resource_len(pdev, 2); /* want: cut */
+}`,
    },
    {
      title: "the sum of the ranges, and each of them on its way through a helper",
      patch: String.raw`
+static void foo_add(struct foo *foo, unsigned int len, dma_addr_t addr)
+{
+	list_add(&foo->entry, foo_entry(addr, len));
+}
+
+static int foo_link(struct dma_buf *buf, struct device *dev, struct dma_iova_state *st, struct phys_vec *vec, size_t n)
+{
+	unsigned int mapped = 0;
+	size_t i;
+	int ret;
+
+	for (i = 0; i < n; i++) {
+		ret = dma_iova_link(dev, st, vec[i].paddr, mapped, vec[i].len, DMA_TO_DEVICE, DMA_ATTR_MMIO);
+		if (ret)
+			return ret;
+		mapped += vec[i].len; /* want: total */
+		foo_add(buf->priv, vec[i].len, st->addr); /* want: cut */
+	}
+	return dma_iova_sync(dev, st, 0, mapped);
+}`,
    },
    {
      title: "pieces of 4 GiB counted in int",
      patch: String.raw`
+static void foo_fill(struct scatterlist *sg, dma_addr_t addr, int n)
+{
+	int i;
+
+	for (i = 0; i < n; i++) {
+		sg_dma_address(sg) = addr + i * UINT_MAX; /* want: product */
+		sg = sg_next(sg);
+	}
+}`,
    },
    {
      title: "pieces of 4 GiB less one byte",
      patch: String.raw`
+static struct scatterlist *foo_fill(struct scatterlist *sg, size_t length, dma_addr_t addr)
+{
+	unsigned int len;
+
+	while (length) {
+		len = min_t(size_t, length, UINT_MAX); /* want: unaligned */
+		sg_dma_address(sg) = addr;
+		sg_dma_len(sg) = len;
+		addr += len;
+		length -= len;
+		sg = sg_next(sg);
+	}
+	return sg;
+}`,
    },
  ],
  good: [
    {
      title: "whole pages, and a sum that is wide enough",
      patch: String.raw`
+#define FOO_MAX_SEG ALIGN_DOWN(UINT_MAX, PAGE_SIZE)
+
+static size_t foo_fill(struct scatterlist *sg, struct phys_vec *vec, size_t n, dma_addr_t addr)
+{
+	size_t i, total = 0;
+
+	for (i = 0; i < n; i++) {
+		size_t left = vec[i].len;
+
+		while (left) {
+			size_t len = min_t(size_t, left, FOO_MAX_SEG); /* ok: unaligned */
+
+			sg_set_page(sg, NULL, 0, 0);
+			sg_dma_address(sg) = addr;
+			sg_dma_len(sg) = len; /* ok: cut */
+			addr += len;
+			left -= len;
+			sg = sg_next(sg);
+		}
+		total += vec[i].len; /* ok: total */
+	}
+	return total;
+}`,
    },
    {
      title: "the cast comes first, and small pieces",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sg, dma_addr_t addr, int i)
+{
+	sg_dma_address(sg) = addr + (dma_addr_t)i * UINT_MAX; /* ok: product */
+	foo->addr = addr + i * FOO_SIZE; /* ok: product */
+}`,
    },
    {
      title: "RAM, and a check that is no split",
      patch: String.raw`
+static int foo_table(struct sg_table *sgt, struct foo_buffer *buffer, size_t size)
+{
+	unsigned int bytes;
+
+	sg_set_page(sgt->sgl, buffer->page, size, 0);
+	sg_dma_address(sgt->sgl) = buffer->dma;
+	sg_dma_len(sgt->sgl) = size; /* ok: cut */
+	bytes = foo_count(buffer);
+	bytes += size; /* ok: total */
+	return bytes;
+}`,
    },
    {
      title: "a block request fits in an unsigned int",
      patch: String.raw`
+static int foo_link_rq(struct request *rq, struct device *dev, struct dma_iova_state *st, struct phys_vec *vec)
+{
+	unsigned int mapped = 0;
+	int ret;
+
+	do {
+		ret = dma_iova_link(dev, st, vec->paddr, mapped, vec->len, DMA_TO_DEVICE, 0);
+		if (ret)
+			return ret;
+		mapped += vec->len; /* ok: total */
+	} while (foo_next(rq, vec));
+	return dma_iova_sync(dev, st, 0, mapped);
+}`,
    },
    {
      title: "a transfer is cut where the engine's counter ends",
      patch: String.raw`
+static size_t foo_burst(struct foo *foo, size_t len)
+{
+	u32 now = min_t(size_t, len, UINT_MAX); /* ok: unaligned */
+
+	writel(now, foo->regs + FOO_COUNT);
+	return len - now;
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    for (const { expr, type } of addressed(fn, values)) {
      for (const { term } of termsOf(expr, values)) yield* product(term, type, fn, values);
    }
    if (isMapper(fn.file)) return;
    const isPageless = values.calls.some(({ call }) => hasNoPage(call, fn) || PHYSICAL.test(call.name));
    for (const store of values.stores) {
      const list = listLength(store, values);
      if (list !== null) yield* split(store, list, fn, values);
      if (list !== null && !mentioned(fn.file, BOUND)) {
        const type = wide(store.value, values, isPageless);
        if (type === null) continue;
        yield {
          at: list,
          say: "cut",
          with: { length: fn.file.textOf(store.value), type, target: fn.file.textOf(list) },
          because: [{ at: store.value, note: `a ${type}` }],
          subject: `${general(store.place)} ${fn.file.textOf(store.value)}`,
        };
      }
      const { target, op, value, place } = store;
      const type = "kind" in target ? values.typeOf(target) : target.type;
      if (!mentioned(fn.file, DMA_BUF)) continue;
      if (op !== "+=" || widthOfType(type) !== 32 || !isRangeLength(value, values)) continue;
      if (!isMappedLength(place, values)) continue;
      yield {
        at: "kind" in target ? target : value,
        say: "total",
        with: { total: place, type: /^[aeiou]/.test(type!) ? `an ${type}` : `a ${type}` },
        because: [{ at: value, note: "a size_t" }],
        wanted: `size_t ${place}`,
        subject: place,
      };
    }
    if (!mentioned(fn.file, DMA_BUF)) return;
    for (const { call } of values.calls) {
      const helper = fn.file.functions.find(({ name, isNamed }) => isNamed && name === call.name);
      for (const [i, arg] of call.args.entries()) {
        const param = helper?.node.params[i];
        if (param === undefined || widthOfType(param.type) !== 32 || !isRangeLength(arg, values)) continue;
        yield {
          at: arg,
          say: "cut",
          with: { length: fn.file.textOf(arg), type: "size_t", target: param.name },
          because: [{ at: param, note: `declared \`${param.type}\`` }],
          subject: `${call.name} ${fn.file.textOf(arg)}`,
        };
      }
    }
  },
});

/** The target when a store sets an entry's length; null otherwise. */
function listLength({ target, op }: Store, values: Flow): Expr | null {
  if (op !== "=" || !("kind" in target)) return null;
  if (target.kind === "call") return target.name === "sg_dma_len" ? target : null;
  const isLength = target.kind === "member" && (target.field === "length" || target.field === "dma_length");
  return isLength && /^struct scatterlist\b/.test(values.typeOf(target.object) ?? "") ? target : null;
}

/** `sg_set_page(sg, NULL, …)` */
const hasNoPage = (call: Call, fn: FunctionView) =>
  call.name === "sg_set_page" && call.args[1] !== undefined && fn.file.textOf(call.args[1]) === "NULL";

/** What a length is that may not fit in 32 bits; null when nothing says so. */
function wide(value: Expr, values: Flow, isPageless: boolean): string | null {
  if (value.kind === "call") return value.name === "pci_resource_len" ? "resource_size_t" : null;
  if (isRangeLength(value, values)) return "size_t";
  if (!isPageless || (value.kind !== "ident" && value.kind !== "member")) return null;
  const width = widthOf(value, values);
  return width === 64 || width === "long" ? values.typeOf(value) : null;
}

/** The length of a `struct phys_vec`: ranges of MMIO by definition. */
function isRangeLength(value: Expr, values: Flow): boolean {
  return value.kind === "member" && value.field === "len" &&
    /^struct (?:dma_buf_)?phys_vec\b/.test(values.typeOf(value.object) ?? "");
}

/** Whether the sum says how much is mapped, synced or unmapped. */
function isMappedLength(place: string, values: Flow): boolean {
  return values.calls.some(({ call, api }) =>
    api !== null && api.size !== null && call.args[api.size] !== undefined &&
    values.canonical(call.args[api.size]!) === place
  );
}

/** A count of large pieces that is multiplied in 32 bits. */
function* product(term: Expr & { kind: "binary" }, type: string, fn: FunctionView, values: Flow) {
  const wide = wideProduct(term, values);
  if (wide === null) return;
  const { count, piece, size } = wide;
  const shown = values.typeOf(count);
  const expr = fn.file.textOf(term);
  yield {
    at: term,
    say: "product" as const,
    with: {
      expr,
      type,
      count: fn.file.textOf(count),
      from: String((1n << 32n) / size + ((1n << 32n) % size === 0n ? 0n : 1n)),
    },
    because: shown === null ? [] : [{ at: count, note: `declared \`${shown}\`` }],
    severity: "error" as const,
    confidence: "high" as const,
    wanted: `(${type})${fn.file.textOf(count)} * ${fn.file.textOf(piece)}`,
    subject: expr,
  };
}

/** Where the stored length was cut at all ones. */
function* split(store: Store, list: Expr, fn: FunctionView, values: Flow) {
  const form = values.canonical(store.value);
  const sources = [
    store.value,
    ...values.stores.filter(({ place, op }) => place === form && op === "=").map(({ value }) => value),
  ];
  for (const source of sources) {
    const limits: { cut: Call; limit: Expr }[] = [];
    walkExpr(source, (inner) => {
      if (inner.kind !== "call" || !MIN.has(inner.name)) return;
      const limit = inner.args.find((arg) => ALL_ONES.test(fn.file.textOf(arg)));
      if (limit !== undefined) limits.push({ cut: inner, limit });
    });
    for (const { cut, limit } of limits) {
      yield {
        at: cut,
        say: "unaligned" as const,
        with: { limit: fn.file.textOf(limit) },
        because: [{ at: list, note: "one piece for each entry" }],
        wanted: "ALIGN_DOWN(UINT_MAX, PAGE_SIZE)",
        subject: fn.file.textOf(cut),
      };
    }
  }
}
