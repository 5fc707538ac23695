/**
 * Which functions the kernel's tables of operations name, and for what: `.map_dma_buf = foo_map`. Knows no table by
 * name.
 *
 * @module
 */

import type { At, Expr } from "../engine/ast.ts";
import type { Fact, Side } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";

/** A variable of a struct of callbacks, with its initializer. */
export interface Table {
  readonly struct: string;
  readonly at: At;
  /** Field to what it is set to. */
  readonly fields: ReadonlyMap<string, Expr>;
  /** The name of the function that a field is set to; null when it is set to none. */
  callee(field: string): string | null;
}

const STRUCT = /^(?:(?:static|const|extern)\s+)*struct (\w+)(?:\[\])?$/;

/** The tables of a file. */
export const tables: Fact<readonly Table[], SourceFile> = {
  name: "tables",
  derive: (file) =>
    file.unit.globals.flatMap(({ type, init, start, end }) => {
      const struct = STRUCT.exec(type)?.[1];
      if (struct === undefined || init?.kind !== "initializer") return [];
      const fields = new Map<string, Expr>();
      for (const { field, value } of init.items) if (field !== null) fields.set(field, value);
      const callee = (field: string) => nameOf(fields.get(field));
      return [{ struct, at: { start, end }, fields, callee }];
    }),
};

function nameOf(expr: Expr | undefined): string | null {
  if (expr?.kind === "unary" && expr.op === "&") return nameOf(expr.operand);
  return expr?.kind === "ident" ? expr.name : null;
}

/** What a function is called for. */
export interface Role {
  readonly struct: string;
  readonly field: string;
}

/** By name: the roles of the functions of a side, wherever the table stands. */
const roles: Fact<ReadonlyMap<string, readonly Role[]>, Side> = {
  name: "roles",
  derive({ files, context }, use) {
    const all = new Map<string, Role[]>();
    for (const file of [...files, ...context]) {
      for (const { struct, fields } of use(tables, file)) {
        for (const [field, value] of fields) {
          const name = nameOf(value);
          if (name !== null) all.set(name, [...(all.get(name) ?? []), { struct, field }]);
        }
      }
    }
    return all;
  },
};

/** Whether a table of `struct` names the function. */
export const isIn = (struct: string): Fact<boolean, FunctionView> => ({
  name: `in ${struct}`,
  derive: (fn, use) => use(roles, use.side).get(fn.name)?.some((role) => role.struct === struct) ?? false,
});
