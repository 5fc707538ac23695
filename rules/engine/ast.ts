/**
 * The C syntax tree that facts and rules see. Plain values, lowered once from the parser's tree, so that no one
 * else has to know the parser. Every node says where it stands in the {@link SourceFile}'s text.
 *
 * @module
 */

/** A stretch of a source file's text: offsets in UTF-16 code units, `end` is exclusive. */
export interface At {
  readonly start: number;
  readonly end: number;
}

/** An identifier. */
export interface Ident extends At {
  readonly kind: "ident";
  readonly name: string;
}

/** A number; `value` is null when it is a floating point number or does not parse. */
export interface NumberLiteral extends At {
  readonly kind: "number";
  readonly text: string;
  readonly value: bigint | null;
}

/** One or more adjacent string or character literals, quotes included. */
export interface TextLiteral extends At {
  readonly kind: "string" | "char";
  readonly text: string;
}

/** `callee(args)`; for a macro the same. */
export interface Call extends At {
  readonly kind: "call";
  readonly callee: Expr;
  /** The callee's identifier; "" when it is called through a pointer. */
  readonly name: string;
  readonly args: readonly Expr[];
}

/** `object.field` or `object->field`. */
export interface Member extends At {
  readonly kind: "member";
  readonly object: Expr;
  readonly field: string;
  readonly arrow: boolean;
}

/** `object[index]`. */
export interface Index extends At {
  readonly kind: "index";
  readonly object: Expr;
  readonly index: Expr;
}

/** `&x`, `*x`, `!x`, `~x`, `-x`, `+x`. */
export interface Unary extends At {
  readonly kind: "unary";
  readonly op: "&" | "*" | "!" | "~" | "-" | "+";
  readonly operand: Expr;
}

/** `x++`, `--x`. */
export interface Update extends At {
  readonly kind: "update";
  readonly op: "++" | "--";
  readonly operand: Expr;
}

/** `left op right`, assignments excluded. */
export interface Binary extends At {
  readonly kind: "binary";
  readonly op: string;
  readonly left: Expr;
  readonly right: Expr;
}

/** `target op value`, op being `=`, `+=`, … */
export interface Assign extends At {
  readonly kind: "assign";
  readonly op: string;
  readonly target: Expr;
  readonly value: Expr;
}

/** `test ? yes : no`; `yes` is null in GNU's `test ?: no`. */
export interface Conditional extends At {
  readonly kind: "conditional";
  readonly test: Expr;
  readonly yes: Expr | null;
  readonly no: Expr;
}

/** `(type)value`. */
export interface Cast extends At {
  readonly kind: "cast";
  readonly type: string;
  readonly value: Expr;
}

/** `sizeof(…)`, `offsetof(…)`: a size, whatever it is of. */
export interface SizeOf extends At {
  readonly kind: "sizeof";
  readonly text: string;
}

/** `a, b`. */
export interface Comma extends At {
  readonly kind: "comma";
  readonly items: readonly Expr[];
}

/** `{ … }` behind `=`, or a compound literal. */
export interface Initializer extends At {
  readonly kind: "initializer";
  /** The type of a compound literal; "" otherwise. */
  readonly type: string;
  readonly items: readonly { readonly field: string | null; readonly value: Expr }[];
}

/** GNU's `({ … })`. */
export interface StatementExpr extends At {
  readonly kind: "statement-expr";
  readonly body: Stmt;
}

/** Something that the parser could not make sense of; its parts are still there. */
export interface UnknownExpr extends At {
  readonly kind: "unknown";
  readonly parts: readonly Expr[];
}

/** An expression. */
export type Expr =
  | Ident
  | NumberLiteral
  | TextLiteral
  | Call
  | Member
  | Index
  | Unary
  | Update
  | Binary
  | Assign
  | Conditional
  | Cast
  | SizeOf
  | Comma
  | Initializer
  | StatementExpr
  | UnknownExpr;

/** One declared name. */
export interface Declarator extends At {
  readonly name: string;
  /** The type as written, white space folded, with one `*` per pointer level and `[]` per array: `struct foo *`. */
  readonly type: string;
  readonly isMmio: boolean;
  readonly init: Expr | null;
}

