/**
 * How a function tests what a call returned: every comparison of the result on the ways from the call, and what the
 * branch that it takes does. Knows no kernel function by name.
 *
 * @module
 */

import { type Call, type Expr, partsOf, walkExpr } from "../engine/ast.ts";
import { type CfgNode, type Edge, search, testOperand } from "../engine/cfg.ts";
import type { Flow, Store } from "./flow.ts";

/** One question asked about a result. */
export interface Test {
  /** The comparison, or the result itself where it stands as a condition. */
  readonly expr: Expr;
  readonly node: CfgNode;
  /** `truth`: zero or not; otherwise the operator, with the result on the left. */
  readonly op: "truth" | "<" | "<=" | ">" | ">=" | "==" | "!=" | "err-value";
  /** What it is compared with; null for `truth` and `err-value`. */
  readonly with: Expr | null;
}

/** What becomes of a call's result. */
export interface Outcome {
  /** Where the result is kept; null: it is not. */
  readonly kept: Store | null;
  readonly tests: readonly Test[];
  /** The result is mentioned otherwise: returned, passed on, counted with. */
  readonly isUsed: boolean;
}

const FLIPPED: Readonly<Record<string, Test["op"]>> = {
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
  "==": "==",
  "!=": "!=",
};

/** The expression without casts and hints; of an assignment, the value. */
function bare(expr: Expr): Expr {
  const operand = testOperand(expr);
  if (operand.kind === "cast" || (operand.kind === "assign" && operand.op === "=")) {
    return bare(operand.value);
  }
  return operand;
}

/** A number, minus included; null when it is none. */
export function constant(expr: Expr): bigint | null {
  const operand = bare(expr);
  if (operand.kind === "number") return operand.value;
  if (operand.kind === "unary" && operand.op === "-") {
    const inner = constant(operand.operand);
    return inner === null ? null : -inner;
  }
  return operand.kind === "ident" && operand.name === "NULL" ? 0n : null;
}

/** Whether the expression is an error constant: `-ENOMEM`, `ERR_PTR(-EIO)`. */
export function isErrno(expr: Expr): boolean {
  let found = false;
  walkExpr(expr, (inner) => {
    if (inner.kind === "unary" && inner.op === "-" && inner.operand.kind === "ident") {
      found ||= /^E[A-Z0-9]+$/.test(inner.operand.name);
    }
  });
  return found;
}

/** Follows a call's result as far as the function shows it. */
export function outcomeOf(call: Call, node: CfgNode, values: Flow): Outcome {
  // What it puts into an argument is not what it returns.
  const isArgument = (target: unknown) =>
    call.args.some((arg) => arg === target || (arg.kind === "unary" && arg.operand === target));
  const kept =
    values.stores.find((store) =>
      store.op === "=" && bare(store.value) === call && !isArgument(store.target)
    ) ?? null;
  const tests: Test[] = [];
  let isUsed = false;
  const isResult = (expr: Expr): boolean => {
    const inner = bare(expr);
    if (inner === call) return true;
    if (kept === null || (inner.kind !== "ident" && inner.kind !== "member" && inner.kind !== "index")) {
      return false;
    }
    return values.canonical(inner) === kept.place || (inner.kind === "ident" && inner.name === kept.place);
  };
  const see = (expr: Expr, at: CfgNode, isCondition: boolean): void => {
    const inner = bare(expr);
    if (isCondition && isResult(expr)) {
      tests.push({ expr, node: at, op: "truth", with: null });
      return;
    }
    if (inner !== call && !isCondition && isResult(inner)) isUsed = true;
    switch (inner.kind) {
      case "unary":
        return see(inner.operand, at, inner.op === "!");
      case "binary": {
        if (inner.op === "&&" || inner.op === "||") {
          see(inner.left, at, true);
          return see(inner.right, at, true);
        }
        const op = FLIPPED[inner.op];
        if (op !== undefined) {
          if (isResult(inner.left)) {
            tests.push({ expr: inner, node: at, op: inner.op as Test["op"], with: inner.right });
            return see(inner.right, at, false);
          }
          if (isResult(inner.right)) {
            tests.push({ expr: inner, node: at, op, with: inner.left });
            return see(inner.left, at, false);
          }
        }
        see(inner.left, at, false);
        return see(inner.right, at, false);
      }
      case "conditional":
        see(inner.test, at, true);
        if (inner.yes !== null) see(inner.yes, at, false);
        return see(inner.no, at, false);
      case "assign":
        if (inner.op !== "=") see(inner.target, at, false);
        return see(inner.value, at, false);
      case "call":
        if (/^IS_ERR_VALUE$|^IS_ERR$/.test(inner.name) && inner.args[0] && isResult(inner.args[0])) {
          tests.push({ expr: inner, node: at, op: "err-value", with: null });
          return;
        }
        for (const arg of inner.args) see(arg, at, false);
        return;
      default:
        for (const part of partsOf(inner)) see(part, at, false);
    }
  };
  const visit = (at: CfgNode) => {
    const expr = at.expr ?? at.decl?.init ?? null;
    if (expr !== null) see(expr, at, at.kind === "test");
  };
  visit(node);
  if (kept !== null) {
    const overwrites = (at: CfgNode) =>
      at !== node && values.stores.some((store) => store.node === at && store.place === kept.place);
    search(node, (at) => {
      if (at !== node) visit(at);
      return overwrites(at) ? "stop" : "go";
    });
  }
  return { kept, tests, isUsed };
}

/** Whether the result kept at `place` may have been set by something else when `at` is reached. */
export function isMixed(outcome: Outcome, call: CfgNode, at: CfgNode, values: Flow): boolean {
  const { kept } = outcome;
  if (kept === null || at === call) return false;
  return values.stores.some((store) =>
    store !== kept && store.place === kept.place && store.node !== call &&
    (store.node === at ||
      search(
          store.node,
          (node) =>
            node === at
              ? "hit"
              : node === call || values.stores.some((s) => s.node === node && s.place === kept.place)
              ? "stop"
              : "go",
        )
          .hit !== null)
  );
}

/** Whether the way straight on from an edge, before it forks or meets another, sets or returns an error. */
export function leadsToError(edge: Edge): boolean {
  let node = edge.to;
  for (let steps = 0; steps < 8; steps++) {
    if (node.kind === "hole" || node.kind === "test" || node.kind === "exit" || node.pred.length > 1) {
      return false;
    }
    if (node.kind === "return") return node.expr !== null && isErrno(node.expr);
    if (node.expr?.kind === "assign" && isErrno(node.expr.value)) return true;
    const next = node.succ[0];
    if (next === undefined || node.succ.length > 1) return false;
    node = next.to;
  }
  return false;
}

/** Whether a test decides that the node is reached, other than one that ends in an error. */
export function isGoverned(target: CfgNode, values: Flow): boolean {
  return values.cfg.nodes.some((node) => {
    if (node.kind !== "test" && node.kind !== "switch") return false;
    const leads = node.succ.map((edge) =>
      edge.to === target ||
      search(edge.to, (at) => at === target ? "hit" : at === node ? "stop" : "go").hit !== null
    );
    if (!leads.includes(true) || !leads.includes(false)) return false;
    return node.succ.some((edge, i) => !leads[i] && !leadsToError(edge));
  });
}
