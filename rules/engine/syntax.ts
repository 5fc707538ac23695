/**
 * C text to {@link Unit}. The only file that names tree-sitter: the parser's tree is lowered to plain values and
 * freed before the function returns. Knows the C language, no kernel function by name.
 *
 * @module
 */

import type { TreeCursor } from "web-tree-sitter";
import type { At, Call, Declarator, Expr, FunctionNode, Initializer, Stmt, StructNode, Unit } from "./ast.ts";
import { HOLE } from "./ast.ts";
import { GUARD, soften } from "./soften.ts";

/** Names that only types have. */
const TYPE_NAME = /^(?:__)?(?:[us](?:8|16|32|64)|[lb]e(?:16|32|64))$|_t$|^u(?:int|long|short|char)$/;

/** The two WebAssembly modules: the parser's run time and the C grammar. Reading them is the caller's job. */
export interface GrammarBytes {
  readonly runtime: Uint8Array;
  readonly c: Uint8Array;
}

/** Parses C. */
export interface CParser {
  /**
   * @param text C without comments and without preprocessor lines
   * @returns null when the text is so far from C that the parser would not come to an end in time
   */
  parse(text: string): Unit | null;
}

// Error recovery may try a great many ways through a text that is no C. The parser reports after a fixed number of
// operations: about 0.02 times a character for ordinary code, 0.05 for line noise (measured).
const PATIENCE_MIN = 1000;
const PATIENCE_PER_CHAR = 0.2;
const MAX_TEXT = 8 << 20;

/** A node of the parser's tree, copied out of WebAssembly memory; of a token that has no name only the type. */
interface Raw {
  readonly type: string;
  readonly field: string | null;
  readonly start: number;
  readonly end: number;
  readonly kids: readonly Raw[];
}

/**
 * Loads the grammar.
 *
 * @throws {Error} If the bytes are not the modules that this version was built for
 */
export async function loadC(bytes: GrammarBytes): Promise<CParser> {
  // Most patches hold no code that needs a parser: they do not wait for it.
  const { Language, Parser } = await import("web-tree-sitter");
  await Parser.init({ wasmBinary: bytes.runtime } as unknown as Parameters<typeof Parser.init>[0]);
  const parser = new Parser();
  parser.setLanguage(await Language.load(bytes.c));
  return {
    parse(text) {
      const { text: softened, loops } = soften(text);
      let steps = 0;
      const most = PATIENCE_MIN + softened.length * PATIENCE_PER_CHAR;
      const tree = softened.length > MAX_TEXT
        ? null
        : parser.parse(softened, null, { progressCallback: () => ++steps > most });
      if (tree === null) {
        parser.reset();
        return null;
      }
      const cursor = tree.walk();
      try {
        return new Lowering(text, loops).unit(copy(cursor, 0));
      } finally {
        cursor.delete();
        tree.delete();
      }
    },
  };
}

// Hostile input may nest thousands of parentheses; deeper nodes than this are given up as unknown.
const MAX_DEPTH = 400;

// Each question to the cursor is a call into WebAssembly: nothing is asked that nobody needs to know.
function copy(cursor: TreeCursor, depth: number): Raw {
  const type = cursor.nodeType;
  const field = cursor.currentFieldName;
  if (!isNamedType(type)) return { type, field, start: 0, end: 0, kids: NO_KIDS };
  const start = cursor.startIndex;
  const end = cursor.endIndex;
  if (LEAVES.has(type) || depth >= MAX_DEPTH || !cursor.gotoFirstChild()) {
    return { type, field, start, end, kids: NO_KIDS };
  }
  const kids: Raw[] = [];
  do kids.push(copy(cursor, depth + 1)); while (cursor.gotoNextSibling());
  cursor.gotoParent();
  return { type, field, start, end, kids };
}

const NO_KIDS: readonly Raw[] = [];
/** Nodes that have no others in them. */
const LEAVES = new Set([
  "identifier",
  "field_identifier",
  "type_identifier",
  "statement_identifier",
  "primitive_type",
  "number_literal",
]);

