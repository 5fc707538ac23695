/**
 * The paths through a function. A node is one evaluation: an expression, a declaration, one operand of a `&&`;
 * holes are nodes of their own, which may go anywhere. Knows no kernel function by name, apart from the
 * likely()/unlikely() hints. Pure.
 *
 * @module
 */

import type { At, Call, Declarator, Expr, FunctionNode, Stmt } from "./ast.ts";

/** A way from one node to the next; `when` is the outcome of a test that takes it. */
export interface Edge {
  readonly to: CfgNode;
  readonly when: boolean | null;
}

/** One evaluation. */
export interface CfgNode {
  readonly id: number;
  readonly kind: "entry" | "exit" | "expr" | "decl" | "test" | "each" | "switch" | "return" | "hole" | "join";
  readonly at: At;
  /** What is evaluated; null for entry, exit, hole, join, a bare return and a declaration. */
  readonly expr: Expr | null;
  readonly decl: Declarator | null;
  readonly succ: readonly Edge[];
  readonly pred: readonly CfgNode[];
  /** The loops that the node lies in, innermost last; a loop's own test lies in it. */
  readonly loops: readonly Stmt[];
}

/** A function's paths. `nodes[0]` is the entry; `exit` is reached by every return and by the end of the body. */
export interface Cfg {
  readonly nodes: readonly CfgNode[];
  readonly entry: CfgNode;
  readonly exit: CfgNode;
}

interface Building {
  id: number;
  kind: CfgNode["kind"];
  at: At;
  expr: Expr | null;
  decl: Declarator | null;
  succ: { to: Building; when: boolean | null }[];
  pred: Building[];
  loops: readonly Stmt[];
}

/** An end that is not tied to a successor yet. */
interface Loose {
  readonly from: Building;
  readonly when: boolean | null;
}

const TRANSPARENT_TEST = /^(?:un)?likely$|^WARN(?:_ON)?(?:_ONCE)?$|^BUG_ON$/;

/** The operand that decides a test: `unlikely(x)`, `!!x` and `WARN_ON(x)` are as true as x. */
export function testOperand(test: Expr): Expr {
  if (test.kind === "call" && TRANSPARENT_TEST.test(test.name) && test.args.length > 0) {
    return testOperand(test.args[0]!);
  }
  return test;
}

class Builder {
  readonly nodes: Building[] = [];
  private readonly entry: Building;
  private readonly exit: Building;
  private readonly labels = new Map<string, Building>();
  private readonly gotos: { from: Loose[]; label: string }[] = [];
  private loops: readonly Stmt[] = [];
  private breaks: Loose[][] = [];
  private continues: Building[] = [];
  private readonly cases: { head: Building; hasDefault: boolean }[] = [];

  constructor(private readonly fn: FunctionNode) {
    this.entry = this.node("entry", { start: fn.start, end: fn.start });
    this.exit = { ...this.bare("exit", { start: fn.end, end: fn.end }), id: -1 };
  }

  private bare(kind: CfgNode["kind"], at: At): Building {
    return { id: this.nodes.length, kind, at, expr: null, decl: null, succ: [], pred: [], loops: this.loops };
  }

  private node(
    kind: CfgNode["kind"],
    at: At,
    expr: Expr | null = null,
    decl: Declarator | null = null,
  ): Building {
    const node = { ...this.bare(kind, { start: at.start, end: at.end }), expr, decl };
    this.nodes.push(node);
    return node;
  }

  private tie(ends: readonly Loose[], to: Building): void {
    for (const end of ends) {
      end.from.succ.push({ to, when: end.when });
      to.pred.push(end.from);
    }
  }

  private then(ends: readonly Loose[], node: Building): Loose[] {
    this.tie(ends, node);
    return [{ from: node, when: null }];
  }

  build(): Cfg {
    let ends: Loose[] = [{ from: this.entry, when: null }];
    ends = this.stmt(this.fn.body, ends);
    this.tie(ends, this.exit);
    for (const jump of this.gotos) {
      // The label may stand in a hole, or be missing: the way is lost, and that is a hole too.
      const target = this.labels.get(jump.label);
      if (target !== undefined) this.tie(jump.from, target);
      else this.tie(this.then(jump.from, this.node("hole", jump.from[0]?.from.at ?? this.fn)), this.exit);
    }
    // A goto to any label may stand in a hole.
    const holes = this.nodes.filter((node) => node.kind === "hole");
    if (holes.length > 0 && this.labels.size > 0) {
      const lost = this.node("join", { start: this.fn.end, end: this.fn.end });
      for (const hole of holes) this.tie([{ from: hole, when: null }], lost);
      for (const label of this.labels.values()) this.tie([{ from: lost, when: null }], label);
    }
    this.exit.id = this.nodes.length;
    this.nodes.push(this.exit);
    return { nodes: this.nodes, entry: this.entry, exit: this.exit };
  }

