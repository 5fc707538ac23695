import assert from "node:assert/strict";
import { buildCfg, type CfgNode, search } from "../../rules/engine/cfg.ts";
import { functionOf, sourceOf } from "../code.ts";

/** The paths of `int f(void) { body }`, and a way to name its nodes by what they call. */
async function paths(body: string) {
  const { file } = await sourceOf(`static int f(int a)\n{\n${body}\n}`);
  const cfg = buildCfg(functionOf(file, "f").node);
  const calls = (node: CfgNode) =>
    node.expr === null ? "" : /(\w+)\(/.exec(file.text.slice(node.expr.start, node.expr.end))?.[1] ?? "";
  const node = (name: string) => cfg.nodes.find((n) => calls(n) === name)!;
  const reaches = (from: string, to: string, barrier = "") =>
    search(
      node(from),
      (n) => calls(n) === to ? "hit" : barrier !== "" && calls(n) === barrier ? "stop" : "go",
    ).hit !== null;
  return { cfg, node, reaches };
}

Deno.test("buildCfg() takes both ways of an if", async () => {
  const { reaches } = await paths("\tone();\n\tif (a)\n\t\ttwo();\n\telse\n\t\tthree();\n\tfour();");
  assert.ok(reaches("one", "two") && reaches("one", "three") && reaches("two", "four"));
  assert.ok(!reaches("two", "three"));
  assert.ok(reaches("one", "four", "two"));
});

Deno.test("buildCfg() follows goto, and return ends a path", async () => {
  const { reaches } = await paths(
    "\tif (one())\n\t\tgoto out;\n\ttwo();\n\treturn 0;\nout:\n\tthree();\n\treturn 1;",
  );
  assert.ok(reaches("one", "three"));
  assert.ok(!reaches("two", "three"));
});

Deno.test("buildCfg() takes && and || apart", async () => {
  const { node } = await paths("\tif (one() && !two())\n\t\tthree();\n\tfour();");
  const two = node("two");
  assert.deepEqual(two.succ.map((edge) => edge.when).sort(), [false, true]);
  assert.equal(two.succ.find((edge) => edge.when === false)!.to, node("three"));
});

Deno.test("buildCfg() looks through unlikely()", async () => {
  const { node } = await paths("\tif (unlikely(one()))\n\t\ttwo();\n\tthree();");
  assert.equal(node("one").kind, "test");
  assert.equal(node("one").succ.find((edge) => edge.when === true)!.to, node("two"));
});

Deno.test("buildCfg() loops back, and break and continue leave", async () => {
  const { reaches } = await paths(
    "\tfor (a = 0; a < n(); a++) {\n\t\tif (one())\n\t\t\tbreak;\n\t\tif (two())\n\t\t\tcontinue;\n\t\tthree();\n\t}\n\tfour();",
  );
  assert.ok(reaches("three", "one") && reaches("two", "four") && reaches("one", "four"));
  assert.ok(reaches("two", "one", "three"));
});

Deno.test("buildCfg() enters each case of a switch and falls through", async () => {
  const { reaches } = await paths(
    "\tswitch (sw()) {\n\tcase 1:\n\t\tone();\n\tcase 2:\n\t\ttwo();\n\t\tbreak;\n\tdefault:\n\t\tthree();\n\t}\n\tfour();",
  );
  assert.ok(
    reaches("sw", "two", "one") && reaches("one", "two") && !reaches("two", "three") &&
      reaches("three", "four"),
  );
});

Deno.test("buildCfg() ties a goto without its label to a hole", async () => {
  const { cfg } = await paths("\tif (one())\n\t\tgoto gone;\n\ttwo();");
  assert.ok(cfg.nodes.some((node) => node.kind === "hole"));
});

Deno.test("search() tells that a path ran through the exit", async () => {
  const { node } = await paths("\tone();\n\treturn 0;");
  assert.deepEqual(search(node("one"), () => "go").sawExit, true);
});
