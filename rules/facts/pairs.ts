/**
 * Which mappings may stand behind a check, a sync or a release: those of the same handle that reach it on some path
 * with no other mapping of the handle between. Knows no kernel function by name.
 *
 * @module
 */

import type { At, Expr } from "../engine/ast.ts";
import { type CfgNode, search } from "../engine/cfg.ts";
import type { Fact, Side, Use } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";
import { PASSES } from "../kernel/mod.ts";
import { flow, general, mentions, structName } from "./flow.ts";
import { consistent } from "./failure.ts";
import { handling, type Mapping, type Use_ } from "./mappings.ts";

/** A mapping that reaches a use of its handle. */
export interface Source {
  readonly mapping: Mapping;
  /** A hole lies on the shortest way: the handle may have been set anew there. */
  readonly viaHole: boolean;
}

/** A use of a handle with all mappings of this function that may have made it. */
export interface Pair {
  readonly use: Use_;
  readonly kind: "check" | "sync" | "release";
  /** At least one. */
  readonly sources: readonly Source[];
  /** The entry reaches the use without any of them: the handle may come from elsewhere. */
  readonly isOpen: boolean;
}

/** The same name for a table, its list and its address; array elements count as one. */
export const handleKey = (handle: string): string =>
  general(handle.replace(/^&/, "").replace(/(?:->|\.)sgl$/, "").replace(/->/g, "."));

/** Derives them from what the function handles. */
export const pairs: Fact<readonly Pair[], FunctionView> = {
  name: "pairs",
  derive(fn, use) {
    const { mappings, releases, syncs, checks } = use(handling, fn);
    const values = use(flow, fn);
    const keyed = mappings.filter((m) => m.handle !== null && /[A-Za-z_]/.test(m.handle))
      .map((mapping) => ({ mapping, key: handleKey(mapping.handle!) }));
    const out: Pair[] = [];
    const add = (list: readonly Use_[], kind: Pair["kind"]) => {
      for (const one of list) {
        if (one.handle === null) continue;
        const key = handleKey(one.handle);
        const own = keyed.filter((m) => m.key === key);
        if (own.length === 0) continue;
        const root = /[A-Za-z_]\w*/.exec(one.handle)?.[0] ?? "";
        // Helpers that get the handle's address may set it.
        const setters = new Set(
          values.calls.filter(({ call, api }) =>
            api === null &&
            call.args.some((arg) =>
              arg.kind === "unary" && arg.op === "&" && handleKey(values.canonical(arg)) === key
            )
          ).map(({ node }) => node),
        );
        const written = new Set(setters);
        for (const s of values.stores) {
          if (handleKey(s.place) === key || (s.place === root && mentions(one.handle, root))) {
            written.add(s.node);
          }
        }
        const sets = (node: CfgNode) => written.has(node);
        const sources: Source[] = [];
        for (const { mapping } of own) {
          const others = new Set(own.filter((m) => m.mapping !== mapping).map((m) => m.mapping.node));
          const found = search(
            mapping.node,
            (node) => node === one.node ? "hit" : others.has(node) || sets(node) ? "stop" : "go",
            consistent(values.cfg, mapping.node, fn.file),
          );
          if (found.hit === null && mapping.node !== one.node) continue;
          sources.push({ mapping, viaHole: found.path.some((node) => node.kind === "hole") });
        }
        if (sources.length === 0) continue;
        const all = new Set(own.map((m) => m.mapping.node));
        const open = search(
          values.cfg.entry,
          (node) => node === one.node ? "hit" : all.has(node) ? "stop" : "go",
        );
        if (open.hit !== null && setters.size > 0) continue;
        out.push({ use: one, kind, sources, isOpen: open.hit !== null });
      }
    };
    add(checks, "check");
    add(syncs, "sync");
    add(releases, "release");
    return out;
  },
};

/** Of two places that do not fit together, the one that the patch brought. */
export function broughtIn(fn: FunctionView, first: At, second: At): At {
  return !fn.file.isChanged(first) && fn.file.isChanged(second) ? second : first;
}

/** A mapping that may be what a release undoes, and the function that makes it. */
export interface Elsewhere {
  readonly mapping: Mapping;
  readonly by: FunctionView;
}

/**
 * Mappings of the same field, of the same kind of object, in all functions of the patch. That of another object in the
 * same function counts: a type that is used for many buffers tells nothing. Empty, too, when something is put into the
 * field of which nobody knows where it was mapped.
 */
export function mappedElsewhere(one: Use_, fn: FunctionView, use: Use): Elsewhere[] {
  if (one.handle === null || one.handleExpr === null) return [];
  const field = fieldOf(one.handle);
  if (field === null) return [];
  const tail = tailOf(one.handle);
  const type = ownerType(one.handleExpr, fn, use);
  // What a local variable was read from may be any element of it.
  const isField = fieldExpr(one.handleExpr) !== null;
  const out = new Map<Mapping, Elsewhere>();
  for (const { by, place, target, mappings, isUnknown } of use(fillings, use.side).get(field) ?? []) {
    const other = target === null ? null : ownerType(target, by, use);
    const isSame = type === null || other === null ? tail !== null && tailOf(place) === tail : type === other;
    if (!isSame) continue;
    if (isUnknown && isField) return [];
    for (const mapping of mappings) {
      if (isField || mapping.handle === place) out.set(mapping, { mapping, by });
    }
  }
  return [...out.values()];
}

