/**
 * What a driver does, and the address that comes of it: one entry per kernel API, for the kernels where it behaves
 * like that. Pure.
 *
 * @module
 */

import { compare } from "../engine/version.ts";
import type { Version } from "../kernel/types.ts";
import { relate, type Relation, shareGroup } from "./p2pdma.ts";
import { contains, hex, overlaps } from "./range.ts";
import { cpuAddress, type Endpoint, type Fabric, type HostBridge, type Place } from "./topology.ts";

/** The names of the APIs, in the order of the table of results. */
export const APIS = [
  "dma_map_resource",
  "dma_map_phys_mmio",
  "dma_map_phys",
  "pci_p2pdma_map_sg",
  "dma_map_sgtable",
  "pci_p2pdma_map_type",
  "pci_p2pdma_bus_addr_map",
  "dma_buf_phys_vec_to_sgt",
  "pci_resource_start",
  "pci_bus_address",
  "dma_map_page",
  "dma_map_single",
  "iommu_map",
  "virt_to_phys",
] as const;

/** The name of an API. */
export type ApiName = (typeof APIS)[number];

/** What the address is meant for: a BAR, or memory. */
export type Target =
  | { readonly kind: "bar"; readonly provider: Place<Endpoint>; readonly bar: number }
  | { readonly kind: "ram"; readonly cpu: bigint };

/** A driver asks for an address and gives it to a device. */
export interface Operation {
  readonly api: ApiName;
  /** null: the newest. */
  readonly kernel: Version | null;
  /** Who issues the DMA. */
  readonly client: Place<Endpoint>;
  /** The device argument of the call; the client in right code. */
  readonly device: Place<Endpoint>;
  readonly target: Target;
  /** What is given as the CPU physical address: that, or by mistake the PCI bus address, or the DMA address. */
  readonly given: "cpu" | "bus" | "dma";
}

/** A stretch of an IOMMU domain. */
export interface Mapping {
  /** For whom it was made: the domain is this device's. */
  readonly device: Place<Endpoint>;
  readonly iova: bigint;
  readonly cpu: bigint;
  readonly size: bigint;
}

/** An address came out. */
export interface Emitted {
  readonly kind: "emitted";
  readonly address: bigint;
  /**
   * Whose address it is by construction: `bus`, `iova` or `cpu` from a call that means it for a peer's BAR, `ram` from a
   * call that takes the BAR for memory, `raw` from no mapping call at all.
   */
  readonly as: "bus" | "iova" | "cpu" | "ram" | "raw";
  /** The API has asked p2pdma for the route. */
  readonly isChecked: boolean;
  /** The mapping is cacheable, IOMMU_CACHE instead of IOMMU_MMIO. */
  readonly isCacheable: boolean;
  /** What the call put into an IOMMU domain; null when it put nothing. */
  readonly mapping: Mapping | null;
  readonly how: string;
}

/** What the API gives. */
export type Yield =
  | Emitted
  | { readonly kind: "refused"; readonly returns: string; readonly why: string }
  | { readonly kind: "inapplicable"; readonly why: string };

/** An API, for people. */
export interface ApiText {
  /** As written in code. */
  readonly call: string;
  /** Kernels that have it; absent: all that the model knows, 4.20 on. */
  readonly since?: Version;
  readonly until?: Version;
}

/** Every API as it is written. Versions: the kernel's history, see rules/kernel/. */
export const API_TEXT: Readonly<Record<ApiName, ApiText>> = {
  dma_map_resource: { call: "dma_map_resource()" },
  dma_map_phys_mmio: { call: "dma_map_phys(DMA_ATTR_MMIO)", since: [6, 18] },
  dma_map_phys: { call: "dma_map_phys() without DMA_ATTR_MMIO", since: [6, 18] },
  pci_p2pdma_map_sg: { call: "pci_p2pdma_map_sg()", until: [6, 0] },
  dma_map_sgtable: { call: "dma_map_sgtable() of P2PDMA pages", since: [6, 0] },
  pci_p2pdma_map_type: { call: "pci_p2pdma_map_type() and a branch per type", since: [6, 16] },
  pci_p2pdma_bus_addr_map: { call: "pci_p2pdma_bus_addr_map() unasked", since: [6, 16] },
  dma_buf_phys_vec_to_sgt: { call: "dma_buf_phys_vec_to_sgt()", since: [6, 19] },
  pci_resource_start: { call: "pci_resource_start() handed out unmapped" },
  pci_bus_address: { call: "pci_bus_address() handed out unmapped" },
  dma_map_page: { call: "dma_map_page() of a P2PDMA page" },
  dma_map_single: { call: "dma_map_single() of an ioremap() pointer", since: [5, 5] },
  iommu_map: { call: "iommu_map(), then the IOVA" },
  virt_to_phys: { call: "virt_to_phys() handed out unmapped" },
};

