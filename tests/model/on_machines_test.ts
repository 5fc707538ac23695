import { deepEqual, equal, ok } from "node:assert/strict";
import { machinesSentence } from "../../bot/render/machines.ts";
import { onMachines } from "../../rules/model/on_machines.ts";
import { standFor, STANDS, standsOf } from "../../rules/model/stand.ts";
import { rules } from "../../rules/mod.ts";

Deno.test("the table of operations names rules and messages that there are", () => {
  for (const { rule, keys } of STANDS) {
    const messages = Object.keys(rules.find(({ id }) => id === rule)?.messages ?? {});
    deepEqual(keys.filter((key) => !messages.includes(key)), [], rule);
  }
});

/** Rules about translation whose messages stand for no one operation of the model, and why. */
const NO_OPERATION = {
  "dma-iova-link-constant-offset": "the second range is refused, wherever the devices are",
  "dma-map-of-unmappable-memory": "the memory has no address to map",
  "dma-sg-cpu-list-missing": "a list's shape",
  "dma-sg-offset-twice": "a list's shape",
  "p2p-map-state-shared-between-devices": "which device's route is taken depends on who came first",
};

Deno.test("every translation rule stands for an operation, or says here why not", () => {
  const without = rules.filter(({ id, category }) => category === "translation" && standsOf(id).length === 0);
  deepEqual(
    without.map(({ id }) => id),
    Object.keys(NO_OPERATION),
    "add a row to rules/model/stand.ts, or a reason",
  );
});

Deno.test("onMachines() tells where dma_map_resource() of a BAR works, goes round, and is lost", () => {
  const found = onMachines(standFor("p2p-dma-map-resource-on-bar", "bar", "dma_map_resource")!);
  const by = new Map(
    found.outcomes.map(({ fabric, verdict, result }) => [fabric.topology.name, [verdict, result.kind]]),
  );
  deepEqual(by.get("root-ports"), ["ok", "reaches"]);
  deepEqual(by.get("switch"), ["num", "reaches"]);
  deepEqual(by.get("switch-iommu"), ["WRONG", "detour"]);
  deepEqual(by.get("soc-switch"), ["WRONG", "aborts"]);
  deepEqual(by.get("pc"), ["WRONG", "unknown"]);
  ok(
    machinesSentence(found).includes(
      "takes a detour through the root complex on a PCIe switch with the IOMMU on",
    ),
  );
});

Deno.test("standFor() keeps silent where the callee decides and is another", () => {
  equal(standFor("p2p-bus-address-as-phys", "bus", "ioremap"), null);
  equal(standFor("p2p-bus-address-as-phys", "bus", "dma_map_resource")?.given, "bus");
  equal(standFor("dma-mapping-leak", "leak", null), null);
});

Deno.test("a mapping for the exporter's device is no use to an importer behind an IOMMU of its own", () => {
  const { outcomes } = onMachines(standFor("dmabuf-map-for-exporter-device", "map", "dma_map_sgtable")!);
  for (const { fabric, result } of outcomes) {
    const isShared = fabric.topology.name === "switch-iommu";
    const isTranslated = fabric.topology.title.endsWith("the IOMMU on");
    equal(result.kind, isTranslated && !isShared ? "aborts" : "reaches", fabric.topology.name);
  }
});
