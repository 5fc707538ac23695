/**
 * What holds on every machine, on machines made at random from a seed. They go through the JSON reader, so what it lets
 * through is what the model has to bear.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import { type Outcome, run, targetCpu } from "../../rules/model/outcome.ts";
import { contains, hex } from "../../rules/model/range.ts";
import { topologyFrom } from "../../rules/model/read_topology.ts";
import { type Device, type Endpoint, type Fabric, fabricOf, type Place } from "../../rules/model/topology.ts";
import { GIB, HASWELL, MIB, SKYLAKE, UNLISTED } from "./machines.ts";

const MACHINES = 1500;

/** mulberry32: small, seeded, good enough to shake a model. */
function dice(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (n: number) => Math.floor(next() * n),
    one: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!,
    chance: (p: number) => next() < p,
  };
}
type Dice = ReturnType<typeof dice>;

/** A machine as a JSON document: host bridges with and without an offset, nested switches, functions, aliases. */
function machineFrom(roll: Dice): unknown {
  const hosts = 1 + roll.below(3);
  const hostBridges = [];
  for (let i = 0; i < hosts; i++) {
    // CPU windows stand apart from each other and from RAM; on the bus they may be anywhere, over RAM, too.
    const cpu = 8n * GIB * BigInt(i + 1);
    const bus = roll.chance(0.4)
      ? cpu
      : roll.one([2n * GIB, 3n * GIB, 8n * GIB, 16n * GIB]) + BigInt(roll.below(4)) * 64n * MIB;
    const size = 512n * MIB;
    const id = roll.one([SKYLAKE, SKYLAKE, HASWELL, UNLISTED, null]);
    const parts = new Parts(roll, i * 0x60, bus, bus + size);
    const below = Array.from({ length: 1 + roll.below(4) }, () => parts.rootDevice());
    hostBridges.push({
      address: `0000:${(i * 0x60).toString(16).padStart(2, "0")}`,
      id,
      windows: [{ cpu: hex(cpu), bus: hex(bus), size: hex(size) }],
      // What the kernel trusts takes CPU addresses from below: that is what THRU_HOST_BRIDGE means.
      ...(id === UNLISTED && roll.chance(0.5)
        ? { inbound: [{ cpu: "0x0", bus: "0x0", size: hex(4n * GIB) }] }
        : {}),
      below,
    });
  }
  return {
    schema: "p2plint-topology/1",
    name: "random",
    title: "random",
    cpu: roll.chance(0.1) && hostBridges.every(({ inbound }) => inbound === undefined) ? "amd-zen" : null,
    ram: [{ start: "0x0", size: hex(4n * GIB) }],
    hostBridges,
  };
}

class Parts {
  private bus: number;
  private slot = 0;

  constructor(private readonly roll: Dice, bus: number, private free: bigint, private readonly end: bigint) {
    this.bus = bus;
  }

  rootDevice(): unknown {
    const address = this.address(this.bus0(), this.slot++);
    if (this.roll.chance(0.1)) return this.endpoint(address);
    const acs = this.acs();
    return { kind: "root-port", address, acs, below: this.link(0) };
  }

  private first: number | null = null;
  private bus0(): number {
    return this.first ??= this.bus++;
  }

  /** What hangs on a link: a switch, or the functions of one device. */
  private link(depth: number): unknown[] {
    const bus = this.bus++;
    if (depth < 2 && this.roll.chance(0.5)) {
      // pci_enable_acs() sets all ports of a switch alike.
      const acs = this.acs();
      const inner = this.bus++;
      const below = Array.from({ length: 1 + this.roll.below(3) }, (_, i) => ({
        kind: "downstream",
        address: this.address(inner, i),
        acs,
        below: this.link(depth + 1),
      }));
      return [{ kind: "upstream", address: this.address(bus, 0), below }];
    }
    const functions = this.roll.chance(0.2) ? 2 : 1;
    return Array.from({ length: functions }, (_, i) => this.endpoint(this.address(bus, 0, i)));
  }

  private endpoint(address: string): unknown {
    const size = this.roll.one([MIB, 2n * MIB, 8n * MIB]);
    const bus = (this.free + size - 1n) / size * size;
    this.free = bus + size;
    ok(this.free <= this.end, "the generator makes more BARs than fit");
    return {
      kind: "endpoint",
      address,
      title: "device",
      iommu: this.roll.one(["none", "passthrough", "translating"]),
      bars: [{ index: 0, bus: hex(bus), size: hex(size) }],
      maskBits: this.roll.chance(0.1) ? 32 : 64,
    };
  }

  private acs(): string[] {
    return this.roll.one([[], [], ["RR"], ["RR", "CR"], ["EC"]]);
  }

  private address(bus: number, slot: number, fn = 0): string {
    const two = (n: number) => n.toString(16).padStart(2, "0");
    return `0000:${two(bus)}:${two(slot)}.${fn}`;
  }
}

