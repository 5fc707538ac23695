/**
 * E03: the result of dma_map_sg() or dma_map_sgtable() tested by the other one's convention, or not at all.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { isDenied } from "./facts/former.ts";
import { handling } from "./facts/mappings.ts";
import { constant, isMixed, leadsToError, outcomeOf, type Test } from "./facts/outcome.ts";
import { isMapper } from "./facts/place.ts";

export default defineRule({
  id: "dma-map-sg-return-misread",
  since: "0.1.0",
  code: "E03",
  severity: "error",
  confidence: "high",
  category: "error-check",
  scope: "function",
  summary: "the result of dma_map_sg() or dma_map_sgtable() is ignored or tested the wrong way round",
  why:
    `\`dma_map_sg()\` returns how many DMA segments it made, as an \`unsigned int\`, and 0 for every failure: whatever
negative error the implementation gave is turned into 0. A test for a negative value is never true, and the driver
programs a list that was not mapped. \`dma_map_sgtable()\` is the other way round, like most of the kernel: 0 for
success, which also puts the number of segments into \`sgt->nents\`, and a negative error otherwise.

The result is all there is: no \`dma_mapping_error()\` works on a list, and what a failed mapping leaves in
\`sg_dma_address()\` is not defined. For peer-to-peer memory it is also the only place that tells that there is no
route between the two devices (\`-EREMOTEIO\`).`,
  limits:
    "A result that is handed to the caller is not followed. A count that is used without a test is not reported.",
  unless: "the mapping cannot fail on the only machine that this driver runs on",
  sources: [
    "kernel/dma/mapping.c: dma_map_sg_attrs(), dma_map_sgtable()",
    "Documentation/core-api/dma-api.rst: dma_map_sg()",
    "https://lore.kernel.org/all/20220615161233.17527-1-logang@deltatee.com/",
  ],
  messages: {
    negative: "`{test}` is never true: {callee}() returns 0 when it fails, never a negative value",
    inverted: "{callee}() returns {success} on success: the test takes that for the failure",
    ignored: "the result of {callee}() is ignored: it is the only sign that the list was not mapped",
    unsigned:
      "`{test}` is never true: the result of {callee}() is kept in a {type}, which holds no negative error",
    count:
      "{callee}() returns 0 or a negative error, not a number of segments: that is in `nents` of the table",
  },
  bad: [
    {
      title: "the patch turns the test around",
      patch: String.raw`
@@ static int foo_map(struct foo *foo, struct sg_table *sgt)
 	ret = dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0);
-	if (ret)
+	if (!ret) /* want: inverted */
 		goto free_table;
 
 	foo_start(foo, sgt);`,
    },
    {
      title: "a negative count is waited for",
      patch: String.raw`
+static int foo_map(struct foo *foo)
+{
+	int n;
+
+	n = dma_map_sg(foo->dev, foo->sgl, foo->nents, DMA_TO_DEVICE);
+	if (n < 0) /* want: negative */
+		return n;
+	return foo_start(foo, foo->sgl, n);
+}`,
    },
    {
      title: "a negative count is waited for, and then the segments are walked",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct scatterlist *sgl, int nents)
+{
+	int i, n = dma_map_sg(foo->dev, sgl, nents, DMA_TO_DEVICE);
+
+	if (n < 0) /* want: negative */
+		return n;
+	for (i = 0; i < n; i++)
+		foo_push(foo, i);
+	return 0;
+}`,
    },
    {
      title: "a negative error in an unsigned variable",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	unsigned int ret = dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0);
