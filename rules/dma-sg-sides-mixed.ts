/**
 * U07: the CPU side of one scatterlist entry paired with the DMA side of it: address of the one, length of the other.
 *
 * @module
 */

import { type Expr, type Stmt, walkExpr, walkStmt } from "./engine/ast.ts";
import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isMapper, isTest } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";
import { ITERATORS } from "./kernel/mod.ts";

const DMA_LOOPS = new Map(
  ITERATORS.filter((row) =>
    row.name.startsWith("for_each_sg") && row.side !== "cpu" && !/page/.test(row.name)
  )
    .map((row) => [row.name, row]),
);
/** `PFN_UP()`, `HVPFN_UP()`, and the same by hand. */
const PAGES_UP = /(?:^|_)\w*PFN_UP$/;
const PAGES_DOWN = /(?:^|_)\w*PFN_DOWN$/;
const PAGE_SIZE = /(?:^|_)PAGE_SIZE$/;
const PAGE_SHIFT = /(?:^|_)PAGE_SHIFT$/;

type Side = "cpu-address" | "cpu-length" | "dma-address" | "dma-length";

/** What a value says of a scatterlist entry. */
interface Part {
  readonly side: Side;
  /** The entry in normal form. */
  readonly entry: string;
  readonly at: Expr;
}

export default defineRule({
  id: "dma-sg-sides-mixed",
  since: "0.1.0",
  code: "U07",
  severity: "warning",
  confidence: "medium",
  category: "unmap-pairing",
  scope: "function",
  summary: "the address of a scatterlist entry goes with the length of the other side, or with none",
  why: `An entry of a scatterlist holds two ranges that need not have to do with each other. The CPU side is
\`sg_page()\`, \`sg->offset\`, \`sg->length\`. \`dma_map_sg()\` writes the DMA side, \`sg_dma_address()\` and
\`sg_dma_len()\`, and may merge several CPU ranges into one DMA segment: the n-th segment is then not the n-th range, and
it is longer than any of them.

An address of one side with the length of the other reads or writes what lies behind the buffer, or only a part of it.
So does a list of addresses that forgets how long each segment is, and a number of pages that is computed from the
length alone while the address is rounded down to its page: a segment of one page that starts in the middle of one
touches two.`,
  limits:
    "The two halves are only compared within one call, and a list of addresses only within one loop. An entry that is mapped alone is not merged.",
  unless: "each entry is a segment of its own, because the list has one entry or the device no IOMMU",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: using scatterlists",
    "kernel/dma/debug.c: debug_dma_map_sg() checks the CPU side with sg->length",
    "drivers/iommu/dma-iommu.c: __finalise_sg()",
  ],
  messages: {
    cpu:
      "{callee}() gets the CPU address of `{entry}` and the length of a DMA segment: `{entry}->length` goes with it",
    dma:
      "{callee}() gets the DMA address of `{entry}` and the length of its CPU side: sg_dma_len(`{entry}`) goes with it",
    apart:
      "the address is that of a DMA segment, and `{entry}->length` the length of the CPU side of its first entry: sg_dma_len(`{entry}`) goes with it",
    forgotten:
      "the loop keeps the addresses of DMA segments and forgets their lengths: entries may have been merged, and a segment is then longer than one of them",
    rounded:
      "`{pages}` counts the pages of the length alone, while `{down}` rounds the address down: a segment that starts inside a page touches one page more",
  },
  bad: [
    {
      title: "each in a statement of its own",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sgl, int count)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgl, sg, count, i) {
+		u32 len = sg->length; /* want: apart */
+		dma_addr_t addr = sg_dma_address(sg);
+
+		foo_push(foo, addr, len);
+	}
+}`,
    },
    {
      title: "CPU address, DMA length",
      patch: String.raw`
+static void foo_dump(struct foo *foo, struct scatterlist *sgl, int n)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgl, sg, n, i)
+		foo_copy(foo, sg_virt(sg), sg_dma_len(sg)); /* want: cpu */
+}`,
    },
    {
      title: "DMA address, CPU length",
      patch: String.raw`
+static void foo_push(struct foo *foo, struct scatterlist *sgl, int n)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgl, sg, n, i)
+		foo_desc(foo, sg_dma_address(sg), sg->length); /* want: dma */
+}`,
    },
    {
      title: "one address for each entry",
      patch: String.raw`
