/**
 * T07: memory that no one mapped, given to a device by its CPU physical address.
 *
 * @module
 */

import { type Call, type Expr, partsOf, type Stmt, walkStmt } from "./engine/ast.ts";
import { compare } from "./engine/version.ts";
import { type Because, defineRule, type FunctionView } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { deref, type Flow, flow } from "./facts/flow.ts";
import { formerCall } from "./facts/former.ts";
import { isAddress, type Origin } from "./facts/origin.ts";
import { mmio } from "./facts/mmio.ts";
import { physical } from "./facts/physical.ts";
import { isController, isDmaEngine, isImplementation, takesPhysical } from "./facts/place.ts";
import { placeOf, type Sink, sinks } from "./facts/sinks.ts";
import { INTERNAL } from "./kernel/mod.ts";
import { isUnder } from "./kernel/names.ts";

/** What turns memory into its CPU physical address; sg_phys() of a mapped list is a matter of the list. */
const PHYSICAL = new Set([
  "virt_to_phys",
  "__pa",
  "page_to_phys",
  "sg_phys",
  "bvec_phys",
  "slow_virt_to_phys",
  "PFN_PHYS",
]);
/** Bodies of the DMA API that give a DMA address without making a mapping. */
const BODIES = new Set(["phys_to_dma", "phys_to_dma_unencrypted"]);
const PRINTS = /^(?:dev|pr|netdev|drm|seq|trace)_\w+$|^(?:sn?|scn?)?printk?f?$|^WARN/;
const BUS = new Set(["virt_to_bus", "bus_to_virt"]);

