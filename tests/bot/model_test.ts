import { deepEqual, equal, match, ok } from "node:assert/strict";
import { main } from "../../bot/main.ts";
import { BUILTIN } from "../../rules/model/builtin.ts";
import { APIS } from "../../rules/model/operation.ts";
import { golden } from "../golden.ts";
import { keep } from "./reports.ts";

const fixture = (name: string) => new URL(`../../fixtures/model/${name}`, import.meta.url).pathname;

async function ran(...argv: string[]) {
  const terminal = keep();
  const code = await main(["model", ...argv], terminal);
  return { code, ...terminal.printed };
}

Deno.test("model prints the machine, the route and the result within 72 columns", async () => {
  const { code, out } = await ran("--topology", "switch-iommu");
  equal(code, 0);
  await golden("fixtures/model/switch-iommu.golden", out);
});

Deno.test("model draws the picture of the README", async () => {
  await golden(
    "fixtures/model/switch-iommu.svg",
    (await ran("--topology", "switch-iommu", "--format", "svg")).out,
  );
});

Deno.test("model prints the matrix of all APIs and machines within 72 columns", async () => {
  await golden("fixtures/model/matrix.golden", (await ran("--matrix")).out);
});

Deno.test("no text of the model is wider than a mail", async () => {
  for (const { topology } of BUILTIN) {
    for (const api of APIS) {
      const { out, err } = await ran("--topology", topology.name, "--api", api);
      equal(err, "");
      for (const line of out.split("\n")) ok(line.length <= 72, line);
    }
  }
});

Deno.test("model prints JSON with addresses as texts, one row or the matrix", async () => {
  const { out } = await ran("--topology", "soc-switch", "--format", "json");
  const row = JSON.parse(out);
  deepEqual([row.schema, row.emitted.address, row.required.address, row.verdict, row.result.kind], [
    "p2plint-model/1",
    "0x110000000",
    "0x90000000",
    "WRONG",
    "aborts",
  ]);
  const matrix = JSON.parse((await ran("--matrix", "--format", "json")).out).matrix;
  equal(matrix.length, 12);
  equal(matrix[0].machines.length, BUILTIN.length);
});

Deno.test("model reads a real machine from lspci and iomem", async () => {
  const { code, out } = await ran(
    ...["--lspci", fixture("server.lspci"), "--iomem", fixture("server.iomem")],
    ...["--from", "83:00.0", "--to", "84:00.0/bar2"],
  );
  equal(code, 0);
  match(out, /MAP_BUS_ADDR, distance 4/);
  match(out, /^result: {3}detour/m);
});

Deno.test("model follows --iommu, --kernel, --device, --given and --cpu", async () => {
  const verdict = async (...argv: string[]) =>
    JSON.parse((await ran(...argv, "--format", "json")).out).verdict;
  equal(await verdict("--topology", "switch-iommu", "--iommu", "none"), "num");
  equal(
    await verdict("--topology", "root-ports-pt", "--api", "dma_map_sgtable", "--kernel", "6.16"),
    "WRONG",
  );
  equal(await verdict("--topology", "root-ports-pt", "--api", "dma_map_sgtable", "--kernel", "6.12"), "ok");
  equal(await verdict("--topology", "root-ports", "--device", "82:00.0"), "WRONG");
  equal(await verdict("--topology", "root-ports", "--given", "bus"), "num");
  equal(await verdict("--topology", "pc", "--cpu", "amd-zen"), "ok");
});

for (
  const [argv, complaint] of [
    [[], "model needs --topology, or --lspci, or --matrix"],
    [["--topology", "swich"], 'unknown machine "swich", did you mean switch?'],
    [["--topology", "/nonexistent.json"], "cannot read /nonexistent.json: no such file"],
    [
      ["--topology", "switch", "--api", "dma_map_resorce"],
      'unknown API "dma_map_resorce", did you mean dma_map_resource?',
    ],
    [
      ["--topology", "switch", "--from", "99:00.0"],
      '--from "99:00.0" is no device of switch: 83:00.0, 84:00.0',
    ],
    [["--topology", "switch", "--to", "84:00.0/bar1"], "--to: 84:00.0 has no bar1: bar2"],
    [["--topology", "switch", "--to", "84:00.0"], '--to is "84:00.0", not a BAR such as 82:00.0/bar2'],
    [["--topology", "switch", "--lspci", "x"], "--topology and --lspci are two machines"],
    [["--matrix", "--format", "svg"], "--matrix has no picture"],
    [["--lspci", fixture("server.iomem")], "cannot read"],
    [["switch"], 'model takes options only, not "switch"'],
  ] as const
) {
  Deno.test(`model refuses "${argv.join(" ").replace(/\S*fixtures\S*/, "iomem")}"`, async () => {
    const { code, out, err } = await ran(...argv);
    deepEqual([code, out], [2, ""]);
    ok(err.startsWith(`p2plint: ${complaint}`), err);
  });
}

// Everything that a topology file may bring along: markup, quotes, escapes, bidirectional controls.
const HOSTILE = `</title><script>alert(1)</script>"'\`&\x1b]0;owned\x07\x9b31m\u202e\u2066`;

Deno.test("a hostile topology is inert in text, JSON and SVG", async () => {
  const json = JSON.parse(
    await Deno.readTextFile(new URL("../../rules/model/topologies/soc-root-ports.json", import.meta.url)),
  );
  json.name = HOSTILE;
  json.title = HOSTILE;
  for (const port of json.hostBridges[0].below) port.below[0].title = HOSTILE;
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, JSON.stringify(json));
    for (const format of ["text", "json", "svg"]) {
      for (const api of ["dma_map_resource", "pci_bus_address"]) {
        const { code, out, err } = await ran("--topology", path, "--api", api, "--format", format);
        deepEqual([code, err], [0, ""]);
        // deno-lint-ignore no-control-regex
        equal(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.exec(out), null, format);
        if (format === "svg") {
          equal(/<script|"'|<\/title><s/.exec(out), null);
          equal(out.match(/<title/g)!.length, out.match(/<\/title>/g)!.length);
        }
      }
    }
  } finally {
    await Deno.remove(path);
  }
});
