/**
 * K01: names of the DMA API that a kernel does not have any more, never had, or does not have for drivers.
 *
 * @module
 */

import type { Call } from "./engine/ast.ts";
import { compare } from "./engine/version.ts";
import { defineRule, type SourceFile, type Use } from "./engine/rule.ts";
import { type Named, namesIn } from "./facts/named.ts";
import { isImplementation, isTest } from "./facts/place.ts";
import { GONE, INTERNAL, type Internal, isUnder, type Version } from "./kernel/mod.ts";

/** Names that other code uses for something else; they count only for a dma-buf attachment. */
const COMMON = new Set(["dma_buf_map", "dma_buf_unmap"]);
/**
 * A name that went later than this may be right for the kernel that somebody works on, unless we are told which it
 * is; for older ones there is hardly a place left.
 */
const LONG_AGO: Version = [6, 1];
/** Callers of these have a reason: whether bouncing is on limits the segment size on Xen and i915. */
const ASKED_BY_DRIVERS = new Set(["swiotlb_max_segment", "swiotlb_active", "swiotlb_nr_tbl"]);

/** phys-used-as-dma-addr reports these, with what the address is. */
const SAID_ELSEWHERE = new Set(["phys_to_dma", "phys_to_dma_unencrypted"]);

export default defineRule({
  id: "removed-dma-api",
  since: "0.1.0",
  code: "K01",
  severity: "error",
  confidence: "high",
  category: "api-lifecycle",
  scope: "file",
  summary: "a name of the DMA API that is gone, never was merged, or is not for drivers",
  why:
    `Old names still arrive in patches that were carried over from a vendor tree. At best they fail to build; at
worst somebody brings them back as private wrappers that hide the device argument. Several replacements change what
happens and not only what it is called: \`virt_to_bus()\` became a mapping with a lifetime and an error check,
\`pci_alloc_consistent()\` allocated with \`GFP_ATOMIC\`, \`pci_p2pdma_map_sg()\` became a plain \`dma_map_sgtable()\`.

Other names exist, for those who implement the DMA API: what \`<linux/dma-direct.h>\`, \`<linux/dma-map-ops.h>\` and
\`<linux/swiotlb.h>\` offer ignores the IOMMU, the device's \`dma_map_ops\` or the rules of bouncing. Their headers say
that drivers are not to use them.`,
  limits:
    `Of a name that went after v6.1 only a hint is given unless the kernel is known. A definition of the same name in another file is not seen. A name that an earlier patch of the series adds is
taken for one that never was merged.`,
  unless: "the patch is for a kernel that still has it",
  sources: [
    "7968778914e5 (PCI: Remove the deprecated pci-dma-compat.h API)",
    "https://lore.kernel.org/all/YkmRl8McdwST4cII@infradead.org/",
    "https://lore.kernel.org/all/20220624155226.2889613-1-arnd@kernel.org/",
    "include/linux/dma-direct.h and include/linux/dma-map-ops.h: the comments at their top",
  ],
  messages: {
    gone: "`{name}` was removed in v{version}; use {replacement}",
    never: "`{name}` is in no released kernel; use {replacement}",
    internal: "`{name}()` is internal to the DMA API and not for drivers; use {instead}",
    header: "<{name}> is for the implementation of the DMA API and not for drivers; use {instead}",
  },
  bad: [
    {
      title: "the PCI wrappers of old",
      patch: String.raw`
+static int foo_map(struct pci_dev *pdev, struct foo *foo)
+{
+	foo->ring = pci_alloc_consistent(pdev, FOO_RING, &foo->ring_dma); /* want: gone */
+	foo->dma = pci_map_single(pdev, foo->buf, FOO_LEN, PCI_DMA_TODEVICE); /* want: gone */
+	return foo->ring ? 0 : -ENOMEM;
+}`,
    },
    {
      title: "an address without a mapping",
      patch: String.raw`
 static void foo_start(struct foo *foo)
 {
+	writel(virt_to_bus(foo->buf), foo->regs + FOO_ADDR); /* want: gone */
 }`,
    },
    {
      title: "a callback under its former name",
      patch: String.raw`
+static const struct dma_buf_attach_ops foo_attach_ops = {
+	.allow_peer2peer = true,
+	.move_notify = foo_move_notify, /* want: gone */
+};`,
    },
    {
      title: "a name of an early round",
      patch: String.raw`
 static int foo_p2p(struct foo *foo)
 {
+	foo->provider = pcim_p2pdma_enable(foo->pdev, 2); /* want: never */
 	return 0;
 }`,
    },
    {
      title: "a header for implementations",
      patch: String.raw`
 #include <linux/module.h>
+#include <linux/dma-direct.h> /* want: header */
 #include <linux/platform_device.h>
@@ static int foo_start(struct foo *foo)
 	foo->busy = true;
+	writel(phys_to_dma(foo->dev, foo->phys), foo->regs); /* ok: internal */
 	return 0;
 }`,
    },
    {
      title: "pages from the allocator behind the API",
      patch: String.raw`
 static int foo_alloc(struct foo *foo)
 {
+	foo->page = dma_alloc_from_contiguous(foo->dev, FOO_PAGES, 0, false); /* want: internal */
+	__dma_sync_single_for_cpu(foo->dev, foo->dma, FOO_LEN, DMA_FROM_DEVICE); /* want: internal */
 	return 0;
 }`,
    },
  ],
  good: [
    {
      title: "today's names",
      patch: String.raw`
+static int foo_map(struct pci_dev *pdev, struct foo *foo)
+{
+	foo->dma = dma_map_single(&pdev->dev, foo->buf, FOO_LEN, DMA_TO_DEVICE); /* ok: gone */
+	return dma_mapping_error(&pdev->dev, foo->dma);
+}`,
    },
    {
      title: "a conversion patch leaves unconverted lines alone",
      patch: String.raw`
 static int foo_map(struct pci_dev *pdev, struct foo *foo)
 {
 	foo->dma = pci_map_single(pdev, foo->buf, FOO_LEN, PCI_DMA_TODEVICE); /* ok: gone */
-	if (pci_dma_mapping_error(pdev, foo->dma))
+	if (dma_mapping_error(&pdev->dev, foo->dma))
 		return -ENOMEM;
 	return 0;
 }`,
    },
    {
      title: "a driver's own function of that name",
      patch: String.raw`
+static int dma_cache_sync(struct foo *foo)
+{
+	return foo_flush(foo);
+}
+
+static int foo_stop(struct foo *foo)
+{
+	return dma_cache_sync(foo); /* ok: gone */
+}`,
    },
    {
      title: "a kernel that still had it",
      kernel: "5.10",
      patch: String.raw`
+static void foo_free(struct pci_dev *pdev, struct foo *foo)
+{
+	pci_free_consistent(pdev, FOO_RING, foo->ring, foo->ring_dma); /* ok: gone */
+}`,
    },
    {
      title: "a Mac's driver and the implementation itself",
      path: "drivers/net/ethernet/apple/foo.c",
      patch: String.raw`
+static void foo_start(struct foo *foo)
+{
+	out_le32(&foo->regs->addr, virt_to_bus(foo->buf)); /* ok: gone */
+}`,
    },
    {
      title: "a bus may configure DMA",
      path: "drivers/bus/foo.c",
      patch: String.raw`
+#include <linux/dma-map-ops.h>
+
+static int foo_dma_configure(struct device *dev)
+{
+	return foo_range(dev, phys_to_dma(dev, 0)); /* ok: internal */
+}`,
    },
    {
      title: "set up for every device of a bus",
      path: "drivers/soc/foo/foo_mbus.c",
      patch: String.raw`
+#include <linux/dma-map-ops.h>
+
+static int foo_notify(struct notifier_block *nb, unsigned long event, void *data)
+{
+	return event == BUS_NOTIFY_ADD_DEVICE ? dma_direct_set_offset(data, FOO_PHYS, 0, SZ_4G) : 0; /* ok: internal */
+}
+
+static int foo_init(void)
+{
+	return bus_register_notifier(&platform_bus_type, &foo_nb);
+}`,
    },
    {
      title: "a method of another struct",
      patch: String.raw`
+static const struct foo_ops foo_ops = {
+	.move_notify = foo_move_notify, /* ok: gone */
+	.map_resource = foo_map_resource, /* ok: gone */
+};`,
    },
  ],
  *check(file, use) {
    if (isTest(file)) return;
    const own = new Set(use.side.files.flatMap((other) => other.functions.map((fn) => fn.name)));
    for (const named of namesIn(file, (name) => GONE.has(name))) {
      if (own.has(named.name)) continue;
      yield* gone(named, file, use);
    }
    if (isImplementation(file) || configuresBus(file)) return;
    // What the patch changes in the implementation stays internal.
    const drivers = use.side.files.filter((other) => !isImplementation(other));
    yield* internal(file, new Set(drivers.flatMap((other) => other.functions.map((fn) => fn.name))));
  },
});

