/**
 * T13: memory that must not be used for DMA is mapped or put into a scatterlist: stack, vmalloc(), kmap(), the kernel
 * image, a coherent buffer. Device memory is the business of dma-map-on-iomem-pointer.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { type Because, defineRule, type FunctionView, type Use } from "./engine/rule.ts";
import { declaredType } from "./facts/device.ts";
import { chain } from "./facts/evidence.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import { isImplementation } from "./facts/place.ts";
import { types } from "./facts/types.ts";
import { LINEAR_LOOKUPS, LIST_FILLERS, MAY_BE_LINEAR } from "./kernel/mod.ts";
import type { Api } from "./kernel/types.ts";

const CONVERTS = new Set(LINEAR_LOOKUPS);
const KMAP = new Set(["kmap", "kmap_local_page", "kmap_local_folio", "kmap_atomic"]);
const REMAP = new Set(["memremap", "devm_memremap"]);
const PERHAPS = new Set(MAY_BE_LINEAR);
/** The author knows that there are two kinds of pointers. */
const ASKS =
  /\bis_vmalloc(?:_or_module)?_addr\b|\bvirt_addr_valid\b|\bobject_is_on_stack\b|\bvmalloc_to_page\b/;

export default defineRule({
  id: "dma-map-of-unmappable-memory",
  since: "0.1.0",
  code: "T13",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "stack, vmalloc(), kmap(), static or coherent memory is mapped for DMA or put into a scatterlist",
  why:
    `\`dma_map_single()\`, \`sg_set_buf()\` and \`sg_init_one()\` take an address of the linear map: they compute the
\`struct page\` from it. With \`CONFIG_VMAP_STACK\`, the default of arm64 and x86, the stack is vmalloc space, and what
they compute of it is no page or a wrong one. \`dma_map_single()\` refuses the vmalloc range with a warning and
\`DMA_MAPPING_ERROR\`; a scatterlist takes it silently, unless \`CONFIG_DEBUG_SG\` finds it with a \`BUG()\`. Even where
the stack is in the linear map it shares cache lines with what the CPU writes meanwhile. "You may use neither kernel
image addresses (items in data/text/bss segments), nor module image addresses, nor stack addresses for DMA", and not
what \`kmap()\` returns. A module's data is vmalloc space.

Memory of \`dma_alloc_coherent()\` has its DMA address already. Its CPU address may be remapped too, and mapping it a
second time bounces it or maintains caches that it does not have.`,
  limits:
    `A pointer that a caller passes is not known, nor is memory that is too small or not aligned for a device that
is not coherent. \`kvmalloc()\` gives linear memory as long as it can: a warning.`,
  unless: "the memory lies in the linear map on every machine that the driver is built for",
  sources: [
    'Documentation/core-api/dma-api-howto.rst: "What memory is DMA\'able?"',
    "include/linux/dma-mapping.h: dma_map_single_attrs()",
    "include/linux/scatterlist.h: sg_set_buf()",
    "https://lore.kernel.org/all/20210607065007.GE24478@lst.de/",
  ],
  messages: {
    map: "{callee}() maps `{memory}`, {what}: it need not lie in the linear map, take kmalloc()ed memory",
    list:
      "{callee}() puts `{memory}` into a scatterlist, {what}: it need not lie in the linear map, take kmalloc()ed memory",
    convert: "{callee}() of `{memory}`, {what}: it is not in the linear map",
    coherent:
      "{callee}() of `{memory}`, which is coherent memory: it has a DMA address already, and need not lie in the linear map",
  },
  bad: [
    {
      title: "a command on the stack, a table of the driver",
      patch: String.raw`
+static const u8 foo_key[16];
+
+static int foo_command(struct foo *foo, struct scatterlist *sg)
+{
+	struct foo_cmd cmd = { .op = FOO_RESET };
+	u8 answer[64];
+	dma_addr_t dma;
+
+	sg_init_one(&sg[0], &cmd, sizeof(cmd)); /* want: list */
+	sg_set_buf(&sg[1], foo_key, sizeof(foo_key)); /* want: list */
+	dma = dma_map_single(foo->dev, answer, sizeof(answer), DMA_FROM_DEVICE); /* want: map */
+	return dma_mapping_error(foo->dev, dma);
+}`,
    },
    {
      title: "vmalloc space, and a page that is mapped for the CPU only",
      patch: String.raw`
+static int foo_load(struct foo *foo, struct page *page, size_t size)
+{
+	void *fw = vmalloc(size);
+	void *buf = kmap_local_page(page);
+
+	foo->fw = dma_map_single(foo->dev, fw, size, DMA_TO_DEVICE); /* want: map */
+	sg_init_one(&foo->sg, buf, PAGE_SIZE); /* want: list */
+	foo->page = virt_to_page(fw); /* want: convert */
+	return dma_mapping_error(foo->dev, foo->fw);
+}`,
    },
    {
      title: "mapped twice",
      patch: String.raw`
+static int foo_ring(struct foo *foo, size_t size)
+{
+	dma_addr_t dma;
+
+	foo->ring = dma_alloc_coherent(foo->dev, size, &foo->ring_dma, GFP_KERNEL);
+	if (!foo->ring)
+		return -ENOMEM;
+	dma = dma_map_single(foo->dev, foo->ring, size, DMA_TO_DEVICE); /* want: coherent */
+	return dma_mapping_error(foo->dev, dma);
+}`,
    },
  ],
  good: [
    {
      title: "kmalloc(), a pointer that is kept on the stack, a struct that is not",
      patch: String.raw`
+static int foo_command(struct foo *foo, struct scatterlist *sg, struct foo_request *req)
+{
+	struct foo_view view = { .buf = req->buf };
+	u8 *answer = kmalloc(64, GFP_KERNEL);
+	dma_addr_t dma;
+
+	if (!answer)
+		return -ENOMEM;
+	sg_init_one(&sg[0], view.buf, 64); /* ok: list */
+	sg_set_buf(&sg[1], &req->hdr, sizeof(req->hdr)); /* ok: list */
+	dma = dma_map_single(foo->dev, answer, 64, DMA_FROM_DEVICE); /* ok: map */
+	return dma_mapping_error(foo->dev, dma);
+}`,
    },
    {
      title: "coherent on one branch only",
      patch: String.raw`
+static int foo_boot(struct foo *foo, size_t size)
+{
+	void *virt;
+
+	if (!foo->group)
+		virt = dma_alloc_coherent(foo->dev, size, &foo->iova, GFP_KERNEL);
+	else
+		virt = foo_alloc(foo, size, &foo->iova);
+	if (foo->group)
+		foo->phys = dma_map_single(foo->dev, virt, size, DMA_TO_DEVICE); /* ok: coherent */
+	return dma_mapping_error(foo->dev, foo->phys);
+}`,
    },
    {
      title: "page by page, where it is vmalloc space",
      patch: String.raw`
+static struct page *foo_page(void *buf)
+{
+	return is_vmalloc_addr(buf) ? vmalloc_to_page(buf) : virt_to_page(buf); /* ok: convert */
+}
+
+static struct page *foo_firmware(size_t size)
+{
+	return vmalloc_to_page(vmalloc(size)); /* ok: convert */
+}`,
    },
  ],
  *check(fn, use) {
    if (isImplementation(fn.file) || mentioned(fn.file, ASKS)) return;
    const values = use(flow, fn);
    for (const { call, api } of values.calls) {
      const takes = takesMemory(call.name, api);
      const memory = takes === null ? undefined : call.args[takes.at];
      if (takes === null || memory === undefined) continue;
      const known = kindOf(memory, fn, values, use);
      if (known === null) continue;
      const { kind, because } = known;
      // What a page table or firmware is given of the stack is another matter.
      if (takes.say === "convert" && kind !== "vmalloc") continue;
      yield {
        at: call,
        say: kind === "coherent" ? "coherent" : takes.say,
        with: { callee: call.name, memory: fn.file.textOf(memory), what: SPOKEN[kind] },
        because,
        ...(kind === "kvmalloc" || kind === "kmap" || kind === "image"
          ? { severity: "warning" as const, confidence: "medium" as const }
          : {}),
        subject: `${call.name} ${values.canonical(memory)}`,
      };
    }
  },
});

