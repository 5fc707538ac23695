/**
 * The tables of the translation model, cell by cell. The source of a row stands beside it.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import type { Version } from "../../rules/kernel/types.ts";
import type { ApiName } from "../../rules/model/operation.ts";
import { run, type Verdict } from "../../rules/model/outcome.ts";
import { relate } from "../../rules/model/p2pdma.ts";
import { endpointAt, type Fabric } from "../../rules/model/topology.ts";
import {
  BASE,
  endpoint,
  HASWELL,
  host,
  machine,
  made,
  type Make,
  MIB,
  operation,
  outcome,
  port,
  UNLISTED,
} from "./machines.ts";

// Bus addresses 0x80000000 and up are at CPU addresses 1 GiB higher: not RAM, and no bus address of anybody.
const OFFSET = -0x4000_0000n;

const pair = (fabric: Fabric, provider = "0000:04:00.0", client = "0000:03:00.0") =>
  relate(fabric, endpointAt(fabric, provider)!, endpointAt(fabric, client)!);

// drivers/pci/p2pdma.c of v6.12, calc_map_type_and_dist() and the comment above it.
for (
  const [title, make, type, distance] of [
    ["below one switch", { shape: "S" }, "BUS_ADDR", 4],
    ["below one switch with ACS redirect", { shape: "R" }, "THRU_HOST_BRIDGE", 4],
    ["below one switch with ACS redirect, not allowed", { shape: "R", id: UNLISTED }, "NOT_SUPPORTED", 4],
    ["below two root ports", { shape: "P" }, "THRU_HOST_BRIDGE", 4],
    [
      "below two root ports, allowed within one host bridge",
      { shape: "P", id: HASWELL },
      "THRU_HOST_BRIDGE",
      4,
    ],
    ["below two root ports, not allowed", { shape: "P", id: UNLISTED }, "NOT_SUPPORTED", 4],
    ["below two host bridges", { shape: "H" }, "THRU_HOST_BRIDGE", 4],
    ["below two host bridges, allowed within one only", { shape: "H", id: HASWELL }, "NOT_SUPPORTED", 4],
    ["below two host bridges, not allowed", { shape: "H", id: UNLISTED }, "NOT_SUPPORTED", 4],
  ] as const
) {
  Deno.test(`relate() ${title}: ${type}`, () => {
    const relation = pair(made({ iommu: "none", ...make }));
    deepEqual([relation.type, relation.distance], [type, distance]);
  });
}

Deno.test("relate() takes a function and itself, and two functions of a device, for direct: 0 and 2", () => {
  const functions = machine([host("0000:00", [
    port("root-port", "0000:00:01.0", [
      endpoint("0000:03:00.0", "NIC", BASE),
      endpoint("0000:03:00.1", "NIC", BASE + 32n * MIB),
    ]),
  ], { id: UNLISTED })]);
  const self = pair(functions, "0000:03:00.0");
  deepEqual([self.type, self.distance], ["BUS_ADDR", 0]);
  const sister = pair(functions, "0000:03:00.1");
  deepEqual([sister.type, sister.distance], ["BUS_ADDR", 2]);
});

Deno.test("relate() trusts every AMD CPU from Zen on, whatever the host bridge", () => {
  const { topology } = made({ shape: "H", iommu: "none", id: UNLISTED });
  equal(pair(machine(topology.hostBridges, { cpu: "amd-zen" })).type, "THRU_HOST_BRIDGE");
});

Deno.test("relate() counts each of RR, CR and EC, on any port of the path, as a redirect", () => {
  for (const bit of ["RR", "CR", "EC"] as const) {
    for (const [client, provider] of [[[bit], []], [[], [bit]]] as const) {
      const fabric = machine([host("0000:00", [
        port("root-port", "0000:00:01.0", [
          port("upstream", "0000:01:00.0", [
            port("downstream", "0000:02:00.0", [endpoint("0000:03:00.0", "NIC", BASE)], client),
            port(
              "downstream",
              "0000:02:01.0",
              [endpoint("0000:04:00.0", "accelerator", BASE + 32n * MIB)],
              provider,
            ),
          ]),
        ]),
      ])]);
      const relation = pair(fabric);
      equal(relation.type, "THRU_HOST_BRIDGE");
      deepEqual(relation.acs, [client.length > 0 ? "0000:02:00.0" : "0000:02:01.0"]);
    }
  }
});

// What must be programmed: include/linux/pci-p2pdma.h, comments of enum pci_p2pdma_map_type.
const REACHABLE = [
  { shape: "R" },
  { shape: "P" },
  { shape: "H" },
] as const;
for (const offset of [0n, OFFSET]) {
  for (const iommu of ["translating", "passthrough", "none"] as const) {
    Deno.test(`what must be programmed, offset ${offset}, IOMMU ${iommu}`, () => {
      const below = outcome({ shape: "S", offset, iommu }, "pci_p2pdma_map_type");
      deepEqual(below.required, { kind: "bus", address: BASE + 32n * MIB });
      for (const { shape } of REACHABLE) {
        const bus = BASE + (shape === "H" ? 256n : 32n) * MIB;
        const cpu = bus - offset;
        deepEqual(
          outcome({ shape, offset, iommu }, "pci_p2pdma_map_type").required,
          iommu === "translating" ? { kind: "iova", cpu } : { kind: "cpu", address: cpu },
        );
        deepEqual(
          outcome({ shape, offset, iommu, id: UNLISTED }, "pci_p2pdma_map_type").required,
          { kind: "none" },
        );
      }
    });
  }
}

// What each API yields: one column per kind of machine, in the order of the table.
const COLUMNS: readonly { readonly title: string; readonly makes: readonly Make[] }[] = [
  { title: "switch, no offset, IOMMU on", makes: [{ shape: "S", iommu: "translating" }] },
  {
    title: "switch, no offset, IOMMU off",
    makes: [{ shape: "S", iommu: "passthrough" }, { shape: "S", iommu: "none" }],
  },
  { title: "switch, offset, IOMMU on", makes: [{ shape: "S", offset: OFFSET, iommu: "translating" }] },
  {
    title: "switch, offset, IOMMU off",
    makes: [{ shape: "S", offset: OFFSET, iommu: "passthrough" }, {
      shape: "S",
      offset: OFFSET,
      iommu: "none",
    }],
  },
  {
    title: "through an allowed host bridge, IOMMU on",
    makes: REACHABLE.flatMap(({ shape }) => [
      { shape, iommu: "translating" },
      { shape, offset: OFFSET, iommu: "translating" },
    ]),
  },
  {
    title: "through an allowed host bridge, no offset, IOMMU off",
    makes: REACHABLE.flatMap(({ shape }) => [{ shape, iommu: "passthrough" }, { shape, iommu: "none" }]),
  },
  {
    title: "through an allowed host bridge, offset, IOMMU off",
    makes: REACHABLE.flatMap(({ shape }) => [
      { shape, offset: OFFSET, iommu: "passthrough" },
      { shape, offset: OFFSET, iommu: "none" },
    ]),
  },
  {
    title: "not supported",
    makes: REACHABLE.flatMap(({ shape }) =>
      (["translating", "passthrough", "none"] as const).flatMap((iommu) => [
        { shape, iommu, id: UNLISTED },
        { shape, iommu, id: UNLISTED, offset: OFFSET },
      ])
    ),
  },
];

type Row = readonly [api: ApiName, kernel: Version | null, source: string, ...verdicts: Verdict[]];
const ROWS: readonly Row[] = [
  // deno-fmt-ignore
  ...[
    ["dma_map_resource", null, "kernel/dma/direct.c dma_direct_map_resource(), drivers/iommu/dma-iommu.c iommu_dma_map_resource()",
      "WRONG", "num", "WRONG", "WRONG", "ok", "ok", "ok", "WRONG"],
    ["dma_map_resource", [6, 12], "the same in 6.12", "WRONG", "num", "WRONG", "WRONG", "ok", "ok", "ok", "WRONG"],
    ["dma_map_phys_mmio", null, "54cc52af91777906bbe4a386113437ba0bcfba9c.1757423202.git.leonro@nvidia.com",
      "WRONG", "num", "WRONG", "WRONG", "ok", "ok", "ok", "WRONG"],
    ["dma_map_phys", null, "kernel/dma/direct.h dma_direct_map_phys(), dma_info_to_prot()",
      "WRONG", "num", "WRONG", "WRONG", "attr", "num", "num", "WRONG"],
    ["pci_p2pdma_map_sg", [5, 3], "drivers/pci/p2pdma.c of v4.20, pci_p2pdma_map_sg()",
      "ok", "ok", "WRONG", "WRONG", "WRONG", "num", "WRONG", "WRONG"],
    ["pci_p2pdma_map_sg", [5, 15], "drivers/pci/p2pdma.c, pci_p2pdma_map_sg_attrs(); 20210909032528.24517-1-wanglu@dapustor.com",
      "ok", "ok", "WRONG", "WRONG", "attr", "ok", "ok", "refuse"],
    ["pci_p2pdma_map_sg", [5, 19], "20211105170017.GA929912@bhelgaas",
      "ok", "ok", "ok", "ok", "attr", "ok", "ok", "refuse"],
    ["dma_map_sgtable", [6, 12], "kernel/dma/direct.c dma_direct_map_sg(), drivers/iommu/dma-iommu.c iommu_dma_map_sg()",
      "ok", "ok", "ok", "ok", "attr", "ok", "ok", "refuse"],
    ["dma_map_sgtable", [6, 16], "a25e7962db0d79, 20260603013723.2439-1-lirongqing@baidu.com",
      "ok", "ok", "ok", "ok", "attr", "WRONG", "WRONG", "refuse"],
    ["dma_map_sgtable", null, "20260603013723.2439-1-lirongqing@baidu.com",
      "ok", "ok", "ok", "ok", "attr", "ok", "ok", "refuse"],
    ["pci_p2pdma_map_type", null, "include/linux/pci-p2pdma.h",
      "ok", "ok", "ok", "ok", "ok", "ok", "ok", "refuse"],
    ["pci_p2pdma_bus_addr_map", null, "include/linux/pci-p2pdma.h",
      "ok", "ok", "ok", "ok", "WRONG", "num", "WRONG", "WRONG"],
    ["dma_buf_phys_vec_to_sgt", null, "drivers/dma-buf/dma-buf-mapping.c",
      "ok", "ok", "ok", "ok", "ok", "ok", "ok", "refuse"],
    ["pci_resource_start", null, "include/linux/types.h, phys_addr_t and dma_addr_t",
      "num", "num", "WRONG", "WRONG", "WRONG", "num", "num", "WRONG"],
    ["pci_bus_address", null, "include/linux/pci.h, pci_bus_address()",
      "num", "num", "num", "num", "WRONG", "num", "WRONG", "WRONG"],
    ["dma_map_page", null, "kernel/dma/direct.h dma_direct_map_page()",
      "WRONG", "num", "WRONG", "WRONG", "attr", "num", "num", "WRONG"],
    ["dma_map_single", null, "include/linux/dma-mapping.h dma_map_single_attrs()",
      "refuse", "refuse", "refuse", "refuse", "refuse", "refuse", "refuse", "refuse"],
  ] as const,
];

for (const [api, kernel, source, ...verdicts] of ROWS) {
  for (const [i, { title, makes }] of COLUMNS.entries()) {
    Deno.test(`${api}${kernel === null ? "" : ` of ${kernel.join(".")}`}, ${title}: ${verdicts[i]} (${source})`, () => {
      for (const make of makes) {
        equal(outcome(make, api, kernel).verdict, verdicts[i], JSON.stringify({ ...make, offset: null }));
      }
    });
  }
}

// drivers/vfio/vfio_iommu_type1.c does it: the last row of the table.
Deno.test("iommu_map() makes sense behind a translating IOMMU only, and is wrong below a switch", () => {
  equal(outcome({ shape: "S", iommu: "translating" }, "iommu_map").verdict, "WRONG");
  equal(outcome({ shape: "P", iommu: "translating" }, "iommu_map").verdict, "ok");
  equal(outcome({ shape: "P", iommu: "translating", id: UNLISTED }, "iommu_map").verdict, "WRONG");
  for (const iommu of ["passthrough", "none"] as const) {
    for (const shape of ["S", "P"] as const) equal(outcome({ shape, iommu }, "iommu_map").verdict, "n/a");
  }
});

Deno.test("a BAR mapped as memory fails where dma-ranges do not hold it (include/linux/dma-direct.h)", () => {
  const inbound = [{ cpu: 0n, bus: 0n, size: 2n << 30n }];
  for (const api of ["dma_map_phys", "dma_map_page"] as const) {
    const { verdict, result } = outcome({ shape: "P", iommu: "none", offset: OFFSET, inbound }, api);
    deepEqual([verdict, result.kind], ["refuse", "refused"]);
  }
  equal(outcome({ shape: "P", iommu: "none", offset: OFFSET, inbound }, "dma_map_resource").verdict, "ok");
});

Deno.test("a mapping made for another device faults, unless the two share an IOMMU group", () => {
  for (const [shape, ends] of [["P", "aborts"], ["R", "aborts"], ["S", "detour"]] as const) {
    const fabric = made({ shape, iommu: "translating" });
    const wrong = { ...operation(fabric, "dma_map_resource"), device: endpointAt(fabric, "0000:04:00.0")! };
    const { result, verdict } = run(fabric, wrong);
    deepEqual([result.kind, verdict], [ends, "WRONG"]);
  }
});

Deno.test("a bus address given for a CPU address hits RAM behind an offset, and nobody notices without one", () => {
  const wrong = (offset: bigint) => {
    const ram = machine(made({ shape: "P", iommu: "translating", offset }).topology.hostBridges, {
      ram: [{ start: 0n, size: 3n << 30n }],
    });
    return run(ram, { ...operation(ram, "dma_map_resource"), given: "bus" });
  };
  deepEqual([wrong(OFFSET).verdict, wrong(OFFSET).result.kind], ["WRONG", "strays"]);
  equal(
    outcome({ shape: "P", iommu: "translating" }, "dma_map_resource", null, { given: "bus" }).verdict,
    "num",
  );
});
