/**
 * E05: a loop links range after range at one place of the IOVA range.
 *
 * @module
 */

import { type Expr, type Stmt, walkExpr } from "./engine/ast.ts";
import type { CfgNode } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isMapper } from "./facts/place.ts";
import { namesIn, rewrites } from "./facts/rewrite.ts";

export default defineRule({
  id: "dma-iova-link-constant-offset",
  since: "0.1.0",
  code: "E05",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  kernel: { since: [6, 16] },
  summary: "dma_iova_link() in a loop links every range at the same offset",
  why:
    `The fourth argument of \`dma_iova_link()\` is where in the range of \`dma_iova_try_alloc()\` the memory goes.
When it does not move on with the ranges, the second is linked where the first is: the page-table code finds the entry
occupied and fails or warns, and what lies behind the first range is never mapped. With one range all is well, which is
how it gets through testing. The length that was linked so far is the offset of the next.`,
  limits:
    `An offset that is computed by a helper is taken to move. Whether the length that is synced is the length that
was linked is not compared.`,
  unless: "the loop runs only once whenever the device has an IOMMU",
  sources: [
    "Documentation/core-api/dma-api.rst: dma_iova_link() (v6.16)",
    "drivers/iommu/dma-iommu.c: dma_iova_link(): state->addr + offset (v6.16)",
    "drivers/iommu/io-pgtable-arm.c: arm_lpae_init_pte(): -EEXIST for an entry that is in use",
    "block/blk-mq-dma.c: blk_rq_dma_map_iova(), mm/hmm.c: hmm_dma_map_pfn() (v6.18)",
  ],
  messages: {
    constant:
      "every turn of the loop links its range at offset `{offset}` of `{state}`: the second range collides with the first",
  },
  bad: [
    {
      title: "a vector of ranges, all at 0",
      patch: String.raw`
+static int foo_link(struct device *dev, struct dma_iova_state *st, struct phys_vec *vec, int n)
+{
+	size_t total = 0;
+	int i, ret;
+
+	for (i = 0; i < n; i++) {
+		ret = dma_iova_link(dev, st, vec[i].paddr, 0, vec[i].len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* want: constant */
+		if (ret)
+			return ret;
+		total += vec[i].len;
+	}
+	return dma_iova_sync(dev, st, 0, total);
+}`,
    },
    {
      title: "an offset that stands still",
      patch: String.raw`
+static int foo_link_list(struct device *dev, struct foo *foo, size_t start)
+{
+	struct foo_range *range;
+	int ret;
+
+	list_for_each_entry(range, &foo->ranges, node) {
+		ret = dma_iova_link(dev, &foo->state, range->phys, start, range->len, DMA_TO_DEVICE, 0); /* want: constant */
+		if (ret)
+			return ret;
+	}
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "the offset moves on",
      patch: String.raw`
+static int foo_link(struct device *dev, struct dma_iova_state *st, struct page **pages, struct phys_vec *vec, int n)
+{
+	size_t done = 0;
+	int i, ret;
+
+	for (i = 0; i < n; i++) {
+		ret = dma_iova_link(dev, st, vec[i].paddr, done, vec[i].len, DMA_TO_DEVICE, 0); /* ok: constant */
+		if (ret)
+			return ret;
+		done += vec[i].len;
+	}
+	for (i = 0; i < n; i++) {
+		ret = dma_iova_link(dev, st, page_to_phys(pages[i]), i * PAGE_SIZE, PAGE_SIZE, DMA_TO_DEVICE, 0); /* ok: constant */
+		if (ret)
+			return ret;
+	}
+	return dma_iova_sync(dev, st, 0, done);
+}`,
    },
    {
      title: "a state for each range",
      patch: String.raw`
+static int foo_link_each(struct device *dev, struct foo *foo)
+{
+	struct dma_iova_state st;
+	int i, ret;
+
+	for (i = 0; i < foo->n; i++) {
+		ret = dma_iova_link(dev, &foo->state[i], foo->phys[i], 0, foo->len, DMA_TO_DEVICE, 0); /* ok: constant */
+		if (ret)
+			return ret;
+		if (!dma_iova_try_alloc(dev, &st, foo->phys[i], foo->len))
+			continue;
+		ret = dma_iova_link(dev, &st, foo->phys[i], 0, foo->len, DMA_TO_DEVICE, 0); /* ok: constant */
+		if (ret)
+			return ret;
+		foo->addr[i] = st.addr;
+	}
+	return 0;
+}`,
    },
    {
      title: "tried again, and unlinked before the next",
      patch: String.raw`
+static int foo_retry(struct device *dev, struct dma_iova_state *st, struct foo *foo)
+{
+	int i, ret;
+
+	do {
+		ret = dma_iova_link(dev, st, foo->phys, 0, foo->len, DMA_TO_DEVICE, 0); /* ok: constant */
+	} while (ret == -EAGAIN);
+	for (i = 0; i < foo->n; i++) {
+		ret = dma_iova_link(dev, st, foo->phys + i * SZ_4K, 0, SZ_4K, DMA_TO_DEVICE, 0); /* ok: constant */
+		if (ret)
+			return ret;
+		foo_copy(foo, st->addr);
+		dma_iova_unlink(dev, st, 0, SZ_4K, DMA_TO_DEVICE, 0);
+	}
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, node } of values.calls) {
      const loop = node.loops.at(-1);
      if (call.name !== "dma_iova_link" || loop === undefined) continue;
      const [, state, phys, offset, size] = call.args;
      if (state === undefined || phys === undefined || offset === undefined || size === undefined) continue;
      const inLoop = values.cfg.nodes.filter(({ loops }) => loops.includes(loop));
      // What is not shown, or belongs to a state that begins anew, may move the offset.
      if (inLoop.some(({ kind }) => kind === "hole") || endsOther(values, state, loop)) continue;
      const moves = (expr: Expr) => changes(expr, inLoop, values);
      if (moves(offset) || moves(state) || !(moves(phys) || moves(size))) continue;
      yield {
        at: call,
        say: "constant",
        with: { offset: fn.file.textOf(offset), state: fn.file.textOf(state) },
        because: [{ at: moves(phys) ? phys : size, note: "another range each time" }],
        wanted: "the length that was linked so far",
        subject: `${values.canonical(state)} ${values.canonical(offset)}`,
      };
    }
  },
});

