/**
 * An operation on the built-in machines: what a finding means in practice. Pure.
 *
 * @module
 */

import { BUILTIN } from "./builtin.ts";
import { callText, type Target } from "./operation.ts";
import { type Outcome, run } from "./outcome.ts";
import type { Stand } from "./stand.ts";
import { endpointAt, type Fabric } from "./topology.ts";

/** An operation on each built-in machine. */
export interface OnMachines {
  readonly stand: Stand;
  /** For people: `dma_map_resource() of a peer's BAR`. */
  readonly what: string;
  /** In order of {@link BUILTIN}. */
  readonly outcomes: readonly Outcome[];
}

const known = new Map<string, OnMachines>();

/** What an operation comes to on the built-in machines. The same operation gives the same object. */
export function onMachines(stand: Stand): OnMachines {
  const key = [stand.api, stand.target, stand.given, stand.device].join(" ");
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = { stand, what: phrase(stand), outcomes: BUILTIN.map((each) => on(each, stand)) };
  known.set(key, made);
  return made;
}

function phrase({ api, target, given, device }: Stand): string {
  const name = callText({ api, target });
  const of = name.endsWith(")") ? target === "ram" ? " of memory" : " of a peer's BAR" : "";
  const instead = { cpu: "", bus: ", given the bus address", dma: ", given a DMA address" }[given];
  return `${name}${of}${instead}${device === "provider" ? " for the exporter's device" : ""}`;
}

function on(fabric: Fabric, { api, target, given, device }: Stand): Outcome {
  const { client, provider, bar } = parties(fabric);
  return run(fabric, {
    api,
    kernel: null,
    client,
    device: device === "client" ? client : provider,
    target: target === "ram" ? someRam(fabric) : { kind: "bar", provider, bar },
    given,
  });
}

function parties(fabric: Fabric) {
  const { topology } = fabric;
  const [address = "", bar = ""] = topology.to!.split("/bar");
  return {
    client: endpointAt(fabric, topology.from!)!,
    provider: endpointAt(fabric, address)!,
    bar: Number(bar),
  };
}

/** Some memory of a machine; in the SoC's it is where no BAR hides it on the bus, so that only the code is judged. */
function someRam({ topology }: Fabric): Target {
  const [first] = topology.ram;
  return { kind: "ram", cpu: first === undefined ? 0n : first.start + first.size / 4n };
}
