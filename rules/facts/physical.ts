/**
 * Where a function uses an address as a CPU physical one: what it is mapped, remapped, looked up or stored as. The
 * counterpart of `sinks`. What kind of address it really is, is for the rules to say.
 *
 * @module
 */

import type { At, Declarator, Expr } from "../engine/ast.ts";
import type { CfgNode } from "../engine/cfg.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView } from "../engine/source.ts";
import { PHYS_NAME } from "../kernel/names.ts";
import { flow, structName } from "./flow.ts";
import type { Certainty, Origin } from "./origin.ts";

/** One use of a value as a CPU physical address. */
export interface Physical {
  /** The call, or the place that is stored to. */
  readonly at: At;
  readonly value: Expr;
  readonly node: CfgNode;
  readonly origins: readonly Origin[];
  /** The function that takes the address; null for a store. */
  readonly callee: string | null;
  /** What a store goes to, in normal form; null for a call. */
  readonly place: string | null;
  /** A store to a field that is physical by definition, such as `phys_vec.paddr`, is `exact`. */
  readonly certainty: Certainty;
  /** The page frame number is wanted rather than the address. */
  readonly isPfn: boolean;
}

/** Pure arithmetic, and the bodies of the DMA API, say nothing about the address. */
const NO_USE: ReadonlySet<string> = new Set([
  "PFN_PHYS",
  "PHYS_PFN",
  "phys_to_dma",
  "phys_to_dma_unencrypted",
  "bus_to_virt",
]);

/** Fields that hold a CPU physical address by definition. */
const FIELDS: ReadonlySet<string> = new Set([
  "phys_vec.paddr",
  "dma_buf_phys_vec.paddr",
  "dma_slave_config.src_addr",
  "dma_slave_config.dst_addr",
]);

/** Every such use of a value of which anything is known, in the order of the text. */
export const physical: Fact<readonly Physical[], FunctionView> = {
  name: "physical",
  derive(fn, use) {
    const values = use(flow, fn);
    const found: Physical[] = [];
    for (const { call, api, node } of values.calls) {
      if (api === null || NO_USE.has(api.name)) continue;
      for (const [i, meaning] of api.params.entries()) {
        const value = call.args[i];
        if (value === undefined || (meaning !== "phys" && meaning !== "phys-ram" && meaning !== "pfn")) {
          continue;
        }
        found.push({
          at: call,
          value,
          node,
          origins: values.valueOf(value),
          callee: call.name,
          place: null,
          certainty: "exact",
          isPfn: meaning === "pfn",
        });
      }
    }
    for (const { target, value, node, origins, op, place } of values.stores) {
      if (op !== "=") continue;
      const certainty = certaintyOf(target, (expr) => values.typeOf(expr));
      if (certainty === null) continue;
      found.push({ at: target, value, node, origins, callee: null, place, certainty, isPfn: false });
    }
    return found.sort((a, b) => a.at.start - b.at.start);
  },
};

/** How sure it is that the target holds a CPU physical address; null when nothing says so. */
function certaintyOf(
  target: Expr | Declarator,
  typeOf: (expr: Expr) => string | null,
): Certainty | null {
  const isPhysical = (type: string) => /^(?:const |static )*(?:phys_addr_t|resource_size_t)$/.test(type);
  if (!("kind" in target)) return isPhysical(target.type) ? "declared" : null;
  if (target.kind === "member") {
    const struct = structName(typeOf(target.object));
    if (struct !== null && FIELDS.has(`${struct}.${target.field}`)) return "exact";
  }
  const type = typeOf(target);
  if (type !== null) return isPhysical(type) ? "declared" : null;
  return target.kind === "member" && PHYS_NAME.test(target.field) ? "name" : null;
}
