/**
 * The dma-buf callbacks of a file: which of its functions a struct dma_buf_ops or a struct dma_buf_attach_ops names,
 * and for what. Where no table is shown nothing is known.
 *
 * @module
 */

import { type At, type Expr, walkExpr } from "../engine/ast.ts";
import type { Fact, Use } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";
import { attachmentOf } from "./device.ts";
import { flow } from "./flow.ts";

/** One table of callbacks. */
export interface Callbacks {
  /** `dma_buf_ops` belongs to an exporter, `dma_buf_attach_ops` to an importer. */
  readonly table: "dma_buf_ops" | "dma_buf_attach_ops";
  readonly at: At;
  /** Field to what it is set to. */
  readonly fields: ReadonlyMap<string, Expr>;
  /** The function that a field names; null when it is not in the file, or the field is not set. */
  fn(field: string): FunctionView | null;
}

/** Reads the tables of a file. */
export const callbacks: Fact<readonly Callbacks[], SourceFile> = {
  name: "dma-buf callbacks",
  derive(file) {
    const byName = new Map(file.functions.filter(({ isNamed }) => isNamed).map((fn) => [fn.name, fn]));
    return file.unit.globals.flatMap(({ type, init, start, end }) => {
      const table = /\bstruct (dma_buf_ops|dma_buf_attach_ops)$/.exec(type)?.[1];
      if (table === undefined || init?.kind !== "initializer") return [];
      const fields = new Map<string, Expr>();
      for (const { field, value } of init.items) if (field !== null) fields.set(field, value);
      return [{
        table: table as Callbacks["table"],
        at: { start, end },
        fields,
        fn(field: string) {
          const value = fields.get(field);
          const name = value?.kind === "unary" && value.op === "&" ? value.operand : value;
          return name?.kind === "ident" ? byName.get(name.name) ?? null : null;
        },
      }];
    });
  },
};

/** The function and the functions of the same file that it calls itself. */
export function withHelpers(fn: FunctionView, called: readonly string[]): readonly FunctionView[] {
  const names = new Set(called);
  return [fn, ...fn.file.functions.filter((other) => other !== fn && other.isNamed && names.has(other.name))];
}

/** Whether the file asks whether an importer is a particular device. */
export function comparesImporter(file: SourceFile, use: Use): boolean {
  return file.functions.some((fn) => {
    const attach = attachmentOf(fn);
    if (attach === null) return false;
    const values = use(flow, fn);
    let found = false;
    for (const node of values.cfg.nodes) {
      const expr = node.expr ?? node.decl?.init ?? null;
      if (expr === null) continue;
      walkExpr(expr, (inner) => {
        if (inner.kind !== "binary" || !/^[!=]=$/.test(inner.op)) return;
        found ||= [inner.left, inner.right].some((side) => values.canonical(side) === `${attach}->dev`);
      });
    }
    return found;
  });
}
