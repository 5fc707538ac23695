/**
 * Y01: an address that loses its upper half on the way, in 32-bit arithmetic or in a 32-bit variable.
 *
 * @module
 */

import { type Call, type Expr, walkExpr } from "./engine/ast.ts";
import { type CfgNode, search } from "./engine/cfg.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { addressed, constantOf, termsOf, wideProduct } from "./facts/addressed.ts";
import { mentioned } from "./facts/mention.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { handling } from "./facts/mappings.ts";
import { isAlwaysNarrow, isAlwaysWide, isTest } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";
import { bitsOf, isAddressType, widthOf, widthOfType } from "./facts/width.ts";
import { API } from "./kernel/mod.ts";

/** Names of page numbers: they are as large as memory is. */
const PAGE_NUMBER = /pfn|pageno|page_?(?:num|nr|idx|index|frame)|^(?:pde|pte)$/i;
const PAGE_SHIFT = /PAGE_SHIFT$/;
/** Architectures whose physical addresses fit `unsigned long`. */
const LONG_IS_WIDE = /^arch\/(?:arm64|alpha|ia64|loongarch|parisc|s390)\//;
/** include/linux/log2.h: the argument is an `unsigned long`. */
const LONG_POWER = /^round(?:up|down)_pow_of_two$/;
/** A mask of 32 bits or fewer: what such a device is given fits. */
const NARROW_MASK = /DMA_BIT_MASK\(\s*(?:[12]?\d|3[0-2])\s*\)/;

