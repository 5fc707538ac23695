/**
 * K03: a module uses a symbol that is not exported, or one of a namespace that it does not import.
 *
 * @module
 */

import { compare } from "./engine/version.ts";
import { defineRule, type SourceFile, type Use } from "./engine/rule.ts";
import { linesOf } from "./facts/former.ts";
import { type Named, namesIn } from "./facts/named.ts";
import { isImplementation, isTest } from "./facts/place.ts";
import { DMA_BUF_SYMBOLS, isUnder, type Version } from "./kernel/mod.ts";

const NAMESPACE_SINCE: Version = [5, 16];
/** What no module can link, and the symbol that is missing then. */
const BUILT_IN: ReadonlyMap<string, string> = new Map([
  ["pci_p2pdma_map_type", "pci_p2pdma_map_type()"],
  ["pci_p2pdma_state", "__pci_p2pdma_update_state()"],
  ["pci_p2pdma_map_segment", "pci_p2pdma_map_segment()"],
]);
/** Code that is no module, whatever macros it has; the heaps of dma-buf were not until 2026. */
const NEVER_MODULES = ["block/", "drivers/dma-buf/", "drivers/pci/", "io_uring/", "kernel/", "lib/", "mm/"];
const MODULE = /^\s*(?:MODULE_LICENSE|MODULE_IMPORT_NS|module_init|module_exit|module_\w+_driver)\s*\(/m;
const LICENSE = /^\s*MODULE_LICENSE\s*\(/m;
const IMPORTS = /\bMODULE_IMPORT_NS\s*\(\s*"?DMA_BUF"?\s*\)/;

export default defineRule({
  id: "p2p-symbol-not-linkable",
  since: "0.1.0",
  code: "K03",
  severity: "warning",
  confidence: "medium",
  category: "api-lifecycle",
  scope: "file",
  summary:
    "a module calls a function of p2pdma that is not exported, or dma-buf without importing its namespace",
  why:
    `\`pci_p2pdma_map_type()\` and, behind the inline \`pci_p2pdma_state()\`, \`__pci_p2pdma_update_state()\` are not exported:
what is decided with them belongs into helpers of the core, so that drivers do not decide it each in its own way. The
reviewers of the vfio series had the export taken out again, and the mapping moved to \`dma_buf_phys_vec_to_sgt()\`. A
driver that is built as a module does not link.

The functions of dma-buf are in the namespace \`DMA_BUF\` (v5.16). modpost refuses a module that uses them without
\`MODULE_IMPORT_NS("DMA_BUF")\` in one of its files.`,
  limits:
    `Whether a file is part of a module is taken from its own macros (MODULE_LICENSE(), module_init(), …). A missing import
is only reported where the whole file is shown and has the module's license, or where the patch adds the license: a module of several files may import the
namespace in another one that has neither. Kconfig files are not read, so a missing \`depends on PCI_P2PDMA\` or
\`select DMA_SHARED_BUFFER\` is not seen.`,
  unless:
    "the driver is never a module, another of its files imports the namespace, or the series exports the symbol",
  sources: [
    "drivers/pci/p2pdma.c: no EXPORT_SYMBOL for pci_p2pdma_map_type() and __pci_p2pdma_update_state()",
    "https://lore.kernel.org/all/aPHi2c2BQNB4eqm_@infradead.org/",
    "https://lore.kernel.org/all/20251120-dmabuf-vfio-v9-0-d7f71607f371@nvidia.com/ (changes of v6)",
    "16b0314aa746 (dma-buf: move dma-buf symbols into the DMA_BUF module namespace)",
  ],
  words: ["p2pdma", "dma_buf_"],
  messages: {
    symbol: "{symbol} is not exported to modules; {instead}",
    namespace:
      "{callee}() is in the namespace DMA_BUF, and no MODULE_IMPORT_NS({text}) is shown: modpost refuses the module",
  },
  bad: [
    {
      title: "a module decides the route itself",
      patch: String.raw`
+MODULE_IMPORT_NS("DMA_BUF");
+
+static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
+{
+	struct foo *foo = buf->priv;
+
+	switch (pci_p2pdma_map_type(foo->provider, attach->dev)) { /* want: symbol */
+	case PCI_P2PDMA_MAP_NOT_SUPPORTED:
+		return -EOPNOTSUPP;
+	default:
+		return 0;
+	}
+}`,
    },
    {
      title: "a whole module without the import",
      patch: String.raw`
+static int foo_import(struct foo *foo, int fd)
+{
+	foo->buf = dma_buf_get(fd); /* want: namespace */
+	return PTR_ERR_OR_ZERO(foo->buf);
+}
+
+MODULE_LICENSE("GPL");`,
    },
  ],
  good: [
    {
      title: "built-in code",
      path: "block/foo.c",
      patch: String.raw`
+module_init(foo_init);
+
+static bool foo_is_bus(struct foo *foo, struct device *dev, struct page *page)
+{
+	return pci_p2pdma_state(&foo->state, dev, page) == PCI_P2PDMA_MAP_BUS_ADDR; /* ok: symbol */
+}`,
    },
    {
      title: "a module that imports it, and part of one",
      patch: String.raw`
+MODULE_LICENSE("GPL");
+MODULE_IMPORT_NS("DMA_BUF");
+
+static int foo_import(struct foo *foo, int fd)
+{
+	foo->buf = dma_buf_get(fd); /* ok: namespace */
+	return PTR_ERR_OR_ZERO(foo->buf);
+}`,
    },
    {
      title: "a function is added to a module that is not shown",
      patch: String.raw`
@@ static void foo_exit(struct foo *foo)
 	foo_stop(foo);
 }
+
+static int foo_import(struct foo *foo, int fd)
+{
+	foo->buf = dma_buf_get(fd); /* ok: namespace */
+	return PTR_ERR_OR_ZERO(foo->buf);
+}
@@ static struct pci_driver foo_driver = {
 module_pci_driver(foo_driver);
 MODULE_LICENSE("GPL");`,
    },
    {
      title: "exported by the same patch",
      patch: String.raw`
+MODULE_LICENSE("GPL");
+
+enum pci_p2pdma_map_type pci_p2pdma_map_type(struct p2pdma_provider *provider, struct device *dev)
+{
+	return foo_type(provider, dev);
+}
+EXPORT_SYMBOL_GPL(pci_p2pdma_map_type);
+
+static bool foo_reaches(struct foo *foo, struct device *dev)
+{
+	return pci_p2pdma_map_type(foo->provider, dev) != PCI_P2PDMA_MAP_NOT_SUPPORTED; /* ok: symbol */
+}`,
    },
  ],
  *check(file, use) {
    if (isTest(file) || isImplementation(file) || isUnder(file.path, NEVER_MODULES)) return;
    if (!file.path.endsWith(".c")) return;
    const lines = shown(file);
    if (!MODULE.test(lines)) return;
    const calls = namesIn(file).filter(({ call }) => call !== null);
    for (const { name, at } of calls) {
      const symbol = BUILT_IN.get(name);
      if (symbol === undefined || exportedHere(name, use)) continue;
      yield {
        at,
        say: "symbol",
        with: {
          symbol,
          instead:
            "map with dma_buf_phys_vec_to_sgt(), dma_map_sgtable() or the iterators of the block layer, which ask for the route",
        },
      };
    }
    yield* unimported(file, lines, calls, use);
  },
});

/** All lines of the new side, or of the old one. */
function shown(file: SourceFile): string {
  const changed = file.side === "new" ? "added" : "removed";
  return `${linesOf(file, "context")}\n${linesOf(file, changed)}`;
}

const all = (use: Use): readonly SourceFile[] => [...use.side.files, ...use.side.context];

function exportedHere(name: string, use: Use): boolean {
  const exports = new RegExp(`\\bEXPORT_SYMBOL(?:_GPL|_NS|_NS_GPL)?\\s*\\(\\s*${name}\\b`);
  return all(use).some((file) => exports.test(shown(file)));
}

function* unimported(file: SourceFile, lines: string, calls: readonly Named[], use: Use) {
  const { kernel } = use.side;
  if (kernel !== null && compare(kernel, NAMESPACE_SINCE) < 0) return;
  // Who adds the license adds the module.
  const isModule = file.isWhole ? LICENSE.test(lines) : LICENSE.test(linesOf(file, "added"));
  if (!isModule) return;
  if (all(use).some((other) => IMPORTS.test(shown(other)))) return;
  const own = new Set(use.side.files.flatMap((other) => other.functions.map((fn) => fn.name)));
  const first = calls.find(({ name }) => DMA_BUF_SYMBOLS.has(name) && !own.has(name));
  if (first === undefined) return;
  yield {
    at: first.at,
    say: "namespace" as const,
    with: {
      callee: first.name,
      text: kernel !== null && compare(kernel, [6, 13]) < 0 ? "DMA_BUF" : '"DMA_BUF"',
    },
    subject: "DMA_BUF",
  };
}
