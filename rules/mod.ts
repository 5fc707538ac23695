/**
 * The catalogue: every rule, sorted by id.
 *
 * @module
 */

import type { Rule } from "./engine/rule.ts";
import p2pDmaMapResourceOnBar from "./p2p-dma-map-resource-on-bar.ts";

/** Every rule, sorted by id. */
export const rules: readonly Rule[] = [
  p2pDmaMapResourceOnBar,
];