export default defineRule({
  id: "dma-addr-truncated",
  since: "0.1.0",
  code: "Y01",
  severity: "error",
  confidence: "medium",
  category: "type",
  scope: "function",
  summary: "a DMA or physical address is computed in 32 bits or kept in too few",
  why:
    `C computes \`u32 << 12\` and \`int * UINT_MAX\` in 32 bits and widens the result afterwards, when the upper bits are
gone. A page number shifted to an address needs the cast before the shift: \`(phys_addr_t)pfn << PAGE_SHIFT\`, or
\`PFN_PHYS(pfn)\`, which has it. IOMMU drivers hand out addresses from the top of the device's mask down, and the BARs
that peer-to-peer is about lie above 4 GiB: the upper half is not zero.

\`unsigned long\` is no better where \`dma_addr_t\` is wider: ARM with LPAE, x86 with PAE. And \`dma_mapping_error()\` of a
32-bit variable never fires, because \`DMA_MAPPING_ERROR\` is all ones in the width of \`dma_addr_t\`.`,
  limits:
    `Only what is declared in the patch has a known type; a cast that the patch takes away stands for a type that it
does not show. An offset by a loop counter, and a descriptor field of 32 bits,
are taken as meant.`,
  unless: "the value is known to be small enough for 32 bits",
  sources: [
    "include/linux/types.h: dma_addr_t, phys_addr_t",
    "include/linux/pfn.h: PFN_PHYS()",
    "https://lore.kernel.org/all/20251125-dma-buf-overflow-v1-1-b70ea1e6c4ba@fb.com/",
    "https://lore.kernel.org/all/20260609164047.486227-1-xuehaohu@google.com/",
  ],
  messages: {
    shift: "`{expr}` is computed in 32 bits before it becomes a {type}: cast first",
    lost: "`{expr}` shifts a 32-bit value by {by}: nothing is left of it",
    pfn:
      "`{expr}` is computed in unsigned long, which is too narrow for a {type} on 32-bit machines with large addresses",
    check: "dma_mapping_error() of `{handle}`, which has 32 bits, is never true: make it a dma_addr_t",
    uncast:
      "`{expr}` was computed as a {type} before: without the cast it is computed in the width of `{operand}`",
    narrowed: "`{handle}` was a {type} before, and {now} does not hold one",
    long: "{callee}() works in unsigned long, too narrow for what `{handle}`, a {type}, makes of it",
    late:
      "`{expr}` is shifted in {width} before the cast to {type} widens it: cast the operand, not the result",
    offset: "`{handle}` is the offset within a page: `{expr}` is always 0",
    masked: "`{handle}` has 32 bits: `{expr}` is always 0",
    bit: "`{handle}` has 32 bits: `{bit}` is lost",
    narrow: "`{handle}` has 32 bits and gets the {what} of {callee}()",
  },
  bad: [
    {
      title: "a page number shifted before it is widened",
      patch: String.raw`
+static dma_addr_t foo_pde_to_dma(u32 pde)
+{
+	return pde << 12; /* want: shift */
+}
+
+static void foo_alloc(struct foo *foo, dma_addr_t *handle, int pageno)
+{
+	*handle = foo->base + (pageno << PAGE_SHIFT); /* want: shift */
+}`,
    },
    {
      title: "the cast comes too late",
      patch: String.raw`
+static bool foo_is_low(struct foo *foo, dma_addr_t addr, unsigned long first_pfn)
+{
+	return addr < foo_to_dma(foo, (phys_addr_t)(first_pfn << PAGE_SHIFT)); /* want: late */
+}
+
+static void foo_pair(struct foo *foo, u32 lo, u32 hi)
+{
+	foo_set_base(foo, (dma_addr_t)(hi << 32) | lo); /* want: late */
+}`,
    },
    {
      title: "the page of what is an offset in one",
      patch: String.raw`
+static void foo_clean(struct foo *foo, dma_addr_t handle, size_t size)
+{
+	unsigned long offset = handle & ~PAGE_MASK;
+
+	offset &= PAGE_MASK; /* want: offset */
+	foo_flush(foo, offset, size);
+	offset = 0;
+}`,
    },
    {
      title: "the upper half of a register pair",
      patch: String.raw`
+static dma_addr_t foo_base(struct foo *foo)
+{
+	u32 lo = readl(foo->regs), hi = readl(foo->regs + 4);
+	dma_addr_t base = lo | hi << 32; /* want: lost */
+
+	return base;
+}`,
    },
    {
      title: "an address bit beyond the variable",
      patch: String.raw`
+static void foo_push(struct foo *foo, dma_addr_t base, u32 offset)
+{
+	u32 ptr = base + offset;
+
+	ptr |= BIT(39); /* want: bit */
+	foo_write(foo, ptr);
+}`,
    },
    {
      title: "the patch takes the cast away",
      patch: String.raw`
@@ static void foo_fill(struct foo *foo, struct scatterlist *sg,
 	sg_set_page(sg, NULL, 0, 0);
-	sg_dma_address(sg) = foo->base + (dma_addr_t)i * UINT_MAX;
+	sg_dma_address(sg) = foo->base + i * UINT_MAX; /* want: uncast */
-	foo->last = foo->base + ((dma_addr_t)pageno << PAGE_SHIFT);
+	foo->last = foo->base + (pageno << PAGE_SHIFT); /* want: uncast */
 	sg_dma_len(sg) = foo->len;`,
    },
    {
      title: "an offset into a mapping loses its type",
      patch: String.raw`
 static bool foo_next(struct foo *foo)
 {
-	dma_addr_t offset;
+	unsigned int offset; /* want: narrowed */

 	offset = foo->addr & (foo->size - 1);
 	foo->left = foo->size - offset;
 	return foo->left != 0;
 }`,
    },
    {
      title: "a power of two from addresses",
      patch: String.raw`
+static bool foo_is_one(struct foo *foo, dma_addr_t addr)
+{
+	unsigned long size = roundup_pow_of_two(addr ^ (addr + foo->len - 1)); /* want: long */
+
+	return size <= foo->max;
+}`,
    },
    {
      title: "a mask of bits that the variable has not",
      patch: String.raw`
+#define FOO_HIGH GENMASK_ULL(39, 32)
+
+static phys_addr_t foo_phys(u32 pte)
+{
+	return (pte & FOO_LOW) | ((pte & FOO_HIGH) << 28); /* want: masked */
+}`,
    },
    {
      title: "unsigned long on a machine with LPAE",
      patch: String.raw`
+static void foo_window(struct foo *foo, struct page *page)
+{
+	phys_addr_t phys = page_to_pfn(page) << PAGE_SHIFT; /* want: pfn */
+
+	foo_set_phys(foo, phys);
+}`,
    },
    {
      title: "a handle of 32 bits",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	u32 addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(foo->dev, addr)) /* want: check */
+		return -ENOMEM;
+	writel(addr, foo->regs);
+	return 0;
+}
+
+static void foo_go(struct foo *foo)
+{
+	u32 addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* want: narrow */
+
+	writel(addr, foo->regs);
+}`,
    },
  ],
  good: [
    {
      title: "built for ARM v5 only",
      path: "drivers/net/ethernet/xscale/foo_eth.c",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	u32 phys = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE);
+
+	return dma_mapping_error(foo->dev, phys); /* ok: check */
+}`,
    },
    {
      title: "the cast comes first",
      patch: String.raw`
+static dma_addr_t foo_pde_to_dma(u32 pde)
+{
+	return (dma_addr_t)pde << 12; /* ok: shift */
+}
+
+static void foo_fill(struct scatterlist *sg, unsigned long pfn)
+{
+	sg_dma_address(sg) = PFN_PHYS(pfn); /* ok: pfn */
+}`,
    },
    {
      title: "an offset by a counter, and a field that is masked",
      patch: String.raw`
+static void foo_ring(struct foo *foo, dma_addr_t base, u32 reg)
+{
+	dma_addr_t addr;
+	int i;
+
+	for (i = 0; i < FOO_N; i++)
+		foo->ring[i] = base + (i << 12); /* ok: shift */
+	addr = (reg & 0xffff) << 16; /* ok: shift */
+	foo_go(foo, addr);
+}`,
    },
    {
      title: "the device has a mask of 32 bits",
      patch: String.raw`
+static int foo_probe(struct foo *foo)
+{
+	u32 addr;
+	int ret = dma_set_mask(foo->dev, DMA_BIT_MASK(32));
+
+	if (ret)
+		return ret;
+	addr = dma_map_single(foo->dev, foo->buf, foo->len, DMA_TO_DEVICE); /* ok: narrow */
+	writel(addr, foo->regs);
+	return 0;
+}`,
    },
    {
      title: "what lost the cast is wide by itself, or no address",
      patch: String.raw`
@@ static void foo_fill(struct foo *foo, struct scatterlist *sg,
 	sg_set_page(sg, NULL, 0, 0);
-	foo->last = foo->base + ((dma_addr_t)pages << PAGE_SHIFT);
+	foo->last = foo->base + PFN_PHYS(pages); /* ok: uncast */
-	foo->next = foo->base + ((u64)foo->n << PAGE_SHIFT);
+	foo->next = foo->base + (foo->n << PAGE_SHIFT); /* ok: uncast */
 	sg_dma_len(sg) = foo->len;
@@ static void foo_end(struct foo *foo)
 {
-	int n = foo->n;
+	u64 n = foo->n;

-	foo->last = foo->base + ((dma_addr_t)n << PAGE_SHIFT);
+	foo->last = foo->base + (n << PAGE_SHIFT); /* ok: uncast */
 }`,
    },
    {
      title: "a power of two from a difference, and from a masked address",
      patch: String.raw`
+static void foo_size(struct foo *foo, dma_addr_t start, dma_addr_t end)
+{
+	foo->size = roundup_pow_of_two(end - start); /* ok: long */
+	foo->rest = roundup_pow_of_two(start & (PAGE_SIZE - 1)); /* ok: long */
+}`,
    },
    {
      title: "a wide variable, and a mask that reaches below",
      patch: String.raw`
+static phys_addr_t foo_phys(u32 pte, u64 wide)
+{
+	return (pte & GENMASK_ULL(39, 12)) | (wide & GENMASK_ULL(39, 32)); /* ok: masked */
+}`,
    },
    {
      title: "I/O ports",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev, struct foo *foo)
+{
+	unsigned int iobase = pci_resource_start(pdev, 0); /* ok: narrow */
+	u32 base = pci_resource_start(pdev, 1); /* ok: narrow */
+
+	if (!request_region(base, FOO_PORTS, "foo"))
+		return -EBUSY;
+	foo->base = iobase;
+	return 0;
+}`,
    },
    {
      title: "cast first, and an offset that is an address again",
      patch: String.raw`
+static dma_addr_t foo_pair(u32 lo, u32 hi, unsigned long pfn, u32 index)
+{
+	return ((u64)hi << 32) | lo | ((phys_addr_t)pfn << PAGE_SHIFT) | (u64)(index << 4); /* ok: late */
+}
+
+static unsigned long foo_page(dma_addr_t handle)
+{
+	unsigned long offset = handle & ~PAGE_MASK;
+
+	offset += handle;
+	return offset & PAGE_MASK; /* ok: offset */
+}`,
    },
    {
      title: "halves on purpose",
      patch: String.raw`
+static void foo_set(struct foo *foo, dma_addr_t addr)
+{
+	u32 lo = lower_32_bits(addr); /* ok: narrow */
+	u32 hi = upper_32_bits(addr); /* ok: narrow */
+
+	writel(lo, foo->regs);
+	writel(hi, foo->regs + 4);
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file) || isAlwaysNarrow(fn.file)) return;
    const values = use(flow, fn);
    const seen = new Set<Expr>();
    for (const { expr, type } of addressed(fn, values)) {
      for (const { term, isAdded } of termsOf(expr, values)) {
        for (const draft of computed(term, type, fn, values, isAdded)) {
          if (seen.has(draft.at)) continue;
          seen.add(draft.at);
          yield draft;
        }
      }
    }
    const gone = use(removed, fn.file);
    for (const node of values.cfg.nodes) {
      const top = node.expr ?? node.decl?.init ?? null;
      if (top === null) continue;
      const parts: (Expr & { kind: "binary" })[] = [];
      const casts: (Expr & { kind: "cast" })[] = [];
      walkExpr(top, (part) => {
        if (part.kind === "binary") parts.push(part);
        if (part.kind === "cast") casts.push(part);
      });
      for (const cast of casts) {
        const late = lateCast(cast, values, fn);
        if (late === null || seen.has(late.shift)) continue;
        seen.add(late.shift);
        yield {
          at: cast,
          say: "late",
          with: { expr: fn.file.textOf(late.shift), width: late.width, type: cast.type },
          because: [{ at: late.shift, note: `computed in ${late.width}` }],
          severity: late.width === "32 bits" ? "error" : "warning",
          wanted: `(${cast.type})${fn.file.textOf(late.shift)}`,
          subject: fn.file.textOf(cast),
        };
      }
      const offset = pageOfOffset(top, values);
      if (offset !== null) {
        yield {
          at: offset.at,
          say: "offset",
          with: { handle: fn.file.textOf(offset.name), expr: fn.file.textOf(offset.at) },
          because: [{ at: offset.set, note: "what lies below the page size" }],
          confidence: "high",
          subject: fn.file.textOf(offset.at),
        };
      }
      for (const part of parts) {
        const handle = part.op === "&" ? emptied(part, values, fn) : null;
        if (handle !== null) {
          yield {
            at: part,
            say: "masked",
            with: { expr: fn.file.textOf(part), handle: fn.file.textOf(handle) },
            because: [{ at: handle, note: `declared \`${values.typeOf(handle)}\`` }],
            confidence: "high",
            wanted: `(u64)${fn.file.textOf(handle)}`,
            subject: fn.file.textOf(part),
          };
        }
        if (seen.has(part) || wideProduct(part, values) !== null || !fn.file.isChanged(part)) continue;
        const type = castBefore(part, gone.at(part), values, fn);
        if (type === null) continue;
        seen.add(part);
        yield {
          at: part,
          say: "uncast",
          with: { expr: fn.file.textOf(part), type, operand: fn.file.textOf(part.left) },
          because: [{ at: part, note: `the patch takes the cast to ${type} away` }],
          wanted: `(${type})${fn.file.textOf(part)}`,
          unless: "the operand has been widened in a place that the patch does not show",
          subject: fn.file.textOf(part),
        };
      }
    }
    for (const { call } of values.calls) {
      const [arg] = call.args;
      if (!LONG_POWER.test(call.name) || arg === undefined || LONG_IS_WIDE.test(fn.file.path)) continue;
      const address = addressIn(arg, values);
      if (address === null) continue;
      yield {
        at: call,
        say: "long",
        with: { callee: call.name, handle: fn.file.textOf(address), type: values.typeOf(address)! },
        because: [{ at: address, note: `declared \`${values.typeOf(address)}\`` }],
        severity: "warning",
        unless: "only machines with 64 bits run this",
        subject: `${call.name} ${fn.file.textOf(arg)}`,
      };
    }
    for (const { decl } of values.cfg.nodes) {
      if (decl === null || widthOfType(decl.type) !== 32 || !fn.file.isChanged(decl)) continue;
      const before = new RegExp(
        `\\b(dma_addr_t|phys_addr_t|resource_size_t|pci_bus_addr_t)\\s(?:[^;()]*[\\s,])?${decl.name}\\b`,
      )
        .exec(gone.at(decl));
      if (before === null) continue;
      yield {
        at: decl,
        say: "narrowed",
        with: { handle: decl.name, type: before[1]!, now: decl.type },
        because: [{ at: decl, note: `the patch makes the ${before[1]} a \`${decl.type}\`` }],
        wanted: `${before[1]} ${decl.name}`,
        subject: decl.name,
      };
    }
    const checked = new Set<string>();
    for (const check of use(handling, fn).checks) {
      const { handleExpr } = check;
      if (handleExpr === null || handleExpr.kind === "call" || handleExpr.kind === "cast") continue;
      const type = values.typeOf(handleExpr);
      if (widthOfType(type) !== 32) continue;
      checked.add(values.canonical(handleExpr));
      yield {
        at: check.call,
        say: "check",
        with: { handle: fn.file.textOf(handleExpr) },
        because: [{ at: handleExpr, note: `declared \`${type}\`` }],
        confidence: "high",
        unless: "dma_addr_t has 32 bits on every machine that the driver is built for",
        subject: values.canonical(handleExpr),
      };
    }
    for (const { target, value, op, place } of values.stores) {
      const type = "kind" in target ? values.typeOf(target) : target.type;
      if ((op !== "|=" && op !== "=") || widthOfType(type) !== 32) continue;
      const bit = highBit(value);
      if (bit === null) continue;
      yield {
        at: value,
        say: "bit",
        with: { handle: "kind" in target ? fn.file.textOf(target) : target.name, bit: fn.file.textOf(bit) },
        because: [{ at: value, note: `stored in \`${place}\`, declared \`${type}\`` }],
        confidence: "high",
        unless: "the bit is meant to be dropped",
        subject: `${place} ${fn.file.textOf(bit)}`,
      };
    }
    const isMasked = use.side.files.some((file) => mentioned(file, NARROW_MASK));
    if (isMasked) return;
    for (const store of values.stores) {
      const { target, value } = store;
      const isLocal = !("kind" in target) || target.kind === "ident";
      if (!isLocal || value.kind !== "call" || store.op !== "=") continue;
      const type = "kind" in target ? values.typeOf(target) : target.type;
      const api = API.get(value.name);
      const isBar = api?.returns === "phys-bar" || api?.returns === "pci-bus";
      const isMapped = api?.role === "map" && api.returns === "dma";
      if (widthOfType(type) !== 32 || !(isBar || isMapped)) continue;
      // Ports have 16 bits; what is asked with dma_mapping_error() is told there.
      if (isBar && isPort(store.place, type, values)) continue;
      if (isMapped && checked.has(store.place)) continue;
      yield {
        at: value,
        say: "narrow",
        with: {
          handle: "kind" in target ? fn.file.textOf(target) : target.name,
          what: isMapped ? "DMA address" : "address",
          callee: value.name,
        },
        because: [{ at: value, note: `stored in \`${store.place}\`, declared \`${type}\`` }],
        severity: "warning",
        unless: "the device's mask has 32 bits or fewer",
        subject: `${value.name} ${store.place}`,
      };
    }
  },
});