  /** Both outcomes of a test, `&&`, `||` and `!` taken apart. */
  private test(expr: Expr, ends: readonly Loose[]): { yes: Loose[]; no: Loose[] } {
    const operand = testOperand(expr);
    if (operand.kind === "binary" && (operand.op === "&&" || operand.op === "||")) {
      const left = this.test(operand.left, ends);
      const right = this.test(operand.right, operand.op === "&&" ? left.yes : left.no);
      return operand.op === "&&"
        ? { yes: right.yes, no: [...left.no, ...right.no] }
        : { yes: [...left.yes, ...right.yes], no: right.no };
    }
    if (operand.kind === "unary" && operand.op === "!") {
      const inner = this.test(operand.operand, ends);
      return { yes: inner.no, no: inner.yes };
    }
    const node = this.node("test", operand, operand);
    this.tie(ends, node);
    if (operand.kind === "number" && operand.value !== null) {
      const end = [{ from: node, when: operand.value !== 0n }];
      return operand.value === 0n ? { yes: [], no: end } : { yes: end, no: [] };
    }
    return { yes: [{ from: node, when: true }], no: [{ from: node, when: false }] };
  }

  private stmts(body: readonly Stmt[], ends: Loose[]): Loose[] {
    for (const stmt of body) ends = this.stmt(stmt, ends);
    return ends;
  }

  private stmt(stmt: Stmt, ends: Loose[]): Loose[] {
    switch (stmt.kind) {
      case "block":
        return this.stmts(stmt.body, ends);
      case "expr":
        return this.then(ends, this.node("expr", stmt.expr, stmt.expr));
      case "decl":
        for (const name of stmt.names) ends = this.then(ends, this.node("decl", name, null, name));
        return ends;
      case "if": {
        const { yes, no } = this.test(stmt.test, ends);
        const after = this.stmt(stmt.yes, yes);
        return stmt.no === null ? [...after, ...no] : [...after, ...this.stmt(stmt.no, no)];
      }
      case "loop":
        return this.loop(stmt, ends);
      case "switch": {
        const head = this.node("switch", stmt.value, stmt.value);
        this.tie(ends, head);
        this.breaks.push([]);
        this.cases.push({ head, hasDefault: false });
        const fall = this.stmt(stmt.body, []);
        const { hasDefault } = this.cases.pop()!;
        const out = [...this.breaks.pop()!, ...fall];
        return hasDefault ? out : [...out, { from: head, when: null }];
      }
      case "case": {
        const within = this.cases.at(-1);
        const label = this.node("join", stmt);
        this.tie(ends, label);
        if (within === undefined) this.tie([{ from: this.entry, when: null }], label);
        else {
          this.tie([{ from: within.head, when: null }], label);
          if (stmt.value === null) within.hasDefault = true;
        }
        return this.stmts(stmt.body, [{ from: label, when: null }]);
      }
      case "label": {
        const label = this.node("join", { start: stmt.start, end: stmt.start });
        this.labels.set(stmt.name, label);
        const after = this.then(ends, label);
        return stmt.body === null ? after : this.stmt(stmt.body, after);
      }
      case "goto":
        this.gotos.push({ from: ends, label: stmt.label });
        return [];
      case "return":
        this.tie(this.then(ends, this.node("return", stmt, stmt.value)), this.exit);
        return [];
      case "break":
        if (this.breaks.length > 0) {
          this.breaks.at(-1)!.push(...ends);
          return [];
        }
        return this.then(ends, this.node("hole", stmt));
      case "continue":
        if (this.continues.length > 0) {
          this.tie(ends, this.continues.at(-1)!);
          return [];
        }
        return this.then(ends, this.node("hole", stmt));
      case "hole": {
        const hole = this.node("hole", stmt);
        this.tie(ends, hole);
        // What is not shown may return.
        this.tie([{ from: hole, when: null }], this.exit);
        return [{ from: hole, when: null }];
      }
    }
  }