/** Whether two uses are of the same field of the same kind of object, as {@link mappedElsewhere} has it. */
export function isSameField(
  one: Use_,
  fn: FunctionView,
  other: Use_,
  by: FunctionView,
  use: Use,
): boolean {
  if (one.handle === null || one.handleExpr === null || other.handle === null || other.handleExpr === null) {
    return false;
  }
  const field = fieldOf(one.handle);
  if (field === null || fieldOf(other.handle) !== field) return false;
  const [type, otherType] = [ownerType(one.handleExpr, fn, use), ownerType(other.handleExpr, by, use)];
  return type === null || otherType === null
    ? tailOf(one.handle) !== null && tailOf(one.handle) === tailOf(other.handle)
    : type === otherType;
}

/** Something that gets into a field. */
interface Filling {
  readonly by: FunctionView;
  readonly place: string;
  readonly target: Expr | null;
  readonly mappings: readonly Mapping[];
  /** It is neither a mapping that is in sight nor the sign that there is none. */
  readonly isUnknown: boolean;
}

/** By the field's name, all that the patch shows. */
const fillings: Fact<ReadonlyMap<string, readonly Filling[]>, Side> = {
  name: "fillings",
  derive(side, use) {
    const out = new Map<string, Filling[]>();
    const add = (filling: Filling) => {
      const field = fieldOf(filling.place);
      if (field === null) return;
      const list = out.get(field) ?? [];
      list.push(filling);
      out.set(field, list);
    };
    for (const by of side.files.flatMap((file) => file.functions)) {
      const { mappings } = use(handling, by);
      const values = use(flow, by);
      for (const mapping of mappings) {
        if (mapping.handle === null) continue;
        add({ by, place: mapping.handle, target: mapping.handleExpr, mappings: [mapping], isUnknown: false });
      }
      const byCall = new Map<Expr, Mapping>(mappings.map((mapping) => [mapping.call, mapping]));
      for (const { place, target, value, origins } of values.stores) {
        const from = origins.map(({ expr }) => byCall.get(expr)).filter((mapping) => mapping !== undefined);
        const isUnknown = from.length === 0 && !isNothing(value);
        add({ by, place, target: "kind" in target ? target : null, mappings: from, isUnknown });
      }
      for (const { call, api } of values.calls) {
        for (const arg of api === null ? call.args : []) {
          if (arg.kind !== "unary" || arg.op !== "&") continue;
          const place = values.canonical(arg.operand);
          add({ by, place, target: arg.operand, mappings: [], isUnknown: true });
        }
      }
    }
    return out;
  },
};

/** `0`, `DMA_MAPPING_ERROR`: the value of a field that holds no mapping. */
const isNothing = (value: Expr): boolean =>
  value.kind === "number" || (value.kind === "ident" && /^(?:NULL|DMA_MAPPING_ERROR)$/.test(value.name)) ||
  (value.kind === "cast" && isNothing(value.value)) || (value.kind === "unary" && value.op === "~");

/** `dma.tx_phys` of `priv->dma->tx_phys`: what tells a field apart where its struct is not shown. */
export const tailOf = (handle: string): string | null =>
  /(\w+(?:\[\])?\.\w+(?:\[\])?)$/.exec(handleKey(handle))?.[1] ?? null;

const fieldOf = (handle: string): string | null => /\.(\w+(?:\[\])?)$/.exec(handleKey(handle))?.[1] ?? null;

/** The member that an expression is, through `&`, casts and byte swaps; null when it is none. */
function fieldExpr(expr: Expr): (Expr & { kind: "member" }) | null {
  switch (expr.kind) {
    case "member":
      return expr;
    case "unary":
      return expr.op === "&" ? fieldExpr(expr.operand) : null;
    case "index":
      return fieldExpr(expr.object);
    case "cast":
      return fieldExpr(expr.value);
    case "call": {
      const [through] = PASSES.get(expr.name) ?? [];
      const arg = through === undefined ? undefined : expr.args[through];
      return arg === undefined ? null : fieldExpr(arg);
    }
    default:
      return null;
  }
}

/**
 * Whether the mappings that the patch shows of a field are all there are: it shows all of the file that declares the
 * struct; or the field of one and the same variable's object is meant here and there.
 */
export function isOneField(one: Use_, found: readonly Elsewhere[], fn: FunctionView, use: Use): boolean {
  const name = one.handleExpr === null ? null : structName(ownerType(one.handleExpr, fn, use));
  if (name === null) return false;
  const isShown = use.side.files.some((file) =>
    file.isWhole && (file.path.endsWith(".c") || file.diff.status === "created") &&
    file.unit.structs.some((struct) => struct.name === name)
  );
  const written = (expr: Expr | null, file: SourceFile) =>
    expr === null ? "" : file.textOf(expr).replace(/^&/, "");
  const own = written(one.handleExpr, fn.file);
  return isShown || (/^\w+(?:->|\.)\w+$/.test(own) &&
    found.every(({ mapping, by }) => written(mapping.handleExpr, by.file) === own));
}

/** The struct that holds the handle; null when its declaration is not shown. */
function ownerType(handle: Expr, fn: FunctionView, use: Use): string | null {
  const member = fieldExpr(handle);
  if (member === null) return null;
  return use(flow, fn).typeOf(member.object)?.replace(/[\s*]+$/, "") ?? null;
}
