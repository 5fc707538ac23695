/**
 * Which ways out of a test mean that a mapping failed, and which ways a path can take without contradicting a test
 * that it has already passed.
 *
 * @module
 */

import { type Call, type Expr, walkExpr } from "../engine/ast.ts";
import { type Cfg, type CfgNode, type Edge, search } from "../engine/cfg.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";
import type { Failure } from "../kernel/types.ts";
import { type Flow, flow, mentions } from "./flow.ts";
import { handling, type Mapping } from "./mappings.ts";
import { constant, outcomeOf, type Test } from "./outcome.ts";

/** The way out of `test` that is taken when the mapping failed. */
export interface FailureEdge {
  readonly mapping: Mapping;
  readonly test: CfgNode;
  readonly edge: Edge;
  /** The comparison. */
  readonly on: Expr;
}

/** Where a function learns that one of its mappings failed. */
export const failures: Fact<readonly FailureEdge[], FunctionView> = {
  name: "failures",
  derive(fn, use) {
    const values = use(flow, fn);
    const { mappings, checks } = use(handling, fn);
    const out: FailureEdge[] = [];
    for (const mapping of mappings) {
      if (mapping.api.failure !== "mapping-error") {
        for (const found of failing(mapping.call, mapping.node, mapping.api.failure, values)) {
          out.push({ mapping, ...found });
        }
        continue;
      }
      for (const check of checks) {
        if (check.handle === null || check.handle !== mapping.handle) continue;
        if (!leads(mapping, check.node, values)) continue;
        for (const found of failing(check.call, check.node, "errno", values)) out.push({ mapping, ...found });
      }
    }
    return out;
  },
};

/** Whether `to` is reached from the mapping before its handle is written again. */
function leads(mapping: Mapping, to: CfgNode, values: Flow): boolean {
  if (mapping.node === to) return true;
  const again = new Set(
    values.stores.filter((s) => s.place === mapping.handle && s.node !== mapping.node && s.op === "=").map((
      s,
    ) => s.node),
  );
  return search(mapping.node, (node) => node === to ? "hit" : again.has(node) ? "stop" : "go").hit !== null;
}

/** The failing ways out of the tests on what `call` returned. */
function failing(
  call: Call,
  node: CfgNode,
  failure: Failure,
  values: Flow,
): { test: CfgNode; edge: Edge; on: Expr }[] {
  const out: { test: CfgNode; edge: Edge; on: Expr }[] = [];
  for (const test of outcomeOf(call, node, values).tests) {
    if (test.node.kind !== "test") continue;
    const when = failingOutcome(test, failure);
    const edge = when === null ? undefined : test.node.succ.find((way) => way.when === when);
    if (edge !== undefined) out.push({ test: test.node, edge, on: test.expr });
  }
  return out;
}

/** The outcome of a test that means failure; null when it does not tell. */
function failingOutcome(test: Test, failure: Failure): boolean | null {
  const failsWhenZero = failure === "zero" || failure === "null" || failure === "false";
  // An error pointer is as true as any other.
  if (test.op === "truth") return failure === "err-ptr" || failure === "never" ? null : !failsWhenZero;
  if (test.op === "err-value") return failure === "err-ptr" ? true : null;
  if (test.with === null || constant(test.with) !== 0n) return null;
  switch (test.op) {
    case "==":
      return failsWhenZero;
    case "!=":
      return !failsWhenZero;
    case "<":
      return failsWhenZero ? null : true;
    case "<=":
      return failsWhenZero ? true : null;
    case ">":
      return failsWhenZero ? false : null;
    case ">=":
      return failsWhenZero ? null : false;
  }
}

/** A test as text and the outcome that it stands for: `a != b` is `a == b` turned round. */
function condition(
  node: CfgNode,
  file: SourceFile,
): { readonly text: string; readonly turned: boolean } | null {
  if (node.kind !== "test" || node.expr === null) return null;
  const expr = node.expr;
  if (expr.kind === "binary" && expr.op === "!=") {
    return { text: `${file.textOf(expr.left)} == ${file.textOf(expr.right)}`, turned: true };
  }
  return { text: file.textOf(expr), turned: false };
}

