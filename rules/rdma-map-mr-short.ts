/**
 * U08: how much of a list a memory region took, measured by another number than it was given.
 *
 * @module
 */

import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { constant, isMixed, outcomeOf } from "./facts/outcome.ts";
import { isTest } from "./facts/place.ts";

const MAP_MR = /^ib_map_mr_sg(?:_zbva)?$/;

export default defineRule({
  id: "rdma-map-mr-short",
  since: "0.1.0",
  code: "U08",
  severity: "error",
  confidence: "high",
  category: "unmap-pairing",
  scope: "function",
  summary: "the result of ib_map_mr_sg() is compared with another count than the one it was given",
  why:
    `\`ib_map_mr_sg()\` puts as many of the given DMA segments into a memory region as fit and returns how many those
are, or a negative error. All of them fit when the result is the number that was passed, which is what
\`ib_dma_map_sg()\` returned. Compared with the number of entries of the list the test fails as soon as the IOMMU has
merged two; compared with another, a region that covers a part only is taken for whole, and the peer writes to what is
behind it. \`nents\` of a table is unsigned, so that a negative error passes a test for \`<\`.`,
  limits: "A result that is compared elsewhere is not followed.",
  unless: "both expressions hold the same number",
  sources: [
    "drivers/infiniband/core/verbs.c: ib_map_mr_sg()",
    "include/rdma/ib_verbs.h: ib_dma_map_sg()",
  ],
  messages: {
    other:
      "{callee}() was given `{given}` segments and its result is compared with `{count}`: all of them fit when it returns `{given}`",
  },
  bad: [
    {
      title: "the number of entries",
      patch: String.raw`
+static int foo_reg(struct foo *foo, struct ib_mr *mr, struct sg_table *sgt, int nr_mapped)
+{
+	int nr = ib_map_mr_sg(mr, sgt->sgl, nr_mapped, NULL, SZ_4K);
+
+	if (nr < 0 || nr < sgt->nents) /* want: other */
+		return nr < 0 ? nr : -EINVAL;
+	return foo_post(foo, mr);
+}`,
    },
  ],
  good: [
    {
      title: "what was given, by a name or by the same words",
      patch: String.raw`
+static int foo_reg(struct foo *foo, struct ib_mr *mr, struct sg_table *sgt)
+{
+	unsigned int want = sgt->nents;
+	int nr = ib_map_mr_sg(mr, sgt->sgl, want, NULL, SZ_4K);
+
+	if (nr != sgt->nents) /* ok: other */
+		return nr < 0 ? nr : -EINVAL;
+	nr = ib_map_mr_sg(mr, foo->sgl, foo->nr, NULL, SZ_4K);
+	if (nr < 0) /* ok: other */
+		return nr;
+	return nr < foo->nr ? -EINVAL : 0; /* ok: other */
+}`,
    },
    {
      title: "as much as fits, and the rest later",
      patch: String.raw`
+static int foo_next(struct foo *foo, struct ib_mr *mr)
+{
+	int n = ib_map_mr_sg(mr, foo->sg, foo->left, &foo->offset, SZ_4K);
+
+	if (n <= 0) /* ok: other */
+		return n;
+	foo->left -= n;
+	return n == foo->left ? 1 : 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, node } of values.calls) {
      const given = call.args[2];
      if (!MAP_MR.test(call.name) || given === undefined) continue;
      const outcome = outcomeOf(call, node, values);
      const form = values.canonical(given);
      const tests = outcome.tests.filter((test) =>
        test.with !== null && constant(test.with) === null && !isMixed(outcome, node, test.node, values)
      );
      // The rest is worked out: the caller goes on where it ended.
      const isCounted = values.stores.some(({ op, value }) =>
        /^[-+]=$/.test(op) && outcome.kept !== null && values.canonical(value) === outcome.kept.place
      );
      if (isCounted || tests.some((test) => values.canonical(test.with!) === form)) continue;
      const test = tests.find(({ op }) => op !== "truth" && op !== "err-value");
      if (test === undefined) continue;
      yield {
        at: test.expr,
        say: "other",
        with: { callee: call.name, given: fn.file.textOf(given), count: fn.file.textOf(test.with!) },
        because: [{ at: given, note: "the segments to map" }],
        wanted: `${outcome.kept?.place ?? "ret"} != ${fn.file.textOf(given)}`,
        subject: `${call.name} ${form}`,
      };
    }
  },
});