+
+	if (ret < 0) /* want: unsigned */
+		return ret;
+	return foo_start(foo, sgt);
+}`,
    },
    {
      title: "each function tested like the other",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	int ret;
+
+	if (!dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0)) /* want: inverted */
+		return -ENOMEM;
+	ret = dma_map_sg(foo->dev, foo->sgl, foo->nents, DMA_TO_DEVICE);
+	if (ret) { /* want: inverted */
+		dev_err(foo->dev, "no mapping\n");
+		return -EIO;
+	}
+	return 0;
+}`,
    },
    {
      title: "nobody looks at it",
      patch: String.raw`
+static void foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	dma_map_sg(foo->dev, foo->sgl, foo->nents, DMA_TO_DEVICE); /* want: ignored */
+	dma_map_sgtable(foo->dev, sgt, DMA_FROM_DEVICE, 0); /* want: ignored */
+	foo_start(foo);
+}`,
    },
    {
      title: "the error is taken for a count",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	sgt->nents = dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0); /* want: count */
+	if (!foo_fits(sgt->nents))
+		return -ENOMEM;
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "the patch sets the test right",
      patch: String.raw`
@@ static int foo_map(struct foo *foo, struct sg_table *sgt)
 	ret = dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0);
-	if (!ret)
+	if (ret) /* ok: inverted */
 		goto free_table;
 
 	foo_start(foo, sgt);`,
    },
    {
      title: "both as documented",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	int ret, n;
+
+	n = dma_map_sg(foo->dev, foo->sgl, foo->nents, DMA_TO_DEVICE);
+	if (n <= 0) /* ok: negative */
+		return -ENOMEM;
+	ret = dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0);
+	if (ret < 0) /* ok: negative */
+		return ret;
+	return n;
+}`,
    },
    {
      title: "negative and zero are both tested, and one variable holds two results",
      patch: String.raw`
