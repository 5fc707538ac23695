/**
 * U05: the two entry counts of a scatterlist mixed up: the CPU side that is mapped, and the DMA side that comes out.
 *
 * @module
 */

import type { Call, Expr, Stmt } from "./engine/ast.ts";
import { partsOf, walkExpr, walkStmt } from "./engine/ast.ts";
import { type CfgNode, search, testOperand } from "./engine/cfg.ts";
import { type Because, defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { mentioned } from "./facts/mention.ts";
import { type CallSite, type Flow, flow, mentions, structName } from "./facts/flow.ts";
import { type Former, formerCall } from "./facts/former.ts";
import { isMapper } from "./facts/place.ts";
import { API, ITERATORS } from "./kernel/mod.ts";

const DMA_READS = new Set(["sg_dma_address", "sg_dma_len"]);
/** What a struct sg_table is called where its type is not shown. */
const TABLE_NAME = /(?:^|[_.>])(?:\w*sgt\w*|\w*sg_?tab(?:le)?\w*|st|sg|table|pages)$/;
const ITERATOR = new Map(ITERATORS.map((row) => [row.name, row]));

/** A call that takes a list and how many entries of its CPU side it has. */
interface Counted {
  readonly site: CallSite;
  /** Normal form of the list. */
  readonly list: string;
  readonly countExpr: Expr;
  /** Normal form of the count. */
  readonly count: string;
}

/** The same, for a mapping: what came out of it and where that is kept. */
interface Mapped extends Counted {
  readonly kept: string | null;
}

/** What leaves the number of segments in `nents`. */
const SETS_NENTS = /(?:->|\.)nents\s*=\s*\w*dma_map_sg|dma_map_sgtable|dma_buf_map_attachment/;
/** The file maps `nents` entries itself: the same number all through. */
const MAPS_NENTS = /\b(?:ib_)?dma_map_sg(?:_attrs)?\s*\([^;]*(?:->|\.)nents\b/;

export default defineRule({
  id: "dma-sg-wrong-nents",
  since: "0.1.0",
  code: "U05",
  severity: "error",
  confidence: "high",
  category: "unmap-pairing",
  scope: "function",
  summary: "the CPU side's and the DMA side's entry count of a scatterlist are mixed up",
  why:
    `A scatterlist has two sides in the same entries. The CPU side (\`sg_page()\`, \`sg->length\`) has as many as were
filled in; \`struct sg_table\` keeps that number in \`orig_nents\`. \`dma_map_sg()\` may merge neighbours, with an IOMMU
into a single segment, writes the DMA side (\`sg_dma_address()\`, \`sg_dma_len()\`) into the first entries and returns how
many those are; \`struct sg_table\` keeps that in \`nents\`.

Mapping, unmapping and syncing walk the CPU side: they want the number that was mapped. With the smaller one the
cache maintenance and the bounce buffers of the rest are forgotten. Programming hardware walks the DMA side: with
the larger number it reads entries that hold nothing, or something old. Without an IOMMU the two numbers are equal,
so that tests on such a machine find nothing. \`dma_map_sgtable()\` and the \`for_each_sgtable_*()\` loops choose
the right number themselves.`,
  limits:
    `A count that is handed over through a struct field is followed only where the patch shows both functions. A
struct with members \`sgl\` and \`nents\` is taken for a \`struct sg_table\` by its type, or else by its name.`,
  unless: "the list always maps to exactly as many segments as it has entries",
  sources: [
    "Documentation/core-api/dma-api.rst: dma_map_sg(), dma_unmap_sg()",
    "kernel/dma/mapping.c: dma_map_sg_attrs(), dma_map_sgtable()",
    "include/linux/scatterlist.h: struct sg_table, for_each_sgtable_sg(), for_each_sgtable_dma_sg()",
    "drivers/iommu/iommu.c: iommu_map_sg() walks sg_phys()",
    "https://lore.kernel.org/all/20200428132005.21424-1-m.szyprowski@samsung.com/",
  ],
  messages: {
    returned:
      "{callee}() is given `{count}`, the number of segments that {map}() returned; it wants the number of entries that was mapped",
    table:
      "{callee}() is given `{count}`, the number of DMA segments; it walks the entries of the CPU side, of which there are `{wanted}`",
    replaced:
      "{callee}() was given `{was}`, the number of entries, and is now given `{count}`: nothing shows that it counts what was mapped",
    program:
      "{callee}() is given `{count}` entries, but {map}() may have merged them: what it returned, `{kept}`, is the number of DMA segments",
    entries:
      "{callee}() reads the DMA side and is given `{count}`, the number of entries of the CPU side: the number of DMA segments is `{wanted}`",
    walk:
      "the loop walks the entries of the CPU side and reads {read}(): there may be fewer DMA segments than entries",
    unmapped:
      "{read}(`{list}`) is read before {map}() maps the list: until then only the CPU side (`->length`) means something",
  },
  bad: [
    {
      title: "the returned count is unmapped",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct scatterlist *sgl, int nents)
+{
+	int n;
+
+	n = dma_map_sg(foo->dev, sgl, nents, DMA_TO_DEVICE);
+	if (!n)
+		return -ENOMEM;
+	foo_start(foo, sgl, n);
+	dma_unmap_sg(foo->dev, sgl, n, DMA_TO_DEVICE); /* want: returned */
+	return 0;
+}`,
    },
    {
      title: "the returned count is kept for later",
      patch: String.raw`
+struct foo_job {
+	struct scatterlist *sgl;
+	unsigned int nr;
+	unsigned int nr_mapped;
+};
+
+static int foo_map(struct foo *foo, struct foo_job *job)
+{
+	job->nr_mapped = dma_map_sg(foo->dev, job->sgl, job->nr, DMA_TO_DEVICE);
+	return job->nr_mapped ? 0 : -ENOMEM;
+}
+
+static void foo_done(struct foo *foo, struct foo_job *job)
+{
+	dma_unmap_sg(foo->dev, job->sgl, job->nr_mapped, DMA_TO_DEVICE); /* want: returned */
+}`,
    },
    {
      title: "another count takes the place of the number of entries",
      patch: String.raw`
@@ static int foo_run(struct foo *foo, struct foo_request *req)
 err_unmap:
-	dma_unmap_sg(foo->dev, req->src, sg_nents(req->src), DMA_TO_DEVICE);
+	dma_unmap_sg(foo->dev, req->src, nr_sgs, DMA_TO_DEVICE); /* want: replaced */
 	return ret;`,
    },
    {
      title: "the count overwrites the number of entries",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct scatterlist *sgl, int nents)
+{
+	nents = dma_map_sg(foo->dev, sgl, nents, DMA_FROM_DEVICE);
+	if (!nents)
+		return -ENOMEM;
+	foo_start(foo, sgl, nents);
+	dma_sync_sg_for_cpu(foo->dev, sgl, nents, DMA_FROM_DEVICE); /* want: returned */
+	return 0;
+}`,
    },
    {
      title: "one number all through: a habit that only works while nobody writes nents",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	foo->segments = dma_map_sg(foo->dev, sgt->sgl, sgt->nents, DMA_FROM_DEVICE); /* want: table */
+	return foo->segments ? 0 : -ENOMEM;
+}
+
+static void foo_unmap(struct foo *foo, struct sg_table *sgt)
+{
+	dma_unmap_sg(foo->dev, sgt->sgl, sgt->nents, DMA_FROM_DEVICE); /* want: table */
+}`,
    },
    {
      title: "a table is unmapped and mapped into an IOMMU with nents",
      patch: String.raw`
+static void foo_release(struct foo *foo, struct sg_table *sgt)
+{
+	dma_unmap_sg(foo->dev, sgt->sgl, sgt->nents, DMA_BIDIRECTIONAL); /* want: table */
+}
+
+static int foo_iommu(struct foo *foo, unsigned long iova)
+{
+	struct sg_table *sgt = foo->sgt;
+
+	return iommu_map_sg(foo->domain, iova, sgt->sgl, sgt->nents, IOMMU_READ, GFP_KERNEL); /* want: table */
+}`,
    },
    {
      title: "a DMA engine gets the number of entries",
      patch: String.raw`
+static int foo_submit(struct foo *foo, struct scatterlist *sgl, unsigned int nents)
+{
+	struct dma_async_tx_descriptor *tx;
+	int n = dma_map_sg(foo->chan->device->dev, sgl, nents, DMA_TO_DEVICE);
+
+	if (n == 0)
+		return -EIO;
+	tx = dmaengine_prep_slave_sg(foo->chan, sgl, nents, DMA_MEM_TO_DEV, 0); /* want: program */
+	return foo_issue(foo, tx);
+}`,
    },
    {
      title: "the table's entries are programmed",
      patch: String.raw`
+static int foo_submit(struct foo *foo, struct sg_table *sgt)
+{
+	struct dma_async_tx_descriptor *tx;
+
+	tx = dmaengine_prep_slave_sg(foo->chan, sgt->sgl, sgt->orig_nents, DMA_MEM_TO_DEV, 0); /* want: entries */
+	if (!tx)
+		return -EIO;
+	return foo_reg(foo, ib_map_mr_sg(foo->mr, foo->sgt.sgl, foo->sgt.orig_nents, NULL, SZ_4K)); /* want: entries */
+}`,
    },
    {
      title: "the loop over the pages reads the DMA side",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct sg_table *sgt)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sgtable_sg(sgt, sg, i)
+		foo_entry(foo, sg_dma_address(sg), sg_dma_len(sg)); /* want: walk */
+}`,
    },
    {
      title: "the DMA length of a list that is mapped later",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	size_t count = min_t(size_t, foo->total, sg_dma_len(foo->src)); /* want: unmapped */
+
+	if (!dma_map_sg(foo->dev, foo->src, 1, DMA_TO_DEVICE))
+		return -ENOMEM;
+	return foo_kick(foo, sg_dma_address(foo->src), count);
+}`,
    },
  ],
  good: [
    {
      title: "unmapped with what was mapped, programmed with what came out",
      patch: String.raw`
+static int foo_run(struct foo *foo, struct scatterlist *sgl, int nents)
+{
+	struct scatterlist *sg;
+	int i, n;
+
+	n = dma_map_sg(foo->dev, sgl, nents, DMA_TO_DEVICE);
+	if (!n)
+		return -ENOMEM;
+	for_each_sg(sgl, sg, n, i)
+		foo_entry(foo, sg_dma_address(sg), sg_dma_len(sg)); /* ok: walk */
+	dma_unmap_sg(foo->dev, sgl, nents, DMA_TO_DEVICE); /* ok: returned */
+	return 0;
+}`,
    },
    {
      title: "a list of one entry, and a list that may not be merged",
      patch: String.raw`
+static int foo_one(struct foo *foo, struct scatterlist *sgl, int nents)
+{
+	int n = dma_map_sg(foo->dev, &foo->sg, 1, DMA_TO_DEVICE);
+
+	if (!n)
+		return -ENOMEM;
+	dma_unmap_sg(foo->dev, &foo->sg, n, DMA_TO_DEVICE); /* ok: returned */
+	n = dma_map_sg(foo->dev, sgl, nents, DMA_TO_DEVICE);
+	if (n != nents)
+		return -EINVAL;
+	dma_unmap_sg(foo->dev, sgl, n, DMA_TO_DEVICE); /* ok: returned */
+	return 0;
+}`,
    },
    {
      title: "a table by its own functions, and one that an exporter fills by hand",
      patch: String.raw`
+static int foo_table(struct foo *foo, struct sg_table *sgt)
+{
+	struct scatterlist *sg;
+	int i, ret;
+
+	for_each_sgtable_sg(sgt, sg, i) {
+		sg_set_page(sg, NULL, SZ_4K, 0);
+		sg_dma_address(sg) = foo->iova + i * SZ_4K;
+		foo_note(foo, sg_dma_address(sg)); /* ok: walk */
+	}
+	ret = dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0);
+	if (ret)
+		return ret;
+	dma_unmap_sg(foo->dev, sgt->sgl, sgt->orig_nents, DMA_TO_DEVICE); /* ok: table */
+	return 0;
+}`,
    },
    {
      title: "the number of entries is kept, or named so",
      patch: String.raw`
@@ static int foo_run(struct foo *foo, struct foo_request *req)
+	count = sg_nents(req->src);
+	if (!dma_map_sg(foo->dev, req->src, count, DMA_TO_DEVICE))
+		return -ENOMEM;
@@ static int foo_run(struct foo *foo, struct foo_request *req)
-	dma_unmap_sg(foo->dev, req->src, sg_nents(req->src), DMA_TO_DEVICE);
-	dma_unmap_sg(foo->dev, req->dst, sg_nents(req->dst), DMA_TO_DEVICE);
+	dma_unmap_sg(foo->dev, req->src, count, DMA_TO_DEVICE); /* ok: replaced */
+	dma_unmap_sg(foo->dev, req->dst, req->dst_nents, DMA_TO_DEVICE); /* ok: replaced */
 	return ret;`,
    },
    {
      title: "the number of entries is kept beside it",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct foo_job *job)
+{
+	job->nr = sg_nents(job->sgl);
+	job->nr_mapped = dma_map_sg(foo->dev, job->sgl, job->nr, DMA_TO_DEVICE);
+	return job->nr_mapped ? 0 : -ENOMEM;
+}
+
+static void foo_done(struct foo *foo, struct foo_job *job)
+{
+	dma_unmap_sg(foo->dev, job->sgl, job->nr, DMA_TO_DEVICE); /* ok: returned */
+}`,
    },
    {
      title: "a private struct with a member of that name",
      patch: String.raw`
+struct foo_request {
+	struct scatterlist *sgl;
+	int nents;
+};
+
+static void foo_done(struct foo *foo, struct foo_request *req)
+{
+	dma_unmap_sg(foo->dev, req->sgl, req->nents, DMA_TO_DEVICE); /* ok: table */
+}`,
    },
    {
      title: "the DMA length is read where the list is mapped",
      patch: String.raw`
+static int foo_again(struct foo *foo)
+{
+	while (foo->left) {
+		if (!dma_map_sg(foo->dev, foo->src, foo->nents, DMA_TO_DEVICE))
+			return -ENOMEM;
+		foo_kick(foo, sg_dma_address(foo->src), sg_dma_len(foo->src)); /* ok: unmapped */
+		dma_unmap_sg(foo->dev, foo->src, foo->nents, DMA_TO_DEVICE);
+	}
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    const counted = values.calls.map((site) => countedOf(site, values)).filter((c) => c !== null);
    const mapped = counted.filter((c) => c.site.api!.role === "map" && c.site.api!.returns === "nents-mapped")
      .map((c): Mapped => ({ ...c, kept: keptIn(c.site.call, values) }));
    for (const use_ of counted) {
      const { call, api } = use_.site;
      const text = fn.file.textOf(use_.countExpr);
      const subject = `${use_.list} ${call.name}`;
      const map = mapped.find((m) => isResultOf(use_, m, values));
      if (map !== undefined) {
        if (mayDiffer(map, use_.site.node)) {
          yield {
            at: use_.countExpr,
            say: "returned",
            with: { callee: call.name, count: text, map: map.site.call.name },
            because: [mapLink(map, fn)],
            ...(mappedText(map, fn) === text
              ? {}
              : { wanted: withCount(call, use_.countExpr, mappedText(map, fn), fn) }),
            subject,
          };
        }
        continue;
      }
      const former = api!.role === "unmap" ? formerCall(fn.file, call) : null;
      if (former !== null && isUncounted(former, use_, fn)) {
        yield {
          at: use_.countExpr,
          say: "replaced",
          with: { callee: call.name, count: text, was: former.args[former.index!]! },
          unless: `\`${text}\` is set to the number of entries in lines that are not shown`,
          wanted: withCount(call, use_.countExpr, former.args[former.index!]!, fn),
          severity: "warning",
          confidence: "medium",
          subject,
        };
        continue;
      }
      const kept = api!.role === "map" ? null : keptElsewhere(use_, fn, use);
      if (kept !== null) {
        yield {
          at: use_.countExpr,
          say: "returned",
          with: { callee: call.name, count: text, map: kept.site.call.name },
          because: [{
            at: kept.site.call,
            note: `maps \`${fn.file.textOf(kept.countExpr)}\` entries, returns the number of segments`,
          }],
          wanted: withCount(call, use_.countExpr, fn.file.textOf(kept.countExpr), fn),
          confidence: "medium",
          subject,
        };
        continue;
      }
      const table = tableOf(use_.list);
      if (table === null || !isCountOf(use_.count, table)) continue;
      const certainty = isTable(use_.countExpr, table, values);
      if (certainty === null || api!.role === "cpu-use" || isHandMade(use_, fn, use)) continue;
      const wanted = text.replace(/\bnents$/, "orig_nents");
      yield {
        at: use_.countExpr,
        say: "table",
        with: { callee: call.name, count: text, wanted },
        because: [{
          at: use_.countExpr,
          note: api!.role === "map"
            ? "`nents` is what a mapping returned; a table that was mapped before, or whose list was merged, has more entries"
            : "`nents` of a struct sg_table is what its mapping returned, `orig_nents` what was mapped",
        }],
        wanted: TABLE_FORM.has(call.name)
          ? `${TABLE_FORM.get(call.name)}()`
          : withCount(call, use_.countExpr, wanted, fn),
        ...severityOf(api!.role === "map" || certainty === "name", fn),
        subject,
      };
    }
    yield* programmed(fn, values, mapped);
    yield* loops(fn, values, mapped);
    yield* readEarly(fn, values);
  },
});

