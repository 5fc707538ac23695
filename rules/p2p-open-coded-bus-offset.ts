/**
 * T04: the offset between CPU and bus addresses applied by hand.
 *
 * @module
 */

import { type Expr, walkExpr, walkStmt } from "./engine/ast.ts";
import { type Because, defineRule } from "./engine/rule.ts";
import { chain } from "./facts/evidence.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { isPhys, type Origin } from "./facts/origin.ts";
import { isController, isImplementation } from "./facts/place.ts";
import { isUnder } from "./kernel/names.ts";

/** Where the offset is defined. */
const CORE = ["drivers/pci/p2pdma.c"];
const SLAVE_ADDRESS = /(?:^|[.>_])s?(?:cfg|conf|config)(?:\.|->)(?:src|dst)_addr$/;

export default defineRule({
  id: "p2p-open-coded-bus-offset",
  since: "0.1.0",
  code: "T04",
  severity: "warning",
  confidence: "high",
  category: "translation",
  scope: "function",
  summary: "the offset between CPU physical and bus addresses is applied by hand",
  why:
    `A driver that adds \`pci_bus_address() - pci_resource_start()\` to an address takes for granted that the
request stays below a switch. With ACS redirect on the way, or between two root ports, it goes through the host bridge
and the IOMMU, which know nothing of bus addresses. Only p2pdma knows the route of a pair of devices:
\`pci_p2pdma_map_type()\` or \`dma_map_sgtable()\` ask it. The sign is easily turned round, too: the bus address is the
CPU physical address plus (bus − CPU); the kernel itself had it wrong until v5.16.

The offset is one of the window that a BAR lies in. BAR 0 may be an I/O port, or not be there at all.

A constant for the offset of an SoC's bus repeats what \`dma-ranges\` in the device tree says, and is wrong on the next
SoC. \`dma_map_resource()\` for the device that does the DMA applies it.`,
  limits: "An offset that comes from another file is known by the name of its field only.",
  unless: "the code is the host bridge's own",
  sources: [
    "drivers/pci/host-bridge.c: pcibios_resource_to_bus()",
    "https://lore.kernel.org/all/20210909032528.24517-1-wanglu@dapustor.com/",
    "https://lore.kernel.org/all/Yxs+k6psNfBLDqdv@infradead.org/",
    "https://lore.kernel.org/all/ee19a95d-fe1e-4f3f-bc81-bdef38475469@arm.com/",
  ],
  messages: {
    applied:
      "the bus offset is applied by hand to `{value}`: whether a PCI bus address is wanted at all depends on the route between the two devices, which only p2pdma knows",
    sign:
      "the bus offset has the wrong sign in `{value}`: the bus address is the CPU physical address plus (bus − CPU)",
    literal:
      "the bus offset is taken from BAR {bar}, whatever BAR is used: BAR {bar} may be an I/O port or missing, and windows may have offsets of their own",
    constant:
      "`{constant}` is a hard-coded bus offset on the CPU physical address `{value}`: map it with dma_map_resource() for the device that does the DMA, which applies dma-ranges",
  },
  bad: [
    {
      title: "by hand, with the right sign and with the wrong one",
      patch: String.raw`
+static u64 foo_peer(struct foo *foo, struct pci_dev *pdev, int bar)
+{
+	u64 offset = pci_bus_address(pdev, bar) - pci_resource_start(pdev, bar);
+	phys_addr_t phys = pci_resource_start(pdev, bar) + FOO_WINDOW;
+
+	foo->mirror = phys - offset; /* want: sign */
+	return phys + offset; /* want: applied */
+}`,
    },
    {
      title: "the offset of BAR 0",
      path: "drivers/pci/p2pdma.c",
      patch: String.raw`
+static void foo_provider(struct p2pdma_provider *provider, struct pci_dev *pdev)
+{
+	provider->bus_offset = pci_bus_address(pdev, 0) - pci_resource_start(pdev, 0); /* want: literal */
+}`,
    },
    {
      title: "the offset of a SoC",
      patch: String.raw`
+static dma_addr_t foo_fifo(struct foo *foo)
+{
+	dma_addr_t src = foo->cfg.src_addr;
+
+	src |= 0x500000000ull; /* want: constant */
+	return src;
+}`,
    },
  ],
  good: [
    {
      title: "p2pdma adds it",
      patch: String.raw`
+static dma_addr_t foo_peer(struct foo *foo, phys_addr_t phys)
+{
+	switch (pci_p2pdma_map_type(foo->provider, foo->dev)) {
+	case PCI_P2PDMA_MAP_BUS_ADDR:
+		return pci_p2pdma_bus_addr_map(foo->provider, phys);
+	default:
+		return DMA_MAPPING_ERROR;
+	}
+}`,
    },
    {
      title: "an offset is refused",
      patch: String.raw`
+static int foo_check(struct pci_dev *pdev, int bar)
+{
+	u64 offset = pci_bus_address(pdev, bar) - pci_resource_start(pdev, bar);
+
+	return offset ? -EOPNOTSUPP : 0; /* ok: applied */
+}`,
    },
    {
      title: "p2pdma defines it",
      path: "drivers/pci/p2pdma.c",
      patch: String.raw`
+static void foo_provider(struct p2pdma_provider *provider, struct pci_dev *pdev, int bar)
+{
+	provider->bus_offset = pci_bus_address(pdev, bar) - pci_resource_start(pdev, bar); /* ok: literal */
+}`,
    },
    {
      title: "a flag in the low bits",
      patch: String.raw`
+static void foo_flag(struct foo *foo)
+{
+	foo->entry = foo->cfg.src_addr | 0x1; /* ok: constant */
+}`,
    },
  ],
  *check(fn, use) {
    const { file } = fn;
    const values = use(flow, fn);
    const isCore = isUnder(file.path, CORE);
    if ((isImplementation(file) || isController(file)) && !isCore) return;
    const told = new Set<bigint>();
    for (const { at, left, right, op } of sumsOf(fn.node.body)) {
      const [a, b] = [values.valueOf(left), values.valueOf(right)];
      if (op === "-") {
        const bar = barOf(at, left, right, values);
        if (bar !== null) {
          yield {
            at,
            say: "literal",
            with: { bar },
            confidence: "medium",
            subject: `bus offset of BAR ${bar}`,
          };
        }
      }
      if (isCore) continue;
      if (op === "+" || op === "-") {
        const offset = [...a, ...b].find(({ meaning }) => meaning === "bus-offset");
        const isApplied = offset !== undefined &&
          (b.includes(offset) ? a.some(isPhys) : op === "+" && b.some(isPhys));
        if (isApplied) {
          // `bus-phys` is added to a CPU address, `phys-bus` is taken from it.
          const isWrong = offset.certainty === "exact" && (offset.api === "bus-phys") !== (op === "+");
          yield {
            at,
            say: isWrong ? "sign" : "applied",
            with: { value: file.textOf(at) },
            because: chain(offset),
            ...(isWrong ? { severity: "error" as const } : {}),
            subject: `${values.canonical(left)} ${op} offset`,
          };
          continue;
        }
      }
      const constant = right.kind === "number" && (op === "|" || op === "+") ? right.value : null;
      if (constant === null || !isOffset(constant)) continue;
      const phys = physIn(left, a, values);
      if (phys === null || told.has(constant)) continue;
      // In 32 bits high bits of any address may be flags of the hardware; a FIFO's address has none.
      if (phys.origin !== null && constant < 0x100000000n) continue;
      told.add(constant);
      const because: Because[] = phys.origin === null
        ? [{ at: left, note: "the CPU physical address of a slave's FIFO" }]
        : chain(phys.origin);
      yield {
        at,
        say: "constant",
        with: { constant: file.textOf(right), value: file.textOf(left) },
        because,
        confidence: "medium",
        subject: `${op} ${constant}`,
      };
    }
  },
});

