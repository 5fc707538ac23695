/**
 * What is known of each place at one point of a function. Points share what they have in common: a copy is made on
 * the first write only, and every entry copied is paid for out of one purse, so that no function can take for ever.
 *
 * @module
 */

import { type Origin, sameOrigins, union } from "./origin.ts";

/** What is known of a place. */
export interface Binding {
  readonly origins: readonly Origin[];
  /** Normal form of what the place was last set to; null: differs by path, or not a plain path. */
  readonly alias: string | null;
}

/** Entries that may still be copied for a function. */
export interface Purse {
  left: number;
}

/** Places by their normal form. */
export class State {
  private isOwn: boolean;

  private constructor(private bindings: Map<string, Binding>, private readonly purse: Purse, isOwn: boolean) {
    this.isOwn = isOwn;
  }

  /** A state in which nothing is known. */
  static empty(purse: Purse): State {
    return new State(new Map(), purse, true);
  }

  /** The same knowledge, to be changed without changing this. */
  fork(): State {
    this.isOwn = false;
    return new State(this.bindings, this.purse, false);
  }

  get(place: string): Binding | undefined {
    return this.bindings.get(place);
  }

  has(place: string): boolean {
    return this.bindings.has(place);
  }

  set(place: string, binding: Binding): void {
    this.own().set(place, binding);
  }

  delete(place: string): void {
    if (this.bindings.has(place)) this.own().delete(place);
  }

  /** Safe to write to the state meanwhile: the walk goes over what was known when it began. */
  [Symbol.iterator](): IterableIterator<[string, Binding]> {
    this.isOwn = false;
    return this.bindings.entries();
  }

  private own(): Map<string, Binding> {
    if (!this.isOwn) {
      this.purse.left -= this.bindings.size + 1;
      this.bindings = new Map(this.bindings);
      this.isOwn = true;
    }
    return this.bindings;
  }

  /** What holds on either of two ways; this very state when the other adds nothing. */
  join(other: State): State {
    if (this.bindings === other.bindings) return this;
    this.purse.left -= other.bindings.size >> 2;
    const out = this.fork();
    for (const [place, right] of other.bindings) {
      const left = this.bindings.get(place);
      if (left === undefined) {
        out.set(place, right.alias === null ? right : { origins: right.origins, alias: null });
        continue;
      }
      if (left === right) continue;
      const alias = left.alias === right.alias ? left.alias : null;
      const origins = union(left.origins, right.origins);
      if (alias !== left.alias || !sameOrigins(origins, left.origins)) out.set(place, { origins, alias });
    }
    for (const [place, left] of this.bindings) {
      if (left.alias !== null && !other.bindings.has(place)) {
        out.set(place, { origins: left.origins, alias: null });
      }
    }
    return out.bindings === this.bindings ? this : out;
  }
}
