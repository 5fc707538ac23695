/**
 * T08: device memory treated as if it lay in the linear map: an ioremap()ed pointer that is mapped or converted, an
 * MMIO address that phys_to_virt() is asked for.
 *
 * @module
 */

import { type Because, defineRule } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { flow } from "./facts/flow.ts";
import { mmio } from "./facts/mmio.ts";
import { isImplementation } from "./facts/place.ts";
import { LINEAR_LOOKUPS, LIST_FILLERS } from "./kernel/mod.ts";

const MAPS = /^(?:ib_)?dma_map_single/;
/** These look up the page or the physical address of a pointer of the linear map, or of vmalloc space. */
const CONVERTS = new Set([...LINEAR_LOOKUPS, "vmalloc_to_page", "vmalloc_to_pfn"]);
const LINEAR = new Set(["phys_to_virt", "__va"]);

export default defineRule({
  id: "dma-map-on-iomem-pointer",
  since: "0.1.0",
  code: "T08",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "device memory is mapped or converted as if it were RAM of the linear map",
  why:
    `\`ioremap()\` returns a pointer with page tables of its own: it is not in the linear map, and what it points
at has no \`struct page\`. \`virt_to_page()\`, \`virt_to_phys()\` and the \`dma_map_single()\` and \`sg_set_buf()\`
that are built on them compute a page that has nothing to do with it. \`dma_map_single()\` refuses addresses of the
vmalloc range with a warning; in old kernels, and on machines where \`ioremap()\` gives other addresses, the device
is sent to a random place. The other way round \`phys_to_virt()\` of a BAR or a ROM gives a pointer that nothing is
mapped at.

The physical address of the device memory is known from its \`struct resource\`. For DMA to registers or a window of
the SoC it is mapped with \`dma_map_resource()\`, for peer-to-peer DMA to a BAR with p2pdma.`,
  limits:
    `A pointer whose \`__iomem\` is declared in another file, and which is not used with readl() or memcpy_toio()
in the same function, is not known.`,
  unless: "the pointer was made with memremap() of RAM that is in the linear map",
  sources: [
    "include/linux/dma-mapping.h: dma_map_single_attrs()",
    "Documentation/driver-api/device-io.rst",
    "https://lore.kernel.org/all/7ea7ef5d-7e46-396a-8d70-2c6c333a4508@deltatee.com/",
    "https://lore.kernel.org/all/20211002193311.GA977182@bhelgaas/",
  ],
  messages: {
    map:
      "{callee}() maps the MMIO pointer `{pointer}`: it is not in the linear map and has no struct page, map its physical address with dma_map_resource(), or with p2pdma for a PCI peer",
    convert:
      "{callee}() of the MMIO pointer `{pointer}`: it is not in the linear map, take the physical address from the struct resource",
    list: "{callee}() puts the MMIO pointer `{pointer}` into a scatterlist: it has no struct page",
    linear: "{callee}() of {what}, which is not in the linear map: use ioremap() or memremap()",
  },
  bad: [
    {
      title: "a window of a BAR",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct device *dma_dev)
+{
+	void __iomem *win = ioremap(foo->phys, foo->size);
+
+	if (!win)
+		return -ENOMEM;
+	foo->dma = dma_map_single(dma_dev, (void __force *)win, foo->size, DMA_FROM_DEVICE); /* want: map */
+	return dma_mapping_error(dma_dev, foo->dma);
+}`,
    },
    {
      title: "the physical address of a register",
      patch: String.raw`
+struct foo {
+	void __iomem *base;
+};
+
+static void foo_msi(struct foo *foo, struct msi_msg *msg)
+{
+	msg->address_lo = lower_32_bits(virt_to_phys(foo->base + FOO_MSI)); /* want: convert */
+}`,
    },
    {
      title: "the use tells that it is MMIO",
      patch: String.raw`
@@ static int foo_copy(struct foo *foo,
 	if (!foo->chan)
 		memcpy_toio(dst, src, len);
 
+	addr = dma_map_page(dev, virt_to_page(dst), offset_in_page(dst), len, DMA_FROM_DEVICE); /* want: convert */
 	if (dma_mapping_error(dev, addr))
 		return -EIO;`,
    },
    {
      title: "a list of registers",
      patch: String.raw`
+static int foo_list(struct platform_device *pdev, struct scatterlist *sg)
+{
+	void __iomem *fifo = devm_platform_ioremap_resource(pdev, 0);
+
+	sg_init_one(sg, (void __force *)fifo, 4); /* want: list */
+	return dma_map_sg(&pdev->dev, sg, 1, DMA_TO_DEVICE) ? 0 : -EIO;
+}`,
    },
    {
      title: "a pointer to a BAR without a mapping",
      patch: String.raw`
+static void *foo_bar(struct pci_dev *pdev)
+{
+	return phys_to_virt(pci_resource_start(pdev, 0)); /* want: linear */
+}`,
    },
  ],
  good: [
    {
      title: "the physical address is mapped",
      patch: String.raw`
+static int foo_map(struct foo *foo, struct device *dma_dev, struct resource *res)
+{
+	void __iomem *win = ioremap(res->start, resource_size(res));
+
+	foo->win = win;
+	foo->dma = dma_map_resource(dma_dev, res->start, resource_size(res), DMA_FROM_DEVICE, 0); /* ok: map */
+	return dma_mapping_error(dma_dev, foo->dma);
+}`,
    },
    {
      title: "RAM that is read from a register's neighbour",
      patch: String.raw`
+static int foo_read(struct foo *foo, void __iomem *regs, void *buf)
+{
+	memcpy_fromio(buf, regs, SZ_64);
+	foo->dma = dma_map_single(foo->dev, buf, SZ_64, DMA_TO_DEVICE); /* ok: map */
+	return dma_mapping_error(foo->dev, foo->dma);
+}`,
    },
    {
      title: "reserved RAM",
      patch: String.raw`
+static int foo_reserved(struct foo *foo, phys_addr_t phys, size_t size)
+{
+	foo->mem = memremap(phys, size, MEMREMAP_WB);
+	sg_init_one(&foo->sg, foo->mem, size); /* ok: list */
+	return foo->mem ? 0 : -ENOMEM;
+}`,
    },
    {
      title: "RAM of the linear map",
      patch: String.raw`
+static void *foo_virt(struct page *page)
+{
+	return phys_to_virt(page_to_phys(page)); /* ok: linear */
+}`,
    },
  ],
  *check(fn, use) {
    const { file } = fn;
    if (isImplementation(file)) return;
    const values = use(flow, fn);
    const isMmio = use(mmio, fn);
    for (const { call, api } of values.calls) {
      if (LINEAR.has(call.name)) {
        const memory = call.args[0];
        if (memory === undefined) continue;
        const known = values.valueOf(memory).filter(({ meaning }) => meaning !== "param");
        const origin = known[0];
        if (
          origin === undefined || origin.certainty === "name" ||
          !known.every(({ meaning }) => meaning === "phys-bar" || meaning === "phys-mmio")
        ) continue;
        yield {
          at: call,
          say: "linear",
          with: {
            callee: call.name,
            what: origin.meaning === "phys-bar" ? "the address of a PCI BAR" : "the address of device memory",
          },
          because: chain(origin),
          ...(origin.certainty === "exact"
            ? {}
            : { severity: "warning" as const, confidence: "medium" as const }),
          subject: `${call.name} ${values.canonical(memory)}`,
        };
        continue;
      }
      const position = MAPS.test(call.name) && api !== null
        ? api.memory
        : CONVERTS.has(call.name)
        ? 0
        : LIST_FILLERS.get(call.name) ?? null;
      const pointer = position === null ? undefined : call.args[position];
      if (pointer === undefined) continue;
      const why = isMmio(pointer);
      if (why === null) continue;
      const because: Because[] = why.origin !== null ? chain(why.origin) : [{
        at: why.use!,
        note: "used as MMIO here",
      }];
      yield {
        at: call,
        say: MAPS.test(call.name) ? "map" : CONVERTS.has(call.name) ? "convert" : "list",
        with: { callee: call.name, pointer: file.textOf(pointer) },
        because,
        ...(why.origin?.certainty === "exact" || why.origin?.certainty === "declared"
          ? {}
          : { severity: "warning" as const, confidence: "medium" as const }),
        subject: `${call.name} ${values.canonical(pointer)}`,
      };
    }
  },
});