const byField = (node: Raw, field: string) => node.kids.find((kid) => kid.field === field) ?? null;
const isNamedType = (type: string) => /^[A-Za-z_]/.test(type) && !KEYWORD.test(type);
const isNamed = (node: Raw) => isNamedType(node.type);
const KEYWORD =
  /^(?:if|else|while|do|for|switch|case|default|return|goto|break|continue|sizeof|offsetof|static|extern|const|volatile|inline|struct|union|enum|typedef|register|unsigned|signed|long|short|__attribute__|__extension__|asm|comment)$/;
const NAMED_BUT_NOT_EXPR = new Set(["comment", "preproc_directive", "preproc_arg"]);
const UNARY_OPS = new Set(["&", "*", "!", "~", "-", "+"]);

class Lowering {
  constructor(private readonly text: string, private readonly loops: ReadonlySet<number>) {}

  private of(node: { start: number; end: number }): string {
    return this.text.slice(node.start, node.end);
  }

  unit(root: Raw): Unit {
    const functions: FunctionNode[] = [];
    const structs: StructNode[] = [];
    const globals: Declarator[] = [];
    const stray: At[] = [];
    const visit = (node: Raw) => {
      switch (node.type) {
        case "function_definition":
          functions.push(...this.functionNode(node));
          this.structsIn(node, structs);
          return;
        case "declaration":
        case "type_definition":
          this.structsIn(node, structs);
          if (node.type === "declaration") globals.push(...this.declarators(node));
          return;
        case "struct_specifier":
        case "union_specifier":
          this.structsIn(node, structs);
          return;
        default:
          if (node.type === "ERROR" || STATEMENT.test(node.type)) {
            stray.push({ start: node.start, end: node.end });
          }
          node.kids.forEach(visit);
      }
    };
    visit(root);
    return { functions, structs, globals, stray };
  }

  private structsIn(node: Raw, out: StructNode[]): void {
    if (node.type === "compound_statement") return;
    if (node.type === "struct_specifier" || node.type === "union_specifier") {
      const body = node.kids.find((kid) => kid.type === "field_declaration_list");
      if (body !== undefined) {
        const name = byField(node, "name");
        const fields: Declarator[] = [];
        for (const kid of body.kids) {
          if (kid.type !== "field_declaration") continue;
          const names = this.declarators(kid);
          if (names.length > 0) fields.push(...names);
          // An anonymous struct or union: its fields are the outer one's too.
          else if (kid.kids[0] !== undefined) {
            const inner: StructNode[] = [];
            this.structsIn(kid.kids[0], inner);
            if (inner[0]?.name === "") fields.push(...inner[0].fields);
          }
        }
        out.push({ name: name === null ? "" : this.of(name), fields, start: node.start, end: node.end });
      }
    }
    for (const kid of node.kids) this.structsIn(kid, out);
  }

  private functionNode(node: Raw): FunctionNode[] {
    const body = byField(node, "body");
    const declarator = byField(node, "declarator");
    if (body === null || declarator === null) return [];
    const fn = find(declarator, "function_declarator");
    if (fn === null) return [];
    const name = byField(fn, "declarator");
    const list = byField(fn, "parameters");
    const params: Declarator[] = [];
    for (const kid of list?.kids ?? []) {
      if (kid.type === "parameter_declaration") params.push(...this.declarators(kid));
    }
    const type = byField(node, "type");
    const stars = this.text.slice(declarator.start, fn.start).replace(/[^*]/g, "");
    return [{
      name: name === null ? "" : this.of(name),
      returns: `${type === null ? "" : fold(this.of(type))}${stars === "" ? "" : ` ${stars}`}`,
      isStatic: node.kids.some((kid) => kid.type === "storage_class_specifier" && this.of(kid) === "static"),
      params,
      body: this.stmt(body),
      start: node.start,
      end: node.end,
    }];
  }

