/**
 * Y06: an address type of varying width used as if it had the width of another one, or always 64 bits.
 *
 * @module
 */

import { type Expr, walkExpr } from "./engine/ast.ts";
import { defineRule, type SourceFile } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import { isAlwaysWide, isTest } from "./facts/place.ts";
import { bare, isAddressType } from "./facts/width.ts";

/** Each has its own option: CONFIG_PHYS_ADDR_T_64BIT, CONFIG_ARCH_DMA_ADDR_T_64BIT; resource_size_t is a phys_addr_t. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ["dma_addr_t", "dma_addr_t"],
  ["pci_bus_addr_t", "dma_addr_t"],
  ["phys_addr_t", "phys_addr_t"],
  ["resource_size_t", "phys_addr_t"],
]);
/** The author knows, or the file is not built for 32 bits. */
const ASKS_WIDTH =
  /CONFIG_PHYS_ADDR_T_64BIT|ARCH_DMA_ADDR_T_64BIT|CONFIG_64BIT|sizeof\((?:phys_addr_t|dma_addr_t|resource_size_t)\)|\bupper_32_bits\(|BITS_PER_LONG/;

export default defineRule({
  id: "dma-addr-width-assumed",
  since: "0.1.0",
  code: "Y06",
  severity: "warning",
  confidence: "medium",
  category: "type",
  scope: "function",
  summary: "phys_addr_t and dma_addr_t are taken to be equally wide, or always to have 64 bits",
  why:
    `\`phys_addr_t\` (and \`resource_size_t\`, which is the same) follows CONFIG_PHYS_ADDR_T_64BIT, \`dma_addr_t\` follows
CONFIG_ARCH_DMA_ADDR_T_64BIT, and some configurations have the one without the other. All ones of one type, stored in or
compared with a variable of the other, are too many or too few: \`end == ~(dma_addr_t)0\` is never true for a
\`phys_addr_t\` that is narrower. And a bit from 32 on set in either of them is lost without a word where it has 32 bits.`,
  limits: "Only variables whose type is shown.",
  unless: "the code is built for 64-bit machines only",
  sources: [
    "include/linux/types.h: phys_addr_t, dma_addr_t, pci_bus_addr_t",
    "kernel/dma/Kconfig: ARCH_DMA_ADDR_T_64BIT; mm/Kconfig: PHYS_ADDR_T_64BIT",
    "drivers/iommu/dma-iommu.c: iova_reserve_pci_windows()",
  ],
  messages: {
    ones: "`{ones}` has the width of {given}, and `{place}` is a {type}: the two can differ",
    bit: "`{place}` is a {type}, which has 32 bits on some machines: `{bit}` is lost there",
  },
  bad: [
    {
      title: "all ones of the other type",
      patch: String.raw`
+static bool foo_is_last(phys_addr_t end)
+{
+	phys_addr_t last = ~(dma_addr_t)0; /* want: ones */
+
+	return end == last || end == (dma_addr_t)-1; /* want: ones */
+}`,
    },
    {
      title: "address bits beyond 32",
      patch: String.raw`
+static phys_addr_t foo_pte_to_phys(u32 pte)
+{
+	phys_addr_t phys = pte & FOO_PTE_MASK;
+
+	if (pte & FOO_PTE_BIT32)
+		phys |= BIT_ULL(32); /* want: bit */
+	return phys;
+}`,
    },
  ],
  good: [
    {
      title: "all ones of its own",
      patch: String.raw`
+static bool foo_is_last(phys_addr_t end, dma_addr_t dma, u64 wide)
+{
+	resource_size_t last = ~(phys_addr_t)0; /* ok: ones */
+
+	return end == last || dma == ~(dma_addr_t)0 || wide == ~(dma_addr_t)0; /* ok: ones */
+}`,
    },
    {
      title: "the width is asked, or the file is built for 64 bits only",
      path: "drivers/iommu/amd/foo.c",
      patch: String.raw`
+static phys_addr_t foo_phys(u64 pte)
+{
+	phys_addr_t phys = pte & FOO_PTE_MASK;
+
+	phys |= BIT_ULL(51); /* ok: bit */
+	return phys;
+}`,
    },
    {
      title: "guarded by the preprocessor",
      patch: String.raw`
+static dma_addr_t foo_reloc(struct foo *foo, dma_addr_t iova)
+{
+#ifdef CONFIG_ARCH_DMA_ADDR_T_64BIT
+	if (foo->tiled)
+		iova |= BIT_ULL(39); /* ok: bit */
+#endif
+	return iova;
+}`,
    },
    {
      title: "guarded",
      patch: String.raw`
+static phys_addr_t foo_pte_to_phys(u32 pte)
+{
+	phys_addr_t phys = pte & FOO_PTE_MASK;
+
+	if (IS_ENABLED(CONFIG_PHYS_ADDR_T_64BIT) && (pte & FOO_PTE_BIT32))
+		phys |= BIT_ULL(32); /* ok: bit */
+	return phys;
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    const values = use(flow, fn);
    for (const { place, other, at } of [...assigned(values), ...compared(values)]) {
      const given = onesOf(other);
      if (given === null) continue;
      const type = "kind" in place ? typeOf(place, values) : place.type;
      if (type === null || !isAddressType(type) || KINDS.get(bare(type)) === KINDS.get(given)) continue;
      yield {
        at: other,
        say: "ones",
        with: {
          ones: fn.file.textOf(other),
          given,
          place: "kind" in place ? fn.file.textOf(place) : place.name,
          type: bare(type),
        },
        wanted: `~(${bare(type)})0`,
        subject: `${fn.file.textOf(other)} ${at.start === other.start ? "" : fn.file.textOf(at)}`,
      };
    }
    if (isAlwaysWide(fn.file) || mentioned(fn.file, ASKS_WIDTH) || /^arch\/|^mm\//.test(fn.file.path)) return;
    for (const { target, value, op, place } of values.stores) {
      if (op !== "|=") continue;
      const type = "kind" in target ? values.typeOf(target) : target.type;
      if (type === null || !isAddressType(type)) continue;
      const bit = highBit(value);
      if (bit === null || isGuarded(fn.file)) continue;
      yield {
        at: value,
        say: "bit",
        with: {
          place: "kind" in target ? fn.file.textOf(target) : target.name,
          type: bare(type),
          bit: fn.file.textOf(bit),
        },
        because: [{ at: value, note: `stored in \`${place}\`, declared \`${type}\`` }],
        wanted: `a u64, or IS_ENABLED(CONFIG_PHYS_ADDR_T_64BIT)`,
        subject: `${place} ${fn.file.textOf(bit)}`,
      };
    }
  },
});

