/**
 * Y07: an address handed to hardware in two halves, one of which never arrives.
 *
 * @module
 */

import { type Call, type Expr, walkExpr } from "./engine/ast.ts";
import { type Because, defineRule } from "./engine/rule.ts";
import { type Flow, flow } from "./facts/flow.ts";
import { mentioned } from "./facts/mention.ts";
import type { Origin } from "./facts/origin.ts";
import { isAllShown, isMapper, isTest } from "./facts/place.ts";
import { type Sink, sinks } from "./facts/sinks.ts";
import { bitsOf, widthOfType } from "./facts/width.ts";

/** The device drives more than 32 address lines. */
const WIDE_MASK = /DMA_BIT_MASK\(\s*(?:3[3-9]|[4-6]\d)\s*\)/;
const NARROW_MASK = /DMA_BIT_MASK\(\s*(?:[12]?\d|3[0-2])\s*\)/;
/** What takes an upper half, or the whole, to hardware. */
const ANY_HIGH =
  /upper_32_bits|>>\s*(?:3[2-9]|31\s*>>\s*1|16\s*>>\s*16)\b|(?:write|wr|set)_?(?:q|64)\b|iowrite64|hi_lo|lo_hi|cpu_to_[lb]e64|put_unaligned_[lb]e64|addr_?hi|hi_?addr|\b__[lb]e64\b|\bmsb\b/i;
const HIGH_NAME = /(?:^|_)(?:hi|high|upper|msb|hi32|h32)(?:$|_)|(?:addr|base|ptr|dma)_?h(?:i|igh)?$|_hi\d+$/i;
const LOW_NAME = /(?:^|_)(?:lo|low|lower|lsb|lo32|l32)(?:$|_)|(?:addr|base|ptr|dma)_?lo?w?$|_lo\d+$/i;
const HALF = /^(upper|lower)_32_bits$/;