  /** The names that a declaration, a parameter or a field declares. */
  private declarators(node: Raw): Declarator[] {
    const type = byField(node, "type");
    const base = type === null ? "" : this.baseType(type);
    const head = this.text.slice(node.start, node.end);
    const out: Declarator[] = [];
    for (const kid of node.kids) {
      if (kid.field !== "declarator") continue;
      let init: Expr | null = null;
      let inner = kid;
      if (kid.type === "init_declarator") {
        const value = byField(kid, "value");
        init = value === null ? null : this.expr(value);
        inner = byField(kid, "declarator") ?? kid;
      }
      let suffix = "";
      let stars = "";
      for (;;) {
        if (inner.type === "pointer_declarator") stars += "*";
        else if (inner.type === "array_declarator") suffix += "[]";
        else if (inner.type === "function_declarator") suffix += "()";
        else if (!/parenthesized|attributed/.test(inner.type)) break;
        const next = byField(inner, "declarator") ??
          inner.kids.find((k) => /declarator|identifier/.test(k.type));
        if (next === undefined) break;
        inner = next;
      }
      if (!/identifier$/.test(inner.type)) continue;
      out.push({
        name: this.of(inner),
        type: `${base}${stars === "" ? "" : ` ${stars}`}${suffix}`,
        isMmio: /\b__iomem\b/.test(head),
        init,
        start: kid.start,
        end: kid.end,
      });
    }
    return out;
  }

  private baseType(type: Raw): string {
    if (/^(?:struct|union|enum)_specifier$/.test(type.type)) {
      const name = byField(type, "name");
      return `${type.type.slice(0, type.type.indexOf("_"))} ${name === null ? "" : this.of(name)}`.trim();
    }
    return fold(this.of(type));
  }

  private stmts(nodes: readonly Raw[]): Stmt[] {
    const out: Stmt[] = [];
    for (const node of nodes) {
      if (STATEMENT.test(node.type) || node.type === "declaration" || node.type === "ERROR") {
        out.push(this.stmt(node));
      } else if (/^(?:function_definition|type_definition|preproc)/.test(node.type)) {
        out.push({ kind: "hole", start: node.start, end: node.end });
      }
    }
    return out;
  }

  private stmt(node: Raw): Stmt {
    const at = { start: node.start, end: node.end };
    switch (node.type) {
      case "compound_statement":
        return { kind: "block", body: this.stmts(node.kids), ...at };
      case "expression_statement": {
        const inner = node.kids.find((kid) => kid.type !== ";" && kid.type !== "comment");
        if (inner === undefined) return { kind: "block", body: [], ...at };
        const expr = this.expr(inner);
        if (expr.kind === "call" && expr.name === HOLE) return { kind: "hole", ...at };
        return { kind: "expr", expr, ...at };
      }
      case "declaration":
        return { kind: "decl", names: this.declarators(node), ...at };
      case "if_statement": {
        const no = byField(node, "alternative");
        const noStmt = no === null
          ? undefined
          : no.type === "else_clause"
          ? no.kids.find((kid) => STATEMENT.test(kid.type) || kid.type === "declaration")
          : no;
        return {
          kind: "if",
          test: this.test(node, "condition"),
          yes: this.inner(node, "consequence"),
          no: noStmt === undefined ? null : this.stmt(noStmt),
          ...at,
        };
      }
      case "while_statement": {
        const test = this.test(node, "condition");
        if (this.loops.has(node.start)) {
          const name = /^\w*/.exec(this.text.slice(node.start, node.start + 80))![0];
          const args = test.kind === "comma" ? test.items : [test];
          const callee: Expr = { kind: "ident", name, start: node.start, end: node.start + name.length };
          const call: Call = { kind: "call", callee, name, args, start: node.start, end: test.end };
          // Runs its body once: a loop only for the preprocessor.
          if (GUARD.test(name)) {
            const head: Stmt = { kind: "expr", expr: call, start: call.start, end: call.end };
            return { kind: "block", body: [head, this.inner(node, "body")], ...at };
          }
          return {
            kind: "loop",
            form: "each",
            init: null,
            test: call,
            step: null,
            body: this.inner(node, "body"),
            ...at,
          };
        }
        return {
          kind: "loop",
          form: "while",
          init: null,
          test,
          step: null,
          body: this.inner(node, "body"),
          ...at,
        };
      }
      case "do_statement":
        return {
          kind: "loop",
          form: "do",
          init: null,
          test: this.test(node, "condition"),
          step: null,
          body: this.inner(node, "body"),
          ...at,
        };
      case "for_statement": {
        const init = byField(node, "initializer");
        const test = byField(node, "condition");
        const step = byField(node, "update");
        return {
          kind: "loop",
          form: "for",
          init: init === null
            ? null
            : init.type === "declaration"
            ? this.stmt(init)
            : { kind: "expr", expr: this.expr(init), start: init.start, end: init.end },
          test: test === null ? null : this.expr(test),
          step: step === null ? null : this.expr(step),
          body: this.inner(node, "body"),
          ...at,
        };
      }
      case "switch_statement":
        return { kind: "switch", value: this.test(node, "condition"), body: this.inner(node, "body"), ...at };
      case "case_statement": {
        const value = byField(node, "value");
        return {
          kind: "case",
          value: value === null ? null : this.expr(value),
          body: this.stmts(node.kids.filter((kid) => kid !== value)),
          ...at,
        };
      }
      case "labeled_statement": {
        const label = byField(node, "label");
        const body = node.kids.find((kid) => STATEMENT.test(kid.type) || kid.type === "declaration");
        return {
          kind: "label",
          name: label === null ? "" : this.of(label),
          body: body === undefined ? null : this.stmt(body),
          ...at,
        };
      }
      case "goto_statement": {
        const label = byField(node, "label");
        return { kind: "goto", label: label === null ? "" : this.of(label), ...at };
      }
      case "return_statement": {
        const value = node.kids.find((kid) => kid.type !== "return" && kid.type !== ";");
        return { kind: "return", value: value === undefined ? null : this.expr(value), ...at };
      }
      case "break_statement":
        return { kind: "break", ...at };
      case "continue_statement":
        return { kind: "continue", ...at };
      default:
        return { kind: "hole", ...at };
    }
  }

