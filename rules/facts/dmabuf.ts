/**
 * The dma-buf callbacks of a file: which of its functions a struct dma_buf_ops or a struct dma_buf_attach_ops names,
 * and for what. Where no table is shown nothing is known.
 *
 * @module
 */

import { type At, type Expr, walkExpr } from "../engine/ast.ts";
import type { Fact, Use } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";
import { tables } from "./callback.ts";
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

const TABLE = /^dma_buf_(?:attach_)?ops$/;

/** Reads the tables of a file. */
export const callbacks: Fact<readonly Callbacks[], SourceFile> = {
  name: "dma-buf callbacks",
  derive(file, use) {
    const byName = new Map(file.functions.filter(({ isNamed }) => isNamed).map((fn) => [fn.name, fn]));
    return use(tables, file).filter(({ struct }) => TABLE.test(struct)).map((
      { struct, at, fields, callee },
    ) => ({
      table: struct as Callbacks["table"],
      at,
      fields,
      fn: (field) => byName.get(callee(field) ?? "") ?? null,
    }));
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
