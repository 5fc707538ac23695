/**
 * `model`: a machine and an operation → the address, the way, the result; or all APIs on all machines.
 *
 * @module
 */

import { BUILTIN } from "../rules/model/builtin.ts";
import { readIomem } from "../rules/model/iomem.ts";
import { readLspci } from "../rules/model/lspci.ts";
import { machineFrom } from "../rules/model/machine.ts";
import {
  API_TEXT,
  type ApiName,
  APIS,
  hasApi,
  type Operation,
  type Target,
} from "../rules/model/operation.ts";
import { type Outcome, run } from "../rules/model/outcome.ts";
import { readTopology, topologyFrom } from "../rules/model/read_topology.ts";
import {
  type Device,
  type Endpoint,
  endpointAt,
  type Fabric,
  fabricOf,
  fullAddress,
  type Iommu,
  type Place,
  shortAddress,
  type Topology,
} from "../rules/model/topology.ts";
import type { Version } from "../rules/kernel/types.ts";
import { type Arguments, type CommandModule, kernelFrom, nearest, UsageError } from "./options.ts";
import { matrixLines, matrixRow } from "./render/matrix.ts";
import { outcomeRow } from "./render/outcome.ts";
import { standalone } from "./render/picture.ts";
import { printable, printableJson } from "./render/printable.ts";
import { routeLines } from "./render/route_text.ts";
import type { Terminal } from "./terminal.ts";

const FORMATS = ["text", "json", "svg"] as const;
const IOMMUS = ["none", "passthrough", "translating"] as const;
/** A server with hundreds of devices prints some MiB. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** `p2plint model` */
export const modelCommand: CommandModule = {
  command: {
    name: "model",
    operands: "",
    summary: "show where a peer-to-peer DMA goes on a machine, and why",
    notes: [
      "NAME is a built-in machine, FILE one in JSON (rules/model/topologies/ has examples).",
      `Built in: ${BUILTIN.map(({ topology }) => topology.name).join(", ")}.`,
      "",
      `API is one of ${APIS.join(", ")}.`,
      "",
      "Your own machine: lspci -vvv -nn as root (with -b where the PCI side has other addresses) and /proc/iomem.",
    ].join("\n"),
    options: [
      { name: "topology", value: "NAME|FILE", help: "the machine" },
      { name: "lspci", value: "FILE", help: "the machine that lspci -t and lspci -vvv -nn describe" },
      { name: "iomem", value: "FILE", help: "its /proc/iomem" },
      {
        name: "iommu",
        value: "STATE",
        help: "none, passthrough or translating, for every device",
        choices: IOMMUS,
      },
      { name: "cpu", value: "CPU", help: "amd-zen: the kernel trusts the CPU", choices: ["amd-zen"] },
      { name: "api", value: "API", help: "what the driver calls", default: "dma_map_resource" },
      { name: "from", value: "DEVICE", help: "who issues the DMA: 81:00.0" },
      { name: "to", value: "TARGET", help: "what it wants: 82:00.0/bar2, or ram:0x40000000" },
      { name: "device", value: "DEVICE", help: "for whom the driver maps (default: who issues the DMA)" },
      {
        name: "given",
        value: "ADDRESS",
        help: "what is taken for the CPU address: cpu, bus, dma",
        choices: ["cpu", "bus", "dma"],
        default: "cpu",
      },
      { name: "kernel", value: "X.Y", help: "as that kernel does it (default: the newest)" },
      { name: "matrix", value: null, help: "all APIs on all built-in machines, or on the one named" },
      { name: "format", value: "FORMAT", help: FORMATS.join(", "), choices: FORMATS, default: "text" },
    ],
    example: "p2plint model --topology switch-iommu --api dma_map_resource",
  },
  run: model,
};

async function model(args: Arguments, terminal: Terminal): Promise<number> {
  const { values, flags, operands } = args;
  if (operands.length > 0) throw new UsageError(`model takes options only, not "${operands[0]}"`);
  const kernel = kernelFrom(values.get("kernel"));
  const format = values.get("format");
  const chosen = await machine(args);
  if (flags.has("matrix")) {
    if (format === "svg") throw new UsageError("--matrix has no picture: use text or json");
    const machines = chosen === null ? BUILTIN : [chosen.fabric];
    const apis = APIS.filter((api) => hasApi(api, kernel) && api !== "virt_to_phys");
    const rows = apis.map((api) => ({
      api,
      outcomes: machines.map((fabric) => run(fabric, operation(fabric, { ...readCall(args), api, kernel }))),
    }));
    terminal.out(format === "json" ? printableJson(matrixRow(rows)) + "\n" : lines(matrixLines(rows)));
    return 0;
  }
  if (chosen === null) throw new UsageError("model needs --topology, or --lspci, or --matrix");
  const { fabric, notes } = chosen;
  const api = await apiNamed(values.get("api")!);
  const outcome = run(fabric, operation(fabric, { ...readCall(args), api, kernel }));
  terminal.out(printed(outcome, format!, notes));
  return 0;
}

function printed(outcome: Outcome, format: string, notes: readonly string[]): string {
  if (format === "svg") return standalone(outcome);
  return format === "json"
    ? printableJson(outcomeRow(outcome, notes)) + "\n"
    : lines(routeLines(outcome, notes));
}

const lines = (list: readonly string[]) => list.map((line) => `${line}\n`).join("");

