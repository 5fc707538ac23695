/**
 * Numbers by chance that a failing test can repeat.
 *
 * @module
 */

/** xorshift32: the same numbers in every run. */
export function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