+static int foo_map(struct foo *foo, bool is_old)
+{
+	int n = dma_map_sg(foo->dev, foo->sgl, foo->nents, DMA_TO_DEVICE);
+
+	if (n < 0 || n == 0) /* ok: negative */
+		return -ENOMEM;
+	if (is_old)
+		n = dma_map_sg(foo->dev, foo->old, 2, DMA_TO_DEVICE);
+	else
+		n = foo_map_new(foo);
+	if (n < 0) /* ok: negative */
+		return n;
+	return 0;
+}`,
    },
    {
      title: "success first",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	if (!dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0)) /* ok: inverted */
+		return foo_start(foo, sgt);
+	if (dma_map_sg(foo->dev, foo->sgl, 1, DMA_TO_DEVICE)) /* ok: inverted */
+		return 0;
+	return -ENOMEM;
+}`,
    },
    {
      title: "the result is the caller's business",
      patch: String.raw`
+static int foo_map_table(struct foo *foo, struct sg_table *sgt)
+{
+	return dma_map_sgtable(foo->dev, sgt, DMA_TO_DEVICE, 0); /* ok: ignored */
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    for (const mapping of use(handling, fn).mappings) {
      const { call, api, node } = mapping;
      const isCount = api.failure === "zero";
      if (!api.families.includes("sg") || (!isCount && api.failure !== "errno")) continue;
      // A list and its table are the same thing: a conversion to dma_map_sgtable() brings no new mistake.
      const subject = (mapping.handle ?? "").replace(/^&/, "").replace(/(?:->|\.)sgl$/, "");
      if (mapping.fate === "ignored") {
        yield { at: call, say: "ignored", with: { callee: call.name }, subject };
        continue;
      }
      const outcome = outcomeOf(call, node, values);
      const isSure = (test: Test) => !isMixed(outcome, node, test.node, values);
      const link = {
        at: call,
        note: `returns ${isCount ? "the number of segments, 0 on failure" : "0 on success"}`,
      };
      if (isCount) {
        const asked = outcome.tests.filter((test) => !isBound(test));
        const negative = asked.filter(isNegative);
        const first = negative[0];
        if (first !== undefined && negative.length === asked.length && negative.every(isSure)) {
          yield {
            at: first.expr,
            say: "negative",
            with: { callee: call.name, test: fn.file.textOf(first.expr) },
            because: [link],
            subject,
          };
          continue;
        }
      } else {
        const kept = outcome.kept?.target;
        const type = kept === undefined ? null : "kind" in kept ? values.typeOf(kept) : kept.type;
        const blind = outcome.tests.filter((test) => !isBound(test));
        if (
          type !== null && UNSIGNED.test(type) && blind.length > 0 &&
          blind.every((test) => isNegative(test) && isSure(test))
        ) {
          yield {
            at: blind[0]!.expr,
            say: "unsigned",
            with: { callee: call.name, test: fn.file.textOf(blind[0]!.expr), type },
            because: [link],
            wanted: `int ${outcome.kept!.place}`,
            subject,
          };
          continue;
        }
        const counted = outcome.tests.find((test) => isCounted(test) && isSure(test));
        const isInNents = outcome.kept !== null && /(?:->|\.)nents$/.test(outcome.kept.place);
        if (counted !== undefined || isInNents) {
          yield {
            at: counted === undefined ? call : counted.expr,
            say: "count",
            with: { callee: call.name },
            ...(counted === undefined ? {} : { because: [link] }),
            subject,
          };
          continue;
        }
      }
      for (const test of outcome.tests) {
        if (test.node.kind !== "test" || !isSure(test)) continue;
        const onZero = whenZero(test);
        if (onZero === null) continue;
        const good = test.node.succ.find((edge) => edge.when === (isCount ? !onZero : onZero));
        const bad = test.node.succ.find((edge) => edge.when === (isCount ? onZero : !onZero));
        const isDeniedNow = !isCount && isDenied(test.node.at, fn.file);
        const isSeen = good !== undefined && bad !== undefined && leadsToError(good) && !leadsToError(bad);
        if (!isSeen && !isDeniedNow) continue;
        yield {
          at: test.expr,
          say: "inverted",
          with: { callee: call.name, success: isCount ? "a number of segments" : "0" },
          because: [link],
          wanted: isCount ? `if (!${call.name}(…))` : `ret = ${call.name}(…); if (ret) return ret;`,
          subject,
        };
        break;
      }
    }
  },
});

const UNSIGNED = /^(?:unsigned(?: int| long)?|size_t|u(?:8|16|32|64)|uint\w*_t)$/;

/** The end of a loop over the segments, and no question about the failure. */
const isBound = (test: Test): boolean =>
  test.with !== null && constant(test.with) === null && /^(?:>=?|!=)$/.test(test.op) &&
  test.node.kind === "test" && isCursor(test.with);

const isCursor = (expr: Expr): boolean =>
  expr.kind === "ident" && /^[ijkn]$|^(?:idx|index|cur|pos)$/.test(expr.name);

/** Never true of a count. */
function isNegative(test: Test): boolean {
  if (test.op === "err-value") return true;
  const value = test.with === null ? null : constant(test.with);
  if (value === null) return false;
  return (test.op === "<" && value <= 0n) || (test.op === "<=" && value < 0n) ||
    (test.op === "==" && value < 0n);
}

/** Compared with a number that is no error. */
function isCounted(test: Test): boolean {
  if (test.with === null || !/^(?:[<=!]=|<|>=?)$/.test(test.op)) return false;
  const value = constant(test.with);
  if (value !== null) return value > 0n && (test.op === "==" || test.op === "!=");
  const operand = test.with;
  return (operand.kind === "member" && /^(?:orig_)?nents$/.test(operand.field)) ||
    (operand.kind === "ident" && /nents/.test(operand.name));
}

/** The outcome of the test when the result is 0; null when it does not tell 0 from the rest. */
function whenZero(test: Test): boolean | null {
  // The node is the operand: a `!` around it was turned into the edges.
  if (test.op === "truth") return false;
  const value = test.with === null ? null : constant(test.with);
  if (value === 0n) {
    if (test.op === "==" || test.op === "<=") return true;
    if (test.op === "!=" || test.op === ">") return false;
  }
  if (value === 1n) {
    if (test.op === "<") return true;
    if (test.op === ">=") return false;
  }
  return null;
}