/** Whether the file is told of each device of a bus before its driver is: it is there to set up their DMA. */
const configuresBus = ({ diff }: SourceFile): boolean =>
  (diff.all ?? diff.hunks.flatMap(({ lines }) => lines)).some(({ text }) =>
    /\bbus_register_notifier\s*\(/.test(text)
  );

function* gone(named: Named, file: SourceFile, use: Use) {
  const row = GONE.get(named.name);
  if (row === undefined || row.kind !== named.kind || isUnder(file.path, row.keptIn)) return;
  if (COMMON.has(row.name) && !takesAttachment(named.call, file)) return;
  const { kernel } = use.side;
  if (row.removed === null) {
    yield {
      at: named.at,
      say: "never" as const,
      with: { name: row.name, replacement: row.replacement },
      severity: "warning" as const,
      // The series may bring it itself.
      confidence: "low" as const,
      unless: "an earlier patch of the series adds it",
      subject: row.name,
    };
    return;
  }
  if (kernel !== null && compare(kernel, row.removed) < 0) return;
  yield {
    at: named.at,
    say: "gone" as const,
    with: { name: row.name, version: row.removed.join("."), replacement: row.replacement },
    because: [{ at: named.at, note: row.source }],
    ...(kernel === null
      ? {
        severity: "warning" as const,
        confidence: compare(row.removed, LONG_AGO) < 0 ? "high" as const : "low" as const,
      }
      : {}),
    subject: row.name,
  };
}

function takesAttachment(call: Call | null, file: SourceFile): boolean {
  const first = call?.args[0];
  return first !== undefined && /attach/.test(file.textOf(first));
}

function* internal(file: SourceFile, own: ReadonlySet<string>) {
  const calls = namesIn(file, (name) => GONE.has(name)).filter((named) =>
    named.call !== null && !own.has(named.name)
  );
  const headers = new Map(
    file.includes.flatMap((include) => {
      const row = INTERNAL.find((row) => row.kind === "include" && row.name === include.header);
      return row === undefined || isUnder(file.path, row.keptIn) ? [] : [[row, include] as const];
    }),
  );
  const said = new Set<string>();
  const found = calls.flatMap((named) => {
    const row = INTERNAL.find((row) => row.kind === "function" && matches(row, named.name));
    return row === undefined || ASKED_BY_DRIVERS.has(named.name) ||
        SAID_ELSEWHERE.has(named.name) || isUnder(file.path, row.keptIn)
      ? []
      : [{ named, row }];
  });
  for (const [row, include] of headers) {
    const uses = found.filter((one) => one.row.source === row.source);
    // The line that lets the name in says it once for all of them.
    if (file.isChanged(include.at)) said.add(row.source);
    yield {
      at: include.at,
      say: "header" as const,
      with: { name: row.name, instead: row.instead },
      because: [
        { at: include.at, note: row.source },
        ...uses.slice(0, 3).map(({ named }) => ({ at: named.at, note: `for \`${named.name}()\`` })),
      ],
      severity: "warning" as const,
      unless: "the file implements dma_map_ops or sets up the DMA of a bus",
      subject: row.name,
    };
  }
  for (const { named, row } of found) {
    if (said.has(row.source)) continue;
    yield {
      at: named.at,
      say: "internal" as const,
      with: { name: named.name, instead: row.instead },
      because: [{ at: named.at, note: row.source }],
      severity: "warning" as const,
      unless: "the file implements dma_map_ops or sets up the DMA of a bus",
      subject: named.name,
    };
  }
}

const matches = (row: Internal, name: string) =>
  row.name.endsWith("*") ? name.startsWith(row.name.slice(0, -1)) : name === row.name;
