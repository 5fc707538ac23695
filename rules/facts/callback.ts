/**
 * Which functions a file puts into the kernel's tables of operations: `.map_dma_buf = foo_map`. Knows no table by name.
 *
 * @module
 */

import type { Expr } from "../engine/ast.ts";
import type { SourceFile } from "../engine/source.ts";

/** An entry of a table. */
export interface Callback {
  /** The function's name. */
  readonly name: string;
  /** Where the table says so. */
  readonly at: Expr;
}

/** The shown tables of one struct: the functions in them, by field. */
export function tablesOf(file: SourceFile, struct: string): readonly ReadonlyMap<string, Callback>[] {
  const type = new RegExp(`^(?:static |const )*struct ${struct}$`);
  return file.unit.globals.flatMap(({ type: declared, init }) => {
    if (!type.test(declared) || init?.kind !== "initializer") return [];
    const table = new Map<string, Callback>();
    for (const { field, value } of init.items) {
      const name = nameOf(value);
      if (field !== null && name !== null) table.set(field, { name, at: value });
    }
    return [table];
  });
}

function nameOf(expr: Expr): string | null {
  if (expr.kind === "unary" && expr.op === "&") return nameOf(expr.operand);
  return expr.kind === "ident" ? expr.name : null;
}
