/**
 * I03: the result of iommu_map_sg() or iommu_map_sgtable(), a size or a negative error, tested against 0.
 *
 * @module
 */

import { type Declarator, walkStmt } from "./engine/ast.ts";
import { defineRule, type FunctionView } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { constant, isMixed, outcomeOf, type Test } from "./facts/outcome.ts";
import { isMapper } from "./facts/place.ts";

const UNSIGNED = /^(?:size_t|dma_addr_t|unsigned\b.*|u(?:8|16|32|64)|uint\w*_t|bool)$/;

export default defineRule({
  id: "iommu-map-sg-return-misread",
  since: "0.1.0",
  code: "I03",
  severity: "error",
  confidence: "high",
  category: "iommu",
  scope: "function",
  kernel: { since: [5, 15] },
  summary: "the ssize_t of iommu_map_sg() or iommu_map_sgtable() is taken for a size that is 0 on failure",
  why:
    `Up to v5.14 \`iommu_map_sg()\` returned a \`size_t\`: the bytes that it mapped, 0 for failure. Since v5.15
(ad8f36e4b6b1) it is a \`ssize_t\`: the bytes, or a negative error. A test for 0 takes \`-ENOMEM\` for success, and the
device runs on IOVAs that nothing stands behind. In an unsigned variable the error becomes a huge size, which passes a
test for \`< length\` as well.`,
  limits: "A result that is handed to the caller is not followed.",
  unless: "the patch is for a kernel older than v5.15",
  sources: [
    "drivers/iommu/iommu.c: iommu_map_sg()",
    "include/linux/iommu.h: iommu_map_sgtable()",
    "https://lore.kernel.org/all/20260421-iommu_map_sgtable-return-v1-1-fb484c07d2a1@nvidia.com/",
  ],
  messages: {
    zero: "`{test}` misses the failure: {callee}() returns a negative error since v5.15, not 0",
    unsigned:
      "`{place}` is a {type}: the negative error that {callee}() returns since v5.15 becomes a large size in it",
  },
  bad: [
    {
      title: "only 0 is taken for a failure",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	int err = iommu_map_sgtable(foo->domain, foo->iova, sgt, IOMMU_READ);
+
+	if (err == 0) /* want: zero */
+		return -EINVAL;
+	return 0;
+}
+
+static int foo_map_list(struct foo *foo)
+{
+	foo->size = iommu_map_sg(foo->domain, foo->iova, foo->sgl, foo->n, IOMMU_READ, GFP_KERNEL);
+	if (!foo->size) /* want: zero */
+		return -ENOMEM;
+	return 0;
+}`,
    },
    {
      title: "the error is kept in a size",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt, size_t len)
+{
+	size_t mapped; /* want: unsigned */
+
+	mapped = iommu_map_sgtable(foo->domain, foo->iova, sgt, IOMMU_READ);
+	if (mapped < len)
+		return -EINVAL;
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "a negative result is an error, or only the full length is a success",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt, size_t len)
+{
+	ssize_t size = iommu_map_sgtable(foo->domain, foo->iova, sgt, IOMMU_READ);
+	size_t mapped; /* ok: unsigned */
+
+	if (size <= 0) /* ok: zero */
+		return size ? size : -EINVAL;
+	mapped = iommu_map_sg(foo->domain, foo->iova, foo->sgl, foo->n, IOMMU_READ, GFP_KERNEL);
+	return mapped == len ? 0 : -EINVAL;
+}`,
    },
    {
      title: "the kernel of the day returned 0",
      kernel: "5.10",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt)
+{
+	foo->size = iommu_map_sgtable(foo->domain, foo->iova, sgt, IOMMU_READ);
+	if (!foo->size) /* ok: zero */
+		return -ENOMEM;
+	return 0;
+}`,
    },
  ],
  *check(fn, use) {
    if (isMapper(fn.file)) return;
    const values = use(flow, fn);
    for (const { call, api, node } of values.calls) {
      if (api?.failure !== "size-or-errno") continue;
      const outcome = outcomeOf(call, node, values);
      const tests = outcome.tests.filter((test) => !isMixed(outcome, node, test.node, values));
      if (tests.length < outcome.tests.length || tests.length === 0) continue;
      const link = { at: call, note: "returns the bytes mapped, or a negative error" };
      const place = outcome.kept?.place ?? null;
      // One subject for both functions and both messages: a conversion brings no new mistake.
      const subject = place ?? "";
      const target = outcome.kept?.target ?? null;
      const type = target === null ? null : "kind" in target ? values.typeOf(target) : target.type;
      const isExact = (test: Test) => (test.op === "==" || test.op === "!=") && !isZero(test);
      if (type !== null && UNSIGNED.test(type)) {
        if (tests.every(isExact)) continue;
        const decl = declared(fn, place);
        yield {
          at: decl !== null && fn.file.isChanged(decl) ? decl : target ?? call,
          say: "unsigned",
          with: { callee: call.name, place: place ?? "", type },
          because: [link, ...tests.map((test) => ({ at: test.expr, note: "does not see a negative error" }))],
          wanted: `ssize_t ${place}`,
          // Where no test for a short mapping is fooled, the error is only told wrongly.
          ...(tests.some((test) => test.op === "<" || test.op === "<=")
            ? {}
            : { severity: "warning" as const, confidence: "medium" as const }),
          subject,
        };
        continue;
      }
      const first = tests[0]!;
      if (!tests.every((test) => test.op === "truth" || isZero(test))) continue;
      yield {
        at: first.expr,
        say: "zero",
        with: { callee: call.name, test: testText(first, fn) },
        because: [link],
        wanted: `${place ?? "ret"} < 0`,
        subject,
      };
    }
  },
});

/** Compared with 0 for equality. */
const isZero = (test: Test) =>
  test.with !== null && constant(test.with) === 0n && (test.op === "==" || test.op === "!=");

const testText = (test: Test, fn: FunctionView) =>
  test.op === "truth" ? `!${fn.file.textOf(test.expr)}` : fn.file.textOf(test.expr);

/** The declaration of a local name. */
function declared(fn: FunctionView, name: string | null): Declarator | null {
  let found: Declarator | null = null;
  walkStmt(fn.node.body, {
    stmt: (stmt) => {
      if (stmt.kind === "decl") found = stmt.names.find((decl) => decl.name === name) ?? found;
    },
  });
  return found;
}
