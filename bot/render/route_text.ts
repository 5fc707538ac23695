/**
 * An outcome as text of at most 72 columns: the machine as a tree with the stops of the request numbered, the stops, and
 * what comes of it. Titles and names may be a stranger's. Pure.
 *
 * @module
 */

import { callText } from "../../rules/model/operation.ts";
import { type Outcome, type Required, targetCpu, type Verdict } from "../../rules/model/outcome.ts";
import { hex } from "../../rules/model/range.ts";
import { type Device, type HostBridge, shortAddress } from "../../rules/model/topology.ts";
import { naming } from "./machines.ts";
import { printable } from "./printable.ts";
import { hang, WIDTH } from "./wrap.ts";

/** The verdicts as sentences. */
export const VERDICT_TEXT: Readonly<Record<Verdict, string>> = {
  ok: "the right address",
  num: "the right number, but not because anybody asked for the route",
  attr: "the right address, mapped as cacheable memory",
  WRONG: "a wrong address, and no error",
  refuse: "refused with an error",
  "n/a": "not applicable",
};

/** What should be emitted, in words. */
export function requiredText(required: Required): string {
  switch (required.kind) {
    case "bus":
      return `${hex(required.address)}, the PCI bus address`;
    case "cpu":
      return `${hex(required.address)}, the CPU physical address`;
    case "iova":
      return `an IOVA that the IOMMU translates to ${hex(required.cpu)}`;
    case "none":
      return "nothing: the mapping must fail";
  }
}

/** What is emitted, in words. */
export function emittedText({ yields }: Outcome): string {
  switch (yields.kind) {
    case "emitted":
      return `${hex(yields.address)}: ${yields.how}`;
    case "refused":
      return `nothing, ${yields.returns}: ${yields.why}`;
    case "inapplicable":
      return `nothing: ${yields.why}`;
  }
}

/** What the operation is, in words. */
export function operationText({ operation }: Outcome): string {
  const { api, client, device, target, given } = operation;
  const name = (at: typeof client) => `${at.device.title} ${shortAddress(at.device.address)}`;
  const what = target.kind === "ram"
    ? `memory at ${hex(target.cpu)}`
    : `bar${target.bar} of ${name(target.provider)}`;
  const of = given === "cpu" ? "" : given === "bus" ? ", given its bus address" : ", given its DMA address";
  const instead = device === client ? "" : `, mapped for ${name(device)}`;
  return `${callText({ api, target: target.kind })}: ${name(client)} wants ${what}${of}${instead}`;
}

/** The whole answer as lines. */
export function routeLines(outcome: Outcome, notes: readonly string[] = []): string[] {
  const { fabric, relation, required, result, verdict, route } = outcome;
  const text = (value: string, lead = "") => hang(printable(value), WIDTH, lead);
  const out = [
    ...text(fabric.topology.title),
    ...text(operationText(outcome)),
    "",
    ...drawing(outcome),
    "",
  ];
  if (relation !== null) {
    const acs = relation.acs.length === 0
      ? ""
      : `, ACS redirect at ${relation.acs.map(shortAddress).join(", ")}`;
    const distance = relation.type === "NOT_SUPPORTED" ? -1 : relation.distance;
    out.push(...text(`PCI_P2PDMA_MAP_${relation.type}, distance ${distance}${acs}`, "kernel:   "));
  }
  out.push(
    ...text(requiredText(required), "needed:   "),
    ...text(emittedText(outcome), "emitted:  "),
  );
  if (route !== null) {
    out.push(`route:`);
    for (const [i, hop] of route.hops.entries()) {
      out.push(...text(`${place(hop.at)}: ${hop.text}`, `  ${String(i + 1).padStart(2)}  `));
    }
  }
  out.push(
    ...text(`${naming(outcome).word}: ${result.text}`, "result:   "),
    ...text(VERDICT_TEXT[verdict], "verdict:  "),
  );
  if (notes.length > 0) out.push("", ...notes.flatMap((note) => text(note, "note:     ")));
  return out;
}

/** `82:01.0`, `the IOMMU`, `host bridge 0000:80`, `RAM` */
export function place(at: string): string {
  if (at === "iommu") return "the IOMMU";
  if (at === "ram") return "RAM";
  return at.startsWith("host ") ? at.replace("host", "host bridge") : shortAddress(at);
}

/** The machine as a tree; what has nothing to do with the request is counted, not drawn. */
function drawing(outcome: Outcome): string[] {
  const { fabric, operation, route } = outcome;
  const { client, target } = operation;
  const stops = new Map<string, number[]>();
  for (const [i, { at }] of (route?.hops ?? []).entries()) stops.set(at, [...stops.get(at) ?? [], i + 1]);
  const involved = new Set([...stops.keys(), client.device.address]);
  if (target.kind === "bar") involved.add(target.provider.device.address);
  const isInvolved = (device: Device): boolean =>
    involved.has(device.address) || (device.kind !== "endpoint" && device.below.some(isInvolved));
  const mark = (key: string) => (stops.get(key) ?? []).map((no) => `(${no})`).join(" ");
  const rows: (readonly [left: string, right: string])[] = [];
  const add = (devices: readonly Device[], lead: string) => {
    const shown = devices.filter(isInvolved);
    const others = devices.length - shown.length;
    for (const [i, device] of shown.entries()) {
      const isLast = i === shown.length - 1 && others === 0;
      rows.push([
        `${lead}${isLast ? "`-" : "|-"} ${label(device)}`,
        `${mark(device.address)}${role(device)}`,
      ]);
      if (device.kind !== "endpoint") add(device.below, `${lead}${isLast ? "  " : "| "} `);
    }
    if (others > 0) rows.push([`${lead}\`- ${others} more`, ""]);
  };
  const role = (device: Device) => {
    if (device === client.device) return " asks";
    return target.kind === "bar" && device === target.provider.device ? " wanted" : "";
  };
  const ram = mark("ram");
  if (ram !== "" || target.kind === "ram") {
    rows.push([
      `RAM, wanted at ${hex(targetCpu(operation))}`.slice(0, target.kind === "ram" ? undefined : 3),
      ram,
    ]);
  }
  if (stops.has("iommu")) rows.push([`IOMMU, ${client.device.iommu}`, mark("iommu")]);
  for (const host of fabric.topology.hostBridges) {
    if (!host.below.some(isInvolved) && !stops.has(`host ${host.address}`)) continue;
    rows.push([hostLabel(host), mark(`host ${host.address}`)]);
    add(host.below, "");
  }
  const room = WIDTH - Math.max(0, ...rows.map(([, right]) => right.length)) - 2;
  const width = Math.min(room, Math.max(0, ...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) =>
    `${left.length > width ? `${left.slice(0, width - 1)}~` : left.padEnd(width)}  ${right.trimStart()}`
      .trimEnd()
  );
}

function hostLabel(host: HostBridge): string {
  const id = host.id === null ? "" : ` (${host.id})`;
  const isShifted = host.windows.some(({ cpu, bus }) => cpu !== bus);
  return `host bridge ${host.address}${id}${isShifted ? ", bus offset" : ""}`;
}

const KIND = { "root-port": "root port", upstream: "switch", downstream: "port" } as const;

function label(device: Device): string {
  const acs = device.acs.length === 0 ? "" : `, ACS ${device.acs.join(" ")}`;
  const name = device.kind === "endpoint" ? printable(device.title) : KIND[device.kind];
  return `${name} ${shortAddress(device.address)}${acs}`;
}
