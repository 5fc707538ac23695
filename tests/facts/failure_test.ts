import assert from "node:assert/strict";
import { search } from "../../rules/engine/cfg.ts";
import { consistent, failures } from "../../rules/facts/failure.ts";
import { flow } from "../../rules/facts/flow.ts";
import { functionOf, sourceOf } from "../code.ts";

/** What each test of a mapping in `foo` says: `callee: tested expression = outcome that means failure`. */
async function failing(body: string): Promise<string[]> {
  const { file, use } = await sourceOf(
    `static int foo(struct device *dev, void *p, struct scatterlist *sgl, int n)\n{\n${body}\n}`,
  );
  return use(failures, functionOf(file, "foo")).map(({ mapping, on, edge }) =>
    `${mapping.call.name}: ${file.textOf(on)} = ${edge.when}`
  );
}

Deno.test("failures knows dma_mapping_error(), directly and through a variable", async () => {
  assert.deepEqual(
    await failing(
      "\tdma_addr_t h = dma_map_single(dev, p, 4, DMA_TO_DEVICE);\n\tif (dma_mapping_error(dev, h))\n\t\treturn 1;\n\tuse(h);",
    ),
    ["dma_map_single: dma_mapping_error(dev, h) = true"],
  );
  assert.deepEqual(
    await failing(
      "\tint ret;\n\tdma_addr_t h = dma_map_single(dev, p, 4, DMA_TO_DEVICE);\n\tret = dma_mapping_error(dev, h);\n\tif (ret)\n\t\treturn ret;",
    ),
    ["dma_map_single: ret = true"],
  );
});

Deno.test("failures knows that dma_map_sg() fails with 0 and dma_map_sgtable() with anything else", async () => {
  assert.deepEqual(await failing("\tif (!dma_map_sg(dev, sgl, n, DMA_TO_DEVICE))\n\t\treturn 1;\n\tgo();"), [
    "dma_map_sg: dma_map_sg(dev, sgl, n, DMA_TO_DEVICE) = false",
  ]);
  assert.deepEqual(
    await failing("\tint m = dma_map_sg(dev, sgl, n, DMA_TO_DEVICE);\n\tif (m <= 0)\n\t\treturn 1;\n\tgo();"),
    ["dma_map_sg: m <= 0 = true"],
  );
  assert.deepEqual(
    await failing("\tint r = dma_map_sgtable(dev, p, DMA_TO_DEVICE, 0);\n\tif (r)\n\t\treturn r;\n\tgo();"),
    ["dma_map_sgtable: r = true"],
  );
});

Deno.test("failures knows that an error pointer is not told by its truth", async () => {
  assert.deepEqual(
    await failing("\tstruct sg_table *t = dma_buf_map_attachment(p, DMA_TO_DEVICE);\n\tif (t)\n\t\tgo();"),
    [],
  );
});

Deno.test("failures drops a check of a handle that was mapped anew in between", async () => {
  assert.deepEqual(
    await failing(
      "\tdma_addr_t h = dma_map_single(dev, p, 4, DMA_TO_DEVICE);\n\th = dma_map_single(dev, sgl, 8, DMA_TO_DEVICE);\n\tif (dma_mapping_error(dev, h))\n\t\treturn 1;\n\tgo();",
    ),
    ["dma_map_single: dma_mapping_error(dev, h) = true"],
  );
});

Deno.test("consistent() does not take the other way of a test that was passed", async () => {
  const { file, use } = await sourceOf(
    "static int foo(int a, int b)\n{\n\tif (a != b)\n\t\tone();\n\ttwo();\n\tif (a == b)\n\t\tthree();\n\telse\n\t\tfour();\n}",
  );
  const { cfg, calls } = use(flow, functionOf(file, "foo"));
  const node = (name: string) => calls.find(({ call }) => call.name === name)!.node;
  const ways = consistent(cfg, node("one"), file);
  const reaches = (name: string) =>
    search(node("one"), (n) => n === node(name) ? "hit" : "go", ways).hit !== null;
  assert.ok(reaches("four"));
  assert.ok(!reaches("three"));
  assert.ok(
    search(node("two"), (n) => n === node("three") ? "hit" : "go", consistent(cfg, node("two"), file)).hit,
  );
});

Deno.test("consistent() asks again what was written since", async () => {
  const { file, use } = await sourceOf(
    "static int foo(int a, int b)\n{\n\tif (!a) {\n\t\tone();\n\t\ta = 1;\n\t}\n\tif (a)\n\t\tthree();\n}",
  );
  const { cfg, calls } = use(flow, functionOf(file, "foo"));
  const node = (name: string) => calls.find(({ call }) => call.name === name)!.node;
  assert.ok(
    search(node("one"), (n) => n === node("three") ? "hit" : "go", consistent(cfg, node("one"), file)).hit,
  );
});

Deno.test("consistent() still believes a test where a way leaves its variables alone", async () => {
  const { file, use } = await sourceOf(
    "static int foo(struct x *a, struct x *b)\n{\n\tif (a == b)\n\t\tone();\n\telse\n\t\ttwo();\n\twhile (go())\n\t\ta = next(a);\n\tif (a == b)\n\t\tthree();\n}",
  );
  const { cfg, calls } = use(flow, functionOf(file, "foo"));
  const node = (name: string) => calls.find(({ call }) => call.name === name)!.node;
  const ways = consistent(cfg, node("two"), file);
  assert.equal(search(node("two"), (n) => n === node("three") ? "hit" : "go", ways).hit, null);
});
