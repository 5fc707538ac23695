/**
 * M04: what dma_alloc_coherent() gave is taken for vmalloc or linear memory.
 *
 * @module
 */

import { type Expr, walkExpr } from "./engine/ast.ts";
import { search } from "./engine/cfg.ts";
import { defineRule } from "./engine/rule.ts";
import { type CallSite, type Flow, flow } from "./facts/flow.ts";
import { isImplementation } from "./facts/place.ts";

const MMAP = /^dma_mmap_(?:coherent|wc|attrs)$/;
/** What finds the page of a pointer of one kind. */
const PAGE = /^(?:virt_to_(?:head_)?page|virt_to_pfn|vmalloc_to_(?:page|pfn))$/;
/** What gives one page of either kind of memory. */
const OTHER_WAY =
  /^(?:io_)?remap_pfn_range$|^vm_iomap_memory$|^v(?:m|malloc)_to_(?:page|pfn)$|^virt_to_(?:page|phys|pfn)$|^__pa$|^vm_insert_page$/;

export default defineRule({
  id: "dma-coherent-page-lookup",
  since: "0.1.0",
  code: "M04",
  severity: "warning",
  confidence: "medium",
  category: "memory",
  scope: "function",
  summary: "coherent DMA memory is looked up like vmalloc or linear memory",
  why:
    `What \`dma_alloc_coherent()\` returns is opaque: a pointer into the linear map, a vmalloc address, a remapped pool, an
uncached alias, device memory behind \`memremap()\`. \`is_vmalloc_addr()\` tells one of these from the rest, and the other
branch takes the rest for the linear map. \`dma_mmap_coherent()\` and \`dma_get_sgtable()\` know all of them and are right
without a question.`,
  limits: "The allocation, or a dma_mmap_coherent() of the same pointer, must be in the function.",
  unless: "the driver is for one platform, whose coherent memory is of these two kinds",
  sources: [
    "kernel/dma/mapping.c: dma_mmap_attrs(), dma_alloc_attrs()",
    "Documentation/core-api/dma-api.rst: dma_alloc_coherent(), dma_mmap_coherent()",
  ],
  messages: {
    branch:
      "coherent DMA memory can be other things than a vmalloc address: {callee}() is right for all of them, without the test",
    page:
      "{callee}() of `{pointer}`, which is coherent DMA memory: it need not be in the linear map, nor have a struct page",
    lookup:
      "`{pointer}` is coherent DMA memory: is_vmalloc_addr() does not tell whether {callee}() finds its page",
  },
  bad: [
    {
      title: "dma_mmap_coherent() for one kind only",
      patch: String.raw`
+static int foo_mmap(struct foo *foo, struct vm_area_struct *vma)
+{
+	if (is_vmalloc_addr(foo->cpu)) /* want: branch */
+		return dma_mmap_coherent(foo->dev, vma, foo->cpu, foo->dma, foo->size);
+	return remap_pfn_range(vma, vma->vm_start, foo->pfn, foo->size, vma->vm_page_prot);
+}`,
    },
    {
      title: "the page by either way",
      patch: String.raw`
+static struct page *foo_page(struct foo *foo)
+{
+	void *cpu = dma_alloc_coherent(foo->dev, SZ_4K, &foo->dma, GFP_KERNEL);
+
+	if (!cpu)
+		return NULL;
+	return is_vmalloc_addr(cpu) ? vmalloc_to_page(cpu) : virt_to_page(cpu); /* want: lookup */
+}`,
    },
    {
      title: "the page of a coherent buffer",
      patch: String.raw`
+static int foo_setup(struct foo *foo)
+{
+	foo->cpu = dma_alloc_coherent(foo->dev, SZ_64K, &foo->dma, GFP_KERNEL);
+	if (!foo->cpu)
+		return -ENOMEM;
+	foo->page = virt_to_page(foo->cpu); /* want: page */
+	return 0;
+}`,
    },
  ],
  good: [
    {
      title: "mapped without a question",
      patch: String.raw`
+static int foo_mmap(struct foo *foo, struct vm_area_struct *vma)
+{
+	if (is_vmalloc_addr(foo->cpu)) /* ok: branch */
+		vm_flags_set(vma, VM_MIXEDMAP);
+	return dma_mmap_coherent(foo->dev, vma, foo->cpu, foo->dma, foo->size);
+}`,
    },
    {
      title: "other memory",
      patch: String.raw`
+static struct page *foo_page(void *buf)
+{
+	return is_vmalloc_addr(buf) ? vmalloc_to_page(buf) : virt_to_page(buf); /* ok: lookup */
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file)) return;
    const values = use(flow, fn);
    const isAsked = values.calls.some(({ call }) => call.name === "is_vmalloc_addr");
    for (const site of values.calls) {
      const [pointer] = site.call.args;
      if (PAGE.test(site.call.name) && pointer !== undefined && !isAsked) {
        const [origin, ...more] = values.valueOf(pointer);
        if (origin?.meaning !== "kva-coherent" || origin.certainty !== "exact" || more.length > 0) continue;
        yield {
          at: site.call,
          say: "page",
          with: { callee: site.call.name, pointer: fn.file.textOf(pointer) },
          because: [{ at: origin.expr, file: origin.file, note: "coherent memory" }],
          wanted: "dma_get_sgtable(), or dma_mmap_coherent()",
          subject: `${site.call.name} ${values.canonical(pointer)}`,
        };
        continue;
      }
      if (site.call.name !== "is_vmalloc_addr" || pointer === undefined) continue;
      const mmap = onlyBehind(site, values, values.canonical(pointer));
      if (mmap !== null) {
        yield {
          at: site.call,
          say: "branch",
          with: { callee: mmap.call.name },
          because: [{ at: mmap.call, note: "for coherent memory of any kind" }],
          wanted: `${mmap.call.name}() without the test`,
          subject: values.canonical(pointer),
        };
        continue;
      }
      const origins = values.valueOf(pointer);
      if (origins.length === 0 || origins.some(({ meaning }) => meaning !== "kva-coherent")) continue;
      const lookup = values.calls.find(({ call }) =>
        OTHER_WAY.test(call.name) &&
        call.args.some((arg) => mentionsValue(arg, values.canonical(pointer), values))
      );
      if (lookup === undefined) continue;
      yield {
        at: site.call,
        say: "lookup",
        with: { pointer: fn.file.textOf(pointer), callee: lookup.call.name },
        because: [{ at: origins[0]!.expr, file: origins[0]!.file, note: "coherent memory" }],
        wanted: "dma_get_sgtable(), or dma_mmap_coherent()",
        subject: values.canonical(pointer),
      };
    }
  },
});

/** The dma_mmap_coherent() of the pointer that is only reached when the test was true; null when there is none. */
function onlyBehind(site: CallSite, values: Flow, pointer: string): CallSite | null {
  const no = site.node.succ.find((edge) => edge.when === false);
  if (site.node.kind !== "test" || no === undefined) return null;
  const mmap = values.calls.find(({ call }) =>
    MMAP.test(call.name) && call.args[2] !== undefined && values.canonical(call.args[2]) === pointer
  );
  if (mmap === undefined || search(site.node, (node) => node === mmap.node ? "hit" : "go").hit === null) {
    return null;
  }
  if (no.to === mmap.node) return null;
  return search(no.to, (node) => node === mmap.node ? "hit" : "go").hit === null ? mmap : null;
}

function mentionsValue(expr: Expr, form: string, values: Flow): boolean {
  let is = false;
  walkExpr(expr, (inner) => is ||= values.canonical(inner) === form);
  return is;
}
