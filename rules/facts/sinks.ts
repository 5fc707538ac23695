/**
 * Where a function puts an address that a device will use: registers, descriptors, scatterlists, DMA handles. What
 * kind of address it is, and whether it is a right one there, is for the rules to say. Knows no rule.
 *
 * @module
 */

import type { At, Call, Expr } from "../engine/ast.ts";
import type { CfgNode } from "../engine/cfg.ts";
import type { Fact, Side } from "../engine/fact.ts";
import type { FunctionView } from "../engine/source.ts";
import { API } from "../kernel/mod.ts";
import { DMA_NAME, FIRMWARE_CALL, REGISTER_WRITE } from "../kernel/names.ts";
import { isIn } from "./callback.ts";
import { deref, type Flow, flow, type Store } from "./flow.ts";
import { named } from "./known.ts";
import type { Certainty, Origin, Step } from "./origin.ts";

/**
 * `register`: written by writel() and its kin. `descriptor`: stored in a struct with a byte order or as half a
 * word, as only hardware reads it. `list`: the DMA side of a scatterlist. `handle`: a variable or field that holds
 * a DMA address. `return`: the result of a function that returns a dma_addr_t. `argument`: given to a kernel
 * function where it takes a DMA address.
 */
export type SinkKind = "register" | "descriptor" | "list" | "handle" | "return" | "argument";

/** One place where a value becomes an address for a device. */
export interface Sink {
  readonly kind: SinkKind;
  /** The call, the assignment's target or the returned value. */
  readonly at: At;
  readonly value: Expr;
  readonly node: CfgNode;
  readonly origins: readonly Origin[];
  /** How sure it is that a device uses what stands here. */
  readonly certainty: Certainty;
  /** The function or the place in normal form: `writel`, `priv->dma`. */
  readonly where: string;
  /** The call, the place or the value in the author's words. */
  readonly text: string;
  /** `register`: the pointer to the register; null when the function is not known. */
  readonly base: Expr | null;
  /** Where in the helper that is called the value ends up; null when it is here. */
  readonly through: Step | null;
}

const isDmaOp = isIn("dma_map_ops");

/** A parameter that ends up where a device finds it. */
interface Take {
  readonly index: number;
  readonly kind: SinkKind;
  readonly certainty: Certainty;
  readonly step: Step;
}

/** What each helper of a side does with its parameters, by name. */
const takes: Fact<ReadonlyMap<string, readonly { fn: FunctionView; takes: readonly Take[] }[]>, Side> = {
  name: "takes",
  derive({ files, context }, use) {
    const all = new Map<string, { fn: FunctionView; takes: readonly Take[] }[]>();
    for (const file of [...files, ...context]) {
      for (const fn of file.functions) {
        const found = fn.isNamed ? takenBy(fn, use(ownSinks, fn)) : [];
        if (found.length > 0) all.set(fn.name, [...(all.get(fn.name) ?? []), { fn, takes: found }]);
      }
    }
    return all;
  },
};

function takenBy(fn: FunctionView, own: readonly Sink[]): Take[] {
  const out: Take[] = [];
  for (const { kind, at, origins, certainty, where } of own) {
    if (kind === "handle" || kind === "return") continue;
    for (const { meaning, index } of origins) {
      const type = fn.node.params[index]?.type ?? "";
      // What is declared as a physical address is wanted as one.
      if (meaning !== "param" || /^(?:phys_addr_t|resource_size_t)\b|\*/.test(type)) continue;
      if (out.some((take) => take.index === index)) continue;
      const note = kind === "argument"
        ? `\`${fn.name}()\` gives it to ${where}()`
        : `\`${fn.name}()\` gives it to the device`;
      out.push({ index, kind, certainty, step: { file: fn.file, at, note } });
    }
  }
  return out;
}

/** Every sink of a function, those in the helpers that it calls included, in the order of the text. */
export const sinks: Fact<readonly Sink[], FunctionView> = {
  name: "sinks",
  derive(fn, use) {
    const own = use(ownSinks, fn);
    const helpers = use(takes, use.side);
    if (helpers.size === 0 || FIRMWARE_CALL.test(fn.name)) return own;
    const values = use(flow, fn);
    const found: Sink[] = [];
    for (const { call, api, node } of values.calls) {
      const list = api === null ? helpers.get(call.name) : undefined;
      const helper = list === undefined ? null : named(list, fn.file);
      for (const { index, kind, certainty, step } of helper?.takes ?? []) {
        const value = call.args[index];
        const origins = value === undefined ? [] : values.valueOf(value);
        if (value === undefined || origins.length === 0) continue;
        found.push({
          kind,
          at: call,
          value,
          node,
          origins,
          certainty: certainty === "exact" ? "declared" : certainty,
          where: call.name,
          text: fn.file.textOf(call),
          base: null,
          through: step,
        });
      }
    }
    return found.length === 0 ? own : [...own, ...found].sort((a, b) => a.at.start - b.at.start);
  },
};

/** Every sink of a function into which something flows of which anything is known, in the order of the text. */
const ownSinks: Fact<readonly Sink[], FunctionView> = {
  name: "own sinks",
  derive(fn, use) {
    const values = use(flow, fn);
    const found: Sink[] = [];
    const handles = handlesOf(values);
    // What implements the DMA API makes such addresses.
    if (FIRMWARE_CALL.test(fn.name) || use(isDmaOp, fn)) return found;
    for (const { call, node } of values.calls) ofCall(call, node, values, fn, found);
    for (const store of values.stores) {
      const sink = ofStore(store, values, fn, handles);
      if (sink !== null) found.push(sink);
    }
    if (/^(?:static |inline |const )*dma_addr_t$/.test(fn.node.returns)) {
      for (const { value, node, origins } of values.returns) {
        found.push({
          kind: "return",
          at: value,
          value,
          node,
          origins,
          certainty: "declared",
          where: fn.name,
          text: fn.file.textOf(value),
          base: null,
          through: null,
        });
      }
    }
    return found.filter((sink) => sink.origins.length > 0).sort((a, b) => a.at.start - b.at.start);
  },
};