/** Whether another call in the loop works on the state, save the next link and the sync. */
function endsOther(values: Flow, state: Expr, loop: Stmt): boolean {
  const form = values.canonical(state);
  return values.calls.some(({ call, node }) =>
    node.loops.includes(loop) && !/^dma_iova_(?:link|sync)$|^dma_use_iova$/.test(call.name) &&
    call.args.some((arg) => values.canonical(arg) === form)
  );
}

/** Whether the expression may have another value in the next turn. */
function changes(expr: Expr, inLoop: readonly CfgNode[], values: Flow): boolean {
  const names = new Set<string>();
  const places = new Set<string>();
  let calls = false;
  walkExpr(expr, (inner) => {
    if (inner.kind === "ident") { for (const name of namesIn(inner.name)) names.add(name); }
    if (inner.kind === "member" || inner.kind === "index") places.add(values.canonical(inner));
    calls ||= inner.kind === "call" || inner.kind === "update" || inner.kind === "assign";
  });
  const isWritten = (node: CfgNode) =>
    rewrites(node, names, values) ||
    values.stores.some((store) => store.node === node && places.has(store.place)) ||
    updates(node, places, values);
  return (calls && !isPure(expr)) || inLoop.some(isWritten);
}

/** `foo->done++` */
function updates(node: CfgNode, places: ReadonlySet<string>, values: Flow): boolean {
  let is = false;
  if (node.expr !== null) {
    walkExpr(
      node.expr,
      (inner) => is ||= inner.kind === "update" && places.has(values.canonical(inner.operand)),
    );
  }
  return is;
}

/** Conversions give the same for the same argument. */
function isPure(expr: Expr): boolean {
  let is = true;
  walkExpr(expr, (inner) => {
    if (inner.kind === "call") is &&= /^(?:page_to_phys|sg_phys|virt_to_phys|bvec_phys)$/.test(inner.name);
    is &&= inner.kind !== "update" && inner.kind !== "assign";
  });
  return is;
}
