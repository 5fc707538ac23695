/**
 * What an operation comes to on the built-in machines, in words: for reports, mails and rule pages. Pure.
 *
 * @module
 */

import type { Finding } from "../../rules/engine/types.ts";
import { type OnMachines, onMachines } from "../../rules/model/on_machines.ts";
import type { Outcome } from "../../rules/model/outcome.ts";
import { hex } from "../../rules/model/range.ts";
import { shortAddress } from "../../rules/model/topology.ts";
import { hang } from "./wrap.ts";

/** How bad it is. `bad`: lost or in the wrong place, and no error. `luck`: works, and not because the code is right. */
export type Mood = "bad" | "luck" | "refused" | "good" | "none";

/** What to call an outcome. */
export interface Naming {
  /** One or two words: `aborts`. */
  readonly word: string;
  /** Four letters at most, for a table: `lost`. */
  readonly code: string;
  /** What stands before the machine's name: `aborts on`. */
  readonly phrase: string;
  readonly mood: Mood;
}

const NAMINGS = {
  strays: { word: "wrong target", code: "else", phrase: "hits something else on", mood: "bad" },
  aborts: { word: "aborts", code: "lost", phrase: "aborts on", mood: "bad" },
  unknown: { word: "no known way", code: "dark", phrase: "has no known way, and no error, on", mood: "bad" },
  detour: { word: "detour", code: "turn", phrase: "takes a detour through the root complex on", mood: "bad" },
  unvouched: {
    word: "unasked",
    code: "none",
    phrase: "arrives where the kernel says it cannot on",
    mood: "bad",
  },
  refused: { word: "refused", code: "err", phrase: "fails with an error on", mood: "refused" },
  attr: { word: "cacheable", code: "attr", phrase: "maps registers as cacheable on", mood: "luck" },
  num: { word: "by luck", code: "luck", phrase: "is right only because numbers are equal on", mood: "luck" },
  ok: { word: "right", code: "ok", phrase: "is right on", mood: "good" },
  none: { word: "n/a", code: "-", phrase: "makes no sense on", mood: "none" },
} satisfies Record<string, Naming>;

type NamingKey = keyof typeof NAMINGS;

/** What fails silently first, what is right last. */
const ORDER = Object.keys(NAMINGS) as readonly NamingKey[];

function keyOf({ result, verdict }: Outcome): NamingKey {
  switch (result.kind) {
    case "n/a":
      return "none";
    case "reaches":
      return verdict === "ok" || verdict === "num" || verdict === "attr" ? verdict : "unvouched";
    default:
      return result.kind;
  }
}

/** What to call an outcome. */
export function naming(outcome: Outcome): Naming {
  return NAMINGS[keyOf(outcome)];
}

/** Every naming, what fails silently first. */
export const NAMED: readonly Naming[] = ORDER.map((key) => NAMINGS[key]);

/**
 * One sentence over all machines, one machine of each kind named: `dma_map_resource() of a peer's BAR aborts on a SoC
 * with … (and 1 more); is right on …`.
 */
export function machinesSentence({ what, outcomes }: OnMachines): string {
  const parts: string[] = [];
  for (const key of ORDER) {
    const [first, ...more] = outcomes.filter((outcome) => keyOf(outcome) === key);
    if (first === undefined || key === "none") continue;
    const rest = more.length === 0 ? "" : ` (and ${more.length} more)`;
    parts.push(`${NAMINGS[key].phrase} ${first.fabric.topology.title}${rest}`);
  }
  return `${what} ${parts.join("; ")}`;
}

/** Where a finding's operation goes wrong, as lines of their own: none for a finding that is of no one call. */
export function machinesOf({ operation }: Finding): string[] {
  return operation === undefined ? [] : [`machines: ${machinesSentence(onMachines(operation))}`];
}

/** {@link machinesSentence} as lines. */
export function machinesLines(machines: OnMachines, width: number, lead: string): string[] {
  return hang(machinesSentence(machines), width, lead);
}

/** The command line that shows an outcome: `p2plint model --topology switch-iommu --api dma_map_resource`. */
export function modelCommand({ fabric, operation }: Outcome): string {
  const { api, client, device, target, given } = operation;
  return [
    `p2plint model --topology ${fabric.topology.name} --api ${api}`,
    ...(target.kind === "ram" ? [`--to ram:${hex(target.cpu)}`] : []),
    ...(given === "cpu" ? [] : [`--given ${given}`]),
    ...(device === client ? [] : [`--device ${shortAddress(device.device.address)}`]),
  ].join(" ");
}

/** Every machine on a line of its own, as Markdown, each with the command that shows the way of the request. */
export function machinesList({ what, outcomes }: OnMachines): string[] {
  return [
    `${what}:`,
    "",
    ...outcomes.map((outcome) =>
      `- ${outcome.fabric.topology.title}: ${naming(outcome).word}, ${outcome.result.text} (\`${
        modelCommand(outcome)
      }\`)`
    ),
    "",
  ];
}

/** The same for a machine to read. */
export function machinesRow({ what, outcomes }: OnMachines): unknown {
  return {
    operation: what,
    machines: outcomes.map((outcome) => ({
      topology: outcome.fabric.topology.name,
      title: outcome.fabric.topology.title,
      verdict: outcome.verdict,
      result: outcome.result.kind,
      text: outcome.result.text,
      mapType: outcome.relation?.type ?? null,
      command: modelCommand(outcome),
      emitted: outcome.yields.kind === "emitted" ? hex(outcome.yields.address) : null,
    })),
  };
}