/** A test, and the nodes that only one of its outcomes leads to. */
interface Decision {
  readonly text: string;
  readonly turned: boolean;
  /** By outcome: what is reached then, and not without the test. */
  readonly only: ReadonlyMap<boolean, ReadonlySet<CfgNode>>;
}

const decisions = new WeakMap<Cfg, readonly Decision[]>();

/** Tests that call a function may answer differently the second time; they are not counted on. */
function decisionsOf(cfg: Cfg, file: SourceFile): readonly Decision[] {
  const known = decisions.get(cfg);
  if (known !== undefined) return known;
  const out: Decision[] = [];
  const tests = cfg.nodes.filter((node) => node.kind === "test" && node.succ.length === 2);
  // Each test costs a walk over the function: in one with thousands of them nothing is promised.
  for (const node of tests.length > MAX_TESTS ? [] : tests) {
    const test = condition(node, file);
    if (test === null || /\w\s*\(/.test(test.text)) continue;
    const [a, b] = node.succ;
    const without = reached(cfg.entry, node);
    const [fromA, fromB] = [reached(a!.to, node), reached(b!.to, node)];
    const exclusive = (own: ReadonlySet<CfgNode>, other: ReadonlySet<CfgNode>) =>
      new Set([...own].filter((n) => !other.has(n) && !without.has(n)));
    out.push({
      ...test,
      only: new Map([[a!.when === true, exclusive(fromA, fromB)], [
        b!.when === true,
        exclusive(fromB, fromA),
      ]]),
    });
  }
  decisions.set(cfg, out);
  return out;
}

const MAX_TESTS = 400;

/**
 * The ways out of a node that do not contradict what must have been tested to reach `from`.
 */
export function consistent(cfg: Cfg, from: CfgNode, file: SourceFile): (node: CfgNode) => readonly Edge[] {
  const known = new Map<string, { holds: boolean; at: ReadonlySet<CfgNode> }>();
  for (const { text, turned, only } of decisionsOf(cfg, file)) {
    for (const [outcome, nodes] of only) {
      if (!nodes.has(from) || writesPartOf(from, text, file)) continue;
      // Where nothing that the test reads can have stayed as it was, it is to be asked anew.
      const at = new Set<CfgNode>();
      search(from, (node) => {
        at.add(node);
        return writesPartOf(node, text, file) ? "stop" : "go";
      });
      known.set(text, { holds: outcome !== turned, at });
    }
  }
  return (node) => {
    const test = known.size === 0 ? null : condition(node, file);
    const outcome = test === null ? undefined : known.get(test.text);
    if (outcome === undefined || !outcome.at.has(node)) return node.succ;
    return node.succ.filter((edge) => (edge.when !== test!.turned) === outcome.holds);
  };
}

function writesPartOf(node: CfgNode, text: string, file: SourceFile): boolean {
  return writtenAt(node, file).some((name) => /\W/.test(name) ? text.includes(name) : mentions(text, name));
}

const writes = new WeakMap<CfgNode, readonly string[]>();

/** The texts of all that a node assigns, counts or passes by address. */
function writtenAt(node: CfgNode, file: SourceFile): readonly string[] {
  let out = writes.get(node);
  if (out !== undefined) return out;
  const found: string[] = [];
  if (node.decl !== null) found.push(node.decl.name);
  for (const top of [node.expr, node.decl?.init ?? null]) {
    if (top === null) continue;
    walkExpr(top, (expr) => {
      if (expr.kind === "assign") found.push(file.textOf(expr.target));
      else if (expr.kind === "update") found.push(file.textOf(expr.operand));
      else if (expr.kind === "call") {
        for (const arg of expr.args) {
          if (arg.kind === "unary" && arg.op === "&") found.push(file.textOf(arg.operand));
        }
      }
    });
  }
  writes.set(node, out = found);
  return out;
}

/** Everything reached from `from` (included) without passing `without`. */
function reached(from: CfgNode, without: CfgNode): ReadonlySet<CfgNode> {
  const seen = new Set<CfgNode>();
  if (from === without) return seen;
  seen.add(from);
  search(from, (node) => {
    if (node === without) return "stop";
    seen.add(node);
    return "go";
  });
  return seen;
}
