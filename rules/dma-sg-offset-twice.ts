/**
 * T12: the offset of a scatterlist entry added to an address that has it already.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { walkExpr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { isTest } from "./facts/place.ts";

/** What holds the entry's offset already. */
const WITH_OFFSET = /^(?:sg_phys|sg_virt|sg_dma_address)$/;

export default defineRule({
  id: "dma-sg-offset-twice",
  since: "0.1.0",
  code: "T12",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "sg->offset is added to sg_phys(), sg_virt() or sg_dma_address(), which have it already",
  why:
    `\`sg_phys()\` is \`page_to_phys(sg_page(sg)) + sg->offset\`, \`sg_virt()\` is the same for the CPU's mapping, and what
\`dma_map_sg()\` stores for \`sg_dma_address()\` is where the data starts, not the page. Adding \`sg->offset\` once more is
harmless for as long as all offsets are 0, and hits the wrong memory as soon as one is not.`,
  limits: "Only a sum that is written down in one expression.",
  unless: "the field that is called offset is not that of a scatterlist",
  sources: [
    "include/linux/scatterlist.h: sg_phys(), sg_virt()",
    "kernel/dma/direct.c: dma_direct_map_sg()",
    "https://lore.kernel.org/all/20210316081156.GA16595@lst.de/",
  ],
  messages: {
    twice: "{callee}() has `{offset}` in it already: it is added twice",
  },
  bad: [
    {
      title: "in the physical and in the DMA address",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sg, u64 bus_offset)
+{
+	sg->dma_address = sg_phys(sg) + sg->offset - bus_offset; /* want: twice */
+	foo->next = sg_dma_address(foo->sg) + foo->done +
+		foo->sg->offset; /* want: twice */
+}`,
    },
  ],
  good: [
    {
      title: "from the page, of another entry, and the offset taken off",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct scatterlist *sg, struct scatterlist *s)
+{
+	foo->phys = page_to_phys(sg_page(sg)) + sg->offset; /* ok: twice */
+	foo->other = sg_phys(sg) + s->offset; /* ok: twice */
+	foo->page = sg_phys(sg) - sg->offset; /* ok: twice */
+	foo->end = sg_dma_address(sg) + foo->offset; /* ok: twice */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    for (const node of values.cfg.nodes) {
      const top = node.expr ?? node.decl?.init ?? null;
      if (top === null) continue;
      const sums: Expr[] = [];
      const inner = new Set<Expr>();
      walkExpr(top, (expr) => {
        if (expr.kind !== "binary" || (expr.op !== "+" && expr.op !== "-")) return;
        if (!inner.has(expr)) sums.push(expr);
        inner.add(expr.left);
        if (expr.op === "+") inner.add(expr.right);
      });
      for (const sum of sums) {
        const parts = termsOf(sum);
        for (const call of parts) {
          const sg = call.kind === "call" && WITH_OFFSET.test(call.name) ? call.args[0] : undefined;
          if (call.kind !== "call" || sg === undefined) continue;
          const entry = values.canonical(sg);
          const offset = parts.find((part) =>
            part.kind === "member" && part.field === "offset" && part.arrow &&
            values.canonical(part.object) === entry
          );
          if (offset === undefined) continue;
          yield {
            at: offset,
            say: "twice",
            with: { callee: call.name, offset: fn.file.textOf(offset) },
            because: [{ at: call, note: "the address of the data, offset included" }],
            wanted: fn.file.textOf(call),
            subject: `${call.name} ${entry}`,
          };
        }
      }
    }
  },
});

/** What is added up in a sum; what is taken off is left out. */
function termsOf(expr: Expr): readonly Expr[] {
  if (expr.kind === "cast") return termsOf(expr.value);
  if (expr.kind !== "binary") return [expr];
  if (expr.op === "+") return [...termsOf(expr.left), ...termsOf(expr.right)];
  return expr.op === "-" ? termsOf(expr.left) : [expr];
}
