import assert from "node:assert/strict";
import { flow } from "../../rules/facts/flow.ts";
import { namesIn, rewrites } from "../../rules/facts/rewrite.ts";
import { functionOf, sourceOf } from "../code.ts";

/** Whether any step of the body gives `name` another value. */
async function isRewritten(name: string, body: string): Promise<boolean> {
  const { file, use } = await sourceOf(
    `static void foo(struct foo *foo, struct bar *bar, int i)\n{\n${body}\n}`,
  );
  const values = use(flow, functionOf(file, "foo"));
  return values.cfg.nodes.some((node) => rewrites(node, namesIn(name), values));
}

Deno.test("rewrites() knows the cursor of a loop macro from the object that it walks over", async () => {
  const loop = "\tlist_for_each_entry(bar, &foo->bars, node)\n\t\tgo(foo, bar);";
  assert.equal(await isRewritten("bar", loop), true);
  assert.equal(await isRewritten("foo", loop), false);
});

Deno.test("rewrites() sees assignments and counting", async () => {
  assert.equal(await isRewritten("i", "\ti = 4;"), true);
  assert.equal(await isRewritten("i", "\tgo(i++);"), true);
  assert.equal(await isRewritten("i", "\tgo(i);"), false);
});