+static void foo_cache(struct foo *foo, struct sg_table *sgt, int nr)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgt->sgl, sg, nr, i)
+		foo->addrs[foo->first + i] = sg_dma_address(sg); /* want: forgotten */
+}`,
    },
    {
      title: "a page too few",
      patch: String.raw`
+static void foo_pages(struct foo *foo, struct scatterlist *sgl, int n)
+{
+	struct scatterlist *sg;
+	int i, pages;
+
+	for_each_sg(sgl, sg, n, i) {
+		pages = PFN_UP(sg_dma_len(sg)); /* want: rounded */
+		foo_fill(foo, PFN_DOWN(sg_dma_address(sg)), pages);
+	}
+}`,
    },
  ],
  good: [
    {
      title: "one entry, or both lengths",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sgl, int count)
+{
+	struct scatterlist *sg;
+	u32 len = sgl->length; /* ok: apart */
+	dma_addr_t addr = sg_dma_address(sgl);
+	int i;
+
+	foo_first(foo, addr, len);
+	for_each_sg(sgl, sg, count, i) {
+		u32 bytes = sg->length; /* ok: apart */
+
+		addr = sg_dma_address(sg);
+		foo_push(foo, addr, sg_dma_len(sg), bytes);
+	}
+}`,
    },
    {
      title: "both of one side",
      patch: String.raw`
+static void foo_push(struct foo *foo, struct scatterlist *sgl, int n)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgl, sg, n, i) {
+		foo_copy(foo, sg_virt(sg), sg->length); /* ok: cpu */
+		foo_desc(foo, sg_dma_address(sg), sg_dma_len(sg)); /* ok: dma */
+	}
+}`,
    },
    {
      title: "a loop of the CPU side is dma-sg-wrong-nents's",
      patch: String.raw`
+static void foo_push(struct foo *foo, struct sg_table *sgt)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sgtable_sg(sgt, sg, i)
+		foo_desc(foo, sg_dma_address(sg), sg->length); /* ok: dma */
+}`,
    },
    {
      title: "the whole entry, and the other list's length",
      patch: String.raw`
+static void foo_copy_list(struct foo *foo, struct scatterlist *src, struct scatterlist *dst)
+{
+	sg_set_page(dst, sg_page(src), src->length, src->offset); /* ok: cpu */
+	sg_dma_address(dst) = sg_dma_address(src);
+	foo_trace(sg_virt(src), src->length, sg_dma_address(src), sg_dma_len(src)); /* ok: cpu, dma */
+}`,
    },
    {
      title: "the length is looked at",
      patch: String.raw`
+static int foo_cache(struct foo *foo, struct sg_table *sgt, int nr)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sg(sgt->sgl, sg, nr, i) {
+		if (sg_dma_len(sg) != FOO_CHUNK)
+			return -EINVAL;
+		foo->addrs[i] = sg_dma_address(sg); /* ok: forgotten */
+	}
+	return 0;
+}`,
    },
    {
      title: "the offset in the page is counted, or the address is not rounded",
      patch: String.raw`
+static void foo_pages(struct foo *foo, struct scatterlist *sg)
+{
+	unsigned long first = PFN_DOWN(sg_dma_address(sg));
+
+	foo_fill(foo, first, PFN_UP(offset_in_page(sg_dma_address(sg)) + sg_dma_len(sg))); /* ok: rounded */
+}
+
+static void foo_blocks(struct foo *foo, struct scatterlist *sg)
+{
+	foo_add(foo, sg_dma_address(sg), PFN_UP(sg_dma_len(sg))); /* ok: rounded */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    const cpuLoops = loopsOf(fn).filter(({ test }) => isOfCpuSide(test, values));
    for (const { call } of values.calls) {
      // A message names whatever helps; a dump reads it.
      if (call.name !== "print_hex_dump" && call.args.some((arg) => arg.kind === "string")) continue;
      const parts = call.args.map((arg) => partOf(arg, values));
      const of = (side: Side) => parts.filter((part) => part !== null && part.side === side);
      for (const [address, length, own, say] of PAIRS) {
        const start = of(address)[0];
        const wrong = of(length).find((part) => part!.entry === start?.entry);
        // The DMA API maps entry by entry where it bounces them.
        if (say === "dma" && isMapper(fn.file)) continue;
        // Who gets both lengths knows what he does.
        if (start == null || wrong == null || of(own).length > 0) continue;
        // The loop is of the wrong side: dma-sg-wrong-nents says so, and its cure is one for both.
        if (say === "dma" && isIn(wrong.at, cpuLoops)) continue;
        yield {
          at: wrong.at,
          say,
          with: { callee: call.name, entry: entryText(wrong.at, fn) },
          because: [{ at: start.at, note: `address of the ${say === "cpu" ? "CPU" : "DMA"} side` }],
          wanted: say === "cpu"
            ? `${entryText(wrong.at, fn)}->length`
            : `sg_dma_len(${entryText(wrong.at, fn)})`,
          subject: `${call.name} ${wrong.entry}`,
        };
      }
    }
    if (!isMapper(fn.file)) yield* apart(fn, values, cpuLoops);
    yield* forgotten(fn, values, use);
    yield* rounded(fn, values);
  },
});

type Loop = Stmt & { kind: "loop" };

/** The loops with a macro such as `for_each_sg()`. */
function loopsOf(fn: FunctionView): Loop[] {
  const loops: Loop[] = [];
  walkStmt(fn.node.body, {
    stmt: (stmt) => {
      if (stmt.kind === "loop" && stmt.form === "each") loops.push(stmt);
    },
  });
  return loops;
}

/** `for_each_sgtable_sg()`, and `for_each_sg()` over `orig_nents` entries. */
function isOfCpuSide(head: Expr | null, values: Flow): boolean {
  if (head?.kind !== "call") return false;
  if (head.name === "for_each_sgtable_sg") return true;
  const [, , count] = head.args;
  return head.name === "for_each_sg" && count !== undefined && /\borig_nents$/.test(values.canonical(count));
}

const isIn = (expr: Expr, loops: readonly Loop[]): boolean =>
  loops.some(({ start, end }) => start <= expr.start && expr.end <= end);

const PAIRS = [
  ["cpu-address", "dma-length", "cpu-length", "cpu"],
  ["dma-address", "cpu-length", "dma-length", "dma"],
] as const;

/** The half of an entry that a value is: through casts, offsets and byte swaps; null when it is none. */
function partOf(expr: Expr, values: Flow): Part | null {
  switch (expr.kind) {
    case "cast":
      return partOf(expr.value, values);
    case "binary":
      return expr.op === "+" ? partOf(expr.left, values) ?? partOf(expr.right, values) : null;
    case "member": {
      if (expr.field !== "length" || !isEntry(expr.object, values)) return null;
      return { side: "cpu-length", entry: values.canonical(expr.object), at: expr };
    }
    case "call": {
      const side = SIDES.get(expr.name);
      const [entry] = expr.args;
      if (side !== undefined && entry !== undefined) {
        return { side, entry: values.canonical(entry), at: expr };
      }
      return /^(?:__)?cpu_to_[lb]e\d\d$|^page_address$|^kmap\w*$/.test(expr.name) && entry !== undefined
        ? partOf(entry, values)
        : null;
    }
    default:
      return null;
  }
}

const SIDES: ReadonlyMap<string, Side> = new Map([
  ["sg_virt", "cpu-address"],
  ["sg_page", "cpu-address"],
  ["sg_phys", "cpu-address"],
  ["sg_dma_address", "dma-address"],
  ["sg_dma_len", "dma-length"],
]);

/** Whether an object with a `length` is an entry: by its type, or as the cursor of a loop over a list. */
const isEntry = (object: Expr, values: Flow): boolean =>
  /^struct scatterlist \*?$/.test(values.typeOf(object) ?? "") ||
  (values.typeOf(object) === null && object.kind === "ident" && /^(?:sg|sgl|sge?nt)$/.test(object.name));

const entryText = (part: Expr, fn: FunctionView): string =>
  part.kind === "call" && part.args[0] !== undefined
    ? fn.file.textOf(part.args[0])
    : part.kind === "member"
    ? fn.file.textOf(part.object)
    : fn.file.textOf(part);

/** A round of a loop that takes the DMA address of an entry in one statement and the length of its CPU side in another. */
function* apart(fn: FunctionView, values: Flow, cpuLoops: readonly Loop[]) {
  const text = fn.file.textOf(fn.node);
  const found = (side: Side) =>
    values.stores.flatMap(({ value, op, node }) => {
      const part = op === "=" ? partOf(value, values) : null;
      return part?.side === side && value.kind !== "binary" && node.loops.length > 0 ? [{ part, node }] : [];
    });
  const addresses = found("dma-address");
  for (const { part: length, node } of addresses.length > 0 ? found("cpu-length") : []) {
    const address = addresses.find(({ part, node: other }) =>
      part.entry === length.entry && other.loops.at(-1) === node.loops.at(-1)
    );
    const entry = entryText(length.at, fn);
    // Who asks for both lengths knows what he does.
    if (address === undefined || text.includes(`sg_dma_len(${entry})`) || isIn(length.at, cpuLoops)) continue;
    yield {
      at: length.at,
      say: "apart" as const,
      with: { entry },
      because: [{ at: address.part.at, note: "the address of the DMA segment" }],
      confidence: "medium" as const,
      wanted: `sg_dma_len(${entry})`,
      subject: length.entry,
    };
  }
}

/** Loops over DMA segments that store one address each, in a function that never asks how long any of them is. */
function* forgotten(fn: FunctionView, values: Flow, use: Use) {
  // A function that is not shown in full may ask further up, unless the patch has just taken the question away.
  if (!fn.whole && !/\bsg_dma_len\b/.test(use(removed, fn.file).of(fn))) return;
  const asksLength = /\bsg_dma_len\b|->length\b|\bdma_length\b|\bsg_page\b/.test(fn.file.textOf(fn.node));
  for (const loop of asksLength ? [] : loopsOf(fn)) {
    const head = loop.test;
    const row = head?.kind === "call" ? DMA_LOOPS.get(head.name) : undefined;
    if (head?.kind !== "call" || row === undefined) continue;
    const entry = head.args[row.entry];
    const count = row.count === null ? null : head.args[row.count];
    if (entry?.kind !== "ident" || (count?.kind === "number" && count.value === 1n)) continue;
    const store = values.stores.find(({ target, value, op }) =>
      op === "=" && "kind" in target && target.kind === "index" && target.start >= loop.start &&
      target.end <= loop.end && isAddressOf(value, entry.name)
    );
    if (store === undefined) continue;
    yield {
      at: store.value,
      say: "forgotten" as const,
      because: [{ at: head, note: "one round for each DMA segment" }],
      unless: "somebody else has made sure that each segment has the same length",
      subject: `${values.canonical(head)} ${store.place}`,
    };
  }
}

const isAddressOf = (value: Expr, entry: string): boolean =>
  value.kind === "cast"
    ? isAddressOf(value.value, entry)
    : value.kind === "call" && value.name === "sg_dma_address" && value.args[0]?.kind === "ident" &&
      value.args[0].name === entry;

/** A number of pages from the length alone, beside an address that is cut off at its page. */
function* rounded(fn: FunctionView, values: Flow) {
  const ups: { at: Expr; part: Part }[] = [];
  const downs: { at: Expr; part: Part }[] = [];
  for (const node of values.cfg.nodes) {
    const top = node.expr ?? node.decl?.init ?? null;
    if (top === null) continue;
    walkExpr(top, (expr) => {
      const value = expr.kind === "call" ? expr.args[0] : expr.kind === "binary" ? expr.left : undefined;
      const part = value === undefined ? null : plainPart(value, values);
      if (part === null) return;
      if (isUp(expr) && part.side.endsWith("length")) ups.push({ at: expr, part });
      if (isDown(expr) && part.side.endsWith("address")) downs.push({ at: expr, part });
    });
  }
  for (const up of ups) {
    const down = downs.find(({ part }) => part.entry === up.part.entry && part.side[0] === up.part.side[0]);
    if (down === undefined) continue;
    yield {
      at: up.at,
      say: "rounded" as const,
      with: { pages: fn.file.textOf(up.at), down: fn.file.textOf(down.at) },
      because: [{ at: down.at, note: "what lies before the address in its page is left out of the count" }],
      unless: "every segment starts at a page",
      subject: fn.file.textOf(up.at),
    };
  }
}

/** A half that nothing is added to. */
function plainPart(expr: Expr, values: Flow): Part | null {
  return expr.kind === "binary"
    ? null
    : expr.kind === "cast"
    ? plainPart(expr.value, values)
    : partOf(expr, values);
}

const isUp = (expr: Expr): boolean =>
  expr.kind === "call" &&
  (PAGES_UP.test(expr.name) ||
    (/^DIV_ROUND_UP/.test(expr.name) && expr.args[1]?.kind === "ident" && PAGE_SIZE.test(expr.args[1].name)));

const isDown = (expr: Expr): boolean =>
  (expr.kind === "call" && PAGES_DOWN.test(expr.name)) ||
  (expr.kind === "binary" && expr.op === ">>" && expr.right.kind === "ident" &&
    PAGE_SHIFT.test(expr.right.name));