/** A statement. */
export type Stmt =
  | (At & { readonly kind: "block"; readonly body: readonly Stmt[] })
  | (At & { readonly kind: "expr"; readonly expr: Expr })
  | (At & { readonly kind: "decl"; readonly names: readonly Declarator[] })
  | (At & { readonly kind: "if"; readonly test: Expr; readonly yes: Stmt; readonly no: Stmt | null })
  | (At & {
    readonly kind: "loop";
    /** `each` is a loop macro such as `for_each_sg()`: `test` is then the macro's arguments as a call. */
    readonly form: "while" | "do" | "for" | "each";
    readonly init: Stmt | null;
    readonly test: Expr | null;
    readonly step: Expr | null;
    readonly body: Stmt;
  })
  | (At & { readonly kind: "switch"; readonly value: Expr; readonly body: Stmt })
  | (At & { readonly kind: "case"; readonly value: Expr | null; readonly body: readonly Stmt[] })
  | (At & { readonly kind: "label"; readonly name: string; readonly body: Stmt | null })
  | (At & { readonly kind: "goto"; readonly label: string })
  | (At & { readonly kind: "return"; readonly value: Expr | null })
  | (At & { readonly kind: "break" | "continue" })
  /** Lines that the patch does not show, or code that the parser gave up on: anything may happen here. */
  | (At & { readonly kind: "hole" });

/** A function, or a macro with a body of statements. */
export interface FunctionNode extends At {
  readonly name: string;
  readonly returns: string;
  readonly isStatic: boolean;
  readonly params: readonly Declarator[];
  readonly body: Stmt;
}

/** A struct or union whose fields are shown. */
export interface StructNode extends At {
  readonly name: string;
  readonly fields: readonly Declarator[];
}

/** What one text holds. */
export interface Unit {
  readonly functions: readonly FunctionNode[];
  readonly structs: readonly StructNode[];
  /** Variables at file level, with their initializers: ops tables stand here. */
  readonly globals: readonly Declarator[];
  /** What stands at file level and is no declaration: statements that belong to no function, or no C at all. */
  readonly stray: readonly At[];
}

/** The name that stands for lines that the patch does not show. */
export const HOLE = "P2PLINT_HOLE";

/** Calls `visit` for `expr` and every expression in it, outermost first, statement expressions included. */
export function walkExpr(expr: Expr, visit: (expr: Expr) => void): void {
  visit(expr);
  for (const part of partsOf(expr)) walkExpr(part, visit);
}

/** The direct sub-expressions, in the order in which they stand. */
export function partsOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "call":
      return expr.name === "" ? [expr.callee, ...expr.args] : expr.args;
    case "member":
      return [expr.object];
    case "index":
      return [expr.object, expr.index];
    case "unary":
    case "update":
      return [expr.operand];
    case "binary":
      return [expr.left, expr.right];
    case "assign":
      return [expr.target, expr.value];
    case "conditional":
      return expr.yes === null ? [expr.test, expr.no] : [expr.test, expr.yes, expr.no];
    case "cast":
      return [expr.value];
    case "comma":
      return expr.items;
    case "initializer":
      return expr.items.map((item) => item.value);
    case "statement-expr": {
      const parts: Expr[] = [];
      walkStmt(expr.body, { expr: (inner) => parts.push(inner) });
      return parts;
    }
    case "unknown":
      return expr.parts;
    default:
      return [];
  }
}

/** Calls `expr` for every top expression of the statement and `stmt` for every statement in it. */
export function walkStmt(
  stmt: Stmt,
  visit: { readonly stmt?: (stmt: Stmt) => void; readonly expr?: (expr: Expr) => void },
): void {
  visit.stmt?.(stmt);
  const inner = (s: Stmt | null) => s !== null && walkStmt(s, visit);
  const expr = (e: Expr | null) => e !== null && visit.expr?.(e);
  switch (stmt.kind) {
    case "block":
      stmt.body.forEach(inner);
      break;
    case "expr":
      expr(stmt.expr);
      break;
    case "decl":
      for (const name of stmt.names) expr(name.init);
      break;
    case "if":
      expr(stmt.test);
      inner(stmt.yes);
      inner(stmt.no);
      break;
    case "loop":
      inner(stmt.init);
      if (stmt.form !== "do") expr(stmt.test);
      expr(stmt.step);
      inner(stmt.body);
      if (stmt.form === "do") expr(stmt.test);
      break;
    case "switch":
      expr(stmt.value);
      inner(stmt.body);
      break;
    case "case":
      expr(stmt.value);
      stmt.body.forEach(inner);
      break;
    case "label":
      inner(stmt.body);
      break;
    case "return":
      expr(stmt.value);
      break;
    default:
      break;
  }
}
