/**
 * Writes a row of the API tables in as few words as it takes: the positions that the parameter list already
 * tells are read from it. Knows no kernel name.
 *
 * @module
 */

import type { Api, Meaning } from "./types.ts";

/** What a row must say; the rest has a default. */
export type Given = Pick<Api, "name" | "role" | "params" | "source"> & Partial<Api>;

/** The meanings that name the hardware a call works for. */
const DEVICES: readonly Meaning[] = ["device", "pci-dev", "ib-device", "attachment", "dma-chan"];

/** Position of the first parameter with one of these meanings; null when there is none. */
function position(params: readonly Meaning[], meanings: readonly Meaning[]): number | null {
  const index = params.findIndex((meaning) => meanings.includes(meaning));
  return index < 0 ? null : index;
}

/**
 * Completes a row. Device, size, direction, attributes and entry count are the first parameter of that meaning;
 * `returns` is none, `failure` is never, both versions are null, everything else is empty unless given.
 */
export function row(given: Given): Api {
  const { params } = given;
  return {
    returns: "none",
    device: position(params, DEVICES),
    handle: null,
    memory: null,
    size: position(params, ["size"]),
    direction: position(params, ["direction"]),
    attrs: position(params, ["attrs"]),
    nents: position(params, ["nents"]),
    failure: "never",
    families: [],
    undo: [],
    since: null,
    removed: null,
    ...given,
  };
}
