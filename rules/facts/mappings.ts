/**
 * What a function maps, checks, syncs and releases: the calls of the kernel tables with their device, their handle
 * and their place on the function's paths.
 *
 * @module
 */

import type { Call, Expr } from "../engine/ast.ts";
import { asCall, type CfgNode } from "../engine/cfg.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";
import { PASSES } from "../kernel/mod.ts";
import type { Api } from "../kernel/types.ts";
import { deref, type Flow, flow } from "./flow.ts";

/** A call of the tables, with what it works on. */
export interface Use_ {
  readonly call: Call;
  readonly api: Api;
  readonly node: CfgNode;
  /** Normal form of the device argument; null when the call has none or it is not shown. */
  readonly device: string | null;
  readonly deviceExpr: Expr | null;
  /** Normal form of the place that holds the DMA address, or of the scatterlist; null when not known. */
  readonly handle: string | null;
  readonly handleExpr: Expr | null;
}

/** A call that maps memory or allocates it together with its DMA address. */
export interface Mapping extends Use_ {
  /**
   * What happens to the result: kept in `handle`, given to the caller, an operand of something else, thrown away,
   * or tested on the spot.
   */
  readonly fate: "stored" | "returned" | "nested" | "ignored" | "tested";
}

/** Everything of interest that a function does with DMA addresses, in the order of the text. */
export interface Handling {
  readonly mappings: readonly Mapping[];
  readonly releases: readonly Use_[];
  readonly syncs: readonly Use_[];
  /** dma_mapping_error() and its kin. */
  readonly checks: readonly Use_[];
}

/** A bound on the work for one function; the largest driver functions of v6.12 have some hundreds. */
const MAX_PAIRS = 6000;

/** Derives it from the flow. */
export const handling: Fact<Handling, FunctionView> = {
  name: "handling",
  derive(fn, use) {
    const values = use(flow, fn);
    const mappings: Mapping[] = [];
    const releases: Use_[] = [];
    const syncs: Use_[] = [];
    const checks: Use_[] = [];
    const own = use(wrappers, fn.file);
    for (const { call, api: known, node } of values.calls) {
      const api = known ?? own.get(call.name) ?? null;
      if (api === null) continue;
      if (api.role === "map" || api.role === "alloc") {
        if (api.handle !== null) mappings.push(mapping(call, api, node, values));
      } else if (api.role === "unmap" || api.role === "free") releases.push(used(call, api, node, values));
      else if (api.role === "sync") syncs.push(used(call, api, node, values));
      else if (api.role === "check") checks.push(used(call, api, node, values));
    }
    // Every mapping is looked at with every use of a handle; code made of hundreds of both is not written by hand.
    if (mappings.length * (releases.length + syncs.length + checks.length) > MAX_PAIRS) {
      use.giveUp(fn, "too many mappings for one function: they were not paired");
      return { mappings: [], releases: [], syncs: [], checks: [] };
    }
    return { mappings, releases, syncs, checks };
  },
};

/**
 * The file's own functions that do nothing but map, and give the address to the caller untested, or nothing but unmap
 * an address that they are given: to the caller they are what they call. By name, with the arguments where the function
 * takes them.
 */
const wrappers: Fact<ReadonlyMap<string, Api>, SourceFile> = {
  name: "wrappers",
  derive(file, use) {
    const out = new Map<string, Api>();
    for (const fn of file.functions) {
      if (!fn.isNamed || !fn.whole || !fn.node.isStatic) continue;
      const { calls, returns, cfg } = use(flow, fn);
      // A condition may know better.
      if (returns.length > 1 || cfg.nodes.some(({ kind }) => /^(?:test|each|switch)$/.test(kind))) continue;
      const [only] = returns;
      const site = calls.find(({ call, api }) =>
        only === undefined ? api?.role === "unmap" : api?.role === "map" && resultOf(only.value, call)
      );
      if (site === undefined || site.api === null) continue;
      const { api, call } = site;
      if (api.role === "map" && (api.handle !== "return" || api.failure !== "mapping-error")) continue;
      const place = (at: number | null): number | null => {
        const arg = at === null ? undefined : call.args[at];
        const index = arg?.kind === "ident" ? fn.node.params.findIndex(({ name }) => name === arg.name) : -1;
        return index === -1 ? null : index;
      };
      const handle = typeof api.handle === "number" ? place(api.handle) : api.handle;
      if (handle === null || calls.filter((one) => one.api?.role === api.role).length > 1) continue;
      out.set(fn.name, {
        ...api,
        name: fn.name,
        params: [],
        handle,
        device: place(api.device),
        memory: place(api.memory),
        size: place(api.size),
        direction: place(api.direction),
        attrs: place(api.attrs),
      });
    }
    return out;
  },
};

function used(call: Call, api: Api, node: CfgNode, values: Flow): Use_ {
  const deviceExpr = api.device === null ? null : call.args[api.device] ?? null;
  const handleExpr = typeof api.handle === "number" ? call.args[api.handle] ?? null : null;
  return {
    call,
    api,
    node,
    device: deviceExpr === null ? null : values.canonical(deviceExpr),
    deviceExpr,
    handle: handleExpr === null ? null : values.canonical(handleExpr),
    handleExpr,
  };
}

function mapping(call: Call, api: Api, node: CfgNode, values: Flow): Mapping {
  const base = used(call, api, node, values);
  if (api.role === "alloc" && typeof api.handle === "number") {
    return { ...base, handle: base.handle === null ? null : deref(base.handle), fate: "stored" };
  }
  const store = values.stores.find((s) => s.op === "=" && resultOf(s.value, call));
  if (api.handle !== "return") {
    // The handle is the list; the fate is the count's.
    return { ...base, fate: store !== undefined ? "stored" : fateOf(call, node) };
  }
  if (store !== undefined) {
    return {
      ...base,
      handle: store.place,
      handleExpr: "kind" in store.target ? store.target : null,
      fate: "stored",
    };
  }
  return { ...base, fate: fateOf(call, node) };
}

/** Whether the value of `expr` is the call's result: through casts, byte swaps and `a = b = call()`. */
export function resultOf(expr: Expr, call: Call): boolean {
  if (expr === call) return true;
  switch (expr.kind) {
    case "cast":
      return resultOf(expr.value, call);
    case "assign":
      return expr.op === "=" && resultOf(expr.value, call);
    case "call":
      return (PASSES.get(expr.name) ?? []).some((i) =>
        expr.args[i] !== undefined && resultOf(expr.args[i]!, call)
      );
    case "binary":
      return (expr.op === "+" || expr.op === "-") && resultOf(expr.left, call);
    case "conditional":
      return (expr.yes !== null && resultOf(expr.yes, call)) || resultOf(expr.no, call);
    default:
      return false;
  }
}

function fateOf(call: Call, node: CfgNode): Mapping["fate"] {
  if (node.expr === null) return "nested";
  if (node.kind === "return" && resultOf(node.expr, call)) return "returned";
  if (node.kind === "expr" && asCall(node.expr) === call) return "ignored";
  if (node.kind === "test") return "tested";
  return "nested";
}