/** The target is reached on a way that the kernel vouches for, or nothing is emitted. */
function isSafe({ result, relation }: Outcome): boolean {
  if (result.kind === "refused") return true;
  return result.kind === "reaches" && relation!.type !== "NOT_SUPPORTED";
}

/**
 * The CPU address that must go up is somebody's bus address on the way: a platform whose address spaces alias. There no
 * address is right, the kernel's neither: "you either drastically limit your BAR size, don't support PCI switches or
 * lose a lot of DDR" (YxjDBOIavc79ZByZ@nvidia.com).
 */
function isAliased(outcome: Outcome): boolean {
  const { client, device } = outcome.operation;
  if (outcome.relation!.type !== "THRU_HOST_BRIDGE" || device.device.iommu === "translating") return false;
  const cpu = targetCpu(outcome.operation);
  const holds = (each: Device): boolean =>
    each.kind === "endpoint"
      ? each.bars.some(({ bus, size }) => contains({ start: bus, size }, cpu))
      : each.claims.some((range) => contains(range, cpu)) || each.below.some(holds);
  let top: Place = client;
  while (top.up !== null) top = top.up;
  const target = outcome.required.kind === "cpu" ? outcome.required.address : null;
  const provider = outcome.operation.target.kind === "bar" ? outcome.operation.target.provider : null;
  // Without an offset the CPU address is the provider's own bus address: no alias.
  const isOwn = provider !== null && provider.host === client.host && target !== null &&
    provider.device.bars.some(({ bus }) => bus === target);
  return !isOwn && holds(top.device);
}

function* pairs(): Generator<
  { readonly fabric: Fabric; readonly client: Place<Endpoint>; readonly provider: Place<Endpoint> }
> {
  for (let seed = 1; seed <= MACHINES; seed++) {
    const { topology, problems } = topologyFrom(machineFrom(dice(seed)));
    equal(problems.join("; "), "", `seed ${seed}`);
    const fabric = fabricOf(topology!);
    const endpoints = [...fabric.places.values()].filter((place): place is Place<Endpoint> =>
      place.device.kind === "endpoint"
    );
    for (const client of endpoints) {
      for (const provider of endpoints) yield { fabric, client, provider };
    }
  }
}

const say = (
  { fabric, client, provider }: { fabric: Fabric; client: Place; provider: Place },
  outcome: Outcome,
) =>
  `${client.device.address} to ${provider.device.address}: ${outcome.relation!.type} ${outcome.verdict} ` +
  `${outcome.result.kind} ${outcome.result.text} of ${fabric.topology.hostBridges.length} host bridges`;

Deno.test("on any machine p2pdma's address reaches the BAR on a way that the kernel knows, or is refused", () => {
  const seen = new Map<string, number>();
  let aliased = 0;
  for (const each of pairs()) {
    const { fabric, client, provider } = each;
    for (const api of ["pci_p2pdma_map_type", "dma_buf_phys_vec_to_sgt"] as const) {
      const outcome = run(fabric, {
        api,
        kernel: null,
        client,
        device: client,
        target: { kind: "bar", provider, bar: 0 },
        given: "cpu",
      });
      if (isAliased(outcome)) {
        aliased++;
        continue;
      }
      ok(isSafe(outcome), say(each, outcome));
      const type = outcome.relation!.type;
      equal(outcome.verdict === "refuse", outcome.result.kind === "refused");
      if (type === "NOT_SUPPORTED") equal(outcome.verdict, "refuse");
      if (type === "BUS_ADDR") equal(outcome.route!.isThroughHost, false, say(each, outcome));
      seen.set(type, (seen.get(type) ?? 0) + 1);
    }
  }
  // A generator that never makes a kind of machine proves nothing of it.
  for (const type of ["BUS_ADDR", "THRU_HOST_BRIDGE", "NOT_SUPPORTED"]) {
    ok((seen.get(type) ?? 0) > 1000, type);
  }
  ok(aliased > 0);
});

Deno.test("dma_map_resource() is unsafe exactly below a switch with an offset or an IOMMU, and where there is no way", () => {
  let unsafe = 0;
  for (const each of pairs()) {
    const { fabric, client, provider } = each;
    const outcome = run(fabric, {
      api: "dma_map_resource",
      kernel: null,
      client,
      device: client,
      target: { kind: "bar", provider, bar: 0 },
      given: "cpu",
    });
    if (isAliased(outcome)) continue;
    // dma_capable() refuses what the device's mask cannot hold, whatever the way.
    if (outcome.result.kind === "refused") {
      equal(client.device.maskBits, 32, say(each, outcome));
      continue;
    }
    const bus = provider.device.bars[0]!.bus;
    const byTheTable = outcome.relation!.type === "NOT_SUPPORTED" ||
      outcome.relation!.type === "BUS_ADDR" &&
        (client.device.iommu === "translating" || targetCpu(outcome.operation) !== bus);
    equal(!isSafe(outcome), byTheTable, say(each, outcome));
    equal(outcome.verdict === "WRONG", byTheTable, say(each, outcome));
    if (byTheTable) unsafe++;
  }
  ok(unsafe > 1000);
});