function ofCall(call: Call, node: CfgNode, values: Flow, fn: FunctionView, found: Sink[]): void {
  const api = API.get(call.name);
  const add = (kind: SinkKind, value: Expr, certainty: Certainty, base: Expr | null) =>
    found.push({
      kind,
      at: call,
      value,
      node,
      origins: values.valueOf(value),
      certainty,
      where: call.name,
      text: fn.file.textOf(call),
      base,
      through: null,
    });
  if (api === undefined) {
    if (!REGISTER_WRITE.test(call.name)) return;
    for (const arg of call.args) add("register", arg, "name", null);
    return;
  }
  // The descriptors of dmaengine are hardware, too, and say themselves what is a DMA address.
  if (api.role === "hardware" && !api.params.includes("dma")) {
    const value = api.memory === null ? undefined : call.args[api.memory];
    const base = call.args[api.params.indexOf("iomem")] ?? null;
    if (value !== undefined) add("register", value, "exact", base);
    return;
  }
  // dma_mapping_error() and the mmap helpers give nothing to a device, phys_to_dma()'s kin are no sinks either.
  if (api.role === "check" || api.role === "convert" || api.role === "cpu-use") return;
  for (const [i, meaning] of api.params.entries()) {
    const value = call.args[i];
    if (meaning !== "dma" || value === undefined || (api.role === "alloc" && api.handle === i)) continue;
    add("argument", value, "exact", null);
  }
}

function ofStore(store: Store, values: Flow, fn: FunctionView, handles: ReadonlySet<string>): Sink | null {
  if (store.op !== "=" && store.op !== "|=" && store.op !== "+=") return null;
  const { target, value, node, origins, place } = store;
  const isExpr = "kind" in target;
  const make = (kind: SinkKind, certainty: Certainty): Sink => ({
    kind,
    at: target,
    value,
    node,
    origins,
    certainty,
    where: place,
    text: isExpr ? fn.file.textOf(target) : target.name,
    base: null,
    through: null,
  });
  if (isExpr && target.kind === "call" && target.name === "sg_dma_address") return make("list", "exact");
  if (isExpr && target.kind === "member" && target.field === "dma_address") return make("list", "exact");
  const type = isExpr ? values.typeOf(target) : target.type;
  if (type !== null && /^dma_addr_t\b[^*]*$/.test(type)) return make("handle", "declared");
  // A physical address that is given to the DMA API is wrong there, not where it was kept.
  const isPhysical = type !== null && /^(?:phys_addr_t|resource_size_t)\b/.test(type);
  if (handles.has(place) && !isPhysical) return make("handle", "exact");
  // A place of a known other type that is named like a handle is what its type says.
  if (type === null && isExpr && target.kind === "member" && DMA_NAME.test(target.field)) {
    return make("handle", "name");
  }
  // `*p++ = …` writes a stream or a dump, a descriptor has fields.
  const isPlaceInMemory = isExpr && (target.kind === "member" || target.kind === "index");
  if (isPlaceInMemory && isPacked(value) && !FIRMWARE_CALL.test(place)) {
    return make("descriptor", "declared");
  }
  return null;
}

/** The places that hold a DMA address somewhere in the function: filled by an allocation, or given to the DMA API. */
function handlesOf(values: Flow): ReadonlySet<string> {
  const places = new Set<string>();
  for (const { call, api } of values.calls) {
    if (api === null || api.role === "cpu-use" || api.role === "convert") continue;
    for (const [i, meaning] of api.params.entries()) {
      const arg = call.args[i];
      if (meaning !== "dma" || arg === undefined) continue;
      const place = api.role === "alloc" && api.handle === i
        ? deref(values.canonical(arg))
        : placeOf(arg, values);
      if (/^[A-Za-z_*][\w.>[\]-]*$/.test(place)) places.add(place);
    }
  }
  return places;
}

/** The place that the expression reads, in normal form; what was stored there is not followed. */
export function placeOf(expr: Expr, values: Flow): string {
  switch (expr.kind) {
    case "ident":
      return expr.name;
    case "member": {
      const object = values.canonical(expr.object);
      if (!expr.arrow) return `${object}.${expr.field}`;
      return object.startsWith("&") ? `${object.slice(1)}.${expr.field}` : `${object}->${expr.field}`;
    }
    case "index":
      return `${placeOf(expr.object, values)}[${values.canonical(expr.index)}]`;
    case "cast":
      return placeOf(expr.value, values);
    default:
      return values.canonical(expr);
  }
}

const PACKED = /^(?:__)?cpu_to_[lb]e(?:32|64)$|^(?:lower|upper)_32_bits$/;

/** Whether the value was brought into the form in which a device reads it. */
function isPacked(value: Expr): boolean {
  switch (value.kind) {
    case "cast":
      return isPacked(value.value);
    case "call":
      return PACKED.test(value.name);
    case "binary":
      return (value.op === "|" || value.op === "+") && (isPacked(value.left) || isPacked(value.right));
    default:
      return false;
  }
}
