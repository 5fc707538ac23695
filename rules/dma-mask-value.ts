/**
 * M05: what is given to dma_set_mask() is no mask.
 *
 * @module
 */

import type { Expr } from "./engine/ast.ts";
import { defineRule } from "./engine/rule.ts";
import { flow } from "./facts/flow.ts";
import { isTest } from "./facts/place.ts";
import { API } from "./kernel/mod.ts";

export default defineRule({
  id: "dma-mask-value",
  since: "0.1.0",
  code: "M05",
  severity: "error",
  confidence: "high",
  category: "mask",
  scope: "function",
  summary: "dma_set_mask() is given a number of bits, a single bit, or a shift that overflows",
  why:
    `A DMA mask has every bit set that the device can drive: \`DMA_BIT_MASK(40)\`. The number 40 is a mask of two bits,
\`BIT_ULL(40)\` one with a single bit, and \`(1 << 40) - 1\` is computed in \`int\`, where the shift is undefined. The DMA API
takes each of them as it is: \`dma_supported()\` refuses the small ones, and addresses are compared with the others as
numbers, so that buffers land where the device does not reach or are bounced without need.`,
  limits: "Only a mask that is written out at the call.",
  unless: "the device really cannot drive its lower address lines",
  sources: [
    "include/linux/dma-mapping.h: DMA_BIT_MASK()",
    "include/linux/dma-direct.h: dma_capable()",
    "Documentation/core-api/dma-api-howto.rst: DMA addressing capabilities",
  ],
  messages: {
    bits: "{callee}() takes a mask and gets the number {bits}: DMA_BIT_MASK({bits}) is meant",
    holes: "`{mask}` is no mask of address bits: the bits below its highest one are not all set",
    overflow: "`{mask}` is shifted in {bits} bits, which it does not fit: use DMA_BIT_MASK()",
    wide: "`{mask}` has more than 64 bits",
  },
  bad: [
    {
      title: "a number, a bit, an int",
      patch: String.raw`
+static int foo_probe(struct pci_dev *pdev)
+{
+	if (dma_set_mask(&pdev->dev, 64)) /* want: bits */
+		return -EIO;
+	if (dma_set_coherent_mask(&pdev->dev, BIT_ULL(40))) /* want: holes */
+		return -EIO;
+	if (dma_set_mask(&pdev->dev, GENMASK_ULL(39, 12))) /* want: holes */
+		return -EIO;
+	if (dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(80))) /* want: wide */
+		return -EIO;
+	return dma_set_mask_and_coherent(&pdev->dev, (1 << 36) - 1); /* want: overflow */
+}`,
    },
  ],
  good: [
    {
      title: "masks",
      patch: String.raw`
+static int foo_probe(struct foo *foo, struct pci_dev *pdev)
+{
+	if (dma_set_mask(&pdev->dev, DMA_BIT_MASK(64))) /* ok: bits, wide */
+		return -EIO;
+	if (dma_set_coherent_mask(&pdev->dev, 0x00ffffff)) /* ok: holes */
+		return -EIO;
+	if (dma_set_mask(&pdev->dev, (1ULL << 36) - 1)) /* ok: overflow */
+		return -EIO;
+	if (dma_set_mask(&pdev->dev, GENMASK_ULL(39, 0))) /* ok: holes */
+		return -EIO;
+	if (dma_set_mask(&pdev->dev, ~0ULL)) /* ok: holes */
+		return -EIO;
+	return dma_set_mask_and_coherent(&pdev->dev, foo->mask); /* ok: bits */
+}`,
    },
  ],
  *check(fn, use) {
    if (isTest(fn.file)) return;
    for (const { call } of use(flow, fn).calls) {
      const api = API.get(call.name);
      if (api?.role !== "mask" || api.returns !== "errno") continue;
      const mask = call.args[api.params.indexOf("mask")];
      if (mask === undefined) continue;
      const text = fn.file.textOf(mask);
      const overflow = overflows(mask);
      const value = overflow === null ? valueOf(mask) : null;
      const say = overflow !== null
        ? "overflow"
        : isTooWide(mask)
        ? "wide"
        : value === null
        ? null
        : value > 7n && value <= 64n && mask.kind === "number"
        ? "bits"
        : (value & (value + 1n)) !== 0n
        ? "holes"
        : null;
      if (say === null) continue;
      yield {
        at: mask,
        say,
        with: { callee: call.name, mask: text, bits: overflow ?? String(value ?? "") },
        ...(say === "bits" ? { wanted: `DMA_BIT_MASK(${value})` } : {}),
        subject: `${call.name} ${text}`,
      };
    }
  },
});

const numberOf = (expr: Expr | undefined): bigint | null => expr?.kind === "number" ? expr.value : null;

/** The value of a constant that is written out; null when a name stands in it. */
function valueOf(expr: Expr): bigint | null {
  switch (expr.kind) {
    case "number":
      return expr.value;
    case "cast":
      return valueOf(expr.value);
    case "call": {
      const [a, b] = expr.args.map(numberOf);
      if (a == null) return null;
      if (/^BIT(?:_ULL)?$/.test(expr.name)) return 1n << a;
      if (/^GENMASK(?:_ULL)?$/.test(expr.name) && b != null && a >= b) {
        return ((1n << (a - b + 1n)) - 1n) << b;
      }
      return null;
    }
    case "binary": {
      const [left, right] = [valueOf(expr.left), valueOf(expr.right)];
      if (left === null || right === null) return null;
      return expr.op === "<<" && right < 64n
        ? left << right
        : expr.op === "-" && left >= right
        ? left - right
        : null;
    }
    default:
      return null;
  }
}

/** The width of a constant shift that does not hold its result; null when it fits. */
function overflows(expr: Expr): string | null {
  if (expr.kind === "cast") return overflows(expr.value);
  if (expr.kind !== "binary") return null;
  if (expr.op !== "<<") return overflows(expr.left);
  const by = numberOf(expr.right);
  if (by === null || expr.left.kind !== "number" || expr.left.value !== 1n) return null;
  const isLong = /l/i.test(expr.left.text);
  return !isLong && by >= 31n ? "32" : isLong && by > 64n ? "64" : null;
}

function isTooWide(mask: Expr): boolean {
  const bits = mask.kind === "call" && mask.name === "DMA_BIT_MASK" ? numberOf(mask.args[0]) : null;
  return bits !== null && bits > 64n;
}
