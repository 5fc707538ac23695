/**
 * Which expressions of a function become an address, and what they are computed of: the terms whose width decides
 * whether the upper half survives.
 *
 * @module
 */

import type { Expr } from "../engine/ast.ts";
import type { FunctionView } from "../engine/source.ts";
import type { Flow } from "./flow.ts";
import { isAddressType, widthOf, widthOfType } from "./width.ts";

/** What an argument must mean for a truncated one to be a wrong address. */
const ADDRESSES = /^(?:dma|iova|phys(?:-\w+)?|pci-bus)$/;

/** The expressions that become an address: what is stored in one, returned as one, passed as one. */
export function* addressed(fn: FunctionView, values: Flow): Iterable<{ expr: Expr; type: string }> {
  for (const { target, value } of values.stores) {
    const type = "kind" in target ? typeOfTarget(target, values) : target.type;
    if (isAddressType(type)) yield { expr: value, type: type! };
  }
  const returns = fn.node.returns.replace(/\b(?:static|inline|__always_inline|extern|const)\b/g, "").trim();
  if (isAddressType(returns)) {
    for (const { value } of values.returns) yield { expr: value, type: returns };
  }
  for (const { call, api } of values.calls) {
    if (api === null) continue;
    for (const [i, meaning] of api.params.entries()) {
      const arg = call.args[i];
      if (arg === undefined || !ADDRESSES.test(meaning) || api.role === "alloc" || api.role === "hardware") {
        continue;
      }
      yield { expr: arg, type: /^(?:dma|iova)$/.test(meaning) ? "dma_addr_t" : "phys_addr_t" };
    }
  }
}

function typeOfTarget(target: Expr, values: Flow): string | null {
  if (target.kind === "call" && /^sg_dma_address$/.test(target.name)) return "dma_addr_t";
  return values.typeOf(target);
}

/** The shifts and products that an address is made of; `isAdded`: it is an offset to something else. */
export function* termsOf(
  expr: Expr,
  values: Flow,
  isAdded = false,
): Iterable<{ readonly term: Expr & { kind: "binary" }; readonly isAdded: boolean }> {
  switch (expr.kind) {
    case "cast":
      if (widthOfType(expr.type) === 64) yield* termsOf(expr.value, values, isAdded);
      return;
    case "conditional":
      if (expr.yes !== null) yield* termsOf(expr.yes, values, isAdded);
      yield* termsOf(expr.no, values, isAdded);
      return;
    case "binary":
      if (expr.op !== "+" && expr.op !== "-" && expr.op !== "|") {
        yield { term: expr, isAdded };
        return;
      }
      // Both halves narrow: the author thinks in 32 bits.
      if (widthOf(expr, values) === 32 && expr.op !== "|") return;
      yield* termsOf(expr.left, values, true);
      yield* termsOf(expr.right, values, true);
  }
}

/** A variable count of large pieces that is multiplied in 32 bits; null otherwise. */
export function wideProduct(
  expr: Expr & { kind: "binary" },
  values: Flow,
): { readonly count: Expr; readonly piece: Expr; readonly size: bigint } | null {
  if (expr.op !== "*" || widthOf(expr, values) !== 32) return null;
  for (const [count, piece] of [[expr.left, expr.right], [expr.right, expr.left]] as const) {
    const size = constantOf(piece);
    if (size === null || size < 1n << 28n || count.kind === "number" || constantOf(count) !== null) continue;
    return { count, piece, size };
  }
  return null;
}

/** The value of a number or of a constant such as SZ_1G; null when it is none. */
export function constantOf(expr: Expr): bigint | null {
  if (expr.kind === "number") return expr.value;
  if (expr.kind !== "ident") return null;
  if (expr.name === "UINT_MAX" || expr.name === "U32_MAX") return 0xffffffffn;
  if (expr.name === "INT_MAX") return 0x7fffffffn;
  const found = /^SZ_(\d+)([KMG])$/.exec(expr.name);
  return found === null ? null : BigInt(found[1]!) << ({ K: 10n, M: 20n, G: 30n }[found[2]!] ?? 0n);
}
