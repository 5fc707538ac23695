/**
 * A check that follows a mapping at once and asks about another variable.
 *
 * @module
 */

import { HOLE } from "../engine/ast.ts";
import type { CfgNode } from "../engine/cfg.ts";
import { type Flow, general, lastName } from "./flow.ts";
import type { Handling, Mapping, Use_ } from "./mappings.ts";

/**
 * The check behind a mapping that asks about something that is no mapping, where nobody asks about the mapping itself;
 * null when there is none. Where it asks about another mapping, the first one is simply not checked.
 */
export function misdirectedCheck(
  mapping: Mapping,
  { mappings, checks }: Handling,
  values: Flow,
): Use_ | null {
  const { handle, fate, api } = mapping;
  if (handle === null || fate !== "stored" || api.failure !== "mapping-error") return null;
  const next = onlyNext(mapping.node);
  const check = next === null ? undefined : checks.find(({ node }) => node === next);
  if (check === undefined || check.handle === null || check.handleExpr === null) return null;
  const expr = check.handleExpr;
  if (expr.kind !== "ident" && expr.kind !== "member") return null;
  // Where the hunk ends within the check, nobody knows.
  if (check.handle.includes(HOLE) || handle.includes(HOLE)) return null;
  const isOf = (one: Use_, { handle, call }: Mapping) =>
    handle !== null && one.handle !== null && one.handleExpr !== null &&
    (lastName(general(one.handle)) === lastName(general(handle)) ||
      values.valueOf(one.handleExpr).some((origin) => origin.expr === call));
  if (checks.some((one) => one.handleExpr === null || isOf(one, mapping))) return null;
  if (mappings.some((other) => isOf(check, other))) return null;
  // What the function sets, or has somebody set, may come from the mapping in a way that is not seen.
  const place = general(check.handle);
  const isSet = values.stores.some((store) =>
    general(store.place) === place ||
    store.value.start <= mapping.call.start && mapping.call.end <= store.value.end &&
      general(store.place) !== general(handle)
  ) || values.calls.some(({ call }) =>
    call.args.some((arg) =>
      arg.kind === "unary" && arg.op === "&" && general(values.canonical(arg.operand)) === place
    )
  );
  return isSet ? null : check;
}

/** The node that follows whatever happens; null when there are several. */
function onlyNext({ succ }: CfgNode): CfgNode | null {
  return succ.length === 1 ? succ[0]!.to : null;
}
