/**
 * Address-space inference: for every expression of a function, what kind of value it is, which device or BAR it
 * belongs to and how it got there. A forward analysis over the function's paths; the kernel tables say what calls
 * mean. What a hole hides is unknown, never assumed.
 *
 * @module
 */

import {
  type At,
  type Call,
  type Declarator,
  type Expr,
  partsOf,
  type Stmt,
  walkExpr,
  walkStmt,
} from "../engine/ast.ts";
import { buildCfg, type Cfg, type CfgNode } from "../engine/cfg.ts";
import type { Fact, Side, Use } from "../engine/fact.ts";
import type { FunctionView, SourceFile } from "../engine/source.ts";
import { API, LOAD, PASSES, STORE } from "../kernel/mod.ts";

import { BAR_NAME, FIELDS } from "../kernel/names.ts";
import { GETTER } from "../kernel/shape.ts";
import type { Store as Store_ } from "../kernel/hardware.ts";
import type { Api, Meaning } from "../kernel/types.ts";
import { isAddress, isPhys, type Origin, type Step, union } from "./origin.ts";
import { type Binding, State } from "./state.ts";
import { Gathered, type Known } from "./known.ts";
import { fieldType, type Types, types } from "./types.ts";

/** A call and where it is evaluated. */
export interface CallSite {
  readonly call: Call;
  readonly api: Api | null;
  readonly node: CfgNode;
}

/** An assignment, or an initialised declaration. */
export interface Store {
  /** The place written, in normal form: `priv->dma`, `sg_dma_address(sgl)`. */
  readonly place: string;
  readonly target: Expr | Declarator;
  readonly value: Expr;
  readonly op: string;
  readonly node: CfgNode;
  readonly origins: readonly Origin[];
}

/** A field that a function reads. */
interface FieldRead {
  /** The struct's name; null when it is not known. */
  readonly struct: string | null;
  /** The struct is the file's own. */
  readonly isOwn: boolean;
  /** The struct's declaration is shown: a field of the same name elsewhere is another one. */
  readonly isShown: boolean;
  readonly field: string;
}

/** What is known of a function's values. */
export interface Flow {
  readonly cfg: Cfg;
  /** Every call, in the order of the text. */
  readonly calls: readonly CallSite[];
  readonly stores: readonly Store[];
  readonly returns: readonly {
    readonly value: Expr;
    readonly node: CfgNode;
    readonly origins: readonly Origin[];
  }[];
  /** The fields that are read and not set here: what others put into them matters. */
  readonly reads: readonly FieldRead[];
  /** What the expression may be; empty: not known. */
  valueOf(expr: Expr): readonly Origin[];
  /** The expression's normal form where it stands, local aliases followed: `&pdev->dev`. */
  canonical(expr: Expr): string;
  /** Where the expression is evaluated; null when no path reaches it. */
  nodeOf(expr: Expr): CfgNode | null;
  /** Its C type as far as the patch shows it: `struct device *`; null when not known. */
  typeOf(expr: Expr): string | null;
}

const NOTHING: readonly Origin[] = [];
const NO_BINDING: Binding = { origins: NOTHING, alias: null };
const MAX_ALIAS = 160;
const MAX_FORM_TEXT = 800;
/** Entries copied before a function is given up: about a second. The kernel's own functions stay far below. */
const MAX_WORK = 600_000;

/** `list[i].dma` and `list[j].dma` are elements of one array: the form in which pairs are looked for. */
export const general = (place: string): string => place.replace(/\[[^\]]*\]/g, "[]");

/** `dma` of `foo->ring[i].dma[j]`: what a place is called, whoever's it is. */
export const lastName = (place: string): string => /(\w+)(?:\[[^\]]*\])*$/.exec(place)?.[1] ?? place;

