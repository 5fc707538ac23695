import { deepEqual, equal, match } from "node:assert/strict";
import { readIomem } from "../../rules/model/iomem.ts";
import { readLspci } from "../../rules/model/lspci.ts";
import { machineFrom, type MachineOptions } from "../../rules/model/machine.ts";
import { run } from "../../rules/model/outcome.ts";
import { relate } from "../../rules/model/p2pdma.ts";
import { topologyFrom } from "../../rules/model/read_topology.ts";
import { endpointAt, type Fabric, fabricOf } from "../../rules/model/topology.ts";

const text = (name: string) => Deno.readTextFile(new URL(`../../fixtures/model/${name}`, import.meta.url));
const [SERVER, SERVER_IOMEM, SOC, SOC_IOMEM] = await Promise.all(
  ["server.lspci", "server.iomem", "soc.lspci", "soc.iomem"].map(text),
) as [string, string, string, string];

function read(lspci: string, iomem: string | null, more: Partial<MachineOptions> = {}) {
  const options = { name: "mine", iommu: null, cpu: null, ...more };
  const { document, notes } = machineFrom(
    readLspci(lspci),
    iomem === null ? null : readIomem(iomem),
    options,
  );
  const { topology, problems } = topologyFrom(document);
  return { fabric: topology === null ? null : fabricOf(topology), problems, notes };
}

const type = (fabric: Fabric, client: string, provider: string) =>
  relate(fabric, endpointAt(fabric, provider)!, endpointAt(fabric, client)!).type;

Deno.test("machineFrom() reads a server: sockets, switch, ACS, RAM", () => {
  const { fabric, problems, notes } = read(SERVER, SERVER_IOMEM);
  deepEqual([problems, notes], [[], [
    "the IOMMU is taken to translate, say --iommu passthrough if it does not",
  ]]);
  const { hostBridges, ram } = fabric!.topology;
  deepEqual(hostBridges.map(({ address, id }) => [address, id]), [["0000:80", "8086:2030"], [
    "0000:00",
    "8086:2020",
  ]]);
  equal(ram.length, 3);
  equal(type(fabric!, "0000:83:00.0", "0000:84:00.0"), "BUS_ADDR");
  equal(type(fabric!, "0000:01:00.0", "0000:84:00.0"), "THRU_HOST_BRIDGE");
  const root = fabric!.places.get("0000:80:01.0")!.device;
  deepEqual(root.kind === "root-port" && [root.acs, root.claims], [["RR", "CR"], [{
    start: 0xd0000000n,
    size: 0xc000000n,
  }]]);
});

Deno.test("machineFrom() sees ACS redirect on the ports of a switch", () => {
  const redirected = SERVER.replaceAll(
    "ReqRedir- CmpltRedir- UpstreamFwd+ EgressCtrl- DirectTrans-",
    "ReqRedir+ CmpltRedir- UpstreamFwd+",
  );
  equal(type(read(redirected, SERVER_IOMEM).fabric!, "0000:83:00.0", "0000:84:00.0"), "THRU_HOST_BRIDGE");
});

Deno.test("machineFrom() tells the bus offset from lspci -b beside /proc/iomem", () => {
  const { fabric, problems, notes } = read(SOC, SOC_IOMEM);
  deepEqual(problems, []);
  match(notes.join(), /the 1 GiB window at 0x100000000 has a bus offset/);
  deepEqual(fabric!.topology.hostBridges[0]!.windows, [{
    cpu: 0x100000000n,
    bus: 0x80000000n,
    size: 0x40000000n,
  }]);
  const client = endpointAt(fabric!, "0000:03:00.0")!;
  const provider = endpointAt(fabric!, "0000:04:00.0")!;
  const target = { kind: "bar", provider, bar: 2 } as const;
  equal(
    run(fabric!, { api: "dma_map_resource", kernel: null, client, device: client, target, given: "cpu" })
      .verdict,
    "WRONG",
  );
});

Deno.test("machineFrom() gives the same machine without the tree", () => {
  const blocks = SERVER.slice(SERVER.indexOf("\n\n") + 2);
  const whole = read(SERVER, SERVER_IOMEM).fabric!;
  deepEqual([...read(blocks, SERVER_IOMEM).fabric!.places.keys()].sort(), [...whole.places.keys()].sort());
});

Deno.test("machineFrom() makes do with the tree of lspci -vvv -t -nn, and BARs from iomem", () => {
  const tree = [
    "-+-[0000:00]-+-00.0  Foo Corp Host Bridge [8086:2020]",
    " |           \\-01.0-[01]----00.0  Bar Networks 200G [1d0f:0001]",
    " \\-[0000:80]---01.0-[81-84]----00.0-[82-84]--+-00.0-[83]----00.0  Bar Networks 200G [1d0f:0001]",
    "                                             \\-01.0-[84]----00.0  Qux Accelerator [1d0f:0002]",
    "",
  ].join("\n");
  const { fabric, notes, problems } = read(tree, SERVER_IOMEM);
  deepEqual(problems, []);
  match(notes.join(), /a tree shows neither ACS nor which BAR is which/);
  equal(fabric!.topology.hostBridges[0]!.id, "8086:2020");
  equal(type(fabric!, "0000:83:00.0", "0000:84:00.0"), "BUS_ADDR");
  const { device } = endpointAt(fabric!, "0000:84:00.0")!;
  deepEqual([device.title, device.bars], ["Qux Accelerator", [{
    index: 0,
    bus: 0xd8000000n,
    size: 0x4000000n,
  }]]);
});

Deno.test("machineFrom() says what it had to take for granted", () => {
  match(read(SERVER, null).notes.join(), /RAM and bus offsets are not known/);
  match(
    read(SERVER, SERVER_IOMEM.replace(/^( *)[0-9a-f]+-[0-9a-f]+/gm, "$100000000-00000000")).notes.join(),
    /hides all addresses/,
  );
  match(read(SERVER.replaceAll(/\tCapabilities.*\n/g, ""), SERVER_IOMEM).notes.join(), /run lspci as root/);
  match(
    read(SERVER.replaceAll(/ \[[0-9a-f]{4}:[0-9a-f]{4}\]/g, ""), SERVER_IOMEM).notes.join(),
    /allow list cannot be asked/,
  );
  match(read("hello\n", null).notes.join(), /names no device/);
});

Deno.test("machineFrom() bears buses that are below themselves, and lines of any kind", () => {
  const loop = SERVER.replace("primary=82, secondary=83", "primary=82, secondary=81");
  equal(Array.isArray(read(loop, SERVER_IOMEM).problems), true);
  for (const damage of [/\[/g, /:/g, /-/g, /0/g]) {
    const { fabric, problems, notes } = read(SERVER.replace(damage, "?"), SERVER_IOMEM.replace(damage, "?"));
    equal(fabric !== null || problems.length > 0 || notes.length > 0, true);
  }
});
