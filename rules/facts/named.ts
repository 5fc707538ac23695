/**
 * The names that a file uses of the kernel's interfaces, and where: what a table of names can be held against.
 *
 * @module
 */

import { type At, type Call, type Declarator, type Expr, walkExpr, walkStmt } from "../engine/ast.ts";
import type { SourceFile } from "../engine/source.ts";
import type { Gone } from "../kernel/types.ts";

/** A name where it is used. */
export interface Named {
  readonly name: string;
  readonly kind: Gone["kind"];
  readonly at: At;
  readonly call: Call | null;
}

/** The operations tables of which the fields count as names. */
const OWNERS = /^(?:static |const )*struct (?:dma_buf_attach_ops|dma_map_ops)\b/;

/**
 * Every called function, every identifier, every struct named in a declaration and every field of an operations table.
 *
 * @param coversArguments Whether a call of that name speaks for the names among its arguments
 */
export function namesIn(
  file: SourceFile,
  coversArguments: (callee: string) => boolean = () => false,
): Named[] {
  const out: Named[] = [];
  // The direction in a call that is gone itself need not be named on its own.
  const spoken = new Set<Expr>();
  const expr = (top: Expr) =>
    walkExpr(top, (inner) => {
      if (spoken.has(inner)) return;
      if (inner.kind === "call" && inner.name !== "") {
        out.push({ name: inner.name, kind: "function", at: inner, call: inner });
        if (coversArguments(inner.name)) inner.args.forEach((arg) => arg.kind === "ident" && spoken.add(arg));
      } else if (inner.kind === "ident") out.push({ name: inner.name, kind: "macro", at: inner, call: null });
    });
  const declared = (decl: Declarator) => {
    const struct = /^(?:static |const )*struct (\w+)/.exec(decl.type)?.[1];
    if (struct !== undefined) out.push({ name: struct, kind: "type", at: decl, call: null });
    if (decl.init === null) return;
    if (decl.init.kind === "initializer" && OWNERS.test(decl.type)) {
      for (const { field, value } of decl.init.items) {
        if (field !== null) out.push({ name: field, kind: "field", at: value, call: null });
      }
    }
  };
  for (const fn of file.functions) {
    fn.node.params.forEach(declared);
    walkStmt(fn.node.body, {
      expr,
      stmt: (stmt) => {
        if (stmt.kind === "decl") stmt.names.forEach(declared);
      },
    });
  }
  for (const global of file.unit.globals) {
    declared(global);
    if (global.init !== null) expr(global.init);
  }
  for (const struct of file.unit.structs) struct.fields.forEach(declared);
  return out;
}