/** Whether what a base address register says is a range of I/O ports. */
function isPort(place: string, type: string | null, values: Flow): boolean {
  return /(?:^|_)io_?(?:base|addr|port|start)?\d*$|port|smb|i2c/i.test(place) ||
    /16|short/.test(type ?? "") ||
    values.calls.some(({ call }) =>
      PORTS.test(call.name) && call.args.some((arg) => {
        let is = false;
        walkExpr(arg, (part) => is ||= part.kind === "ident" && part.name === place);
        return is;
      })
    );
}

/** Functions that take the number of a port. */
const PORTS = /^(?:devm_)?(?:request_region|release_region|ioport_map)$|^(?:in|out)[bwl]$|^inb_p$|^outb_p$/;

/** The parts of an address expression that C computes in too few bits. */
function* computed(
  expr: Expr & { kind: "binary" },
  type: string,
  fn: FunctionView,
  values: Flow,
  isAdded: boolean,
): Iterable<{
  at: Expr;
  say: "shift" | "lost" | "pfn";
  with: Record<string, string>;
  because: { at: Expr; note: string }[];
  severity?: "warning";
  confidence?: "high" | "medium" | "low";
  wanted?: string;
  subject: string;
}> {
  if (expr.op !== "<<") return;
  const text = fn.file.textOf(expr);
  const declared = (part: Expr) => {
    const shown = values.typeOf(part);
    return shown === null ? [] : [{ at: part, note: `declared \`${shown}\`` }];
  };
  const width = widthOf(expr, values);
  const by = expr.right.kind === "number" && expr.right.value !== null ? Number(expr.right.value) : null;
  const left = nameOf(expr.left);
  const isPages = PAGE_SHIFT.test(nameOf(expr.right)) || (by !== null && by >= 12);
  if (width === 32) {
    if (expr.left.kind === "number" || expr.left.kind === "cast") return;
    if (by !== null && by >= 32) {
      yield {
        at: expr,
        say: "lost",
        with: { expr: text, by: String(by) },
        because: declared(expr.left),
        confidence: "high",
        wanted: `(${type})${fn.file.textOf(expr.left)} << ${by}`,
        subject: text,
      };
      return;
    }
    const bits = bitsOf(expr.left, values);
    if (!isPages || (bits !== null && bits + (by ?? 12) <= 32)) return;
    // Added to a base it is an offset, unless it counts pages.
    if (isAdded && !PAGE_NUMBER.test(left)) return;
    yield {
      at: expr,
      say: "shift",
      with: { expr: text, type },
      because: declared(expr.left),
      // How large the number gets is a guess.
      severity: "warning",
      wanted: `(${type})${fn.file.textOf(expr.left)} << ${fn.file.textOf(expr.right)}`,
      subject: text,
    };
    return;
  }
  const isPfn = isPages && (PAGE_NUMBER.test(left) || isPfnCall(expr.left)) &&
    !LONG_IS_WIDE.test(fn.file.path);
  if (isPfn && (width === "long" || isPfnCall(expr.left))) {
    yield {
      at: expr,
      say: "pfn",
      with: { expr: text, type },
      because: declared(expr.left),
      severity: "warning",
      confidence: "low",
      wanted: `PFN_PHYS(${fn.file.textOf(expr.left)})`,
      subject: text,
    };
  }
}