/** One sum, difference or union of bits. */
interface Sum {
  readonly at: Expr;
  readonly left: Expr;
  readonly right: Expr;
  readonly op: string;
}

/** All of them, `a += b` as `a + b`. */
function sumsOf(body: Parameters<typeof walkStmt>[0]): Sum[] {
  const sums: Sum[] = [];
  walkStmt(body, {
    expr: (top) =>
      walkExpr(top, (expr) => {
        if (expr.kind === "binary" && /^[-+|]$/.test(expr.op)) {
          sums.push({ at: expr, left: expr.left, right: expr.right, op: expr.op });
        } else if (expr.kind === "assign" && /^[-+|]=$/.test(expr.op)) {
          sums.push({ at: expr, left: expr.target, right: expr.value, op: expr.op.charAt(0) });
        }
      }),
  });
  return sums;
}

/** The literal BAR that a bus offset is computed from; null when it is not one. */
function barOf(at: Expr, left: Expr, right: Expr, values: Flow): string | null {
  if (!values.valueOf(at).some(({ meaning, expr }) => meaning === "bus-offset" && expr === at)) return null;
  const bars = [left, right].map((side) => side.kind === "call" ? side.args[1] : undefined);
  const [one, two] = bars;
  if (one?.kind !== "number" || two?.kind !== "number" || one.value === null || one.value !== two.value) {
    return null;
  }
  return one.text;
}

/** An address offset rather than a flag: above 4 GiB, or several high bits, with nothing below them. */
function isOffset(value: bigint): boolean {
  if ((value & 0xfffffn) !== 0n || value < 0x10000000n) return false;
  return value >= 0x100000000n || value.toString(2).replaceAll("0", "").length > 1;
}

/** Whether the value is a CPU physical address, and how that is known. */
function physIn(
  expr: Expr,
  origins: readonly Origin[],
  values: Flow,
): { readonly origin: Origin | null } | null {
  if (SLAVE_ADDRESS.test(values.canonical(expr))) return { origin: null };
  const known = origins.filter(({ meaning }) => meaning !== "param");
  return known.length > 0 && known.every((origin) => isPhys(origin) && origin.certainty === "exact")
    ? { origin: known[0]! }
    : null;
}
