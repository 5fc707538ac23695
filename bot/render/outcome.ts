/**
 * An outcome of the model as a row of JSON, schema p2plint-model/1: addresses are texts, since they have 64 bits. Pure.
 *
 * @module
 */

import { type Outcome, targetCpu } from "../../rules/model/outcome.ts";
import { hex } from "../../rules/model/range.ts";

/** Names the shape of the document. */
export const MODEL_SCHEMA = "p2plint-model/1";

/** The row. */
export function outcomeRow(outcome: Outcome, notes: readonly string[] = []): unknown {
  const { fabric, operation, relation, required, yields, route, result, verdict } = outcome;
  const { api, client, device, target, given, kernel } = operation;
  return {
    schema: MODEL_SCHEMA,
    topology: fabric.topology.name,
    operation: {
      api,
      kernel: kernel === null ? null : kernel.join("."),
      from: client.device.address,
      device: device.device.address,
      to: target.kind === "bar"
        ? `${target.provider.device.address}/bar${target.bar}`
        : `ram:${hex(target.cpu)}`,
      cpuAddress: hex(targetCpu(operation)),
      given,
    },
    p2pdma: relation === null ? null : {
      mapType: relation.type,
      distance: relation.type === "NOT_SUPPORTED" ? -1 : relation.distance,
      acsRedirect: relation.acs,
      commonBridge: relation.common,
    },
    required: required.kind === "none"
      ? { kind: "none" }
      : required.kind === "iova"
      ? { kind: "iova", cpuAddress: hex(required.cpu) }
      : { kind: required.kind, address: hex(required.address) },
    emitted: yields.kind === "emitted"
      ? { kind: "emitted", address: hex(yields.address), as: yields.as, how: yields.how }
      : yields.kind === "refused"
      ? { kind: "refused", returns: yields.returns, why: yields.why }
      : { kind: "inapplicable", why: yields.why },
    route: (route?.hops ?? []).map(({ at, address, space, text }) => ({
      at,
      address: hex(address),
      space,
      text,
    })),
    result: { kind: result.kind, text: result.text },
    verdict,
    notes,
  };
}
