import { deepEqual, equal, match } from "node:assert/strict";
import { BUILTIN } from "../../rules/model/builtin.ts";
import { readTopology, topologyFrom } from "../../rules/model/read_topology.ts";
import { endpointAt } from "../../rules/model/topology.ts";

const PC = JSON.parse(
  await Deno.readTextFile(new URL("../../rules/model/topologies/pc.json", import.meta.url)),
);

/** The PC with one thing changed. */
function changed(edit: (json: typeof PC) => void): readonly string[] {
  const json = structuredClone(PC);
  edit(json);
  return topologyFrom(json).problems;
}

Deno.test("readTopology() reads the built-in machines, and gives ports the windows that their BARs need", () => {
  const { topology } = readTopology(JSON.stringify(PC));
  const [root] = topology!.hostBridges[0]!.below;
  deepEqual(root!.kind === "root-port" && root!.claims, [{ start: 0xd0000000n, size: 0x1000000n }]);
});

for (
  const [title, edit, problem] of [
    ["an unknown key", (j: typeof PC) => j.colour = 1, 'has an unknown key "colour"'],
    ["a missing key", (j: typeof PC) => delete j.ram, 'has no "ram"'],
    ["another schema", (j: typeof PC) => j.schema = "x", 'schema: is not "p2plint-topology/1"'],
    [
      "a number that is none",
      (j: typeof PC) => j.ram[0].size = "4x",
      'ram[0].size: "4x" is no address or size, as in "0x80000000"',
    ],
    [
      "a number that JSON would round",
      (j: typeof PC) => j.ram[0].size = 4,
      'ram[0].size: 4 is no address or size, as in "0x80000000"',
    ],
    ["an empty range", (j: typeof PC) => j.ram[0].size = "0x0", "ram[0].size: is zero"],
    [
      "a range that leaves 64 bits",
      (j: typeof PC) => j.ram[0].start = "0xffffffffffffffff",
      "ram[0]: does not fit into 64 bits",
    ],
    [
      "an address that is none",
      (j: typeof PC) => j.hostBridges[0].below[0].address = "1b",
      'hostBridges[0].below[0].address: "1b" is no PCI address, as in 0000:81:00.0',
    ],
    [
      "an address twice",
      (j: typeof PC) => j.hostBridges[0].below[1].address = "00:1b.0",
      'hostBridges[0].below[1].address: "0000:00:1b.0" is there twice',
    ],
    [
      "an IOMMU that is none",
      (j: typeof PC) => j.hostBridges[0].below[0].below[0].iommu = "on",
      "hostBridges[0].below[0].below[0].iommu: is none of none, passthrough, translating",
    ],
    [
      "an ACS bit that redirects nothing",
      (j: typeof PC) => j.hostBridges[0].below[0].acs = ["SV"],
      "hostBridges[0].below[0].acs[0]: is none of RR, CR, EC",
    ],
    [
      "a BAR outside of the windows",
      (j: typeof PC) => j.hostBridges[0].below[0].below[0].bars[0].bus = "0x1000",
      "bar0 of 0000:01:00.0 at 0x1000 is in no window of 0000:00",
    ],
    [
      "BARs that overlap",
      (j: typeof PC) => j.hostBridges[0].below[0].below[0].bars[0].bus = "0xd8000000",
      "bar2 of 0000:02:00.0 and bar0 of 0000:01:00.0 overlap at 0xd8000000",
    ],
    [
      "RAM over a window",
      (j: typeof PC) => j.ram[0].size = "0xd0000000",
      "a window of 0000:00 and RAM are both at CPU address 0xc0000000",
    ],
    [
      "a host bridge without domain",
      (j: typeof PC) => j.hostBridges[0].address = "00",
      'hostBridges[0].address: "00" is no domain and bus, as in 0000:80',
    ],
  ] as const
) {
  Deno.test(`topologyFrom() refuses ${title}`, () => {
    deepEqual(changed(edit), [problem]);
  });
}

Deno.test("readTopology() bears what is no topology", () => {
  match(readTopology("{").problems[0]!, /^no JSON: /);
  for (const text of ["null", "[]", "1", '"x"']) deepEqual(readTopology(text).problems, ["is no object"]);
  let nest = "[]";
  for (let i = 0; i < 400; i++) nest = `[{"kind":"upstream","address":"0000:00:00.0","below":${nest}}]`;
  const deep = readTopology(
    JSON.stringify({ ...PC, hostBridges: [{ ...PC.hostBridges[0], below: JSON.parse(nest) }] }),
  );
  equal(deep.problems.some((problem) => problem.includes("nest deeper than 256")), true);
});

Deno.test("the built-in machines name who asks for whose BAR", () => {
  for (const fabric of BUILTIN) {
    const { from, to } = fabric.topology;
    const [provider, bar] = to!.split("/bar");
    equal(endpointAt(fabric, from!) === null, false);
    equal(endpointAt(fabric, provider!)!.device.bars.some(({ index }) => index === Number(bar)), true);
  }
});