/** Whether `name` stands as a word in a normal form. */
export function mentions(form: string, name: string): boolean {
  if (name === "") return false; // a parameter without a name
  for (let i = form.indexOf(name); i !== -1; i = form.indexOf(name, i + 1)) {
    const before = form.charCodeAt(i - 1);
    const after = form.charCodeAt(i + name.length);
    // A field of that name is somebody else.
    if (!isWord(before) && !isWord(after) && form[i - 1] !== "." && form.slice(i - 2, i) !== "->") {
      return true;
    }
  }
  return false;
}
const isWord = (c: number) =>
  (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || c === 95 || (c >= 97 && c <= 122);

/** `x` of `*x`, in normal form. */
export function deref(form: string): string {
  return form.startsWith("&") ? form.slice(1) : `*${form}`;
}

const memberForm = (object: string, field: string, arrow: boolean): string =>
  arrow
    ? object.startsWith("&") ? `${object.slice(1)}.${field}` : `${object}->${field}`
    : object.startsWith("*") && /^\*[\w.>-]+$/.test(object)
    ? `${object.slice(1)}->${field}`
    : `${object}.${field}`;

class Analysis implements Flow {
  readonly cfg: Cfg;
  readonly calls: CallSite[] = [];
  readonly stores: Store[] = [];
  readonly returns: { value: Expr; node: CfgNode; origins: readonly Origin[] }[] = [];
  private readonly fields = new Map<string, FieldRead>();
  private readonly values = new Map<Expr, readonly Origin[]>();
  private readonly forms = new Map<Expr, string>();
  private readonly at = new Map<Expr, CfgNode>();
  private readonly locals: ReadonlyMap<string, Declarator>;
  private readonly file: SourceFile;
  /** The function was too much: nothing is known of its values. */
  isGivenUp = false;
  private isRecording = false;
  private node: CfgNode;

  constructor(
    private readonly fn: FunctionView,
    private readonly types: Types,
    private readonly known: Known | null,
  ) {
    this.file = fn.file;
    this.cfg = buildCfg(fn.node);
    this.node = this.cfg.entry;
    this.locals = localsOf(fn);
    this.run();
  }

  get reads(): readonly FieldRead[] {
    return [...this.fields.values()];
  }

  valueOf(expr: Expr): readonly Origin[] {
    return this.values.get(expr) ?? NOTHING;
  }

  canonical(expr: Expr): string {
    return this.forms.get(expr) ?? this.form(expr, State.empty({ left: 0 }));
  }

  nodeOf(expr: Expr): CfgNode | null {
    return this.at.get(expr) ?? null;
  }

  typeOf(expr: Expr): string | null {
    switch (expr.kind) {
      case "ident":
        return (this.locals.get(expr.name) ?? this.types.global(expr.name))?.type ?? null;
      case "member":
        return this.field(expr)?.type ?? null;
      case "cast":
        return expr.type;
      case "index": {
        const type = this.typeOf(expr.object);
        return type === null ? null : type.replace(/(?:\[\]|\s*\*)$/, "");
      }
      case "unary": {
        const type = this.typeOf(expr.operand);
        if (type === null) return null;
        if (expr.op === "&") return /\*$/.test(type) ? `${type}*` : `${type} *`;
        return expr.op === "*" ? type.replace(/(?:\[\]|\s*\*)$/, "") : type;
      }
      default:
        return null;
    }
  }

  private field(expr: Expr & { kind: "member" }): Declarator | null {
    return fieldType(this.types, this.typeOf(expr.object), expr.field);
  }

  /** Iterates to a fixed point, then walks once more to write down what was found. */
  private run(): void {
    const { nodes, entry } = this.cfg;
    const states = new Array<State | undefined>(nodes.length);
    const purse = { left: MAX_WORK };
    states[entry.id] = State.empty(purse);
    // In the order of the text, which is nearly the order of the paths, until nothing changes any more.
    const dirty = new Uint8Array(nodes.length);
    dirty[entry.id] = 1;
    for (let isChanged = true; isChanged && purse.left > 0;) {
      isChanged = false;
      for (const node of nodes) {
        if (dirty[node.id] === 0 || purse.left <= 0) continue;
        dirty[node.id] = 0;
        const out = this.transfer(node, states[node.id]!);
        for (const { to } of node.succ) {
          const old = states[to.id];
          const merged = old === undefined ? out.fork() : old.join(out);
          if (merged === old) continue;
          states[to.id] = merged;
          dirty[to.id] = 1;
          isChanged = true;
        }
      }
    }
    if (purse.left <= 0) {
      this.isGivenUp = true; // Too much for one function: nothing is known of it.
      return;
    }
    this.isRecording = true;
    for (const node of nodes) {
      const state = states[node.id];
      if (state !== undefined) this.transfer(node, state);
    }
    this.calls.sort((a, b) => a.call.start - b.call.start);
  }

  private transfer(node: CfgNode, before: State): State {
    this.node = node;
    const state = before.fork();
    if (node.decl !== null) {
      const { decl } = node;
      if (decl.init !== null) {
        const origins = this.eval(decl.init, state);
        this.store(decl.name, decl, decl.init, "=", origins, state);
      } else this.forget(decl.name, state);
    }
    if (node.expr !== null) {
      const origins = this.eval(node.expr, state);
      if (node.kind === "each") this.each(node.expr, state);
      if (node.kind === "return" && this.isRecording) {
        this.returns.push({ value: node.expr, node, origins });
      }
    }
    return state;
  }

  /** A loop macro sets its cursor anew each time round. */
  private each(expr: Expr, state: State): void {
    if (expr.kind !== "call") return;
    const isSg = /_sg|sgtable/.test(expr.name);
    for (const arg of isSg ? expr.args.slice(1) : expr.args.slice(0, 2)) {
      if (arg.kind === "ident" && this.locals.has(arg.name)) this.forget(arg.name, state);
    }
  }

  private forget(name: string, state: State): void {
    for (const [place, binding] of state) {
      if (mentions(place, name)) state.delete(place);
      else if (binding.alias !== null && mentions(binding.alias, name)) {
        state.set(place, { origins: binding.origins, alias: null });
      }
    }
  }

  private store(
    place: string,
    target: Expr | Declarator,
    value: Expr,
    op: string,
    origins: readonly Origin[],
    state: State,
  ): void {
    const name = !("kind" in target) ? target.name : target.kind === "ident" ? target.name : null;
    let alias = op === "=" && isPath(value) ? this.form(value, state) : null;
    // `p = p->next`, `x->a = x->a->b`: what stands for itself would grow with every round.
    const isOwn = alias !== null && (name === null ? alias.startsWith(place) : mentions(alias, name));
    if (isOwn || (alias !== null && alias.length > MAX_ALIAS)) alias = null;
    if (name !== null) this.forget(name, state);
    const stepped = origins.map((origin) => this.step(origin, target, place));
    state.set(place, { origins: stepped, alias });
    if (this.isRecording) this.stores.push({ place, target, value, op, node: this.node, origins });
  }

  private step(origin: Origin, at: At, place: string): Origin {
    const last = origin.steps.at(-1);
    if (last !== undefined && last.at.start === at.start && last.file === this.file) return origin;
    if (origin.steps.some((step) => step.at.start === at.start && step.file === this.file)) return origin;
    const step: Step = { file: this.file, at, note: `stored in \`${place}\`` };
    return { ...origin, steps: [...origin.steps, step] };
  }

  private origin(meaning: Origin["meaning"], expr: Expr, api: string, more: Partial<Origin> = {}): Origin {
    return {
      meaning,
      certainty: "exact",
      expr,
      file: this.file,
      api,
      device: null,
      owner: null,
      index: -1,
      viaField: false,
      steps: [],
      ...more,
    };
  }

  /** The value of `expr` in `state`, which assignments inside of it change. */
  private eval(expr: Expr, state: State): readonly Origin[] {
    const origins = this.compute(expr, state);
    if (this.isRecording) {
      const before = this.values.get(expr);
      this.values.set(expr, before === undefined ? origins : union(before, origins));
      if (!this.forms.has(expr)) this.forms.set(expr, this.form(expr, state));
      if (!this.at.has(expr)) this.at.set(expr, this.node);
    }
    return origins;
  }

  private compute(expr: Expr, state: State): readonly Origin[] {
    switch (expr.kind) {
      case "ident": {
        const decl = this.locals.get(expr.name) ?? null;
        const bound = state.get(expr.name);
        return bound === undefined ? this.declared(expr, decl) : this.orByType(bound.origins, expr, decl);
      }
      case "member":
        this.eval(expr.object, state);
        return this.member(expr, state);
      case "index": {
        this.eval(expr.object, state);
        this.eval(expr.index, state);
        return state.get(this.form(expr, state))?.origins ?? NOTHING;
      }
      case "unary": {
        const inner = this.eval(expr.operand, state);
        if (expr.op === "*") return state.get(this.form(expr, state))?.origins ?? NOTHING;
        if (expr.op === "&") return this.addressOf(expr, state);
        return expr.op === "+" ? inner : NOTHING;
      }
      case "update": {
        const inner = this.eval(expr.operand, state);
        if (expr.operand.kind === "ident") {
          const binding = state.get(expr.operand.name) ?? NO_BINDING;
          this.forget(expr.operand.name, state);
          state.set(expr.operand.name, { origins: binding.origins, alias: null });
        }
        return inner;
      }
      case "cast":
        return this.eval(expr.value, state);
      case "binary":
        return this.binary(expr.op, this.eval(expr.left, state), this.eval(expr.right, state), expr);
      case "conditional": {
        const test = this.eval(expr.test, state);
        const yes = expr.yes === null ? test : this.eval(expr.yes, state);
        return union(yes, this.eval(expr.no, state));
      }
      case "assign": {
        let origins = this.eval(expr.value, state);
        if (expr.op !== "=") {
          origins = this.binary(expr.op.slice(0, -1), this.eval(expr.target, state), origins, expr);
        } else this.target(expr.target, state);
        this.store(this.form(expr.target, state, true), expr.target, expr.value, expr.op, origins, state);
        return origins;
      }
      case "comma": {
        let last: readonly Origin[] = NOTHING;
        for (const item of expr.items) last = this.eval(item, state);
        return last;
      }
      case "call":
        return this.call(expr, state);
      case "statement-expr":
        return this.block(expr.body, state);
      default:
        for (const part of partsOf(expr)) this.eval(part, state);
        return NOTHING;
    }
  }

  /** The last value of a `({ … })`; its inner paths are taken as one straight line. */
  private block(body: Stmt, state: State): readonly Origin[] {
    let last: readonly Origin[] = NOTHING;
    walkStmt(body, {
      stmt: (stmt) => {
        if (stmt.kind !== "decl") return;
        for (const name of stmt.names) {
          if (name.init !== null) {
            this.store(name.name, name, name.init, "=", this.eval(name.init, state), state);
          }
        }
      },
      expr: (inner) => last = this.eval(inner, state),
    });
    return last;
  }

  /** Evaluates what a target's own parts need, without reading the target. */
  private target(expr: Expr, state: State): void {
    if (expr.kind === "ident") {
      if (this.isRecording && !this.forms.has(expr)) {
        this.forms.set(expr, expr.name);
        this.at.set(expr, this.node);
      }
      return;
    }
    if (this.isRecording) {
      if (!this.forms.has(expr)) this.forms.set(expr, this.form(expr, state, true));
      if (!this.at.has(expr)) this.at.set(expr, this.node);
    }
    for (const part of partsOf(expr)) this.eval(part, state);
  }

  /** What a declaration says of a value that nothing was assigned to here. */
  private declared(expr: Expr, decl: Declarator | null): readonly Origin[] {
    const name = nameOf(expr);
    if (expr.kind === "ident") {
      const index = this.fn.node.params.findIndex((param) => param.name === expr.name);
      if (index !== -1 && decl !== null) {
        const meaning = meaningOfType(decl);
        const param = this.origin("param", expr, decl.type, { index, certainty: "declared" });
        if (meaning === null) return this.byName(expr, name, decl, [param]);
        return [this.origin(meaning, expr, decl.type, { certainty: "declared" }), param];
      }
    }
    const meaning = decl === null ? null : meaningOfType(decl);
    // The declared phys_addr_t of a field named like a BAR is still a BAR by name.
    if (meaning === null || meaning === "phys") {
      const named = this.byName(expr, name, decl, NOTHING);
      if (named.length > 0) return named;
    }
    if (meaning === null) return NOTHING;
    return [this.origin(meaning, expr, decl!.type, { certainty: "declared" })];
  }

  /** What was stored is not known: the declared type still holds. */
  private orByType(origins: readonly Origin[], expr: Expr, decl: Declarator | null): readonly Origin[] {
    if (origins.length > 0 || decl === null) return origins;
    const meaning = meaningOfType(decl);
    return meaning === null ? NOTHING : [this.origin(meaning, expr, decl.type, { certainty: "declared" })];
  }

  private byName(
    expr: Expr,
    name: string,
    decl: Declarator | null,
    otherwise: readonly Origin[],
  ): readonly Origin[] {
    if (!BAR_NAME.test(name)) return otherwise;
    if (decl !== null && (/\*|\[|\bstruct\b/.test(decl.type) || decl.isMmio)) return otherwise;
    return [this.origin("phys-bar", expr, name, { certainty: "name" }), ...otherwise];
  }

  private member(expr: Expr & { kind: "member" }, state: State): readonly Origin[] {
    const form = this.form(expr, state);
    const known = state.get(form);
    if (known !== undefined) return this.orByType(known.origins, expr, this.field(expr));
    const object = this.form(expr.object, state);
    if (expr.field === "start" || expr.field === "end") {
      // struct resource: whose it is decides what its start is.
      const bar = /^&?(.+?)(?:->|\.)resource\[/.exec(object) ?? /^pci_resource_n\((.+?), /.exec(object);
      if (bar !== null && !/^platform|^res/.test(bar[1]!)) {
        return [this.origin("phys-bar", expr, "resource[].start", { owner: bar[1]! })];
      }
      const resource = this.valueOrState(expr.object, state).find((origin) => origin.meaning === "resource");
      if (resource !== undefined) {
        return [this.origin("phys-mmio", expr, resource.api, { steps: resource.steps })];
      }
      if (/^(?:struct )?resource\b/.test(this.typeOf(expr.object) ?? "")) {
        return [this.origin("phys", expr, "struct resource", { certainty: "declared" })];
      }
    }
    if (expr.field === "dma_address") return [this.origin("dma", expr, "sg->dma_address")];
    const decl = this.field(expr);
    const fromField = this.fieldOrigins(expr);
    if (fromField.length > 0) return fromField;
    const struct = structName(this.typeOf(expr.object));
    const fixed = struct === null ? undefined : FIXED.get(`${struct}.${expr.field}`);
    if (fixed !== undefined) {
      return [this.origin(fixed, expr, `struct ${struct}`, { certainty: "declared" })];
    }
    return this.declared(expr, decl);
  }

  private valueOrState(expr: Expr, state: State): readonly Origin[] {
    if (expr.kind === "unary" && expr.op === "&") {
      return state.get(this.form(expr.operand, state))?.origins ?? NOTHING;
    }
    return state.get(this.form(expr, state, true))?.origins ?? this.values.get(expr) ?? NOTHING;
  }

  /** What other functions of the patch put into this field. */
  private fieldOrigins(expr: Expr & { kind: "member" }): readonly Origin[] {
    const struct = structName(this.typeOf(expr.object));
    const key = `${struct ?? ""}.${expr.field}`;
    let read = this.fields.get(key);
    if (read === undefined) {
      const isShown = struct !== null && this.types.struct(struct) !== null;
      const isOwn = struct !== null && this.types.isOwn(struct);
      this.fields.set(key, read = { struct, isOwn, isShown, field: expr.field });
    }
    return this.known === null ? NOTHING : putInto(read, this.file, this.known);
  }

  private addressOf(expr: Expr, state: State): readonly Origin[] {
    if (expr.kind !== "unary") return NOTHING;
    const operand = expr.operand;
    if (operand.kind === "ident") {
      const decl = this.locals.get(operand.name);
      const isParam = this.fn.node.params.some((param) => param.name === operand.name);
      if (decl !== undefined && !isParam && !/^static\b/.test(decl.type)) {
        return [this.origin("kva-stack", expr, decl.type)];
      }
    }
    if (operand.kind === "index") return this.eval(operand.object, state);
    return NOTHING;
  }

  private binary(
    op: string,
    left: readonly Origin[],
    right: readonly Origin[],
    expr: Expr,
  ): readonly Origin[] {
    const has = (side: readonly Origin[], meaning: Meaning) =>
      side.find((origin) => origin.meaning === meaning);
    const steps = [...left, ...right].flatMap((origin) => origin.steps).slice(0, 4);
    if (op === "-") {
      const bus = has(left, "pci-bus") ?? has(right, "pci-bus");
      const bar = has(right, "phys-bar") ?? has(left, "phys-bar");
      if (bus !== undefined && bar !== undefined) {
        return [this.origin("bus-offset", expr, has(left, "pci-bus") ? "bus-phys" : "phys-bus", {
          owner: bus.owner,
          steps,
        })];
      }
      // A difference of two addresses of one space is a length.
      if (left.some(isAddress) && right.some(isAddress)) return NOTHING;
    }
    if (op === "+" || op === "-") {
      const offset = has(left, "bus-offset") ?? has(right, "bus-offset");
      const phys = left.find(isPhys) ?? right.find(isPhys);
      if (offset !== undefined && phys !== undefined) {
        return [this.origin("pci-bus", expr, "bus offset by hand", { owner: offset.owner, steps })];
      }
    }
    switch (op) {
      case "+":
      case "-":
      case "|":
      case "^":
        return union(left.filter(carries), op === "-" ? NOTHING : right.filter(carries));
      case "&":
        // The offset in a page is no address any more.
        if (expr.kind === "binary" && (isLowMask(expr.left) || isLowMask(expr.right))) return NOTHING;
        return union(left.filter(isAddress), right.filter(isAddress));
      case ">>": {
        const pages = this.isPageShift(expr);
        return left.filter(isAddress).map((origin) =>
          pages && isPhys(origin) ? { ...origin, meaning: "pfn" as const } : origin
        );
      }
      case "<<":
        return left.filter((origin) => isAddress(origin) || origin.meaning === "pfn").map((origin) =>
          origin.meaning === "pfn" ? { ...origin, meaning: "phys" as const } : origin
        );
      default:
        return NOTHING;
    }
  }

  private isPageShift(expr: Expr): boolean {
    const right = expr.kind === "binary" ? expr.right : expr.kind === "assign" ? expr.value : null;
    return right?.kind === "ident" && /PAGE_SHIFT$/.test(right.name);
  }

  private call(expr: Call, state: State): readonly Origin[] {
    if (expr.name === "") this.eval(expr.callee, state);
    const args = expr.args.map((arg) => this.eval(arg, state));
    const api = API.get(expr.name) ?? null;
    if (this.isRecording) this.calls.push({ call: expr, api, node: this.node });
    const through = PASSES.get(expr.name);
    if (through !== undefined) {
      return through.reduce<readonly Origin[]>(
        (all, i) => union(all, (args[i] ?? NOTHING).filter(carries)),
        NOTHING,
      );
    }
    const stores = STORE.get(expr.name);
    if (stores !== undefined) return this.storeCall(expr, stores, args, state);
    const loads = LOAD.get(expr.name);
    if (loads !== undefined && api === null) {
      const known = state.get(this.loadForm(expr, loads, state))?.origins;
      return known ?? (loads.returns === "dma" ? [this.origin("dma", expr, expr.name)] : NOTHING);
    }
    if (api === null) return this.unknownCall(expr, args, state);
    return this.apiCall(expr, api, args, state);
  }

  private loadForm(expr: Call, row: { target: number; member: number }, state: State): string {
    const member = expr.args[row.member];
    const name = member?.kind === "ident" ? member.name : "";
    return memberForm(this.form(expr.args[row.target] ?? expr, state), name, true);
  }

  /** `WRITE_ONCE(x, v)`, `dma_unmap_addr_set(p, member, v)`: an assignment in the clothes of a call. */
  private storeCall(
    expr: Call,
    row: Store_,
    args: readonly (readonly Origin[])[],
    state: State,
  ): readonly Origin[] {
    const target = expr.args[row.target];
    const value = expr.args[row.value];
    if (target === undefined || value === undefined) return NOTHING;
    const origins = args[row.value] ?? NOTHING;
    const place = row.member !== null
      ? this.loadForm(expr, { target: row.target, member: row.member }, state)
      : row.pointer
      ? deref(this.form(target, state))
      : this.form(target, state, true);
    this.store(place, target, value, "=", origins, state);
    return origins;
  }

  private apiCall(
    expr: Call,
    api: Api,
    args: readonly (readonly Origin[])[],
    state: State,
  ): readonly Origin[] {
    const form = (index: number) => {
      const arg = expr.args[index];
      return arg === undefined ? null : this.form(arg, state);
    };
    const device = api.device === null ? null : form(api.device);
    if (typeof api.handle === "number" && (api.role === "alloc")) {
      const out = form(api.handle);
      if (out !== null) {
        const value = [this.origin("dma", expr, api.name, { device })];
        this.store(deref(out), expr.args[api.handle]!, expr, "=", value, state);
      }
    }
    if (api.name === "pcibios_resource_to_bus" && expr.args[1] !== undefined) {
      const region = deref(form(1)!);
      const value = [this.origin("pci-bus", expr, api.name, { owner: form(0) })];
      this.store(`${region}.start`, expr.args[1], expr, "=", value, state);
    }
    // sg_dma_address(sg) as a value: what was stored there, if it was.
    const stored = state.get(this.form(expr, state));
    if (stored !== undefined && stored.origins.length > 0) return stored.origins;
    const memory = api.memory === null ? NOTHING : args[api.memory] ?? NOTHING;
    switch (api.returns) {
      case "none":
      case "bool":
      case "errno":
      case "size":
        return NOTHING;
      case "dma":
        return [this.origin("dma", expr, api.name, { device })];
      case "phys-bar":
      case "pci-bus": {
        const owner = api.name === "pci_p2pdma_bus_addr_map" ? null : form(0);
        return [this.origin(api.returns, expr, api.name, { owner })];
      }
      case "phys-ram":
      case "pfn":
      case "page": {
        // page_to_phys(pfn_to_page(x)): the conversions only change the clothes.
        const bar = memory.find(({ meaning }) =>
          meaning === "phys-bar" || meaning === "page-p2p" || meaning === "kva-p2p"
        );
        if (bar !== undefined && api.role === "convert" && api.returns !== "phys-ram") {
          return [{ ...bar, meaning: api.returns === "page" ? "page-p2p" : "pfn" }];
        }
        return [this.origin(api.returns, expr, api.name, { steps: memory[0]?.steps ?? [] })];
      }
      default:
        return [this.origin(api.returns, expr, api.name, { device, owner: form(api.memory ?? 0) })];
    }
  }

  private unknownCall(expr: Call, args: readonly (readonly Origin[])[], state: State): readonly Origin[] {
    for (const arg of expr.args) {
      // What a function gets by address it may set.
      if (arg.kind === "unary" && arg.op === "&") {
        const place = this.form(arg.operand, state, true);
        if (state.has(place)) state.set(place, NO_BINDING);
      }
    }
    const stored = state.get(this.form(expr, state));
    if (stored !== undefined && stored.origins.length > 0) return stored.origins;
    const result = this.known?.result(this.file, expr.name) ?? null;
    if (result === null) return NOTHING;
    const forms = expr.args.map((arg) => this.form(arg, state));
    const rename = (form: string | null) => form === null ? null : inCaller(form, result.params, forms);
    let out: readonly Origin[] = NOTHING;
    for (const origin of result.origins) {
      if (origin.meaning === "param") out = union(out, args[origin.index] ?? NOTHING);
      else {
        const step: Step = { file: this.file, at: expr, note: `returned by \`${expr.name}()\`` };
        out = union(out, [{
          ...origin,
          device: rename(origin.device),
          owner: rename(origin.owner),
          steps: [...origin.steps, step],
        }]);
      }
    }
    return out;
  }

  /**
   * @param isTarget The expression is written: an identifier is itself then, not what it stands for
   */
  private form(expr: Expr, state: State, isTarget = false): string {
    // Nothing of this length is the name of anything; its place stands for it.
    if (expr.end - expr.start > MAX_FORM_TEXT) return `${this.file.path}@${expr.start}`;
    switch (expr.kind) {
      case "ident":
        return isTarget ? expr.name : state.get(expr.name)?.alias ?? expr.name;
      case "member": {
        const form = memberForm(this.form(expr.object, state), expr.field, expr.arrow);
        return isTarget ? form : state.get(form)?.alias ?? form;
      }
      case "index":
        return `${this.form(expr.object, state)}[${this.form(expr.index, state)}]`;
      case "unary": {
        const inner = this.form(expr.operand, state, expr.op === "&");
        if (expr.op === "*") return deref(inner);
        if (expr.op === "&") return inner.startsWith("*") ? inner.slice(1) : `&${inner}`;
        return `${expr.op}${inner}`;
      }
      case "cast":
        return this.form(expr.value, state, isTarget);
      case "call": {
        const through = PASSES.get(expr.name);
        if (through?.length === 1 && expr.args.length === 1) return this.form(expr.args[0]!, state);
        return `${expr.name}(${expr.args.map((arg) => this.form(arg, state)).join(", ")})`;
      }
      case "binary":
        return `${this.form(expr.left, state)} ${expr.op} ${this.form(expr.right, state)}`;
      case "number":
      case "string":
      case "char":
        return expr.text;
      default:
        return this.file.textOf(expr);
    }
  }
}

/** `x`, or a field and what it is in, `vram_node.start`: what names are told by. */
function nameOf(expr: Expr): string {
  if (expr.kind === "ident") return expr.name;
  if (expr.kind !== "member") return "";
  const of = expr.object.kind === "ident"
    ? expr.object.name
    : expr.object.kind === "member"
    ? expr.object.field
    : "";
  return `${of}.${expr.field}`;
}

/** Fields of kernel structs of which the kind of address is fixed, as `struct.field`. */
const FIXED: ReadonlyMap<string, Meaning> = new Map(
  FIELDS.filter(({ meaning }) => meaning === "bus-offset" || isAddress({ meaning })).map((
    { structType, member, meaning },
  ) => [`${structType}.${member}`, meaning]),
);

/** `~PAGE_MASK`, `PAGE_SIZE - 1`, `0xfff`: what is left of an address is an offset. */
function isLowMask(expr: Expr): boolean {
  switch (expr.kind) {
    case "number":
      return expr.value !== null && expr.value <= 0xffffn;
    case "unary":
      return expr.op === "~" && expr.operand.kind === "ident" && /_MASK$/.test(expr.operand.name);
    case "binary":
      return expr.op === "-" && expr.right.kind === "number" && expr.right.value === 1n;
    default:
      return false;
  }
}

/** Kinds that survive arithmetic: addresses, offsets between spaces, CPU pointers. */
const CARRIED: ReadonlySet<string> = new Set([
  "dt-cell",
  "bus-offset",
  "pfn",
  "iomem",
  "kva",
  "kva-coherent",
  "kva-vmalloc",
  "kva-stack",
  "kva-p2p",
  "param",
]);
const carries = (origin: Origin) => isAddress(origin) || CARRIED.has(origin.meaning);

/** A helper's normal form in its caller's terms: the arguments stand for the parameters. */
export function inCaller(form: string, params: readonly string[], args: readonly string[]): string {
  const by = new Map(
    params.flatMap((name, i) => name === "" || args[i] === undefined ? [] : [[name, args[i]!]]),
  );
  // All at once: an argument may be called like another parameter.
  return form.replace(/(?<![\w.>])[A-Za-z_]\w*/g, (name) => by.get(name) ?? name);
}

/** A path that may stand for itself elsewhere: no operator, no call but a getter. */
function isPath(expr: Expr): boolean {
  switch (expr.kind) {
    case "ident":
      return !/^[A-Z0-9_]+$/.test(expr.name) || /^[A-Z]$/.test(expr.name);
    case "member":
      return isPath(expr.object);
    case "index":
      return isPath(expr.object);
    case "unary":
      return (expr.op === "&" || expr.op === "*") && isPath(expr.operand);
    case "cast":
      return isPath(expr.value);
    case "call":
      return (GETTER.test(expr.name) || PASSES.has(expr.name)) &&
        expr.args.every((arg) => isPath(arg) || arg.kind === "number" || arg.kind === "unknown");
    default:
      return false;
  }
}

/** `foo` of `struct foo *`. */
export function structName(type: string | null): string | null {
  return type === null ? null : /^(?:struct|union) (\w+)/.exec(type)?.[1] ?? null;
}

function meaningOfType(decl: Declarator): Meaning | null {
  if (decl.isMmio) return "iomem";
  switch (decl.type) {
    case "dma_addr_t":
      return "dma";
    case "phys_addr_t":
    case "resource_size_t":
      return "phys";
    case "pci_bus_addr_t":
      return "pci-bus";
    default:
      return null;
  }
}

/** What others put into a field that is read in `file`. */
function putInto(
  { struct, isOwn, isShown, field }: FieldRead,
  file: SourceFile,
  known: Known,
): readonly Origin[] {
  const found = struct === null ? NOTHING : known.field(file, struct, isOwn, field);
  return found.length > 0 || isShown ? found : known.field(file, null, false, field);
}

function localsOf(fn: FunctionView): Map<string, Declarator> {
  const locals = new Map<string, Declarator>();
  for (const param of fn.node.params) locals.set(param.name, param);
  const exprs = (expr: Expr) =>
    walkExpr(expr, (inner) => {
      if (inner.kind === "statement-expr") walkStmt(inner.body, { stmt });
    });
  const stmt = (inner: Stmt) => {
    if (inner.kind === "decl") { for (const name of inner.names) locals.set(name.name, name); }
  };
  walkStmt(fn.node.body, { stmt, expr: exprs });
  return locals;
}

function analysed(fn: FunctionView, use: Use, known: Known | null): Flow {
  const analysis = new Analysis(fn, use(types, fn.file), known);
  if (analysis.isGivenUp) use.giveUp(fn, "too much for one function: its values were not followed");
  return analysis;
}

const shallow: Fact<Flow, FunctionView> = {
  name: "shallow flow",
  derive: (fn, use) => analysed(fn, use, null),
};

/** Gathers what functions return and put into fields, as far as `flowOf` knows their values. */
function gather({ files, context }: Side, use: Use, flowOf: (fn: FunctionView) => Flow): Known {
  const all = new Gathered();
  for (const file of [...files, ...context]) {
    for (const fn of file.functions) {
      const flow = flowOf(fn);
      const returned = flow.returns.reduce<readonly Origin[]>(
        (sum, { origins }) => union(sum, origins),
        NOTHING,
      );
      if (fn.isNamed && returned.length > 0) all.addResult(fn, returned);
      for (const store of flow.stores) fieldStore(store, fn, flow, use, all);
    }
  }
  return all;
}

/** What each function of the patch and its surroundings says for itself. */
const ownKnown: Fact<Known, Side> = {
  name: "own known",
  derive: (side, use) => gather(side, use, (fn) => use(shallow, fn)),
};

/** A function's values with what the others say for themselves: enough where it asks nobody who asks others. */
const middle: Fact<Flow, FunctionView> = {
  name: "middle flow",
  derive(fn, use) {
    const own = use(shallow, fn);
    const others = use(ownKnown, use.side);
    return others.isEmpty || !asks(own, fn, others) ? own : analysed(fn, use, others);
  },
};

/** Whether something is known of a helper that the function calls, or of a field that it reads. */
function asks(own: Flow, { file }: FunctionView, others: Known): boolean {
  return own.calls.some(({ call, api }) => api === null && others.result(file, call.name) !== null) ||
    own.reads.some((read) => putInto(read, file, others).length > 0);
}

/** The same with helpers of helpers: an accessor returns a field that a third function sets. */
const known: Fact<Known, Side> = {
  name: "known",
  derive(side, use) {
    const own = use(ownKnown, side);
    const isAll = own.isEmpty ||
      [...side.files, ...side.context].every(({ functions }) =>
        functions.every((fn) => use(middle, fn) === use(shallow, fn))
      );
    return isAll ? own : gather(side, use, (fn) => use(middle, fn));
  },
};

function fieldStore(store: Store, fn: FunctionView, flow: Flow, use: Use, all: Gathered): void {
  // `&foo->dma`, given to an allocation that fills it.
  const target = "kind" in store.target && store.target.kind === "unary" && store.target.op === "&"
    ? store.target.operand
    : store.target;
  if (!("kind" in target) || target.kind !== "member" || store.op !== "=") return;
  // Half an address, or a page number, is not the address.
  if (isShifted(store.value)) return;
  const exact = store.origins.filter((origin) =>
    origin.certainty === "exact" &&
    // A cast takes the __iomem off: the field holds other pointers, too.
    (isAddress(origin) || (origin.meaning === "iomem" && store.value.kind !== "cast") ||
      origin.meaning === "resource" || origin.meaning === "iommu-domain")
  );
  if (exact.length === 0) return;
  const struct = structName(flow.typeOf(target.object));
  const visible = use(types, fn.file);
  // Without the struct's name a field can only be told by a name that is rarely used twice.
  if (struct === null && visible.hasField(target.field)) return;
  const stepped = exact.map((origin) => ({
    ...origin,
    viaField: true,
    steps: [...origin.steps, { file: fn.file, at: target, note: `stored in \`${store.place}\`` }],
  }));
  all.addField(fn.file, struct, struct !== null && visible.isOwn(struct), target.field, stepped);
}

function isShifted(expr: Expr): boolean {
  if (expr.kind === "cast") return isShifted(expr.value);
  return expr.kind === "binary" && (expr.op === ">>" || expr.op === "&");
}

/** The values of a function, helpers of the patch and fields set elsewhere in it included. */
export const flow: Fact<Flow, FunctionView> = {
  name: "flow",
  derive(fn, use) {
    const others = use(known, use.side);
    if (others === use(ownKnown, use.side)) return use(middle, fn);
    const own = use(shallow, fn);
    // Nothing to add: what the function says for itself is all there is.
    return asks(own, fn, others) ? analysed(fn, use, others) : own;
  },
};
