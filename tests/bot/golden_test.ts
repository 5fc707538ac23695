import { deepEqual, equal, ok } from "node:assert/strict";
import { main } from "../../bot/main.ts";
import { golden } from "../golden.ts";
import { keep } from "./reports.ts";

// One rule only: a new rule must not change what these files are about, the look of a report.
const RULE = "p2p-dma-map-resource-on-bar";
const FIXTURE = "fixtures/p2p-export.patch";

for (const format of ["text", "terse"] as const) {
  Deno.test(`check --format ${format} prints the golden report`, async () => {
    const terminal = keep();
    const file = new URL(`../../${FIXTURE}`, import.meta.url).pathname;
    await main(["check", "--format", format, "--rules", RULE, file], terminal);
    // The path as given depends on where the checkout is.
    await golden(`fixtures/p2p-export.${format}.golden`, terminal.printed.out.replaceAll(file, FIXTURE));
  });
}

for (const name of ["p2p-export.text", "model/switch-iommu"]) {
  Deno.test(`README shows what ${name}.golden holds`, async () => {
    const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    const [readme, printed] = await Promise.all([read("README.md"), read(`fixtures/${name}.golden`)]);
    ok(readme.includes(printed.trimEnd()), `copy fixtures/${name}.golden into README.md`);
  });
}

Deno.test("every p2plint model command of the README runs, and gives what the README says of it", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const commands = [...readme.matchAll(/p2plint (model --(?:topology|matrix)[^`|\n]*)/g)].map(([, argv]) =>
    argv!.trim()
  );
  const verdicts = new Map<string, string>();
  for (const command of new Set(commands)) {
    const terminal = keep();
    equal(await main(command.split(" "), terminal), 0, command);
    verdicts.set(command, /^result: +([a-z ]+):/m.exec(terminal.printed.out)?.[1] ?? "");
  }
  deepEqual(
    [...verdicts].filter(([command]) => !command.includes("matrix")).map(([command, word]) => [
      command.replace("model --topology ", "").replace("--api ", ""),
      word,
    ]),
    [
      ["switch-iommu dma_map_resource", "detour"],
      ["switch-iommu dma_buf_phys_vec_to_sgt", "right"],
      ["root-ports dma_buf_phys_vec_to_sgt", "right"],
      ["pc", "no known way"],
      ["soc-switch", "aborts"],
      ["switch-iommu", "detour"],
    ],
  );
});
