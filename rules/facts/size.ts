/**
 * Whether two expressions of a size can be told to differ: numbers, and products of numbers, constants and `sizeof`.
 * Knows no kernel function by name. Pure.
 *
 * @module
 */

import type { Expr } from "../engine/ast.ts";

/** The factors of a constant size, as text, in order; null when it is not made of constants alone. */
export function factorsOf(expr: Expr): readonly string[] | null {
  switch (expr.kind) {
    case "number":
      return expr.value === null ? null : [String(expr.value)];
    case "ident":
      return /^[A-Z][A-Z0-9_]*$/.test(expr.name) ? [expr.name] : null;
    case "sizeof": {
      // What a variable is, its declaration tells; a type tells itself.
      const type = /^sizeof\s*\(\s*(struct|union)\s+(\w+)\s*\)$/.exec(expr.text);
      return type === null ? null : [`sizeof(${type[1]} ${type[2]})`];
    }
    case "cast":
      return factorsOf(expr.value);
    case "binary": {
      if (expr.op !== "*") return null;
      const [left, right] = [factorsOf(expr.left), factorsOf(expr.right)];
      return left === null || right === null ? null : [...left, ...right].sort();
    }
    default:
      return null;
  }
}

/**
 * Whether two sizes are certainly not the same: two numbers, two structs, or a product and a part of it. Two
 * constants of different names may have one value.
 */
export function isOtherConstant(one: Expr, other: Expr): boolean {
  const [a, b] = [factorsOf(one), factorsOf(other)];
  if (a === null || b === null) return false;
  const [onlyA, onlyB] = [without(a, b), without(b, a)];
  if (onlyA.length === 0 && onlyB.length === 0) return false;
  const isOne = (factors: readonly string[]) => factors.every((factor) => factor === "1");
  if (onlyA.length === 0) return !isOne(onlyB);
  if (onlyB.length === 0) return !isOne(onlyA);
  if (onlyA.length > 1 || onlyB.length > 1) return false;
  const [x, y] = [onlyA[0]!, onlyB[0]!];
  return (/^\d/.test(x) && /^\d/.test(y)) || (x.startsWith("sizeof") && y.startsWith("sizeof"));
}

function without(all: readonly string[], taken: readonly string[]): string[] {
  const left = [...all];
  for (const factor of taken) {
    const at = left.indexOf(factor);
    if (at !== -1) left.splice(at, 1);
  }
  return left;
}
