import { ok } from "node:assert/strict";
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

Deno.test("README shows what check prints", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
  const [readme, printed] = await Promise.all([read("README.md"), read("fixtures/p2p-export.text.golden")]);
  ok(readme.includes(printed.trimEnd()), "copy fixtures/p2p-export.text.golden into README.md");
});