/** What is called, in words: of memory it is the plain function, of a BAR it may be one of its uses. */
export function callText(
  { api, target }: { readonly api: ApiName; readonly target: Target["kind"] },
): string {
  const { call } = API_TEXT[api];
  return target === "ram" ? call.replace(/ of .*/, "") : call;
}

/** Whether a kernel has an API; null is the newest. */
export function hasApi(api: ApiName, kernel: Version | null): boolean {
  const { since, until } = API_TEXT[api];
  if (kernel === null) return until === undefined;
  return (since === undefined || compare(kernel, since) >= 0) &&
    (until === undefined || compare(kernel, until) < 0);
}

const since = (kernel: Version | null, version: Version) => kernel === null || compare(kernel, version) >= 0;

/** The address that the API yields for the operation. */
export function yieldOf(fabric: Fabric, operation: Operation): Yield {
  const { api, kernel, device, target, given } = operation;
  if (!hasApi(api, kernel)) return { kind: "inapplicable", why: "this kernel does not have it" };
  if (given === "dma") return mappedTwice(fabric, operation);
  if (target.kind === "ram") return ramYield(operation, target.cpu);
  if (api === "virt_to_phys") return { kind: "inapplicable", why: "a BAR is not in the linear map" };
  const { provider, bar: index } = target;
  const bar = provider.device.bars.find((each) => each.index === index);
  if (bar === undefined) {
    throw new Error(`Cannot aim at bar${index} of ${provider.device.address}: no such BAR`);
  }
  const cpu = cpuAddress(provider.host, bar.bus);
  if (cpu === null) throw new Error(`Cannot aim at ${hex(bar.bus)}: no window of the host bridge shows it`);
  const phys = given === "cpu" ? cpu : bar.bus;
  const offset = bar.bus - cpu;
  const ask: Ask = { device, phys, size: bar.size };
  const relation = () => relate(fabric, provider, device);
  switch (api) {
    case "dma_map_resource":
    case "dma_map_phys_mmio":
      return mmio(ask, false);
    case "dma_map_phys":
    case "dma_map_page":
      return memory(ask, false);
    case "dma_map_single":
      return {
        kind: "refused",
        returns: "DMA_MAPPING_ERROR",
        why: "the pointer is in the vmalloc range, where there is no linear map",
      };
    case "pci_p2pdma_map_sg":
      return oldMapSg(ask, relation, offset, kernel);
    case "dma_map_sgtable":
      return mapSgtable(ask, relation(), offset, kernel);
    case "pci_p2pdma_map_type":
      return perType(ask, relation(), offset, "the driver's default: branch", "no address is made");
    case "dma_buf_phys_vec_to_sgt":
      return perType(ask, relation(), offset, "-EINVAL", "pci_p2pdma_map_type() says NOT_SUPPORTED");
    case "pci_p2pdma_bus_addr_map":
      return busAddress(phys + offset, false, "adds the bus offset of the BAR");
    case "pci_resource_start":
      return raw(phys, "the CPU physical address as it is");
    case "pci_bus_address":
      return raw(phys + offset, "the value of the BAR register");
    case "iommu_map":
      return device.device.iommu !== "translating"
        ? { kind: "inapplicable", why: "no IOMMU translates for the device" }
        : translated(ask, false, false, "puts the CPU physical address into the domain");
  }
}