/** The variable of an address type whose upper half is in a sum; null when it may be a difference or cut off. */
function addressIn(expr: Expr, values: Flow): Expr | null {
  switch (expr.kind) {
    case "ident":
    case "member":
      return isAddressType(values.typeOf(expr)) ? expr : null;
    case "binary":
      if (expr.op === "-") {
        return addressIn(expr.right, values) === null ? addressIn(expr.left, values) : null;
      }
      return expr.op === "+" || expr.op === "|" || expr.op === "^"
        ? addressIn(expr.left, values) ?? addressIn(expr.right, values)
        : null;
    default:
      return null;
  }
}

/** The type to which the removed text cast the operand of the same shift or product; null when it did not. */
function castBefore(
  expr: Expr & { kind: "binary" },
  before: string,
  values: Flow,
  fn: FunctionView,
): string | null {
  if (expr.op !== "<<" && expr.op !== "*") return null;
  const isLarge = expr.op === "<<" ? isPageShift(expr.right) : (constantOf(expr.right) ?? 0n) >= 1n << 28n;
  if (!isLarge || widthOf(expr.left, values) === 64) return null;
  const tight = (text: string) => text.replace(/\s+/g, "");
  const text = tight(before);
  const left = tight(fn.file.textOf(expr.left));
  const rest = `${expr.op}${tight(fn.file.textOf(expr.right))}`;
  return ["dma_addr_t", "phys_addr_t"].find((type) =>
    text.includes(`(${type})${left}${rest}`) || text.includes(`(${type})(${left})${rest}`)
  ) ?? null;
}

