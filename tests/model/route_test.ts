import { deepEqual } from "node:assert/strict";
import type { ApiName } from "../../rules/model/operation.ts";
import { made, type Make, outcome } from "./machines.ts";

const hops = (make: Make, api: ApiName) => {
  const { route, result } = outcome(make, api);
  return [...route!.hops.map(({ at, space }) => `${at.replace("0000:", "")} ${space}`), result.kind];
};

Deno.test("follow() crosses a switch when a window beside it claims the bus address", () => {
  deepEqual(hops({ shape: "S", iommu: "translating" }, "pci_p2pdma_map_type"), [
    "03:00.0 dma",
    "02:00.0 dma",
    "02:01.0 bus",
    "04:00.0 bus",
    "reaches",
  ]);
});

Deno.test("follow() sends an IOVA up through a switch, since no window claims it", () => {
  deepEqual(hops({ shape: "S", iommu: "translating" }, "dma_map_resource"), [
    "03:00.0 dma",
    "02:00.0 dma",
    "01:00.0 dma",
    "00:01.0 dma",
    "iommu cpu",
    "host 00 bus",
    "00:01.0 bus",
    "01:00.0 bus",
    "02:01.0 bus",
    "04:00.0 bus",
    "detour",
  ]);
});

Deno.test("follow() sends everything up from a port with ACS redirect", () => {
  deepEqual(hops({ shape: "R", iommu: "passthrough" }, "pci_bus_address").slice(0, 5), [
    "03:00.0 dma",
    "02:00.0 dma",
    "01:00.0 dma",
    "00:01.0 dma",
    "iommu cpu",
  ]);
});

Deno.test("follow() ends where host bridges are not known to forward", () => {
  deepEqual(hops({ shape: "P", iommu: "none", id: "8086:a740" }, "dma_map_resource"), [
    "03:00.0 dma",
    "00:01.0 dma",
    "host 00 cpu",
    "unknown",
  ]);
});

Deno.test("follow() makes a bus address of a CPU address at the window of the other host bridge", () => {
  const { route } = outcome({ shape: "H", iommu: "none", offset: -0x4000_0000n }, "dma_map_resource");
  deepEqual(route!.hops.map(({ address }) => address.toString(16)), [
    "d0000000",
    "d0000000",
    "90000000",
    "90000000",
    "90000000",
  ]);
  deepEqual(made({ shape: "H", iommu: "none" }).places.size, 4);
});
