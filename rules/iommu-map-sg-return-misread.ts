/**
 * I03: the result of iommu_map_sg() or iommu_map_sgtable(), a size or a negative error, tested against 0.
 *
 * @module
 */

import { type Declarator, type Expr, walkStmt } from "./engine/ast.ts";
import { defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { constant, isMixed, outcomeOf, type Test } from "./facts/outcome.ts";
import { isMapper } from "./facts/place.ts";
import { removed } from "./facts/removed.ts";

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
    compared:
      "`{test}` is never true for the negative error that {callee}() returns since v5.15: `{size}` is unsigned, and so is the comparison",
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
    {
      title: "compared with a size_t",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt, size_t size)
+{
+	if (iommu_map_sgtable(foo->domain, foo->iova, sgt, IOMMU_READ) < size) /* want: compared */
+		return -ENOMEM;
+	return 0;
+}`,
    },
    {
      title: "the cast goes away",
      path: "drivers/iommu/foo-iommu.c",
      patch: String.raw`
@@ static void *foo_alloc(struct foo *foo, struct sg_table *sgt,
 	if (iommu_map_sg(foo->domain, foo->iova, sgt->sgl, sgt->orig_nents, foo->prot, GFP_ATOMIC)
-			< (ssize_t)size)
+			< size) /* want: compared */
 		goto out_free;`,
    },
  ],
  good: [
    {
      title: "compared as a signed number",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct sg_table *sgt, size_t size, int len)
+{
+	if (iommu_map_sgtable(foo->domain, foo->iova, sgt, IOMMU_READ) < (ssize_t)size) /* ok: compared */
+		return -ENOMEM;
+	if (iommu_map_sgtable(foo->domain, foo->iova, sgt, IOMMU_READ) < len) /* ok: compared */
+		return -ENOMEM;
+	return 0;
+}`,
    },
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
    const values = use(flow, fn);
    for (const { call, api, node } of values.calls) {
      if (api?.failure !== "size-or-errno") continue;
      const outcome = outcomeOf(call, node, values);
      const fooled = outcome.tests.find((test) => isUnsigned(test, values, fn, use));
      const isSigned = outcome.kept === null ||
        /^(?:ssize_t|long|int|s64)$/.test(typeOfTarget(outcome.kept.target, values) ?? "");
      // A sign that is asked for elsewhere is not missed here.
      if (fooled !== undefined && isSigned && !outcome.tests.some(isSignAsked)) {
        yield {
          at: fooled.with!,
          say: "compared",
          with: {
            callee: call.name,
            test: fn.file.textOf(fooled.expr),
            size: fn.file.textOf(fooled.with!),
          },
          because: [{ at: call, note: "returns the bytes mapped, or a negative error" }],
          wanted: `(ssize_t)${fn.file.textOf(fooled.with!)}`,
          subject: `${outcome.kept?.place ?? ""} compared`,
        };
        continue;
      }
      if (isMapper(fn.file)) continue;
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

const typeOfTarget = (target: Expr | Declarator, values: Flow): string | null =>
  "kind" in target ? values.typeOf(target) : target.type;

/** Compared with what C makes an unsigned comparison of: as wide as the result, and without a sign. */
function isUnsigned(test: Test, values: Flow, fn: FunctionView, use: Use): boolean {
  if (test.op !== "<" || test.with === null || test.with.kind === "cast") return false;
  const type = values.typeOf(test.with);
  if (type !== null) {
    return /^(?:const )?(?:size_t|unsigned long(?: long)?|u64|dma_addr_t|phys_addr_t)$/.test(type);
  }
  // Where the type is not shown, the cast that the patch takes away was there for a reason.
  const size = fn.file.textOf(test.with);
  return new RegExp(`\\((?:ssize_t|long|s64|int)\\) ?\\(?${size.replace(/[^\w]/g, "\\$&")}\\b`)
    .test(use(removed, fn.file).at(test.expr));
}

const isSignAsked = (test: Test): boolean =>
  test.op === "err-value" || (test.with !== null && constant(test.with) === 0n && /^[<>]=?$/.test(test.op));

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