/** A shift towards an address that a cast around it widens when its upper bits are gone; null: nothing is lost. */
function lateCast(
  cast: Expr & { kind: "cast" },
  values: Flow,
  fn: FunctionView,
): { shift: Expr & { kind: "binary" }; width: "32 bits" | "unsigned long" } | null {
  const shift = cast.value;
  if (widthOfType(cast.type) !== 64 || shift.kind !== "binary" || shift.op !== "<<") return null;
  const width = widthOf(shift.left, values);
  const by = shift.right.kind === "number" && shift.right.value !== null ? Number(shift.right.value) : null;
  if (width === 32 && by !== null && by >= 32 && shift.left.kind !== "number") {
    return { shift, width: "32 bits" };
  }
  if (!PAGE_SHIFT.test(nameOf(shift.right)) || LONG_IS_WIDE.test(fn.file.path)) return null;
  if (width === 32) {
    // Pages of one buffer fit; page numbers are as large as memory is.
    return PAGE_NUMBER.test(nameOf(shift.left)) ? { shift, width: "32 bits" } : null;
  }
  const isPfn = /pfn/i.test(nameOf(shift.left)) || isPfnCall(shift.left);
  return width !== 64 && isPfn && isAddressType(cast.type) && !isAlwaysWide(fn.file)
    ? { shift, width: "unsigned long" }
    : null;
}

