/**
 * The kernel source that some tests need: Debian's linux-source-6.12, or what P2PLINT_TREE names. Tests that need it
 * are left out where it is absent, and say so.
 *
 * @module
 */

import { join } from "@std/path";

/** The root of the tree; whether it is there is what {@link missingTree} says. */
export const KERNEL_TREE = Deno.env.get("P2PLINT_TREE") ?? "/usr/src/linux-source-6.12";

/** Why there is no tree to test with; null when there is one. */
export function missingTree(): string | null {
  try {
    Deno.statSync(join(KERNEL_TREE, "MAINTAINERS"));
    return null;
  } catch {
    return `no kernel source at ${KERNEL_TREE}`;
  }
}
