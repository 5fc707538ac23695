/**
 * Facts: what is derived once and asked often. A fact is pulled when a rule or another fact uses it, so no order
 * of running has to be kept anywhere.
 *
 * @module
 */

import type { Version } from "../kernel/types.ts";
import type { FunctionView, SourceFile } from "./source.ts";

/** Something that can be derived from `V`: a function, a file, a side of the patch. */
export interface Fact<T, V extends object> {
  readonly name: string;
  derive(of: V, use: Use): T;
}

/** All files of a patch on one side, and what surrounds them: what a function can see beyond its own file. */
export interface Side {
  readonly side: "new" | "old";
  /** The files that are judged. */
  readonly files: readonly SourceFile[];
  /** Files of the tree, or of earlier patches of the series, that they refer to: read, not judged. */
  readonly context: readonly SourceFile[];
  /** The kernel the patch is for; null: the newest that the tables know. */
  readonly kernel: Version | null;
}

/** Derives a fact on its first use. */
export interface Use {
  <T, V extends object>(fact: Fact<T, V>, of: V): T;
  readonly side: Side;
  /** Says that a function was too much to be analysed: what is claimed of it is not complete. */
  giveUp(fn: FunctionView, reason: string): void;
  /** What was given up so far, and why. */
  readonly givenUp: ReadonlyMap<FunctionView, string>;
}

/**
 * A fresh memory of facts for one side of one patch.
 *
 * @throws {Error} From `use`, when a fact needs itself
 */
export function createUse(side: Side): Use {
  const memory = new WeakMap<object, Map<unknown, { value?: unknown }>>();
  const givenUp = new Map<FunctionView, string>();
  const derive = <T, V extends object>(fact: Fact<T, V>, of: V): T => {
    let facts = memory.get(of);
    if (facts === undefined) memory.set(of, facts = new Map());
    const known = facts.get(fact);
    if (known !== undefined) {
      if (!("value" in known)) throw new Error(`Cannot derive "${fact.name}": it needs itself`);
      return known.value as T;
    }
    const slot: { value?: unknown } = {};
    facts.set(fact, slot);
    slot.value = fact.derive(of, use);
    return slot.value as T;
  };
  const use: Use = Object.assign(derive, {
    side,
    givenUp,
    giveUp: (fn: FunctionView, reason: string) => void givenUp.set(fn, reason),
  });
  return use;
}