export default defineRule({
  id: "phys-used-as-dma-addr",
  since: "0.1.0",
  code: "T07",
  severity: "error",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "a device is given the CPU physical address of memory that was never mapped for it",
  why:
    `\`virt_to_phys()\`, \`page_to_phys()\` and \`sg_phys()\` say where the CPU finds memory. A device may see it
elsewhere: behind an IOMMU it sees only what was mapped for it, on a bus with \`dma-ranges\` everything is shifted, and
in a confidential guest or with a DMA mask that is too small the data must be copied to where the device can reach it.
All of that, and the cache maintenance on machines without coherent DMA, is done by \`dma_map_single()\` and its kin
or by \`dma_alloc_coherent()\`. The two addresses happen to be equal on many machines, which is why such code works
on the author's.

Memory from \`dma_alloc_coherent()\` need not lie in the linear map, so \`virt_to_phys()\` of it can be a number
without meaning; its DMA address came with it. \`phys_to_dma()\` is a body of the direct mapping: it knows no IOMMU
and maps nothing.`,
  limits:
    `An address that goes to a device through a function of another file is not followed. Code for firmware,
hypervisors, interrupt controllers and s390 channels, which take CPU physical addresses, is left alone.`,
  unless:
    "the hardware is wired to the CPU's address map, with neither IOMMU nor offset nor caches to care for",
  sources: [
    "Documentation/core-api/dma-api-howto.rst: CPU and DMA addresses",
    "include/linux/dma-direct.h: only for use by the DMA mapping code and IOMMU drivers",
    "https://lore.kernel.org/all/20251003114239.431114-1-m.szyprowski@samsung.com/",
    "https://lore.kernel.org/all/20220217171452.GA286231@bhelgaas/",
    "https://lore.kernel.org/all/ee19a95d-fe1e-4f3f-bc81-bdef38475469@arm.com/",
  ],
  messages: {
    register:
      "`{value}` is a CPU physical address, and {callee}() gives it to the device: it must be mapped for the device first, dma_map_single() or dma_alloc_coherent() give the address to write",
    descriptor:
      "`{value}` is a CPU physical address, and the device reads it in `{place}`: it must be mapped for the device first",
    handle:
      "`{place}` holds a DMA address and is set to the CPU physical address that {api}() gives: map the memory for the device",
    list:
      "`{place}` is set to the CPU physical address that {api}() gives: only dma_map_sgtable() may fill the DMA side of a list",
    returned:
      "the function returns a dma_addr_t, and {api}() gives a CPU physical address: map the memory for the device",
    argument:
      "{callee}() takes the DMA address that the memory was allocated or mapped with, {api}() gives the CPU physical address",
    coherent:
      "{api}() of memory from {source}(), which need not be in the linear map: its DMA address came with the allocation",
    unmapped:
      "`{place}` holds a DMA address and is set to the CPU physical address `{value}`, which nobody mapped for the device",
    replaced:
      "sg_phys() is the CPU physical address of `{entry}`, where the line before had the address that it is mapped to",
    internal:
      "{callee}() is a body of the DMA API and not for drivers: it makes no mapping and knows no IOMMU; use {instead}",
    msi:
      "`{value}` is a CPU physical address, and what a host bridge tells devices to send their MSIs to is a PCI bus address: {api}() gives none",
    bus: "{callee}() ignores IOMMUs and offsets and is gone since v6.0: use the DMA API",
  },
  bad: [
    {
      title: "the patch drops the mapped address of an entry",
      patch: String.raw`
@@ static void foo_fill(struct foo *foo, struct scatterlist *sgl, int count)
 	for_each_sg(sgl, sg, count, i) {
-		foo_push(foo, sg_dma_address(sg), sg_dma_len(sg));
+		foo_push(foo, sg_phys(sg), sg_dma_len(sg)); /* want: replaced */
 	}`,
    },
    {
      title: "whatever the variable is called, it is tested like a mapping",
      patch: String.raw`
@@ static int foo_post(struct foo *foo, struct sk_buff *skb)
-	paddr = dma_map_single(foo->dev, skb->data, skb->len, DMA_FROM_DEVICE);
+	paddr = virt_to_phys(skb->data); /* want: handle */
 	if (dma_mapping_error(foo->dev, paddr))
 		return -EIO;`,
    },
    {
      title: "a ring is written to a register",
      patch: String.raw`
+static void foo_start(struct foo *foo, void __iomem *base)
+{
+	phys_addr_t ring = virt_to_phys(foo->ring);
+
+	writel(lower_32_bits(ring), base + FOO_RING_LO); /* want: register */
+	foo_writel(foo, FOO_STATUS, virt_to_phys(foo->status)); /* want: register */
+}`,
    },
    {
      title: "a page is put into a descriptor",
      patch: String.raw`
+static void foo_fill(struct foo_desc *desc, struct page *page)
+{
+	desc->addr = cpu_to_le64(page_to_phys(page)); /* want: descriptor */
+}`,
    },
    {
      title: "a variable of type dma_addr_t",
      patch: String.raw`
+static int foo_send(struct foo *foo, void *buf)
+{
+	dma_addr_t addr = virt_to_phys(buf); /* want: handle */
+
+	return foo_queue(foo, addr);
+}`,
    },
    {
      title: "a scatterlist is mapped by hand",
      patch: String.raw`
+static void foo_list(struct sg_table *sgt)
+{
+	struct scatterlist *sg;
+	int i;
+
+	for_each_sgtable_sg(sgt, sg, i)
+		sg_dma_address(sg) = sg_phys(sg); /* want: list */
+}`,
    },
    {
      title: "the result of a helper",
      patch: String.raw`
+static dma_addr_t foo_dma(struct foo *foo)
+{
+	return page_to_phys(foo->page) + foo->offset; /* want: returned */
+}`,
    },
    {
      title: "pool memory is freed by a guessed handle",
      patch: String.raw`
+static void foo_drop(struct foo *foo, struct foo_desc *desc)
+{
+	dma_pool_free(foo->pool, desc, virt_to_phys(desc)); /* want: argument */
+}`,
    },
    {
      title: "the physical address of coherent memory",
      patch: String.raw`
+static int foo_init(struct foo *foo)
+{
+	foo->ring = dma_alloc_coherent(foo->dev, SZ_4K, &foo->ring_dma, GFP_KERNEL);
+	if (!foo->ring)
+		return -ENOMEM;
+	foo->ring_phys = virt_to_phys(foo->ring); /* want: coherent */
+	return 0;
+}`,
    },
    {
      title: "checked for a mapping that was not made",
      patch: String.raw`
+static int foo_copy(struct device *dev, struct foo_slot *slot, phys_addr_t phys)
+{
+	slot->addr = phys; /* want: unmapped */
+	if (dma_mapping_error(dev, slot->addr))
+		return -EIO;
+	return 0;
+}`,
    },
    {
      title: "the body of dma-direct in a driver",
      patch: String.raw`
+static void foo_fifo(struct foo *foo, struct dma_slave_config *cfg)
+{
+	foo->src = phys_to_dma(foo->dev, cfg->src_addr); /* want: internal */
+}`,
    },
    {
      title: "bus addresses of old kernels",
      kernel: "5.15",
      patch: String.raw`
+static void *foo_reply(struct foo *foo)
+{
+	return bus_to_virt(foo->reply); /* want: bus */
+}`,
    },
    {
      title: "a helper writes it into the register",
      patch: String.raw`
+static void foo_set_ring(struct foo *foo, u64 ring)
+{
+	writel(lower_32_bits(ring), foo->regs + FOO_RING_LO);
+	writel(upper_32_bits(ring), foo->regs + FOO_RING_HI);
+}
+
+static void foo_start(struct foo *foo)
+{
+	foo_set_ring(foo, virt_to_phys(foo->ring)); /* want: register */
+}`,
    },
    {
      title: "where a PCI host bridge catches MSIs",
      path: "drivers/pci/controller/pcie-foo.c",
      patch: String.raw`
+static void foo_msi_setup(struct foo_pcie *pcie, void __iomem *base)
+{
+	phys_addr_t addr = virt_to_phys(pcie);
+
+	writel(lower_32_bits(addr), base + FOO_MSI_LO); /* want: msi */
+}
+
+static void foo_compose(struct foo_pcie *pcie, struct msi_msg *msg)
+{
+	phys_addr_t addr = virt_to_phys(pcie);
+
+	msg->address_lo = lower_32_bits(addr); /* want: msi */
+	msg->address_hi = upper_32_bits(addr);
+}`,
    },
  ],
  good: [
    {
      title: "the CPU, or an IOMMU's page table, wants the physical address",
      patch: String.raw`
@@ static void foo_fill(struct foo *foo, struct scatterlist *sgl, int count)
-		iommu_map(foo->domain, iova, sg_dma_address(sg), sg->length, prot, GFP_KERNEL);
+		iommu_map(foo->domain, iova, sg_phys(sg), sg->length, prot, GFP_KERNEL); /* ok: replaced */
 		iova += sg->length;
@@ static void foo_note(struct foo *foo, struct scatterlist *sg)
-	foo->pages_phys = sg_dma_address(sg);
+	foo->pages_phys = sg_phys(sg); /* ok: replaced */
 	foo->n++;`,
    },
    {
      title: "a helper that wants a physical address, and one of which nothing is known",
      patch: String.raw`
+static void foo_set_table(struct foo *foo, phys_addr_t table)
+{
+	writel(lower_32_bits(table), foo->regs + FOO_TABLE);
+}
+
+static void foo_start(struct foo *foo)
+{
+	foo_set_table(foo, virt_to_phys(foo->table)); /* ok: register */
+	foo_elsewhere(foo, virt_to_phys(foo->ring)); /* ok: register */
+}`,
    },
    {
      title: "the memory is mapped",
      patch: String.raw`
+static int foo_start(struct foo *foo, void __iomem *base)
+{
+	dma_addr_t ring = dma_map_single(foo->dev, foo->ring, SZ_4K, DMA_TO_DEVICE);
+
+	if (dma_mapping_error(foo->dev, ring))
+		return -ENOMEM;
+	writel(lower_32_bits(ring), base + FOO_RING_LO); /* ok: register */
+	return 0;
+}`,
    },
    {
      title: "a physical address that stays with the CPU",
      patch: String.raw`
+static int foo_mmap(struct foo *foo, struct vm_area_struct *vma)
+{
+	phys_addr_t phys = virt_to_phys(foo->buf);
+
+	dev_dbg(foo->dev, "buffer at %pa\n", &phys);
+	return remap_pfn_range(vma, vma->vm_start, phys >> PAGE_SHIFT, SZ_4K, vma->vm_page_prot);
+}`,
    },
    {
      title: "a physical address in a variable of the wrong type that is only printed",
      patch: String.raw`
+static void foo_print(struct foo *foo, struct scatterlist *sg)
+{
+	dma_addr_t phys = sg_phys(sg); /* ok: handle */
+
+	dev_warn(foo->dev, "entry at %pad\n", &phys);
+}`,
    },
    {
      title: "firmware takes physical addresses",
      patch: String.raw`
+static void foo_smc_call(struct foo *foo, struct foo_msg *msg)
+{
+	msg->addr = cpu_to_le64(virt_to_phys(foo->buf)); /* ok: descriptor */
+	arm_smccc_smc(FOO_SMC, virt_to_phys(msg), 0, 0, 0, 0, 0, 0, NULL);
+}`,
    },
    {
      title: "an interrupt controller reads its tables at physical addresses",
      path: "drivers/irqchip/irq-foo.c",
      patch: String.raw`
+static void foo_table(void __iomem *base, void *table)
+{
+	writeq(virt_to_phys(table), base + FOO_TABLE); /* ok: register */
+}`,
    },
    {
      title: "a dmaengine client's FIFO is physical by definition",
      patch: String.raw`
+static int foo_dma(struct foo *foo, struct resource *res)
+{
+	struct dma_slave_config cfg = { };
+
+	cfg.src_addr = res->start + FOO_FIFO; /* ok: handle */
+	return dmaengine_slave_config(foo->chan, &cfg);
+}`,
    },
    {
      title: "memory of the device's own in place of an allocation",
      patch: String.raw`
+static int foo_bounce(struct foo *foo, struct resource *res)
+{
+	if (foo->has_sram) {
+		foo->bounce_dma = res->start + FOO_SRAM; /* ok: unmapped */
+		return 0;
+	}
+	foo->bounce = dma_alloc_coherent(foo->dev, FOO_LEN, &foo->bounce_dma, GFP_KERNEL);
+	return foo->bounce ? 0 : -ENOMEM;
+}`,
    },
    {
      title: "only the offset in the page is used",
      patch: String.raw`
+static void foo_offset(struct foo_desc *desc, void *buf)
+{
+	desc->offset = cpu_to_le32(virt_to_phys(buf) & ~PAGE_MASK); /* ok: descriptor */
+}`,
    },
    {
      title: "the DMA code itself",
      path: "kernel/dma/foo.c",
      patch: String.raw`
+static dma_addr_t foo_direct(struct device *dev, struct page *page)
+{
+	return phys_to_dma(dev, page_to_phys(page)); /* ok: internal */
+}`,
    },
  ],
  *check(fn, use) {
    const { file } = fn;
    if (isImplementation(file) || takesPhysical(file)) return;
    const values = use(flow, fn);
    // One origin is one mistake, however many registers its halves go to.
    const told = new Set<Expr>();
    // A file is told once not to use what is not for drivers.
    let isRepeated: boolean | null = null;
    const isForCpu = (place: string) =>
      use(physical, fn).some(({ value }) => placeOf(value, values) === place);
    for (const { call } of values.calls) {
      const memory = call.args[0];
      if (call.name === "sg_phys" && memory !== undefined && replacesDmaAddress(call, values, fn, isForCpu)) {
        told.add(call);
        yield {
          at: call,
          say: "replaced",
          with: { entry: file.textOf(memory) },
          because: [{ at: call, note: "the patch drops sg_dma_address()" }],
          unless: "what takes it wanted a CPU address all along",
          severity: "warning",
          confidence: "medium",
          wanted: `sg_dma_address(${file.textOf(memory)})`,
          subject: `sg_phys ${values.canonical(memory)}`,
        };
      } else if (BODIES.has(call.name)) {
        const internal = INTERNAL.find(({ name }) => name === call.name);
        if (internal === undefined || isUnder(file.path, internal.keptIn)) continue;
        told.add(call);
        isRepeated ??= file.functions.slice(0, file.functions.indexOf(fn)).some((other) =>
          use(flow, other).calls.some(({ call: earlier }) => BODIES.has(earlier.name))
        );
        if (isRepeated) continue;
        isRepeated = true;
        yield {
          at: call,
          say: "internal",
          with: { callee: call.name, instead: isDmaEngine(file) ? "dma_map_resource()" : internal.instead },
          because: [{
            at: call,
            note: `include/linux/dma-direct.h is for the DMA mapping code and IOMMU drivers`,
          }],
          severity: "warning",
          subject: call.name,
        };
      } else if (BUS.has(call.name) && use.side.kernel !== null && compare(use.side.kernel, [6, 0]) < 0) {
        told.add(call);
        yield {
          at: call,
          say: "bus",
          with: { callee: call.name },
          severity: "warning",
          subject: `${call.name} ${memory === undefined ? "" : values.canonical(memory)}`,
        };
      } else if (PHYSICAL.has(call.name) && memory !== undefined) {
        const source = only(values.valueOf(memory), (origin) => origin.meaning === "kva-coherent");
        if (source === null || source.certainty !== "exact") continue;
        told.add(call);
        yield {
          at: call,
          say: "coherent",
          with: { api: call.name, source: source.api },
          because: chain(source),
          wanted: "the DMA address of the allocation, or dma_mmap_coherent() for user space",
          subject: `${call.name} ${values.canonical(memory)}`,
        };
      }
    }
    for (const sink of use(sinks, fn)) {
      const origin = unmappedIn(sink);
      if (origin === null || told.has(origin.expr)) continue;
      // What another function made is told there; only what the device sees is worth a second look.
      const isElsewhere = origin.viaField || origin.file !== file || origin.expr.start < fn.node.start ||
        origin.expr.start >= fn.node.end;
      const isSeen = sink.kind === "register" || sink.kind === "descriptor";
      if (isElsewhere && !isSeen) continue;
      // The type is wrong, and the author knows what it holds.
      if (sink.kind === "return" && /phys/i.test(fn.name)) continue;
      if (sink.kind === "handle" && /^\w+$/.test(sink.where)) {
        const isPhysicalByName = /^pa(?:ddr)?(?:_|$)|phys/i.test(sink.where) && !isChecked(sink, values);
        if (isPhysicalByName || isOnlyPrinted(fn.node.body, sink.where)) continue;
        // A copy of a variable is no news.
        if (origin.expr.start < sink.value.start || origin.expr.start >= sink.value.end) continue;
        if (isForCpu(sink.where)) continue;
      }
      if (origin.meaning !== "phys-ram") {
        if (!isChecked(sink, values)) continue;
        told.add(origin.expr);
        yield {
          at: sink.at,
          say: "unmapped",
          with: { place: sink.text, value: file.textOf(sink.value) },
          because: [...chain(origin), {
            at: sink.at,
            note: "given to the DMA API as a DMA address in this function",
          }],
          severity: "warning",
          confidence: "medium",
          subject: `${sink.where} ${values.canonical(sink.value)}`,
        };
        continue;
      }
      if (
        !PHYSICAL.has(origin.api) || isCode(origin, fn.node.params, values.stores.map(({ place }) => place))
      ) {
        continue;
      }
      // virt_to_phys() of an ioremap()ed pointer is another mistake.
      if (origin.expr.kind === "call" && origin.expr.args[0] !== undefined && !isElsewhere) {
        if (use(mmio, fn)(origin.expr.args[0]) !== null) continue;
      }
      told.add(origin.expr);
      const isSure = sink.certainty !== "name" && sink.kind !== "descriptor" && !origin.viaField;
      // A bridge is told no memory to read or write, but where it shall catch MSIs.
      const isMsi = isSeen && isController(file);
      const because: Because[] = [...chain(origin), ...(sink.through === null ? [] : [sink.through])];
      yield {
        at: sink.at,
        say: isMsi ? "msi" : sink.kind === "return" ? "returned" : sink.kind,
        with: {
          api: origin.api,
          callee: sink.where,
          place: sink.text,
          value: file.textOf(sink.value),
        },
        because,
        ...(isSure && !isMsi ? {} : { severity: "warning" as const, confidence: "medium" as const }),
        ...(isMsi
          ? { unless: "the bridge compares CPU physical addresses, and the two never differ there" }
          : {}),
        subject: `${sink.kind} ${sink.where} ${origin.file.textOf(origin.expr)}`,
      };
    }
  },
});

