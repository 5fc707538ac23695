/**
 * An operation on a machine: what should have been emitted, what is, where it goes, and what to think of it. Pure.
 *
 * @module
 */

import { isMappedFor, type Operation, type Yield, yieldOf } from "./operation.ts";
import { relate, type Relation } from "./p2pdma.ts";
import { bytes, hex } from "./range.ts";
import { follow, type Route } from "./route.ts";
import { cpuAddress, type Endpoint, type Fabric, type Place, shortAddress } from "./topology.ts";

/** What must be emitted. */
export type Required =
  | { readonly kind: "bus" | "cpu"; readonly address: bigint }
  /** An IOVA of the client's domain that stands for this CPU address. */
  | { readonly kind: "iova"; readonly cpu: bigint }
  /** There is no right address: the mapping must fail. */
  | { readonly kind: "none" };

/** How an API does on a machine. */
export type Verdict =
  /** The right address, for the right reason. */
  | "ok"
  /** Right only because two numbers happen to be equal here; nobody asked for the route. */
  | "num"
  /** The right address with the attributes of memory. */
  | "attr"
  /** An unusable or wrongly routed address, and no error. */
  | "WRONG"
  /** An error is returned. */
  | "refuse"
  /** The operation makes no sense here. */
  | "n/a";

/** What becomes of the request. */
export interface Result {
  /** `detour`: it reaches its target through the root complex, where the kernel did not look whether that works. */
  readonly kind: "reaches" | "detour" | "strays" | "aborts" | "unknown" | "refused" | "n/a";
  readonly text: string;
}

/** All that the model says of an operation on a machine. */
export interface Outcome {
  readonly fabric: Fabric;
  readonly operation: Operation;
  /** null when the target is memory. */
  readonly relation: Relation | null;
  readonly required: Required;
  readonly yields: Yield;
  /** null when nothing is emitted. */
  readonly route: Route | null;
  readonly result: Result;
  readonly verdict: Verdict;
}

/** Runs an operation on its machine. */
export function run(fabric: Fabric, operation: Operation): Outcome {
  const { client, target } = operation;
  const relation = target.kind === "bar" ? relate(fabric, target.provider, client) : null;
  const required = requiredFor(operation, relation);
  const yields = yieldOf(fabric, operation);
  const route = yields.kind === "emitted" ? follow(fabric, client, yields.address, yields.mapping) : null;
  return {
    fabric,
    operation,
    relation,
    required,
    yields,
    route,
    result: resultOf(operation, relation, yields, route),
    verdict: verdictOf(fabric, operation, required, yields),
  };
}

/** The CPU physical address of what is wanted. */
export function targetCpu({ target }: Operation): bigint {
  if (target.kind === "ram") return target.cpu;
  const bar = target.provider.device.bars.find(({ index }) => index === target.bar)!;
  return cpuAddress(target.provider.host, bar.bus)!;
}

/** The table "what must be programmed": include/linux/pci-p2pdma.h, comments of enum pci_p2pdma_map_type. */
function requiredFor(operation: Operation, relation: Relation | null): Required {
  const { target, client } = operation;
  const cpu = targetCpu(operation);
  if (target.kind === "ram") {
    if (client.device.iommu === "translating") return { kind: "iova", cpu };
    const range = client.host.inbound?.find((each) => cpu >= each.cpu && cpu < each.cpu + each.size);
    if (client.host.inbound !== null && range === undefined) return { kind: "none" };
    return { kind: "cpu", address: range === undefined ? cpu : cpu - range.cpu + range.bus };
  }
  switch (relation!.type) {
    case "BUS_ADDR":
      return {
        kind: "bus",
        address: target.provider.device.bars.find(({ index }) => index === target.bar)!.bus,
      };
    case "THRU_HOST_BRIDGE":
      return client.device.iommu === "translating" ? { kind: "iova", cpu } : { kind: "cpu", address: cpu };
    case "NOT_SUPPORTED":
      return { kind: "none" };
  }
}

function verdictOf(fabric: Fabric, operation: Operation, required: Required, yields: Yield): Verdict {
  if (yields.kind === "inapplicable") return "n/a";
  if (yields.kind === "refused") return "refuse";
  const { mapping, address } = yields;
  let isRight: boolean;
  switch (required.kind) {
    case "none":
      return "WRONG";
    case "iova":
      isRight = mapping !== null && mapping.iova === address && mapping.cpu === required.cpu &&
        isMappedFor(fabric, mapping, operation.client);
      break;
    default:
      isRight = address === required.address;
  }
  if (!isRight) return "WRONG";
  if (yields.isCacheable && operation.target.kind === "bar") return "attr";
  if (operation.given !== "cpu") return "num";
  return yields.isChecked || yields.as === required.kind ? "ok" : "num";
}

/** `bar2 of the accelerator 82:00.0` */
export function barName(device: Place<Endpoint>, bar: number): string {
  return `bar${bar} of the ${device.device.title} ${shortAddress(device.device.address)}`;
}

function resultOf(
  operation: Operation,
  relation: Relation | null,
  yields: Yield,
  route: Route | null,
): Result {
  if (yields.kind === "inapplicable") return { kind: "n/a", text: yields.why };
  if (yields.kind === "refused") return { kind: "refused", text: `${yields.returns}: ${yields.why}` };
  const { target } = operation;
  const { end, isThroughHost } = route!;
  switch (end.kind) {
    case "aborts":
      return { kind: "aborts", text: end.why };
    case "unknown":
      return { kind: "unknown", text: end.why };
    case "ram":
      return target.kind === "ram" && target.cpu === end.cpu
        ? { kind: "reaches", text: "the memory that was meant" }
        : { kind: "strays", text: `into RAM at ${hex(end.cpu)}` };
    case "bar": {
      const isWanted = target.kind === "bar" && target.provider === end.device && target.bar === end.bar;
      if (!isWanted) return { kind: "strays", text: `into ${barName(end.device, end.bar)}` };
      if (end.offset !== 0n) {
        return { kind: "strays", text: `${bytes(end.offset)} too far into ${barName(end.device, end.bar)}` };
      }
      return isThroughHost && relation!.type !== "THRU_HOST_BRIDGE"
        ? {
          kind: "detour",
          text: "the BAR, but through the root complex, for which the kernel was not asked",
        }
        : { kind: "reaches", text: "the BAR that was meant" };
    }
  }
}
