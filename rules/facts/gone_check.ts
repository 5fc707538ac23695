/**
 * The dma_mapping_error() that a patch takes away directly behind the statement that it was about, where that statement
 * says too little by itself: its beginning is above the hunk. Of the new side; concludes nothing.
 *
 * @module
 */

import { type Stmt, walkStmt } from "../engine/ast.ts";
import type { Fact } from "../engine/fact.ts";
import type { FunctionView } from "../engine/source.ts";
import type { Line } from "../engine/types.ts";
import { argumentsAt } from "./former.ts";

/** A check that is gone. */
export interface GoneCheck {
  /** The statement in front of it, which stays. */
  readonly stmt: Stmt;
  /** That is all of the hunk above it, and its last argument is a direction: the end of a mapping. */
  readonly isCut: boolean;
  /** Arguments of the check; the handle is the second one. */
  readonly args: readonly string[];
  readonly handle: string;
  /** What the patch puts in its place; null for nothing. */
  readonly instead: Line | null;
}

const CHECK = /^if \((?:unlikely\()?dma_mapping_error\(/;
const LAST_ARGUMENT = /\bDMA_(?:TO_DEVICE|FROM_DEVICE|BIDIRECTIONAL)\s*(?:,\s*\w+\s*)?\)+;$/;

/** The checks that the patch takes away from a function. */
export const goneChecks: Fact<readonly GoneCheck[], FunctionView> = {
  name: "gone checks",
  derive: (fn) => [...found(fn)],
};

function* found(fn: FunctionView): Generator<GoneCheck> {
  if (!fn.file.takesAway) return;
  for (const { lines } of fn.file.diff.hunks) {
    for (const start of lines.keys()) {
      if (lines[start]!.kind !== "removed" || lines[start - 1]?.kind !== "context") continue;
      const above = lines.slice(0, start);
      const last = above.findLast(({ text }) => text.trim() !== "");
      const end = lines.findIndex(({ kind }, at) => at > start && kind !== "removed");
      const gone = joined(lines.slice(start, end === -1 ? lines.length : end));
      const check = CHECK.exec(gone);
      const args = check === null ? null : argumentsAt(gone, check[0].length)?.args ?? null;
      if (last?.kind !== "context" || args?.[1] === undefined) continue;
      const stmt = statementEndingAt(last, fn);
      if (stmt === null) continue;
      const next = lines[end];
      yield {
        stmt,
        isCut: !fn.file.isWhole && isCutAbove(joined(above)),
        args,
        handle: args[1],
        instead: next?.kind === "added" ? next : null,
      };
    }
  }
}

const joined = (lines: readonly Line[]) =>
  lines.filter(({ kind }) => kind !== "added").map(({ text }) => text.trim()).join(" ").trim();

const isCutAbove = (text: string): boolean =>
  LAST_ARGUMENT.test(text) && text.indexOf(";") === text.length - 1 && !/[{}]| = /.test(text);

/** The statement of which a line is the last one. */
function statementEndingAt(line: Line, { node, file }: FunctionView): Stmt | null {
  let found: Stmt | null = null;
  walkStmt(node.body, {
    stmt: (stmt) => {
      if ((stmt.kind === "hole" || stmt.kind === "expr") && file.lineAt(stmt.end - 1) === line) found = stmt;
    },
  });
  return found;
}