/** A DMA address taken for the physical address that it stands for. */
function mappedTwice(fabric: Fabric, operation: Operation): Yield {
  const first = yieldOf(fabric, { ...operation, given: "cpu" });
  if (first.kind !== "emitted") return first;
  const { mapping } = first;
  // The second mapping is of another IOVA, and what is mapped there is not what was meant.
  return mapping === null ? { ...first, as: "raw" } : {
    ...first,
    address: mapping.iova - mapping.size,
    mapping: { ...mapping, iova: mapping.iova - mapping.size, cpu: mapping.iova },
    how: "puts the first IOVA into the domain as if it were a CPU address",
  };
}

interface Ask {
  readonly device: Place<Endpoint>;
  readonly phys: bigint;
  readonly size: bigint;
}

const raw = (address: bigint, how: string): Emitted => ({
  kind: "emitted",
  address,
  as: "raw",
  isChecked: false,
  isCacheable: false,
  mapping: null,
  how,
});

const busAddress = (address: bigint, isChecked: boolean, how: string): Emitted => ({
  ...raw(address, how),
  as: "bus",
  isChecked,
});

/**
 * A mapping as MMIO: dma_direct_map_resource() gives the physical address back and ignores dma-ranges
 * (kernel/dma/direct.c), iommu_dma_map_resource() puts it into the domain with IOMMU_MMIO (drivers/iommu/dma-iommu.c).
 */
function mmio(ask: Ask, isChecked: boolean): Yield {
  const { device, phys } = ask;
  if (device.device.iommu === "translating") {
    return translated(ask, isChecked, false, "puts the CPU physical address into the device's domain");
  }
  return capable(ask, phys, {
    ...raw(phys, "the CPU physical address as it is, since no IOMMU translates"),
    as: "cpu",
    isChecked,
  });
}

/** A mapping as memory: phys_to_dma() with dma-ranges (kernel/dma/direct.h), or IOMMU_CACHE (dma_info_to_prot()). */
function memory(ask: Ask, isChecked: boolean): Yield {
  const { device, phys } = ask;
  if (device.device.iommu === "translating") {
    return translated(ask, isChecked, true, "puts the CPU physical address into the domain as memory");
  }
  const dma = physToDma(device.host, phys);
  if (dma === null) {
    return {
      kind: "refused",
      returns: "DMA_MAPPING_ERROR",
      why: `no dma-ranges of the device holds ${hex(phys)}`,
    };
  }
  return capable(ask, dma, { ...raw(dma, "phys_to_dma() of the CPU address"), as: "ram", isChecked });
}

/** include/linux/dma-direct.h, translate_phys_to_dma(). */
function physToDma(host: HostBridge, cpu: bigint): bigint | null {
  if (host.inbound === null) return cpu;
  const range = host.inbound.find((each) => contains({ start: each.cpu, size: each.size }, cpu));
  return range === undefined ? null : cpu - range.cpu + range.bus;
}

/** dma_capable(): the device can only emit what its mask covers. */
function capable({ device, size }: Ask, address: bigint, emitted: Emitted): Yield {
  const { maskBits } = device.device;
  if (address + size <= 1n << BigInt(maskBits)) return emitted;
  return {
    kind: "refused",
    returns: "DMA_MAPPING_ERROR",
    why: `${hex(address)} does not fit the device's ${maskBits}-bit DMA mask`,
  };
}

function translated(ask: Ask, isChecked: boolean, isCacheable: boolean, how: string): Yield {
  const iova = freeIova(ask);
  if (iova === null) {
    return { kind: "refused", returns: "DMA_MAPPING_ERROR", why: "no IOVA is left below the DMA mask" };
  }
  const mapping = { device: ask.device, iova, cpu: ask.phys, size: ask.size };
  return { ...raw(iova, how), as: "iova", isChecked, isCacheable, mapping };
}

/** x86's range for message signalled interrupts, reserved by both of its IOMMU drivers. */
const MSI = { start: 0xfee00000n, size: 0x100000n };

/**
 * A free IOVA: top down, below 4 GiB as long as there is room, aligned to its size, never a bus address of the device's
 * own host bridge (drivers/iommu/dma-iommu.c, iommu_dma_alloc_iova(), iova_reserve_pci_windows()).
 */
