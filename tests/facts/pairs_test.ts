import assert from "node:assert/strict";
import { handling } from "../../rules/facts/mappings.ts";
import { handleKey, isOneField, mappedElsewhere, pairs } from "../../rules/facts/pairs.ts";
import { functionOf, sourceOf } from "../code.ts";

const STRUCT = "struct foo {\n\tstruct device *dev;\n\tdma_addr_t dma;\n};\n";

/** The mappings that may be behind the first release of `last()`, by the functions that make them. */
async function behind(code: string): Promise<string[]> {
  const { file, use } = await sourceOf(STRUCT + code);
  const fn = functionOf(file, "last");
  return mappedElsewhere(use(handling, fn).releases[0]!, fn, use).map(({ by }) => by.name);
}

const LAST = "static void last(struct foo *p)\n{\n\tdma_unmap_single(p->dev, p->dma, 4, DMA_TO_DEVICE);\n}\n";
const FIRST =
  "static void first(struct foo *x)\n{\n\tx->dma = dma_map_single(x->dev, x->buf, 4, DMA_TO_DEVICE);\n}\n";

Deno.test("handleKey() is one for a table, its list and elements of an array", () => {
  assert.equal(handleKey("&foo->sgt"), handleKey("foo->sgt.sgl"));
  assert.equal(handleKey("foo->dma[i]"), handleKey("foo->dma[j]"));
  assert.notEqual(handleKey("foo->a"), handleKey("foo->b"));
});

Deno.test("pairs finds the mapping that reaches a release, and says when another may", async () => {
  const { file, use } = await sourceOf(
    "static void one(struct foo *x, bool is_new)\n{\n\tif (is_new)\n" +
      "\t\tx->dma = dma_map_single(x->dev, x->buf, 4, DMA_TO_DEVICE);\n" +
      "\tdma_unmap_single(x->dev, x->dma, 4, DMA_TO_DEVICE);\n}\n",
  );
  const [pair, ...more] = use(pairs, functionOf(file, "one"));
  assert.equal(more.length, 0);
  assert.equal(pair?.kind, "release");
  assert.equal(pair?.sources.length, 1);
  assert.equal(pair?.isOpen, true);
});

Deno.test("mappedElsewhere() knows a field by the type of its object, and through a local variable", async () => {
  assert.deepEqual(await behind(FIRST + LAST), ["first"]);
  const local =
    "static void local(struct foo *y)\n{\n\tdma_addr_t a = dma_map_single(y->dev, y->buf, 4, DMA_TO_DEVICE);\n\n\ty->dma = a;\n}\n";
  assert.deepEqual(await behind(local + LAST), ["local"]);
  assert.deepEqual(await behind(FIRST.replace("struct foo", "struct bar") + LAST), []);
});

Deno.test("mappedElsewhere() gives nothing when something unknown is put into the field", async () => {
  const other = "static void other(struct foo *y)\n{\n\ty->dma = take(y);\n}\n";
  const given = "static void given(struct foo *y)\n{\n\ttake(y, &y->dma);\n}\n";
  const reset = "static void reset(struct foo *y)\n{\n\ty->dma = DMA_MAPPING_ERROR;\n}\n";
  assert.deepEqual(await behind(FIRST + other + LAST), []);
  assert.deepEqual(await behind(FIRST + given + LAST), []);
  assert.deepEqual(await behind(FIRST + reset + LAST), ["first"]);
});

Deno.test("isOneField() wants the struct's whole file, or one name in both places", async () => {
  const answer = async (code: string) => {
    const { file, use } = await sourceOf(code);
    const fn = functionOf(file, "last");
    const release = use(handling, fn).releases[0]!;
    return isOneField(release, mappedElsewhere(release, fn, use), fn, use);
  };
  assert.equal(await answer(FIRST + LAST), false);
  assert.equal(await answer(FIRST.replaceAll("x", "p") + LAST), true);
});