/** `offset &= PAGE_MASK` of a variable that was set once, to the part of an address below the page size. */
function pageOfOffset(top: Expr, values: Flow): { at: Expr; name: Expr; set: Expr } | null {
  let found: { at: Expr; name: Expr; set: Expr } | null = null;
  walkExpr(top, (expr) => {
    const [name, mask] = expr.kind === "assign" && expr.op === "&="
      ? [expr.target, expr.value]
      : expr.kind === "binary" && expr.op === "&"
      ? [expr.left, expr.right]
      : [null, null];
    if (name?.kind !== "ident" || mask?.kind !== "ident" || mask.name !== "PAGE_MASK") return;
    const node = values.nodeOf(name) ?? values.nodeOf(expr);
    const leadsHere = (from: CfgNode) =>
      node === null || search(from, (at) => at === node ? "hit" : "go").hit !== null;
    const sets = values.stores.filter((store) =>
      store.place === name.name && store.node !== node && leadsHere(store.node)
    );
    const [set] = sets;
    const isChanged = values.cfg.nodes.some((step) => {
      const { expr: other } = step;
      let changes = false;
      if (other !== null && leadsHere(step)) {
        walkExpr(other, (inner) => {
          changes ||= inner.kind === "update" && inner.operand.kind === "ident" &&
            inner.operand.name === name.name;
          changes ||= inner.kind === "unary" && inner.op === "&" && inner.operand.kind === "ident" &&
            inner.operand.name === name.name;
        });
      }
      return changes;
    });
    if (set === undefined || sets.length > 1 || set.op !== "=" || isChanged || !isBelowPage(set.value)) {
      return;
    }
    found = { at: expr, name, set: set.value };
  });
  return found;
}