/** Whether `sg_phys(x)` stands where `sg_dma_address(x)` stood, and nothing says that the CPU wants it. */
function replacesDmaAddress(
  call: Call,
  values: Flow,
  fn: FunctionView,
  isForCpu: (place: string) => boolean,
): boolean {
  const former = formerCall(fn.file, call, "sg_dma_address");
  if (former === null || former.index !== null) return false;
  const holds = (expr: Expr) => expr.start <= call.start && call.end <= expr.end;
  const isGiven = values.calls.some(({ call: other, api }) =>
    other !== call && other.args.some(holds) && (api !== null || /phys|iommu|remap|pfn|cpu/.test(other.name))
  );
  const isKept = values.stores.some(({ value, place }) =>
    holds(value) && (isForCpu(place) || /phys|paddr|pfn|(?:^|_|[.>])pa$/i.test(place))
  );
  return !isGiven && !isKept;
}

/** The origin, when all that is known of a value are origins of that kind; null otherwise. */
function only(origins: readonly Origin[], is: (origin: Origin) => boolean): Origin | null {
  const known = origins.filter(({ meaning }) => meaning !== "param");
  return known.length > 0 && known.every(is) ? known[0]! : null;
}

/** The physical address that flows into the sink; null when it may be another kind of address as well. */
function unmappedIn(sink: Sink): Origin | null {
  const addresses = sink.origins.filter(isAddress);
  const ram = only(addresses, ({ meaning, certainty }) => meaning === "phys-ram" && certainty === "exact");
  if (ram !== null) return ram;
  if (sink.kind !== "handle" || sink.certainty === "name") return null;
  return only(
    addresses,
    ({ meaning, certainty }) => certainty !== "name" && (meaning === "phys" || meaning === "phys-mmio"),
  );
}

