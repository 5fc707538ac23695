/**
 * K02: a call, a constant or an operations table that does not fit the kernel that the patch is for.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { compare } from "./engine/version.ts";
import { defineRule, type Draft, type SourceFile, type Use } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { linesOf } from "./facts/former.ts";
import { namesIn } from "./facts/named.ts";
import { isImplementation, isTest } from "./facts/place.ts";
import { API, BACKPORTED, GONE, SINCE, type Version } from "./kernel/mod.ts";

const BUS_MAP = "pci_p2pdma_bus_addr_map";
const PROVIDER_SINCE: Version = [6, 19];
const GFP_SINCE: Version = [6, 3];
const QUOTED_SINCE: Version = [6, 13];
const NOTIFY_OPTIONAL: Version = [7, 1];
/** Code for many kernels says which lines are for which. */
const MANY = /\bLINUX_VERSION_CODE\b|\bKERNEL_VERSION\s*\(/;
const NAMESPACE =
  /\b(?:MODULE_IMPORT_NS|EXPORT_SYMBOL_NS(?:_GPL)?)\s*\((?:\s*\w+\s*,)?\s*("?)DMA_BUF\1\s*\)/g;

export default defineRule({
  id: "dma-api-version-mismatch",
  since: "0.1.0",
  code: "K02",
  severity: "error",
  confidence: "medium",
  category: "api-lifecycle",
  scope: "file",
  summary: "a name that the kernel of the patch does not have yet, or a call of another release's shape",
  why:
    `The interfaces of P2PDMA, of IOVA-based mappings and of dma-buf changed in almost every release from v6.16 to v7.1. A
backport, or a patch written on top of another tree, then names what is not there, or passes what the function took in
another release. At best it does not build. \`pci_p2pdma_bus_addr_map()\` lost its check of the map type together with the
change of its argument in v6.19, so that a conversion by rote also has to add the test.

\`MODULE_IMPORT_NS()\` takes a string since v6.13; before, it made one of its argument, and a quoted name imports a
namespace with quotes in its name.`,
  limits:
    `Nothing certain is said unless the kernel is known (\`--kernel\`): a call of a former shape then is a hint of low
confidence. What a stable kernel or a distribution brought back is not known, apart from the \`_unlocked\` functions of
dma-buf in v6.1. Files with KERNEL_VERSION() in them are left alone. Prototypes that the patch itself brings are not seen.`,
  unless: "the tree that the patch is for has it: a backport, or an earlier patch of the series",
  sources: [
    "include/linux/pci-p2pdma.h, include/linux/dma-mapping.h, include/linux/iommu.h",
    "cdd30ebb1b9f (module: Convert symbol namespace to string literal, v6.13)",
    "https://lore.kernel.org/all/1-v3-76b587fe28df+6e3-iommu_map_gfp_jgg@nvidia.com/ (v6.3)",
    "https://lore.kernel.org/all/20251120-dmabuf-vfio-v9-0-d7f71607f371@nvidia.com/ (v6.19)",
    "drivers/dma-buf/dma-buf.c: dma_buf_dynamic_attach() up to v7.0",
  ],
  messages: {
    "too-new": "`{name}` is there since v{since}, the patch is for v{kernel}{before}",
    argument: "pci_p2pdma_bus_addr_map() takes a struct {wants} * {when}, and gets a struct {gets} *",
    gfp: "{callee}() takes {wants} arguments {when}, and gets {gets}: the last one is the gfp flags",
    namespace: "{text}: the namespace is {wants} {when}",
    notify:
      "dma_buf_dynamic_attach() warns and refuses operations without `move_notify` before v7.1; set one, or attach with dma_buf_attach()",
  },
  bad: [
    {
      title: "names of a later kernel",
      kernel: "6.12",
      patch: String.raw`
+static int foo_map(struct foo *foo, phys_addr_t phys, size_t len)
+{
+	foo->dma = dma_map_phys(foo->dev, phys, len, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* want: too-new */ /* want: too-new */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
    {
      title: "the state instead of the provider",
      kernel: "6.19",
      patch: String.raw`
+static dma_addr_t foo_bus(struct pci_p2pdma_map_state *state, phys_addr_t phys)
+{
+	return pci_p2pdma_bus_addr_map(state, phys); /* want: argument */
+}`,
    },
    {
      title: "gfp flags and namespaces",
      kernel: "6.14",
      patch: String.raw`
+MODULE_IMPORT_NS(DMA_BUF); /* want: namespace */
+
+static int foo_map(struct foo *foo, phys_addr_t phys)
+{
+	return iommu_map(foo->domain, foo->iova, phys, SZ_4K, IOMMU_READ); /* want: gfp */
+}
+
+static const struct dma_buf_attach_ops foo_attach_ops = { /* want: notify */
+	.allow_peer2peer = true,
+};`,
    },
  ],
  good: [
    {
      title: "the shapes of the day",
      patch: String.raw`
+MODULE_IMPORT_NS("DMA_BUF"); /* ok: namespace */
+
+static int foo_map(struct foo *foo, struct p2pdma_provider *provider, phys_addr_t phys)
+{
+	foo->bus = pci_p2pdma_bus_addr_map(provider, phys); /* ok: argument */
+	foo->dma = dma_map_phys(foo->dev, phys, SZ_4K, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: too-new */
+	if (dma_mapping_error(foo->dev, foo->dma))
+		return -ENOMEM;
+	return iommu_map(foo->domain, foo->iova, phys, SZ_4K, IOMMU_READ, GFP_KERNEL); /* ok: gfp */
+}
+
+static const struct dma_buf_attach_ops foo_attach_ops = { /* ok: notify */
+	.allow_peer2peer = true,
+};`,
    },
    {
      title: "an older kernel with its own shapes",
      kernel: "6.1",
      patch: String.raw`
+MODULE_IMPORT_NS(DMA_BUF); /* ok: namespace */
+
+static int foo_map(struct foo *foo, phys_addr_t phys)
+{
+	foo->sgt = dma_buf_map_attachment_unlocked(foo->attach, DMA_TO_DEVICE); /* ok: too-new */
+	if (IS_ERR(foo->sgt))
+		return PTR_ERR(foo->sgt);
+	return iommu_map(foo->domain, foo->iova, phys, SZ_4K, IOMMU_READ); /* ok: gfp */
+}`,
    },
    {
      title: "the patch brings the function along",
      kernel: "6.12",
      patch: String.raw`
+static dma_addr_t dma_map_phys(struct device *dev, phys_addr_t phys, size_t len)
+{
+	return dma_map_resource(dev, phys, len, DMA_TO_DEVICE, 0);
+}
+
+static int foo_map(struct foo *foo, phys_addr_t phys)
+{
+	foo->dma = dma_map_phys(foo->dev, phys, SZ_4K); /* ok: too-new */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
    {
      title: "code for many kernels",
      kernel: "6.12",
      patch: String.raw`
+#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
+static dma_addr_t foo_map(struct foo *foo, phys_addr_t phys)
+{
+	return dma_map_phys(foo->dev, phys, SZ_4K, DMA_TO_DEVICE, DMA_ATTR_MMIO); /* ok: too-new */
+}
+#endif`,
    },
  ],
  *check(file, use) {
    if (isTest(file) || isImplementation(file)) return;
    if (MANY.test(linesOf(file, "added")) || MANY.test(linesOf(file, "context"))) return;
    yield* tooNew(file, use);
    yield* shapes(file, use);
    yield* namespaces(file, use);
    yield* tables(file, use);
  },
});

type Key = "too-new" | "argument" | "gfp" | "namespace" | "notify";

/** Which shape is right; when nobody told the kernel, the newest, and that is a hint only. */
function judge(use: Use, changed: Version) {
  const { kernel } = use.side;
  const isNew = kernel === null || compare(kernel, changed) >= 0;
  const release = `v${changed.join(".")}`;
  return {
    isNew,
    when: isNew ? `since ${release}` : `before ${release}`,
    hint: kernel === null ? { severity: "note" as const, confidence: "low" as const } : {},
  };
}

/** What the patch defines itself. */
const own = (use: Use): ReadonlySet<string> =>
  new Set(
    [...use.side.files, ...use.side.context].flatMap((file) => [
      ...file.functions.map((fn) => fn.name),
      ...file.unit.structs.map((struct) => struct.name),
      ...file.lazyStructs.names,
    ]),
  );

function* tooNew(file: SourceFile, use: Use): Generator<Draft<Key>> {
  const { kernel } = use.side;
  if (kernel === null) return;
  const known = new Set(own(use));
  for (const { name, kind, at } of namesIn(file)) {
    if (known.has(name) || GONE.has(name)) continue;
    const row = SINCE.get(name);
    const since = kind === "function"
      ? BACKPORTED.get(name) ?? API.get(name)?.since ?? null
      : row?.kind === kind
      ? row.since
      : null;
    if (since === null || compare(kernel, since) >= 0) continue;
    // Once for a name: who replaces it finds the rest.
    known.add(name);
    const before = kind !== "function" && row !== undefined && row.before !== ""
      ? `, which has ${row.before}`
      : "";
    yield {
      at,
      say: "too-new",
      with: { name, since: since.join("."), kernel: kernel.join("."), before },
      subject: name,
    };
  }
}

function* shapes(file: SourceFile, use: Use): Generator<Draft<Key>> {
  const known = own(use);
  // Few files have it; the walk over all names is for those.
  for (const { name, call } of file.text.includes("iommu_map") ? namesIn(file) : []) {
    if (call === null || known.has(name) || (name !== "iommu_map" && name !== "iommu_map_sg")) continue;
    const { isNew, when, hint } = judge(use, GFP_SINCE);
    const wants = isNew ? 6 : 5;
    if (call.args.length === wants || call.args.length < 5 || call.args.length > 6) continue;
    yield {
      at: call,
      say: "gfp",
      with: { callee: name, wants: String(wants), gets: String(call.args.length), when },
      ...hint,
    };
  }
  for (const fn of file.functions) {
    if (!file.text.slice(fn.node.start, fn.node.end).includes(BUS_MAP) || known.has(BUS_MAP)) continue;
    const values = use(flow, fn);
    for (const { call } of values.calls) {
      const gets = call.name === BUS_MAP ? structOf(call.args[0], (expr) => values.typeOf(expr)) : null;
      if (gets !== "pci_p2pdma_map_state" && gets !== "p2pdma_provider") continue;
      const { isNew, when, hint } = judge(use, PROVIDER_SINCE);
      const wants = isNew ? "p2pdma_provider" : "pci_p2pdma_map_state";
      if (gets !== wants) yield { at: call, say: "argument", with: { wants, gets, when }, ...hint };
    }
  }
}

function structOf(expr: Expr | undefined, typeOf: (expr: Expr) => string | null): string | null {
  const type = expr === undefined ? null : typeOf(expr);
  return type === null ? null : /^struct (\w+) \*$/.exec(type)?.[1] ?? null;
}

function* namespaces(file: SourceFile, use: Use): Generator<Draft<Key>> {
  for (const found of file.text.matchAll(NAMESPACE)) {
    const isQuoted = found[1] !== "";
    const { isNew, when, hint } = judge(use, QUOTED_SINCE);
    if (isQuoted === isNew) continue;
    yield {
      at: { start: found.index, end: found.index + found[0].length },
      say: "namespace",
      with: { text: found[0], wants: isNew ? "a string" : "no string", when },
      ...hint,
      subject: "DMA_BUF",
    };
  }
}

function* tables(file: SourceFile, use: Use): Generator<Draft<Key>> {
  const { kernel } = use.side;
  if (kernel === null || compare(kernel, NOTIFY_OPTIONAL) >= 0) return;
  for (const global of file.unit.globals) {
    if (!/^(?:static |const )*struct dma_buf_attach_ops$/.test(global.type)) continue;
    if (
      global.init?.kind !== "initializer" || file.text.slice(global.start, global.end).includes("P2PLINT")
    ) continue;
    if (global.init.items.some(({ field }) => field === "move_notify" || field === "invalidate_mappings")) {
      continue;
    }
    yield { at: global, say: "notify", subject: global.name };
  }
}