const isBelowPage = (value: Expr): boolean =>
  (value.kind === "call" && value.name === "offset_in_page") ||
  (value.kind === "binary" && value.op === "&" &&
    [value.left, value.right].some((side) =>
      side.kind === "unary" && side.op === "~" && side.operand.kind === "ident" &&
      side.operand.name === "PAGE_MASK"
    ));

const isPageShift = (by: Expr) =>
  PAGE_SHIFT.test(nameOf(by)) || (by.kind === "number" && by.value !== null && by.value >= 12n);

/** The unsigned 32-bit operand of a mask whose bits all lie above; null when something may be left of it. */
function emptied(expr: Expr & { kind: "binary" }, values: Flow, fn: FunctionView): Expr | null {
  for (const [value, mask] of [[expr.left, expr.right], [expr.right, expr.left]] as const) {
    if (value.kind !== "ident" && value.kind !== "member") continue;
    const low = lowestBit(mask, fn);
    const bits = low === null ? null : bitsOf(value, values);
    if (low !== null && bits !== null && bits <= low) return value;
  }
  return null;
}

/** The lowest bit of a `GENMASK_ULL()` or `BIT_ULL()`, also by the name that the patch shows for it. */
function lowestBit(mask: Expr, fn: FunctionView): number | null {
  let text = fn.file.textOf(mask);
  if (mask.kind === "ident") {
    const define = new RegExp(`^\\s*#\\s*define\\s+${mask.name}\\s+(.*)$`);
    text = fn.file.directives.map((line) => define.exec(line)?.[1]).find((body) => body !== undefined) ?? "";
  }
  const found =
    /^\(?\s*(?:GENMASK(?:_ULL)?\s*\(\s*\d+\s*,\s*(\d+)\s*\)|BIT(?:_ULL)?\s*\(\s*(\d+)\s*\))\s*\)?$/
      .exec(text.trim());
  return found === null ? null : Number(found[1] ?? found[2]);
}

/** `BIT(39)` among the terms of a value; null when every bit is below 32. */
function highBit(value: Expr): Expr | null {
  if (value.kind === "binary" && value.op === "|") return highBit(value.left) ?? highBit(value.right);
  if (value.kind !== "call" || !/^BIT(?:_ULL)?$/.test(value.name)) return null;
  const [n] = value.args;
  return n?.kind === "number" && n.value !== null && n.value >= 32n ? value : null;
}

/** The name that an expression goes by; "" when it has none. */
function nameOf(expr: Expr): string {
  let name = "";
  walkExpr(expr, (inner) => {
    if (inner.kind === "ident" && name === "") name = inner.name;
    else if (inner.kind === "member" && name === "") name = inner.field;
  });
  return name;
}

function isPfnCall(expr: Expr): boolean {
  const call: Call | null = expr.kind === "call" ? expr : null;
  return call !== null && API.get(call.name)?.returns === "pfn";
}