  private inner(node: Raw, field: string): Stmt {
    const body = byField(node, field);
    return body === null ? { kind: "hole", start: node.end, end: node.end } : this.stmt(body);
  }

  private test(node: Raw, field: string): Expr {
    const test = byField(node, field);
    return test === null ? { kind: "unknown", parts: [], start: node.start, end: node.end } : this.expr(test);
  }

  private expr(node: Raw): Expr {
    const at = { start: node.start, end: node.end };
    switch (node.type) {
      case "parenthesized_expression": {
        const inner = node.kids.filter((kid) =>
          kid.type !== "(" && kid.type !== ")" && kid.type !== "comment"
        );
        if (inner.length === 1 && inner[0]!.type === "compound_statement") {
          return { kind: "statement-expr", body: this.stmt(inner[0]!), ...at };
        }
        return inner.length === 1 ? this.expr(inner[0]!) : this.unknown(node);
      }
      case "identifier":
      case "field_identifier":
      case "type_identifier":
      case "primitive_type":
      case "true":
      case "false":
      case "null":
        return { kind: "ident", name: this.of(node), ...at };
      case "number_literal": {
        const text = this.of(node);
        return { kind: "number", text, value: integer(text), ...at };
      }
      case "string_literal":
      case "concatenated_string":
        return { kind: "string", text: this.of(node), ...at };
      case "char_literal":
        return { kind: "char", text: this.of(node), ...at };
      case "call_expression": {
        const callee = this.field(node, "function");
        const list = byField(node, "arguments");
        const args: Expr[] = [];
        // ERROR children are bits of a type or a stray token: positions of the arguments are kept by the commas.
        let slot: Raw | null = null;
        for (const kid of list?.kids ?? []) {
          if (kid.type === "," || kid.type === ")") {
            if (slot !== null) args.push(this.expr(slot));
            slot = null;
          } else if (kid.type !== "(" && kid.type !== "comment" && (slot === null || slot.type === "ERROR")) {
            slot = kid;
          }
        }
        // `(u32)(x + 4)`: only a name tells a cast from a call through a pointer.
        const type = byField(node, "function")?.type === "parenthesized_expression" && callee.kind === "ident"
          ? callee.name
          : "";
        if (args.length === 1 && TYPE_NAME.test(type)) return { kind: "cast", type, value: args[0]!, ...at };
        return { kind: "call", callee, name: callee.kind === "ident" ? callee.name : "", args, ...at };
      }
      case "field_expression": {
        const field = byField(node, "field");
        return {
          kind: "member",
          object: this.field(node, "argument"),
          field: field === null ? "" : this.of(field),
          arrow: node.kids.some((kid) => kid.type === "->"),
          ...at,
        };
      }
      case "subscript_expression":
        return {
          kind: "index",
          object: this.field(node, "argument"),
          index: this.field(node, "index"),
          ...at,
        };
      case "pointer_expression":
      case "unary_expression": {
        const op = node.kids[0]?.type ?? "";
        if (!UNARY_OPS.has(op)) return this.unknown(node);
        return { kind: "unary", op: op as "&", operand: this.field(node, "argument"), ...at };
      }
      case "update_expression":
        return {
          kind: "update",
          op: node.kids.some((kid) => kid.type === "++") ? "++" : "--",
          operand: this.field(node, "argument"),
          ...at,
        };
      case "binary_expression": {
        const op = byField(node, "operator")?.type ?? "";
        return {
          kind: "binary",
          op,
          left: this.field(node, "left"),
          right: this.field(node, "right"),
          ...at,
        };
      }
      case "assignment_expression": {
        const op = byField(node, "operator")?.type ?? "=";
        return {
          kind: "assign",
          op,
          target: this.field(node, "left"),
          value: this.field(node, "right"),
          ...at,
        };
      }
      case "conditional_expression": {
        const yes = byField(node, "consequence");
        return {
          kind: "conditional",
          test: this.field(node, "condition"),
          yes: yes === null ? null : this.expr(yes),
          no: this.field(node, "alternative"),
          ...at,
        };
      }
      case "cast_expression": {
        const type = byField(node, "type");
        const value = this.field(node, "value");
        // `(name)(x)` and `(name) & x` look like casts to a grammar without a symbol table.
        return { kind: "cast", type: type === null ? "" : fold(this.of(type)), value, ...at };
      }
      case "sizeof_expression":
      case "offsetof_expression":
      case "alignof_expression":
        return { kind: "sizeof", text: fold(this.of(node)), ...at };
      case "comma_expression": {
        const left = this.field(node, "left");
        const right = this.field(node, "right");
        const items = right.kind === "comma" ? [left, ...right.items] : [left, right];
        return { kind: "comma", items, ...at };
      }
      case "initializer_list":
        return this.initializer(node, "");
      case "compound_literal_expression": {
        const type = byField(node, "type");
        const list = byField(node, "value");
        return list === null
          ? this.unknown(node)
          : this.initializer(list, type === null ? "" : fold(this.of(type)));
      }
      default:
        return this.unknown(node);
    }
  }

