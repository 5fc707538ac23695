import assert from "node:assert/strict";
import { createUse } from "../../rules/engine/fact.ts";
import { readSource } from "../../rules/engine/source.ts";
import { removed } from "../../rules/facts/removed.ts";
import { cParser, fileOf, hunk } from "../code.ts";

const BODY = [
  " \tfoo_start(foo);",
  "-\t/* the old way */",
  "-\ta = (dma_addr_t)i <<",
  "-\t\tPAGE_SHIFT;",
  "+\ta = i << PAGE_SHIFT;",
  " \tfoo_middle(foo);",
  "-\tb = 1;",
  " \tfoo_end(foo);",
].join("\n");

async function lookAt(side: "new" | "old", text: string) {
  const diff = fileOf(hunk("static void foo(struct foo *foo)", BODY));
  const file = readSource(diff, side, await cParser())!;
  const start = file.text.indexOf(text);
  assert.notEqual(start, -1);
  const gone = createUse({ side, files: [file], context: [], kernel: null })(removed, file);
  return { gone, at: { start, end: start + text.length }, fn: file.functions[0]! };
}

Deno.test("removed.at() gives what a change replaced, folded and without comments", async () => {
  const added = await lookAt("new", "a = i");
  assert.equal(added.gone.at(added.at), "a = (dma_addr_t)i << PAGE_SHIFT;");
  const context = await lookAt("new", "foo_end");
  assert.equal(context.gone.at(context.at), "");
});

Deno.test("removed.from() and of() go on to the end of the hunk and of the function", async () => {
  const { gone, at, fn } = await lookAt("new", "a = i");
  assert.equal(gone.from(at), "a = (dma_addr_t)i << PAGE_SHIFT; b = 1;");
  assert.equal(gone.of(fn), "a = (dma_addr_t)i << PAGE_SHIFT; b = 1;");
  assert.deepEqual(gone.near(at, 1), ["PAGE_SHIFT;"]);
});

Deno.test("removed is empty on the old side", async () => {
  const { gone, at, fn } = await lookAt("old", "foo_middle");
  assert.equal(gone.at(at) + gone.from(at) + gone.of(fn), "");
});