/** Whether an `#if` of the file makes a difference for the width. */
const isGuarded = (file: SourceFile): boolean =>
  (file.diff.all ?? file.diff.hunks.flatMap(({ lines }) => lines)).some(({ text }) =>
    /^\s*#\s*(?:el)?if/.test(text) && ASKS_WIDTH.test(text)
  );

type Place = Flow["stores"][number]["target"];

function* assigned(values: Flow): Iterable<{ place: Place; other: Expr; at: Expr }> {
  for (const { target, value, op } of values.stores) {
    if (op === "=") yield { place: target, other: value, at: value };
  }
}

function* compared(values: Flow): Iterable<{ place: Place; other: Expr; at: Expr }> {
  for (const node of values.cfg.nodes) {
    const top = node.expr ?? node.decl?.init ?? null;
    if (top === null) continue;
    const found: { place: Expr; other: Expr; at: Expr }[] = [];
    walkExpr(top, (expr) => {
      if (expr.kind !== "binary" || !/^[=!]=$/.test(expr.op)) return;
      found.push({ place: expr.left, other: expr.right, at: expr });
      found.push({ place: expr.right, other: expr.left, at: expr });
    });
    yield* found;
  }
}

const typeOf = (place: Expr, values: Flow): string | null =>
  place.kind === "ident" || place.kind === "member" || place.kind === "index" ? values.typeOf(place) : null;

/** The address type of `~(T)0`, `(T)~0` or `(T)-1`; null for anything else. */
function onesOf(expr: Expr): string | null {
  if (expr.kind === "unary" && expr.op === "~" && expr.operand.kind === "cast") {
    return isZero(expr.operand.value) ? kindOf(expr.operand.type) : null;
  }
  // To the parser `(dma_addr_t)-1` is a difference: it knows no typedef.
  if (expr.kind === "binary" && expr.op === "-" && expr.left.kind === "ident") {
    return expr.right.kind === "number" && expr.right.value === 1n ? kindOf(expr.left.name) : null;
  }
  if (expr.kind !== "cast") return null;
  const { value } = expr;
  const isOnes = value.kind === "unary" &&
    ((value.op === "~" && isZero(value.operand)) ||
      (value.op === "-" && value.operand.kind === "number" && value.operand.value === 1n));
  return isOnes ? kindOf(expr.type) : null;
}

const isZero = (expr: Expr) => expr.kind === "number" && expr.value === 0n;
const kindOf = (type: string): string | null => KINDS.has(bare(type)) ? bare(type) : null;

/** `BIT_ULL(33)` among the terms of a value; null when every bit is below 32. */
function highBit(value: Expr): Expr | null {
  if (value.kind === "binary" && value.op === "|") return highBit(value.left) ?? highBit(value.right);
  if (value.kind !== "call" || value.name !== "BIT_ULL") return null;
  const [n] = value.args;
  return n?.kind === "number" && n.value !== null && n.value >= 32n ? value : null;
}
