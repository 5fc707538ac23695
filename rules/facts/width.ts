/**
 * How many bits C computes an expression in, as far as the declarations in sight tell, and how many of them can be
 * set. Integer promotion of C11 6.3.1; LP64 and ILP32 differ in `long` only. Knows no kernel function that maps.
 *
 * @module
 */

import type { Expr } from "../engine/ast.ts";
import type { Flow } from "./flow.ts";

/** `long` is 64 bits on some machines and 32 on others; null: not known. */
export type Width = 32 | 64 | "long" | null;

const NARROW =
  /^(?:(?:unsigned |signed )?(?:int|short|char)(?: int)?|unsigned|signed|_?_?[us](?:8|16|32)|u?int(?:8|16|32)_t|bool|_Bool|__[lb]e(?:16|32)|gfp_t|enum \w+)$/;
const LONG =
  /^(?:(?:unsigned |signed )?long(?: unsigned)?(?: int)?|s?size_t|u?intptr_t|pgoff_t|ptrdiff_t|off_t|__kernel_size_t)$/;
const WIDE =
  /^(?:(?:unsigned |signed )?long long(?: unsigned)?(?: int)?|_?_?[us]64|u?int64_t|loff_t|sector_t|__[lb]e64)$/;
const ADDRESS = /^(?:dma_addr_t|phys_addr_t|resource_size_t|pci_bus_addr_t)$/;

/** The type without its storage class and qualifiers. */
export const bare = (type: string): string =>
  type.replace(/\b(?:static|const|volatile|register)\b/g, "").replace(/\s+/g, " ").trim();

/** Whether the type is one that holds a DMA, physical or PCI bus address. */
export function isAddressType(type: string | null): boolean {
  return type !== null && ADDRESS.test(bare(type));
}

/** The width of a value of this type once it takes part in arithmetic. */
export function widthOfType(type: string | null): Width {
  if (type === null) return null;
  const name = bare(type);
  if (WIDE.test(name) || ADDRESS.test(name)) return 64;
  if (LONG.test(name)) return "long";
  return NARROW.test(name) ? 32 : null;
}

// include/linux/sizes.h has int constants below 4 GiB; PAGE_SIZE and BIT() are unsigned long.
const CONSTANTS: Readonly<Record<string, Width>> = {
  UINT_MAX: 32,
  INT_MAX: 32,
  U32_MAX: 32,
  PAGE_SIZE: "long",
  PAGE_MASK: "long",
};

function wider(a: Width, b: Width): Width {
  if (a === 64 || b === 64) return 64;
  if (a === null || b === null) return null;
  return a === "long" || b === "long" ? "long" : 32;
}

/** The width that C computes the expression in. */
export function widthOf(expr: Expr, values: Flow): Width {
  switch (expr.kind) {
    case "number": {
      const suffix = /[uUlL]*$/.exec(expr.text)![0].toLowerCase();
      if (/ll/.test(suffix)) return 64;
      if (/l/.test(suffix)) return "long";
      return expr.value === null ? null : expr.value <= 0xffffffffn ? 32 : 64;
    }
    case "char":
      return 32;
    case "sizeof":
      return "long";
    case "ident": {
      const known = CONSTANTS[expr.name];
      if (known !== undefined) return known;
      if (/^SZ_(?:\d+|[1248]K|\d+K|\d+M|[12]G)$/.test(expr.name)) return 32;
      return widthOfType(values.typeOf(expr));
    }
    case "member":
    case "index":
      return widthOfType(values.typeOf(expr));
    case "unary":
      if (expr.op === "!") return 32;
      return expr.op === "*"
        ? widthOfType(values.typeOf(expr))
        : expr.op === "&"
        ? null
        : widthOf(expr.operand, values);
    case "update":
      return widthOf(expr.operand, values);
    case "cast":
      return widthOfType(expr.type);
    case "binary":
      if (/^(?:[=!]=|[<>]=?|&&|\|\|)$/.test(expr.op)) return 32;
      if (expr.op === "<<" || expr.op === ">>") return widthOf(expr.left, values);
      return wider(widthOf(expr.left, values), widthOf(expr.right, values));
    case "conditional":
      return expr.yes === null ? null : wider(widthOf(expr.yes, values), widthOf(expr.no, values));
    default:
      return null;
  }
}

/** The least number of bits that surely holds the expression's value; null when nothing is known. */
export function bitsOf(expr: Expr, values: Flow): number | null {
  switch (expr.kind) {
    case "number":
      return expr.value === null || expr.value < 0n ? null : expr.value.toString(2).length;
    case "cast": {
      const inner = bitsOf(expr.value, values);
      const own = bitsOfType(expr.type);
      return inner === null ? own : own === null ? inner : Math.min(inner, own);
    }
    case "binary": {
      const left = bitsOf(expr.left, values);
      const right = bitsOf(expr.right, values);
      if (expr.op === "&") return left === null ? right : right === null ? left : Math.min(left, right);
      if (expr.op === "|" || expr.op === "^") {
        return left === null || right === null ? null : Math.max(left, right);
      }
      if (expr.op === "+") return left === null || right === null ? null : Math.max(left, right) + 1;
      const by = expr.right.kind === "number" && expr.right.value !== null ? Number(expr.right.value) : null;
      if (expr.op === ">>") return left === null || by === null ? left : Math.max(0, left - by);
      if (expr.op === "<<") return left === null || by === null ? null : left + by;
      if (expr.op === "%") return right;
      return null;
    }
    case "call": {
      // GENMASK(h, l), BIT(n)
      const high = expr.args[0];
      if (
        /^(?:GENMASK|BIT)(?:_ULL|_U\d+)?$/.test(expr.name) && high?.kind === "number" && high.value !== null
      ) {
        return Number(high.value) + 1;
      }
      return null;
    }
    case "ident":
    case "member":
    case "index":
      return bitsOfType(values.typeOf(expr));
    default:
      return null;
  }
}

function bitsOfType(type: string | null): number | null {
  const found = type === null ? null : /^(?:__)?u(?:int)?(8|16|32)(?:_t)?$/.exec(bare(type));
  if (found !== null) return Number(found[1]);
  return type !== null && /^unsigned (?:int|short|char)$/.test(bare(type))
    ? bare(type).endsWith("char") ? 8 : bare(type).endsWith("short") ? 16 : 32
    : null;
}