const SPOKEN = {
  stack: "which is on the stack",
  image: "which is data of the kernel or the module",
  vmalloc: "which is vmalloc space",
  kvmalloc: "which may be vmalloc space",
  kmap: "which is a mapping for the CPU only",
  coherent: "which is coherent memory",
} as const;

type Kind = keyof typeof SPOKEN;

/** The argument that must lie in the linear map; null when the call takes none. */
function takesMemory(name: string, api: Api | null): { at: number; say: "map" | "list" | "convert" } | null {
  const list = LIST_FILLERS.get(name);
  if (list !== undefined) return { at: list, say: "list" };
  if (CONVERTS.has(name)) return { at: 0, say: "convert" };
  const isMap = api?.role === "map" && api.memory !== null && api.params[api.memory] === "kva";
  return isMap ? { at: api.memory!, say: "map" } : null;
}

/** Which memory the pointer points to, and how that is known; null when it may be any. */
function kindOf(
  memory: Expr,
  fn: FunctionView,
  values: Flow,
  use: Use,
): { kind: Kind; because: readonly Because[] } | null {
  const declared = declaredHere(values.canonical(memory), fn, use);
  if (declared !== null) return { kind: declared.kind, because: [{ at: memory, note: declared.note }] };
  const known = values.valueOf(memory).filter(({ meaning }) => meaning !== "param");
  const origin = known[0];
  if (
    origin === undefined || known.some(({ meaning, api }) => meaning !== origin.meaning || api !== origin.api)
  ) {
    return null;
  }
  // One branch allocates so, the other in a way that is not known.
  const form = values.canonical(memory);
  const isElse = (place: string) => place === form || (memory.kind === "ident" && place === memory.name);
  if (values.stores.some(({ place, origins }) => isElse(place) && origins.length === 0)) return null;
  const because = chain(origin);
  if (origin.meaning === "kva-coherent") return { kind: "coherent", because };
  if (KMAP.has(origin.api)) return { kind: "kmap", because };
  if (origin.meaning !== "kva-vmalloc" || REMAP.has(origin.api)) return null;
  return { kind: PERHAPS.has(origin.api) ? "kvmalloc" : "vmalloc", because };
}

/** A local variable or a global one that the form names, or whose address it is; null when it leads further. */
function declaredHere(form: string, fn: FunctionView, use: Use): { kind: Kind; note: string } | null {
  const [, address, root, path] = /^(&?)([A-Za-z_]\w*)((?:\.\w+|\[[^\]]*\])*)$/.exec(form) ?? [];
  if (root === undefined || fn.node.params.some(({ name }) => name === root)) return null;
  const local = declaredType(fn, root);
  const type = local ?? use(types, fn.file).global(root)?.type ?? null;
  if (type === null) return null;
  const isArray = /\[\]$/.test(type);
  const isPointer = /\*/.test(type);
  // `array`, `&array[i]`, `&object`, `&object.field`; a pointer in it leads elsewhere.
  const isItself = path === "" ? isArray && !isPointer || (address === "&" && !isArray) : address === "&" &&
    (/^(?:\.\w+)+$/.test(path!) ? !isPointer && !isArray : /^\[[^\]]*\]$/.test(path!) && isArray);
  if (!isItself) return null;
  const isStack = local !== null && !/^static\b/.test(type);
  return { kind: isStack ? "stack" : "image", note: `\`${root}\` is declared \`${type}\`` };
}