export default defineRule({
  id: "dma-addr-half-lost",
  since: "0.1.0",
  code: "Y07",
  severity: "error",
  confidence: "medium",
  category: "type",
  scope: "function",
  summary: "one half of an address never reaches the hardware, or reaches the other half's register",
  why:
    `A device whose mask has more than 32 bits is given addresses above 4 GiB: an IOMMU hands them out from the top of the
mask down, and without one they are what memory has. A 32-bit register or descriptor field takes the lower half without a
word. The upper one must go somewhere else in the same way, or the mask must be \`DMA_BIT_MASK(32)\`.

\`upper_32_bits()\` of a value that was cut to 32 bits before is always 0, and \`upper_32_bits()\` written to the register
of the lower half is a slip of the pen that works as long as all memory is below 4 GiB.`,
  limits:
    "A mask that is set in another file is not known: then nothing is said of a half that is missing. Registers are told by their names.",
  unless: "the upper half is written where the patch does not show it",
  sources: [
    "include/linux/wordpart.h: upper_32_bits(), lower_32_bits()",
    "Documentation/core-api/dma-api-howto.rst: DMA addressing capabilities",
  ],
  messages: {
    missing:
      "only the lower 32 bits of `{address}` are given to the device, whose mask allows more: write the upper half as well, or set a mask of 32 bits",
    crossed: "`{place}` is by its name for the {name} half and gets {half}_32_bits()",
    empty: "`{value}` has 32 bits: {callee}() of it is always 0",
    pointer:
      "{callee} writes a whole dma_addr_t through this pointer, and `{place}` has 32 bits: what lies behind it is overwritten",
  },
  bad: [
    {
      title: "a mask of 64 bits and a register of 32",
      patch: String.raw`
+static int foo_start(struct foo *foo)
+{
+	dma_addr_t dma;
+
+	if (dma_set_mask_and_coherent(foo->dev, DMA_BIT_MASK(64)))
+		return -EIO;
+	dma = dma_map_single(foo->dev, foo->buf, SZ_4K, DMA_TO_DEVICE);
+	if (dma_mapping_error(foo->dev, dma))
+		return -ENOMEM;
+	writel(dma, foo->regs + FOO_BASE); /* want: missing */
+	return 0;
+}
+
+static void foo_fill(struct foo *foo, struct foo_desc *desc, dma_addr_t dma)
+{
+	desc->addr = cpu_to_le32(dma); /* want: missing */
+}`,
    },
    {
      title: "halves that change places",
      patch: String.raw`
+static void foo_fill(struct foo *foo, struct foo_desc *desc, dma_addr_t dma)
+{
+	desc->addr_lo = cpu_to_le32(lower_32_bits(dma));
+	desc->addr_hi = cpu_to_le32(lower_32_bits(dma)); /* want: crossed */
+	writel(upper_32_bits(dma), foo->regs + FOO_BASE_LOW); /* want: crossed */
+}`,
    },
    {
      title: "the upper half of a lower half",
      patch: String.raw`
+static void foo_fill(struct foo *foo, dma_addr_t dma)
+{
+	u32 addr = dma;
+
+	foo_write(foo, upper_32_bits(addr)); /* want: empty */
+	foo_write(foo, upper_32_bits((u32)dma)); /* want: empty */
+}`,
    },
    {
      title: "a handle of 32 bits by address",
      patch: String.raw`
+static int foo_alloc(struct foo *foo)
+{
+	u32 handle;
+
+	foo->ring = dma_alloc_coherent(foo->dev, SZ_4K, (dma_addr_t *)&handle, GFP_KERNEL); /* want: pointer */
+	return foo->ring ? 0 : -ENOMEM;
+}`,
    },
  ],
  good: [
    {
      title: "a helper that takes the whole address",
      patch: String.raw`
+static void foo_point(struct foo_desc *desc, dma_addr_t addr)
+{
+	desc->addr = cpu_to_le64(addr);
+}
+
+static int foo_probe(struct foo *foo, struct foo_desc *desc)
+{
+	dma_addr_t dma;
+
+	if (dma_set_mask_and_coherent(foo->dev, DMA_BIT_MASK(64)))
+		return -EIO;
+	foo->ring = dma_alloc_coherent(foo->dev, FOO_RING, &dma, GFP_KERNEL);
+	if (!foo->ring)
+		return -ENOMEM;
+	foo_point(desc, dma); /* ok: missing */
+	return 0;
+}`,
    },
    {
      title: "both halves, or a device of 32 bits",
      patch: String.raw`
+static int foo_start(struct foo *foo, struct foo_desc *desc, dma_addr_t dma)
+{
+	if (dma_set_mask_and_coherent(foo->dev, DMA_BIT_MASK(64)))
+		return -EIO;
+	writel(dma, foo->regs + FOO_BASE); /* ok: missing */
+	writel(dma >> 32, foo->regs + FOO_BASE_HIGH); /* ok: crossed */
+	desc->addr_lo = cpu_to_le32(lower_32_bits(dma)); /* ok: crossed */
+	desc->addr_hi = cpu_to_le32(upper_32_bits(dma)); /* ok: crossed, empty */
+	return 0;
+}`,
    },
    {
      title: "a device of 32 bits",
      patch: String.raw`
+static int foo_start(struct foo *foo, dma_addr_t dma)
+{
+	u64 wide = dma;
+
+	if (dma_set_mask_and_coherent(foo->dev, DMA_BIT_MASK(32)))
+		return -EIO;
+	writel(dma, foo->regs + FOO_BASE); /* ok: missing */
+	writel(upper_32_bits(wide), foo->regs + FOO_CHECK); /* ok: empty */
+	return 0;
+}`,
    },
    {
      title: "a handle of its own type by address",
      patch: String.raw`
+static int foo_alloc(struct foo *foo)
+{
+	u64 handle;
+
+	foo->ring = dma_alloc_coherent(foo->dev, SZ_4K, (dma_addr_t *)&handle, GFP_KERNEL); /* ok: pointer */
+	return foo->ring ? 0 : -ENOMEM;
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file) || isMapper(fn.file)) return;
    const values = use(flow, fn);
    for (const { call } of values.calls) {
      const [value] = call.args;
      if (
        call.name === "upper_32_bits" && value !== undefined && bitsOf(value, values) !== null &&
        bitsOf(value, values)! <= 32
      ) {
        yield {
          at: call,
          say: "empty",
          with: { value: fn.file.textOf(value), callee: call.name },
          because: [{ at: value, note: `${bitsOf(value, values)} bits at most` }],
          confidence: "high",
          subject: fn.file.textOf(call),
        };
      }
      for (const arg of call.args) {
        const place = narrowPlace(arg, values);
        if (place === null) continue;
        yield {
          at: arg,
          say: "pointer",
          with: { callee: `${call.name}()`, place: fn.file.textOf(place) },
          because: [{ at: place, note: `declared \`${values.typeOf(place)}\`` }],
          confidence: "high",
          subject: `${call.name} ${fn.file.textOf(place)}`,
        };
      }
    }
    for (const { place, half } of halves(values)) {
      const isHigh = HIGH_NAME.test(place.name);
      const isLow = LOW_NAME.test(place.name);
      if (isHigh === isLow || (half.name === "upper_32_bits") === isHigh) continue;
      yield {
        at: half,
        say: "crossed",
        with: {
          place: fn.file.textOf(place.at),
          name: isHigh ? "upper" : "lower",
          half: HALF.exec(half.name)![1]!,
        },
        because: [{ at: place.at, note: `the ${isHigh ? "upper" : "lower"} half, by its name` }],
        wanted: `${isHigh ? "upper" : "lower"}_32_bits(${
          half.args.map((arg) => fn.file.textOf(arg)).join(", ")
        })`,
        subject: `${place.name} ${half.name}`,
      };
    }
    // Only a driver that is shown in full, and that has no upper half anywhere, has forgotten it.
    if (!isAllShown(fn.file) || !mentioned(fn.file, WIDE_MASK) || mentioned(fn.file, ANY_HIGH)) return;
    if (use.side.files.some((file) => mentioned(file, NARROW_MASK))) return;
    const told = new Set<string>();
    for (const sink of use(sinks, fn)) {
      if ((sink.kind !== "register" && sink.kind !== "descriptor") || isPassedWhole(sink, values)) continue;
      const address = wholeAddress(sink.value, values);
      if (address === null) continue;
      const form = values.canonical(address);
      if (told.has(form)) continue;
      told.add(form);
      const because: Because[] = [{ at: sink.value, note: "32 bits wide" }];
      yield {
        at: sink.value,
        say: "missing",
        with: { address: fn.file.textOf(address) },
        because,
        severity: "warning",
        // A type alone does not say whose address it is: some devices have a small IOMMU of their own.
        confidence: values.valueOf(address).some(({ certainty }) => certainty === "exact") ? "medium" : "low",
        subject: form,
      };
    }
  },
});

