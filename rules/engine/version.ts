/**
 * Comparing kernel releases.
 *
 * @module
 */

import type { Version } from "../kernel/types.ts";

/** Orders two releases: negative when `a` is older. */
export function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1];
}