/** Whether the function gives the place to the DMA API as if it had been mapped, or has it filled by an allocation. */
function isChecked(sink: Sink, values: Flow): boolean {
  return values.calls.some(({ call, api }) => {
    if (typeof api?.handle !== "number") return false;
    const handle = call.args[api.handle];
    if (handle === undefined) return false;
    // In place of an allocation: memory of the device's own, or with an offset, is another thing.
    if (api.role === "alloc") {
      return deref(values.canonical(handle)) === sink.where && sink.value.kind === "member" &&
        sink.origins.every(({ meaning }) => meaning !== "phys-mmio");
    }
    return (api.role === "check" || api.role === "unmap") && placeOf(handle, values) === sink.where;
  });
}

/** `virt_to_phys(foo_resume)`: a function or a constant, whose address is for a CPU or a bridge. */
function isCode(
  origin: Origin,
  params: readonly { readonly name: string }[],
  places: readonly string[],
): boolean {
  if (origin.expr.kind !== "call") return false;
  let arg = origin.expr.args[0];
  while (arg?.kind === "cast" || (arg?.kind === "unary" && arg.op === "&")) {
    arg = arg.kind === "cast" ? arg.value : arg.operand;
  }
  if (arg?.kind !== "ident") return false;
  const { name } = arg;
  return /^[A-Z][A-Z0-9_]*$/.test(name) ||
    (!origin.viaField && origin.steps.length === 0 && !params.some((param) => param.name === name) &&
      !places.includes(name) && /_(?:resume|entry|startup|start|boot|vector|trampoline)$/.test(name));
}

/** Whether a variable is read by nothing but a message for the log. */
function isOnlyPrinted(body: Stmt, name: string): boolean {
  let isUsed = false;
  const isName = (expr: Expr) => expr.kind === "ident" && expr.name === name;
  const visit = (expr: Expr): void => {
    if (expr.kind === "call" && PRINTS.test(expr.name)) return;
    if (expr.kind === "assign" && isName(expr.target)) return visit(expr.value);
    if (isName(expr)) isUsed = true;
    for (const part of partsOf(expr)) visit(part);
  };
  walkStmt(body, { expr: visit });
  return !isUsed;
}