/** The machine that the options name; null when they name none. */
async function machine({ values }: Arguments) {
  const named = values.get("topology");
  const lspci = values.get("lspci");
  if (named !== undefined && lspci !== undefined) {
    throw new UsageError("--topology and --lspci are two machines");
  }
  if (named === undefined && values.has("iomem") && lspci === undefined) {
    throw new UsageError("--iomem needs --lspci");
  }
  const iommu = (values.get("iommu") ?? null) as Iommu | null;
  if (lspci !== undefined) {
    const iomem = values.get("iomem");
    const cpu = values.has("cpu") ? "amd-zen" : null;
    const devices = readLspci(await text(lspci));
    if (devices.functions.length === 0) throw unreadable(lspci, devices.notes);
    const { document, notes } = machineFrom(
      devices,
      iomem === undefined ? null : readIomem(await text(iomem)),
      { name: lspci.slice(-200), iommu, cpu },
    );
    const { topology, problems } = topologyFrom(document);
    if (topology === null) throw unreadable(lspci, problems);
    return { fabric: fabricOf(topology), notes };
  }
  if (named === undefined) return null;
  const builtin = BUILTIN.find(({ topology }) => topology.name === named)?.topology;
  const topology = builtin ?? await fromFile(named);
  const cpu = values.has("cpu") ? "amd-zen" as const : topology.cpu;
  return { fabric: fabricOf({ ...withIommu(topology, iommu), cpu }), notes: [] };
}

async function fromFile(named: string): Promise<Topology> {
  if (!named.includes("/") && !named.endsWith(".json")) {
    const near = await nearest(named, BUILTIN.map(({ topology }) => topology.name));
    throw new UsageError(`unknown machine "${named}"${near === null ? "" : `, did you mean ${near}?`}`);
  }
  const { topology, problems } = readTopology(await text(named));
  if (topology === null) throw unreadable(named, problems);
  return topology;
}

function unreadable(path: string, problems: readonly string[]): UsageError {
  const [first, ...more] = problems;
  return new UsageError(
    `cannot read ${path}: ${first}${more.length === 0 ? "" : ` (and ${more.length} more)`}`,
  );
}

async function text(path: string): Promise<string> {
  try {
    const { size, isFile } = await Deno.stat(path);
    // What /proc shows has no size.
    if (!isFile || size > MAX_FILE_BYTES) {
      throw new UsageError(`cannot read ${path}: no file of at most 64 MiB`);
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new UsageError(`cannot read ${path}: no such file`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new UsageError(`cannot read ${path}: no permission`);
    }
    throw error;
  }
}

function withIommu(topology: Topology, iommu: Iommu | null): Topology {
  if (iommu === null) return topology;
  const set = (device: Device): Device =>
    device.kind === "endpoint" ? { ...device, iommu } : { ...device, below: device.below.map(set) };
  return {
    ...topology,
    title: `${topology.title}, with the IOMMU set to ${iommu}`,
    hostBridges: topology.hostBridges.map((host) => ({ ...host, below: host.below.map(set) })),
  };
}

/** What the options say of the operation, besides API and kernel. */
interface Call {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly device: string | undefined;
  readonly given: Operation["given"];
}

function readCall({ values }: Arguments): Call {
  return {
    from: values.get("from"),
    to: values.get("to"),
    device: values.get("device"),
    given: values.get("given") as Operation["given"],
  };
}

/** @throws {UsageError} If a device or a target is not there */
function operation(
  fabric: Fabric,
  { from, to, device, given, api, kernel }: Call & { readonly api: ApiName; readonly kernel: Version | null },
): Operation {
  const client = party(fabric, from ?? fabric.topology.from, "--from");
  return {
    api,
    kernel,
    client,
    device: device === undefined ? client : party(fabric, device, "--device"),
    target: target(fabric, to ?? fabric.topology.to),
    given,
  };
}

function party(fabric: Fabric, named: string | null, option: string): Place<Endpoint> {
  const found = named === null ? null : endpointAt(fabric, fullAddress(named));
  if (found !== null) return found;
  const there = [...fabric.places.values()].filter(({ device }) => device.kind === "endpoint")
    .map(({ device }) => shortAddress(device.address));
  const some = there.slice(0, 8).join(", ") + (there.length > 8 ? ", …" : "");
  throw new UsageError(
    `${option} ${
      named === null ? "is missing" : `"${named}" is no device`
    } of ${fabric.topology.name}: ${some}`,
  );
}

function target(fabric: Fabric, named: string | null): Target {
  const ram = /^ram:(0x[0-9a-f]{1,16})$/i.exec(named ?? "");
  if (ram !== null) return { kind: "ram", cpu: BigInt(ram[1]!) };
  const [, address = null, index = ""] = /^(.+)\/bar([0-5])$/.exec(named ?? "") ?? [];
  if (named !== null && address === null) {
    throw new UsageError(`--to is "${named}", not a BAR such as 82:00.0/bar2, and not ram:0x40000000`);
  }
  const provider = party(fabric, address, "--to");
  const bar = Number(index);
  if (!provider.device.bars.some((each) => each.index === bar)) {
    const there = provider.device.bars.map((each) => `bar${each.index}`).join(", ");
    throw new UsageError(
      `--to: ${shortAddress(provider.device.address)} has no bar${bar}: ${there || "no BAR at all"}`,
    );
  }
  return { kind: "bar", provider, bar };
}

async function apiNamed(name: string): Promise<ApiName> {
  const found = APIS.find((api) => api === name || API_TEXT[api].call === name);
  if (found !== undefined) return found;
  const near = await nearest(name, APIS);
  throw new UsageError(`unknown API "${printable(name)}"${near === null ? "" : `, did you mean ${near}?`}`);
}
