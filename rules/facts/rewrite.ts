/**
 * Whether a step on a path gives a variable another value, so that what is named behind it is another thing:
 * `--i`, `slot = &ring->slots[0]`, the cursor of a loop.
 *
 * @module
 */

import { walkExpr } from "../engine/ast.ts";
import type { CfgNode } from "../engine/cfg.ts";
import type { Flow } from "./flow.ts";

/** The names in pieces of code. */
export function namesIn(...texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.flatMap((text) => text.match(/[A-Za-z_]\w*/g) ?? []));
}

/** Whether the node writes one of the variables. */
export function rewrites(node: CfgNode, names: ReadonlySet<string>, values: Flow): boolean {
  if (values.stores.some((store) => store.node === node && names.has(store.place))) return true;
  if (node.expr === null) return false;
  let is = false;
  walkExpr(node.expr, (inner) => {
    const target = inner.kind === "update" ? inner.operand : inner.kind === "assign" ? inner.target : null;
    is ||= target?.kind === "ident" && names.has(target.name);
  });
  // The cursor of a loop macro is an argument by itself: `foo` of `&foo->list` stays who it is.
  const args = node.kind === "each" && node.expr.kind === "call" ? node.expr.args : [];
  return is || args.some((arg) => arg.kind === "ident" && names.has(arg.name));
}