/** Whether a helper with a parameter of more than 32 bits gets it: what becomes of the upper half is told there. */
function isPassedWhole({ at, value, through }: Sink, values: Flow): boolean {
  if (through === null) return false;
  const helper = through.file.functions.find(({ node }) =>
    node.start <= through.at.start && through.at.end <= node.end
  );
  const index = values.calls.find(({ call }) => call === at)?.call.args.indexOf(value) ?? -1;
  return widthOfType(helper?.node.params[index]?.type ?? null) !== 32;
}

/** The DMA address that a 32-bit value is made of without a shift or a mask; null when it is none. */
function wholeAddress(value: Expr, values: Flow): Expr | null {
  switch (value.kind) {
    case "cast":
      return wholeAddress(value.value, values);
    case "call":
      return /^(?:__)?cpu_to_[lb]e32$|^lower_32_bits$/.test(value.name) && value.args[0] !== undefined
        ? wholeAddress(value.args[0], values)
        : null;
    case "ident":
    case "member": {
      const known = values.valueOf(value).filter(({ meaning }) => meaning !== "param");
      const isDma = (origin: Origin) => origin.meaning === "dma" && origin.certainty !== "name";
      return known.length > 0 && known.every(isDma) && widthOfType(values.typeOf(value)) !== 32
        ? value
        : null;
    }
    default:
      return null;
  }
}

/** The variable of 32 bits that `(dma_addr_t *)&variable` points to; null for anything else. */
function narrowPlace(arg: Expr, values: Flow): Expr | null {
  if (arg.kind !== "cast" || !/^(?:dma_addr_t|phys_addr_t) ?\*$/.test(arg.type)) return null;
  const { value } = arg;
  if (value.kind !== "unary" || value.op !== "&") return null;
  return widthOfType(values.typeOf(value.operand)) === 32 ? value.operand : null;
}

/** What is set to one half of a value, by a name: a field, a variable, a register. */
function* halves(
  values: Flow,
): Iterable<{ place: { name: string; at: Expr }; half: Call }> {
  for (const { target, value } of values.stores) {
    const half = halfOf(value);
    if (half === null || !("kind" in target)) continue;
    const name = target.kind === "member" ? target.field : target.kind === "ident" ? target.name : "";
    if (name !== "") yield { place: { name, at: target }, half };
  }
  for (const { call } of values.calls) {
    if (!/write|_w(?:r|32)?$|_set$/.test(call.name)) continue;
    const found = call.args.flatMap((arg) => halfOf(arg) ?? []);
    const named = call.args.flatMap((arg) => halfOf(arg) === null ? constants(arg) : []);
    if (found.length === 1 && named.length === 1) yield { place: named[0]!, half: found[0]! };
  }
}

function halfOf(value: Expr): Call | null {
  if (value.kind === "cast") return halfOf(value.value);
  if (value.kind !== "call") return null;
  if (HALF.test(value.name)) return value;
  return /^(?:__)?cpu_to_[lb]e32$/.test(value.name) && value.args[0] !== undefined
    ? halfOf(value.args[0])
    : null;
}

/** The names of registers in an expression: written in capitals. */
function constants(expr: Expr): { name: string; at: Expr }[] {
  const found: { name: string; at: Expr }[] = [];
  walkExpr(expr, (inner) => {
    const name = inner.kind === "ident" ? inner.name : inner.kind === "call" ? inner.name : "";
    if (/^[A-Z][A-Z0-9_]*$/.test(name)) found.push({ name, at: inner });
  });
  return found;
}