/** Where no mapping writes `nents`, it is still what sg_alloc_table() set: the wrong habit, and harmless. */
function severityOf(
  isDoubtful: boolean,
  { file }: FunctionView,
): { severity?: "warning" | "note"; confidence?: "medium"; unless?: string } {
  if (mentioned(file, SETS_NENTS)) return isDoubtful ? { severity: "warning", confidence: "medium" } : {};
  return mentioned(file, MAPS_NENTS)
    ? { severity: "note", confidence: "medium", unless: "nothing but sg_alloc_table() ever writes `nents`" }
    : { severity: "warning", confidence: "medium" };
}

const TABLE_FORM = new Map([
  ["dma_map_sg", "dma_map_sgtable"],
  ["dma_map_sg_attrs", "dma_map_sgtable"],
  ["dma_unmap_sg", "dma_unmap_sgtable"],
  ["dma_unmap_sg_attrs", "dma_unmap_sgtable"],
  ["dma_sync_sg_for_cpu", "dma_sync_sgtable_for_cpu"],
  ["dma_sync_sg_for_device", "dma_sync_sgtable_for_device"],
  ["iommu_map_sg", "iommu_map_sgtable"],
]);

function countedOf(site: CallSite, values: Flow): Counted | null {
  const { api, call } = site;
  if (api === null || api.nents === null || api.params[api.nents] !== "nents") return null;
  const listExpr = call.args[api.params.indexOf("sg")];
  const countExpr = call.args[api.nents];
  if (listExpr === undefined || countExpr === undefined) return null;
  return { site, list: values.canonical(listExpr), countExpr, count: values.canonical(countExpr) };
}