function freeIova({ device, size }: Ask): bigint | null {
  let step = 4096n;
  while (step < size) step *= 2n;
  const reserved = [
    MSI,
    ...device.host.windows.map(({ bus, size }) => ({ start: bus, size })),
  ];
  const limit = 1n << BigInt(device.device.maskBits);
  const four = 1n << 32n;
  for (const top of limit > four ? [four, limit] : [limit]) {
    // IOVA 0 is never handed out.
    for (let start = top - step; start > 0n; start -= step) {
      const hit = reserved.find((range) => overlaps(range, { start, size: step }));
      if (hit === undefined) return start;
      // Jump below the reserved range at once.
      const next = (hit.start / step) * step;
      if (next < start) start = next;
    }
  }
  return null;
}

/** pci_p2pdma_map_type() and what belongs to each type, as drivers/dma-buf/dma-buf-mapping.c does it. */
function perType(ask: Ask, relation: Relation, offset: bigint, returns: string, why: string): Yield {
  switch (relation.type) {
    case "BUS_ADDR":
      return busAddress(ask.phys + offset, true, "BUS_ADDR: adds the bus offset of the BAR");
    case "THRU_HOST_BRIDGE":
      return mmio(ask, true);
    case "NOT_SUPPORTED":
      return { kind: "refused", returns, why };
  }
}

/** dma_map_sgtable() of P2PDMA pages: kernel/dma/direct.c, dma_direct_map_sg() and dma-iommu.c, iommu_dma_map_sg(). */
function mapSgtable(ask: Ask, relation: Relation, offset: bigint, kernel: Version | null): Yield {
  switch (relation.type) {
    case "BUS_ADDR":
      return busAddress(ask.phys + offset, true, "BUS_ADDR: adds the bus offset of the BAR");
    case "THRU_HOST_BRIDGE":
      // Since a25e7962db0d79 a `break` skipped the assignment; 20260603013723.2439-1-lirongqing@baidu.com put
      // `fallthrough` there, and stable kernels have it too.
      if (
        ask.device.device.iommu !== "translating" && kernel !== null && since(kernel, [6, 16]) &&
        !since(kernel, [7, 1])
      ) {
        return raw(0n, "the address is never set, whatever stood in the scatterlist is used");
      }
      return memory(ask, true);
    case "NOT_SUPPORTED":
      return {
        kind: "refused",
        returns: "-EREMOTEIO (0 from dma_map_sg())",
        why: "pci_p2pdma_map_type() says NOT_SUPPORTED",
      };
  }
}

/** pci_p2pdma_map_sg() of v4.20 to v5.19: drivers/pci/p2pdma.c of those kernels. */
function oldMapSg(
  ask: Ask,
  relation: () => Relation,
  offset: bigint,
  kernel: Version | null,
): Yield {
  // The offset was subtracted until 5.16 (20211105170017.GA929912@bhelgaas).
  const bus = since(kernel, [5, 16]) ? ask.phys + offset : ask.phys - offset;
  const how = since(kernel, [5, 16])
    ? "adds the bus offset of the BAR"
    : "subtracts the bus offset of the BAR";
  // Before 5.4 the caller had to ask pci_p2pdma_distance() first.
  if (!since(kernel, [5, 4])) return busAddress(bus, false, how);
  switch (relation().type) {
    case "BUS_ADDR":
      return busAddress(bus, true, how);
    case "THRU_HOST_BRIDGE":
      return memory(ask, true);
    case "NOT_SUPPORTED":
      return { kind: "refused", returns: "0", why: "pci_p2pdma_map_type() says NOT_SUPPORTED" };
  }
}

/** Memory: only what drivers do with memory. */
function ramYield({ api, device }: Operation, cpu: bigint): Yield {
  const ask: Ask = { device, phys: cpu, size: 4096n };
  switch (api) {
    case "virt_to_phys":
      return raw(cpu, "the CPU physical address as it is");
    case "dma_map_single":
    case "dma_map_page":
    case "dma_map_phys":
    case "dma_map_sgtable":
      return memory(ask, true);
    case "dma_map_resource":
    case "dma_map_phys_mmio":
      return mmio(ask, false);
    default:
      return { kind: "inapplicable", why: "it is for the BAR of a peer" };
  }
}

/** Whether what a call put into a domain is there for another device, too. */
export function isMappedFor(fabric: Fabric, mapping: Mapping, client: Place<Endpoint>): boolean {
  return mapping.device === client ||
    (mapping.device.device.iommu === client.device.iommu && shareGroup(fabric, mapping.device, client));
}