  private loop(stmt: Stmt & { kind: "loop" }, ends: Loose[]): Loose[] {
    if (stmt.init !== null) ends = this.stmt(stmt.init, ends);
    const outer = this.loops;
    this.loops = [...outer, stmt];
    this.breaks.push([]);
    let after: Loose[];
    if (stmt.form === "do") {
      const top = this.node("join", { start: stmt.start, end: stmt.start });
      this.tie(ends, top);
      const next = this.node("join", { start: stmt.end, end: stmt.end });
      this.continues.push(next);
      this.tie(this.stmt(stmt.body, [{ from: top, when: null }]), next);
      this.continues.pop();
      const { yes, no } = stmt.test === null
        ? { yes: [{ from: next, when: null }], no: [] }
        : this.test(stmt.test, [{ from: next, when: null }]);
      this.tie(yes, top);
      after = no;
    } else {
      const top = this.node("join", { start: stmt.start, end: stmt.start });
      this.tie(ends, top);
      let yes: Loose[] = [{ from: top, when: null }];
      let no: Loose[] = [];
      if (stmt.form === "each" && stmt.test !== null) {
        const each = this.node("each", stmt.test, stmt.test);
        this.tie(yes, each);
        yes = [{ from: each, when: true }];
        no = [{ from: each, when: false }];
      } else if (stmt.test !== null) ({ yes, no } = this.test(stmt.test, yes));
      const next = stmt.step === null ? top : this.node("expr", stmt.step, stmt.step);
      if (next !== top) this.tie([{ from: next, when: null }], top);
      this.continues.push(next);
      this.tie(this.stmt(stmt.body, yes), next);
      this.continues.pop();
      after = no;
    }
    this.loops = outer;
    return [...after, ...this.breaks.pop()!];
  }
}

/** Builds the paths of a function. */
export function buildCfg(fn: FunctionNode): Cfg {
  return new Builder(fn).build();
}

/** What to do at a node during {@link search}: go on, stop this path, or stop everything with this node as hit. */
export type Verdict = "go" | "stop" | "hit";

/** What a search came across. */
export interface Found {
  /** The first node judged `hit`; null when there was none. */
  readonly hit: CfgNode | null;
  /** The nodes from the start (excluded) to the hit (included); the shortest such path. */
  readonly path: readonly CfgNode[];
  /** A hole was walked through on the way to nothing: absence proves nothing then. */
  readonly sawHole: boolean;
  /** The exit was reached on some path that was not stopped. */
  readonly sawExit: boolean;
}

/**
 * Follows all paths from `from` (not judged itself unless a loop comes back to it), nearest nodes first.
 *
 * @param edges Which ways to take out of a node; all of them unless told
 */
export function search(
  from: CfgNode,
  judge: (node: CfgNode) => Verdict,
  edges: (node: CfgNode) => readonly Edge[] = (node) => node.succ,
): Found {
  const before = new Map<CfgNode, CfgNode | null>();
  const queue: CfgNode[] = [];
  let sawHole = false;
  let sawExit = false;
  const push = (node: CfgNode, previous: CfgNode | null) => {
    if (before.has(node)) return;
    before.set(node, previous);
    queue.push(node);
  };
  for (const edge of edges(from)) push(edge.to, null);
  for (let i = 0; i < queue.length; i++) {
    const node = queue[i]!;
    const verdict = judge(node);
    if (verdict === "hit") {
      const path: CfgNode[] = [];
      for (let step: CfgNode | null | undefined = node; step != null; step = before.get(step)) {
        path.unshift(step);
      }
      return { hit: node, path, sawHole, sawExit };
    }
    if (verdict === "stop") continue;
    if (node.kind === "hole") sawHole = true;
    if (node.kind === "exit") sawExit = true;
    for (const edge of edges(node)) push(edge.to, node);
  }
  return { hit: null, path: [], sawHole, sawExit };
}

/** The call that an expression is, through casts and likely(). */
export function asCall(expr: Expr): Call | null {
  if (expr.kind === "call") {
    return TRANSPARENT_TEST.test(expr.name) && expr.args[0] ? asCall(expr.args[0]) : expr;
  }
  return expr.kind === "cast" ? asCall(expr.value) : null;
}
