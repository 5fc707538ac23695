/**
 * Machines for tests, made from the words of the tables: S same switch, R the same with ACS redirect, P two root ports,
 * H two host bridges.
 *
 * @module
 */

import type { ApiName, Operation } from "../../rules/model/operation.ts";
import { type Outcome, run } from "../../rules/model/outcome.ts";
import { windowsAround } from "../../rules/model/read_topology.ts";
import {
  type AcsBit,
  type Device,
  type Endpoint,
  endpointAt,
  type Fabric,
  fabricOf,
  type HostBridge,
  type Iommu,
  type Port,
  type Topology,
  type Window,
} from "../../rules/model/topology.ts";
import type { Version } from "../../rules/kernel/types.ts";

export const MIB = 1n << 20n;
export const GIB = 1n << 30n;

/** On the allow list for two host bridges, only within one, not at all. */
export const SKYLAKE = "8086:2030";
export const HASWELL = "8086:2f00";
export const UNLISTED = "8086:a740";

export function endpoint(
  address: string,
  title: string,
  bus: bigint,
  more: Partial<Endpoint> = {},
): Endpoint {
  return {
    kind: "endpoint",
    address,
    title,
    acs: [],
    bars: [{ index: 2, bus, size: 16n * MIB }],
    iommu: "none",
    maskBits: 64,
    ...more,
  };
}

export function port(
  kind: Port["kind"],
  address: string,
  below: readonly Device[],
  acs: readonly AcsBit[] = [],
): Port {
  return { kind, address, acs, claims: windowsAround(below), below };
}

export function host(address: string, below: readonly Device[], more: Partial<HostBridge> = {}): HostBridge {
  return { address, id: SKYLAKE, windows: [], inbound: null, below, ...more };
}

export function machine(hostBridges: readonly HostBridge[], more: Partial<Topology> = {}): Fabric {
  return fabricOf({
    name: "made-up",
    title: "made up",
    cpu: null,
    ram: [{ start: 0n, size: 2n * GIB }],
    hostBridges,
    from: null,
    to: null,
    ...more,
  });
}

/** What a machine of the tables is made of. */
export interface Make {
  readonly shape: "S" | "R" | "P" | "H";
  readonly iommu: Iommu;
  /** bus address less CPU address. */
  readonly offset?: bigint;
  readonly id?: string;
  readonly inbound?: readonly Window[] | null;
}

/** The first bus address of the window that every made machine has. */
export const BASE = 0x8000_0000n;

/** A client at 0000:03:00.0 and a provider with bar2 at 0000:04:00.0. */
export function made({ shape, iommu, offset = 0n, id = SKYLAKE, inbound = null }: Make): Fabric {
  const window = (bus: bigint): Window => ({ bus, cpu: bus - offset, size: 256n * MIB });
  const client = endpoint("0000:03:00.0", "NIC", BASE, { iommu });
  const provider = endpoint(
    "0000:04:00.0",
    "accelerator",
    shape === "H" ? BASE + 256n * MIB : BASE + 32n * MIB,
    {
      iommu,
    },
  );
  const bridge = { id, inbound };
  const acs: AcsBit[] = shape === "R" ? ["RR"] : [];
  switch (shape) {
    case "S":
    case "R":
      return machine([host("0000:00", [
        port("root-port", "0000:00:01.0", [
          port("upstream", "0000:01:00.0", [
            port("downstream", "0000:02:00.0", [client], acs),
            port("downstream", "0000:02:01.0", [provider], acs),
          ]),
        ]),
      ], { ...bridge, windows: [window(BASE)] })]);
    case "P":
      return machine([host("0000:00", [
        port("root-port", "0000:00:01.0", [client]),
        port("root-port", "0000:00:02.0", [provider]),
      ], { ...bridge, windows: [window(BASE)] })]);
    case "H":
      return machine([
        host("0000:00", [port("root-port", "0000:00:01.0", [client])], {
          ...bridge,
          windows: [window(BASE)],
        }),
        host("0000:80", [port("root-port", "0000:80:01.0", [provider])], {
          ...bridge,
          windows: [window(BASE + 256n * MIB)],
        }),
      ]);
  }
}

/** The operation of the tables: the client wants bar2 of the provider. */
export function operation(fabric: Fabric, api: ApiName, kernel: Version | null = null): Operation {
  const client = endpointAt(fabric, "0000:03:00.0")!;
  const provider = endpointAt(fabric, "0000:04:00.0")!;
  return { api, kernel, client, device: client, target: { kind: "bar", provider, bar: 2 }, given: "cpu" };
}

/** What comes of the operation of the tables. */
export function outcome(
  make: Make,
  api: ApiName,
  kernel: Version | null = null,
  more: Partial<Operation> = {},
): Outcome {
  const fabric = made(make);
  return run(fabric, { ...operation(fabric, api, kernel), ...more });
}