  private initializer(node: Raw, type: string): Initializer {
    const items: { field: string | null; value: Expr }[] = [];
    for (const kid of node.kids) {
      if (kid.type === "initializer_pair") {
        const value = byField(kid, "value");
        const designator = byField(kid, "designator");
        const name = designator === null ? null : find(designator, "field_identifier") ?? designator;
        if (value !== null) {
          items.push({ field: name === null ? null : this.of(name), value: this.expr(value) });
        }
      } else if (isNamed(kid) && kid.type !== "ERROR" && !NAMED_BUT_NOT_EXPR.has(kid.type)) {
        items.push({ field: null, value: this.expr(kid) });
      }
    }
    return { kind: "initializer", type, items, start: node.start, end: node.end };
  }

  private field(node: Raw, field: string): Expr {
    const kid = byField(node, field);
    return kid === null ? { kind: "unknown", parts: [], start: node.start, end: node.end } : this.expr(kid);
  }

  private unknown(node: Raw): Expr {
    const parts = node.kids
      .filter((kid) => isNamed(kid) && !NAMED_BUT_NOT_EXPR.has(kid.type) && !STATEMENT.test(kid.type))
      .map((kid) => this.expr(kid));
    return { kind: "unknown", parts, start: node.start, end: node.end };
  }
}

const STATEMENT = /_statement$/;

function find(node: Raw, type: string): Raw | null {
  if (node.type === type) return node;
  for (const kid of node.kids) {
    // A parameter list holds declarators of its own.
    if (kid.type === "parameter_list") continue;
    const found = find(kid, type);
    if (found !== null) return found;
  }
  return null;
}

const fold = (text: string) =>
  text.replace(/\b(?:const|volatile|__iomem|__force|__user|__kernel|__rcu|__percpu)\b/g, "").replace(
    /\s+/g,
    " ",
  ).trim();

function integer(text: string): bigint | null {
  const digits = text.replace(/[uUlLzZ]+$/, "");
  try {
    return BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  } catch {
    return null;
  }
}
