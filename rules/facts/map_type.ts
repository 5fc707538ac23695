/**
 * What a function asks p2pdma about the route to a peer, and where each answer leads: the cases of a switch over the
 * map type, the branches of a comparison with it. Knows the values of enum pci_p2pdma_map_type; concludes nothing.
 *
 * @module
 */

import { type At, type Call, type Expr, type Stmt, walkStmt } from "../engine/ast.ts";
import { asCall, type CfgNode, search } from "../engine/cfg.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView } from "../engine/source.ts";
import type { Api } from "../kernel/types.ts";
import { type Flow, flow } from "./flow.ts";
import { outcomeOf } from "./outcome.ts";

/** The answers that matter: `UNKNOWN` is never returned (include/linux/pci-p2pdma.h). */
export const MAP_TYPES = ["NONE", "NOT_SUPPORTED", "BUS_ADDR", "THRU_HOST_BRIDGE"] as const;
/** One of them, without `PCI_P2PDMA_MAP_`. */
export type MapType = typeof MAP_TYPES[number];

/** Where the function goes on for some of the answers. */
export interface Way {
  readonly types: ReadonlySet<MapType>;
  /** The first node that is reached. */
  readonly to: CfgNode;
  /** The case label or the comparison. */
  readonly at: At;
  /** No case of the switch is for these answers. */
  readonly isLeftOver: boolean;
}

/** One question and its answers. */
export interface Question {
  readonly call: Call;
  readonly node: CfgNode;
  /** The switch statement; null for comparisons. */
  readonly within: Stmt | null;
  readonly ways: readonly Way[];
}

const PREFIX = "PCI_P2PDMA_MAP_";

function typeOf(expr: Expr | null): MapType | null {
  if (expr === null) return null;
  if (expr.kind === "cast") return typeOf(expr.value);
  if (expr.kind !== "ident" || !expr.name.startsWith(PREFIX)) return null;
  return MAP_TYPES.find((type) => expr.name === PREFIX + type) ?? null;
}

/** Derives them. */
export const mapTypes: Fact<readonly Question[], FunctionView> = {
  name: "map types",
  derive(fn, use) {
    const values = use(flow, fn);
    const out: Question[] = [];
    for (const { call, api, node } of values.calls) {
      if (api?.returns !== "map-type") continue;
      const { kept, tests } = outcomeOf(call, node, values);
      const switched = switchOver(fn, call, kept?.place ?? null, values);
      const ways = switched === null ? [] : casesOf(switched, values);
      for (const test of tests) {
        const type = typeOf(test.with);
        if (type === null || (test.op !== "==" && test.op !== "!=")) continue;
        const others = new Set(MAP_TYPES.filter((other) => other !== type));
        for (const edge of test.node.succ) {
          if (edge.when === null) continue;
          const is = edge.when === (test.op === "==");
          ways.push({
            types: is ? new Set([type]) : others,
            to: edge.to,
            at: test.expr,
            isLeftOver: false,
          });
        }
      }
      out.push({ call, node, within: switched, ways });
    }
    return out;
  },
};

type Switch = Stmt & { readonly kind: "switch" };

/** The switch whose value is the call, or the place that its result is kept in. */
function switchOver(fn: FunctionView, call: Call, place: string | null, values: Flow): Switch | null {
  let found: Switch | null = null;
  walkStmt(fn.node.body, {
    stmt: (stmt) => {
      if (stmt.kind !== "switch" || found !== null) return;
      const value = stmt.value.kind === "assign" ? stmt.value.value : stmt.value;
      if (asCall(value) === call || (place !== null && values.canonical(value) === place)) found = stmt;
      else if (place !== null && value.kind === "ident" && value.name === place) found = stmt;
    },
  });
  return found;
}

function casesOf(statement: Switch, values: Flow): Way[] {
  const head = values.cfg.nodes.find((node) =>
    node.kind === "switch" && node.at.start === statement.value.start && node.at.end === statement.value.end
  );
  if (head === undefined) return [];
  const cases: (Stmt & { readonly kind: "case" })[] = [];
  walkStmt(statement.body, {
    stmt: (stmt) => {
      if (stmt.kind === "case") cases.push(stmt);
    },
  });
  const ways: Way[] = [];
  const named = new Set<MapType>();
  let isPartly = false;
  walkStmt(statement.body, { stmt: (stmt) => void (isPartly ||= stmt.kind === "hole") });
  for (const { to } of head.succ) {
    const label = cases.find((stmt) => stmt.start === to.at.start && stmt.end === to.at.end);
    const type = label === undefined ? null : typeOf(label.value);
    if (type !== null) {
      named.add(type);
      ways.push({ types: new Set([type]), to, at: label!, isLeftOver: false });
    }
  }
  // Cases that are not shown may be for what is left.
  if (isPartly) return ways;
  const rest = new Set(MAP_TYPES.filter((type) => !named.has(type)));
  const fallback = cases.find((stmt) => stmt.value === null);
  for (const { to } of head.succ) {
    const isDefault = fallback !== undefined && to.at.start === fallback.start && to.at.end === fallback.end;
    const isLabel = cases.some((stmt) => stmt.start === to.at.start && stmt.end === to.at.end);
    if (isDefault) ways.push({ types: rest, to, at: fallback, isLeftOver: false });
    else if (!isLabel) ways.push({ types: rest, to, at: statement.value, isLeftOver: true });
  }
  return ways;
}

/** Whether the call maps one physical range or page: it never asks p2pdma, unlike dma_map_sg(). */
export const mapsRange = (api: Api | null): boolean =>
  api !== null && api.role === "map" &&
  (api.name === "dma_iova_link" || api.families.some((family) => RANGES.has(family)));

const RANGES: ReadonlySet<string> = new Set(["single", "resource", "phys"]);

/** `sg_dma_address(sg)` and `sg->dma_address` are one place. */
export const addressPlace = (place: string): string =>
  place.replace(
    /^sg_dma_address\((.+)\)$/,
    (_, sg: string) => sg.startsWith("&") ? `${sg.slice(1)}.dma_address` : `${sg}->dma_address`,
  );

/**
 * What is evaluated on the way for sure, before anything is decided again: the answer is all that is known there.
 * Nothing behind a test, a switch or a hole is among them.
 */
export function straightOn(from: CfgNode): readonly CfgNode[] {
  const seen: CfgNode[] = [];
  const see = (node: CfgNode) => {
    seen.push(node);
    return node.succ.length > 1 || node.kind === "hole" ? "stop" as const : "go" as const;
  };
  if (see(from) === "go") search(from, see);
  return seen;
}