/** Whether the patch puts a variable where the entries were counted, and neither its name nor a store says more. */
function isUncounted(former: Former, counted: Counted, fn: FunctionView): boolean {
  const expr = counted.countExpr;
  if (former.index === null || counted.site.call.args[former.index] !== expr) return false;
  const name = expr.kind === "ident" ? expr.name : expr.kind === "member" ? expr.field : null;
  if (name === null || /n?ent(?:s|ries)|orig/i.test(name)) return false;
  if (!/^sg_nents(?:_for_len)?\(|(?:->|\.)orig_nents$/.test(former.args[former.index]!)) return false;
  // What counts entries or gives them to the mapping is right; what the mapping returns is told by another message.
  const isKept = new RegExp(
    `\\b${name}\\s*=[^;=]*(?:sg_nents|nents|count)|\\bmap_sg\\w*\\([^;]*\\b${name}\\b`,
  );
  return !isKept.test(fn.file.text.replace(/\bdma_unmap_sg/g, ""));
}

/** The place that the count goes to; null when it is only tested. */
function keptIn(call: Call, values: Flow): string | null {
  const store = values.stores.find((s) => {
    let value = s.value;
    while (value.kind === "assign" || value.kind === "cast") value = value.value;
    return value === call;
  });
  return store?.place ?? null;
}

/** The mapping in another function of the file whose result the count's field holds; null when it may hold another. */
function keptElsewhere(counted: Counted, fn: FunctionView, use: Use): Mapped | null {
  const { countExpr } = counted;
  if (countExpr.kind !== "member" || !fn.file.isWhole && !fn.file.isChanged(countExpr)) return null;
  const struct = structName(use(flow, fn).typeOf(countExpr.object));
  // nents of a table is told by its own message.
  if (struct === null || struct === "sg_table") return null;
  let found: Mapped | null = null;
  for (const other of fn.file.functions) {
    const values = use(flow, other);
    for (const store of values.stores) {
      const { target } = store;
      if (!("kind" in target) || target.kind !== "member" || target.field !== countExpr.field) continue;
      if (structName(values.typeOf(target.object)) !== struct) continue;
      if (store.value.kind === "number" && store.value.value === 0n) continue;
      const site = values.calls.find(({ call, api }) =>
        call === store.value && api?.role === "map" && api.returns === "nents-mapped"
      );
      const map = site === undefined ? null : countedOf(site, values);
      // One entry stays one, and a count that is mapped again was the number of entries.
      if (map === null || /^1u?$/i.test(map.count) || map.count === store.place) return null;
      found ??= { ...map, kept: store.place };
    }
  }
  return found;
}

/** Whether the count is what the mapping of the same list returned. */
function isResultOf(use: Counted, map: Mapped, values: Flow): boolean {
  if (use.site === map.site || !sameList(use.list, map.list)) return false;
  return values.valueOf(use.countExpr).some((origin) => origin.expr === map.site.call);
}

const sameList = (a: string, b: string) => a === b || a === `&${b}` || b === `&${a}`;

/** Whether the way from the mapping to `node` is open when it returned another number than it was given. */
function mayDiffer(map: Mapped, node: CfgNode): boolean {
  if (/^1u?$/i.test(map.count)) return false;
  const found = search(map.site.node, (n) => n === node ? "hit" : "go", (n) => {
    if (n.kind !== "test" || n.expr === null) return n.succ;
    const test = testOperand(n.expr);
    if (test.kind !== "binary" || !/^(?:[!=]=|<)$/.test(test.op)) return n.succ;
    const isOfBoth = [test.left, test.right].some((side) =>
      side === map.site.call || isName(side, map.kept)
    ) &&
      [test.left, test.right].some((side) => isName(side, map.count));
    if (!isOfBoth) return n.succ;
    return n.succ.filter((edge) => edge.when !== (test.op === "=="));
  });
  return found.hit !== null;
}

const textForm = (expr: Expr): string =>
  expr.kind === "ident"
    ? expr.name
    : expr.kind === "member"
    ? `${textForm(expr.object)}${expr.arrow ? "->" : "."}${expr.field}`
    : expr.kind === "number"
    ? expr.text
    : expr.kind === "assign"
    ? textForm(expr.target)
    : "";
const isName = (expr: Expr, form: string | null) => form !== null && textForm(expr) === form;

/** `x` of `x->sgl` and `x.sgl`. */
const tableOf = (list: string): string | null => /^(.+?)(?:->|\.)sgl$/.exec(list)?.[1] ?? null;
const isCountOf = (count: string, table: string) => count === `${table}->nents` || count === `${table}.nents`;

/** Why the struct is taken for an sg_table: its type, its name; null: it is something else. */
function isTable(countExpr: Expr, table: string, values: Flow): "type" | "name" | null {
  const type = countExpr.kind === "member" ? values.typeOf(countExpr.object) : null;
  if (type !== null) return /^struct sg_table\b/.test(type) ? "type" : null;
  return TABLE_NAME.test(table) ? "name" : null;
}

/** Whether the file sets the table's `nents` itself: a list that it fills without sg_alloc_table(). */
function isHandMade(counted: Counted, fn: FunctionView, use: Use): boolean {
  const tail = tailOf(counted.count);
  return fn.file.functions.some((other) => {
    const values = use(flow, other);
    return values.stores.some((store) =>
      tailOf(store.place) === tail && !/orig_nents$/.test(values.canonical(store.value)) &&
      !values.valueOf(store.value).some((origin) => origin.meaning === "nents-mapped")
    );
  });
}

const tailOf = (place: string) => /(?:\w+(?:->|\.))?\w+$/.exec(place)?.[0].replace("->", ".") ?? place;

const mappedText = (map: Mapped, fn: FunctionView) => fn.file.textOf(map.countExpr);

const mapLink = (map: Mapped, fn: FunctionView): Because => ({
  at: map.site.call,
  note: `maps \`${fn.file.textOf(map.countExpr)}\` entries, returns the number of segments`,
});

function withCount(call: Call, count: Expr, by: string, fn: FunctionView): string {
  const args = call.args.map((arg) => arg === count ? by : fn.file.textOf(arg));
  return `${call.name}(${args.join(", ")})`;
}

/** Hardware that gets the number of entries although the number of segments is at hand. */
function* programmed(fn: FunctionView, values: Flow, mapped: readonly Mapped[]) {
  for (const { call, api, node } of values.calls) {
    if (api === null || api.role !== "hardware" || api.nents === null) continue;
    const list = call.args[api.params.indexOf("sg")];
    const count = call.args[api.nents];
    if (list === undefined || count === undefined) continue;
    const form = values.canonical(count);
    const table = tableOf(values.canonical(list));
    if (table !== null && (form === `${table}->orig_nents` || form === `${table}.orig_nents`)) {
      const wanted = fn.file.textOf(count).replace(/orig_nents$/, "nents");
      yield {
        at: count,
        say: "entries" as const,
        with: { callee: call.name, count: fn.file.textOf(count), wanted },
        because: [{ at: count, note: "what was mapped; the mapping may have merged some of them" }],
        wanted: withCount(call, count, wanted, fn),
        severity: "warning" as const,
        confidence: "medium" as const,
        subject: `${values.canonical(list)} ${call.name}`,
      };
      continue;
    }
    const map = mapped.find((m) =>
      m.kept !== null && sameList(m.list, values.canonical(list)) && m.count === form && m.kept !== m.count
    );
    if (map === undefined || /^\d/.test(form) || !mayDiffer(map, node)) continue;
    if (values.valueOf(count).some((origin) => origin.meaning === "nents-mapped")) continue;
    yield {
      at: count,
      say: "program" as const,
      with: {
        callee: call.name,
        count: fn.file.textOf(count),
        map: map.site.call.name,
        kept: map.kept!,
      },
      because: [mapLink(map, fn)],
      wanted: withCount(call, count, map.kept!, fn),
      severity: "warning" as const,
      confidence: "medium" as const,
      subject: `${values.canonical(list)} ${call.name}`,
    };
  }
}

/** Loops over the CPU side that read the DMA side; the other way round is dma-sg-cpu-list-missing. */
function* loops(fn: FunctionView, values: Flow, mapped: readonly Mapped[]) {
  const found: (Stmt & { kind: "loop" })[] = [];
  walkStmt(fn.node.body, {
    stmt: (stmt) => {
      if (stmt.kind === "loop" && stmt.form === "each") found.push(stmt);
    },
  });
  for (const loop of found) {
    const head = loop.test;
    const row = head?.kind === "call" ? ITERATOR.get(head.name) : undefined;
    if (head?.kind !== "call" || row === undefined) continue;
    const entry = head.args[row.entry];
    const list = head.args[row.list];
    if (entry?.kind !== "ident" || list === undefined) continue;
    const why = cpuWalk(head, row.count, values, mapped, fn);
    if (why === null) continue;
    const reads = readsOf(loop.body, entry.name);
    if (reads.fills || reads.stops) continue;
    const [first] = reads.dma;
    if (first === undefined) continue;
    yield {
      at: first.at,
      say: "walk" as const,
      with: { read: first.what },
      because: why.because,
      wanted: why.map === null ? "for_each_sgtable_dma_sg()" : `for_each_sg() over \`${why.map}\` entries`,
      ...(why.map === null ? {} : { severity: "warning" as const, confidence: "medium" as const }),
      subject: `${values.canonical(list)} ${head.name}`,
    };
  }
}

function cpuWalk(
  head: Call,
  countAt: number | null,
  values: Flow,
  mapped: readonly Mapped[],
  fn: FunctionView,
): { because: Because[]; map: string | null } | null {
  if (head.name === "for_each_sgtable_sg") {
    return {
      because: [{ at: head, note: "walks `orig_nents` entries: the CPU side" }],
      map: null,
    };
  }
  const count = countAt === null ? undefined : head.args[countAt];
  const list = head.args[0];
  if (head.name !== "for_each_sg" || count === undefined || list === undefined) return null;
  const listForm = values.canonical(list);
  const form = values.canonical(count);
  const table = tableOf(listForm);
  if (table !== null && (form === `${table}->orig_nents` || form === `${table}.orig_nents`)) {
    return {
      because: [{ at: count, note: "`orig_nents` is the number of entries of the CPU side" }],
      map: null,
    };
  }
  const map = mapped.find((m) => m.kept !== null && m.kept !== m.count && sameList(m.list, listForm));
  if (map === undefined || form !== map.count || /^\d/.test(form)) return null;
  const node = values.nodeOf(head);
  if (node === null || !mayDiffer(map, node)) return null;
  return { because: [mapLink(map, fn)], map: map.kept };
}

/** What a loop's body reads of the entry. */
function readsOf(body: Stmt, entry: string) {
  const dma: { at: Expr; what: string }[] = [];
  let fills = false;
  let stops = false;
  const isEntry = (expr: Expr | undefined) => expr?.kind === "ident" && expr.name === entry;
  const see = (expr: Expr, isTarget: boolean): void => {
    const hasTarget = expr.kind === "assign";
    if (expr.kind === "call" && isEntry(expr.args[0])) {
      if (DMA_READS.has(expr.name)) {
        if (isTarget) fills = true;
        else dma.push({ at: expr, what: expr.name });
      } else if (/^sg_(?:set|assign|init)/.test(expr.name)) fills = true;
    }
    // An entry of another list is filled from this one, both sides at once.
    if (isTarget && (expr.kind === "call" ? expr.name === "sg_dma_address" : isDmaMember(expr))) fills = true;
    if (expr.kind === "member" && isEntry(expr.object)) {
      if (isTarget) fills = true;
      else if (/^dma_(?:address|length)$/.test(expr.field)) {
        dma.push({ at: expr, what: expr.field === "dma_address" ? "sg_dma_address" : "sg_dma_len" });
      }
    }
    // A list that was filled by hand is taken down entry by entry.
    if (expr.kind === "call" && ["unmap", "free"].includes(API.get(expr.name)?.role ?? "")) fills = true;
    if (hasTarget) {
      see(expr.target, true);
      see(expr.value, false);
    } else partsOf(expr).forEach((part) => see(part, false));
  };
  walkStmt(body, {
    expr: (expr) => see(expr, false),
    stmt: (stmt) => {
      // `if (!sg_dma_len(sg)) break;` ends the walk where the segments end.
      if (stmt.kind === "if" && /^(?:break|block)$/.test(stmt.yes.kind) && leaves(stmt.yes)) {
        walkExpr(stmt.test, (expr) => {
          if (expr.kind === "call" && DMA_READS.has(expr.name)) stops = true;
        });
      }
    },
  });
  return { dma, fills, stops };
}

const isDmaMember = (expr: Expr) => expr.kind === "member" && expr.field === "dma_address";

const leaves = (stmt: Stmt): boolean =>
  stmt.kind === "break" || stmt.kind === "continue" ||
  (stmt.kind === "block" && stmt.body.some((inner) => inner.kind === "break" || inner.kind === "continue"));

/** The DMA side of a list that is only mapped further down. */
function* readEarly(fn: FunctionView, values: Flow) {
  const maps = values.calls.filter(({ api }) => api?.role === "map" && api.families.includes("sg"));
  if (maps.length === 0) return;
  const listOf = ({ call, api }: CallSite) => {
    const at = api!.params.findIndex((meaning) => meaning === "sg" || meaning === "sgt");
    const form = call.args[at] === undefined ? "" : values.canonical(call.args[at]!);
    return api!.params[at] === "sgt" ? [`${form}->sgl`, `${form.replace(/^&/, "")}.sgl`] : [form];
  };
  for (const read of values.calls) {
    if (!DMA_READS.has(read.call.name) || read.call.args[0] === undefined) continue;
    const list = values.canonical(read.call.args[0]);
    const own = maps.filter((map) => listOf(map).some((form) => sameList(form, list)));
    if (own.length === 0) continue;
    // Mapped on some way here: the read is right.
    if (own.some((map) => map.node === read.node || reaches(map.node, read.node))) continue;
    const root = /[A-Za-z_]\w*/.exec(list)?.[0] ?? "";
    const isChange = (node: CfgNode) =>
      values.stores.some((s) =>
        s.node === node && (s.place === root || s.place === list.replace(/^&/, "") || mentions(list, s.place))
      );
    const found = search(read.node, (node) => {
      if (own.some((map) => map.node === node)) return "hit";
      return isChange(node) ? "stop" : "go";
    });
    if (found.hit === null) continue;
    const map = own.find((m) => m.node === found.hit)!;
    yield {
      at: read.call,
      say: "unmapped" as const,
      with: { read: read.call.name, list: fn.file.textOf(read.call.args[0]), map: map.call.name },
      because: [{ at: map.call, note: "mapped only here" }],
      ...(read.call.name === "sg_dma_len" ? { wanted: `${fn.file.textOf(read.call.args[0])}->length` } : {}),
      ...(found.path.some((node) => node.kind === "hole") ? { confidence: "medium" as const } : {}),
      subject: `${list} ${read.call.name}`,
    };
  }
}

const reaches = (from: CfgNode, to: CfgNode) => search(from, (n) => n === to ? "hit" : "go").hit !== null;
