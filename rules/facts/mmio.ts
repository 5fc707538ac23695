/**
 * Which pointers of a function are MMIO: made by ioremap() and its kin, declared `__iomem`, or given to readl() and
 * memcpy_toio(), which take nothing else.
 *
 * @module
 */

import type { Expr } from "../engine/ast.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView } from "../engine/source.ts";
import { flow } from "./flow.ts";
import type { Origin } from "./origin.ts";

/** Why an expression is an MMIO pointer. */
export interface Mmio {
  /** Where its value comes from; null when its use tells. */
  readonly origin: Origin | null;
  /** The call that uses it as MMIO; null when its origin tells. */
  readonly use: Expr | null;
}

/** Asks of an expression whether it is an MMIO pointer; null: not known to be one. */
export type IsMmio = (expr: Expr) => Mmio | null;

/** MMIO accessors that only read and are in no table. */
const READS = /^(?:__raw_)?read[bwlq](?:_relaxed)?$|^ioread(?:8|16|32|64)(?:be)?$/;

/** The pointer that arithmetic and casts start from: `base` of `(void *)(base + 4)`. */
export function pointerOf(expr: Expr): Expr {
  switch (expr.kind) {
    case "cast":
      return pointerOf(expr.value);
    case "binary":
      return expr.op === "+" || expr.op === "-" ? pointerOf(expr.left) : expr;
    default:
      return expr;
  }
}

/** Derives it from the flow. */
export const mmio: Fact<IsMmio, FunctionView> = {
  name: "mmio",
  derive(fn, use) {
    const values = use(flow, fn);
    const used = new Map<string, Expr>();
    for (const { call, api } of values.calls) {
      const position = READS.test(call.name) ? 0 : api === null ? -1 : api.params.indexOf("iomem");
      const arg = call.args[position];
      if (arg === undefined) continue;
      const pointer = pointerOf(arg);
      if (pointer.kind !== "ident" && pointer.kind !== "member") continue;
      const form = values.canonical(pointer);
      if (!used.has(form)) used.set(form, call);
    }
    return (expr) => {
      const known = values.valueOf(expr).filter(({ meaning }) => meaning !== "param");
      if (known.length > 0) {
        const origin = known.find(({ meaning }) => meaning === "iomem");
        // A pointer that may be RAM as well is for the author to sort out.
        return origin !== undefined && known.every(({ meaning }) => meaning === "iomem")
          ? { origin, use: null }
          : null;
      }
      const pointer = pointerOf(expr);
      if (pointer.kind !== "ident" && pointer.kind !== "member") return null;
      const call = used.get(values.canonical(pointer));
      return call === undefined ? null : { origin: null, use: call };
    };
  },
};
