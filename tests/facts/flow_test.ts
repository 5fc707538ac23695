import assert from "node:assert/strict";
import type { Expr } from "../../rules/engine/ast.ts";
import { flow } from "../../rules/facts/flow.ts";
import { handling } from "../../rules/facts/mappings.ts";
import { relate } from "../../rules/facts/device.ts";
import { functionOf, sideOf, sourceOf } from "../code.ts";

/** What the argument of the first `sink()` in function `foo` is, as `meaning(owner or device)`. */
async function sink(text: string): Promise<string[]> {
  const { file, use } = await sourceOf(text);
  const values = use(flow, functionOf(file, "foo"));
  const call = values.calls.find(({ call }) => call.name === "sink")!.call;
  return values.valueOf(call.args[0]!)
    .filter((origin) => origin.meaning !== "param")
    .map((origin) => {
      const of = origin.owner ?? origin.device;
      return `${origin.meaning}${of === null ? "" : `(${of})`}${
        origin.certainty === "exact" ? "" : `?${origin.certainty}`
      }`;
    });
}

const body = (lines: string) =>
  `static int foo(struct foo *f, struct pci_dev *pdev, struct device *dev)\n{\n${lines}\n}`;

Deno.test("flow follows assignments, casts and arithmetic", async () => {
  assert.deepEqual(
    await sink(body("\tu64 a;\n\ta = (u64)pci_resource_start(pdev, 2) + f->off;\n\tsink(a + 4);")),
    ["phys-bar(pdev)"],
  );
  assert.deepEqual(await sink(body("\tsink(lower_32_bits(pci_bus_address(pdev, 0)));")), ["pci-bus(pdev)"]);
});

Deno.test("flow knows that a difference of addresses is no address", async () => {
  assert.deepEqual(
    await sink(body("\tu64 a = virt_to_phys(f) - virt_to_phys(dev);\n\tsink(a);")),
    [],
  );
});

Deno.test("flow sees a bus offset and its use", async () => {
  assert.deepEqual(
    await sink(body("\tu64 o = pci_bus_address(pdev, 0) - pci_resource_start(pdev, 0);\n\tsink(o);")),
    ["bus-offset(pdev)"],
  );
  assert.deepEqual(
    await sink(
      body(
        "\tu64 o = pci_bus_address(pdev, 0) - pci_resource_start(pdev, 0);\n\tsink(pci_resource_start(pdev, 0) + o);",
      ),
    ),
    ["pci-bus(pdev)"],
  );
});

Deno.test("flow keeps both values of a branch and the last one of a straight line", async () => {
  assert.deepEqual(
    await sink(
      body(
        "\tu64 a;\n\tif (f->x)\n\t\ta = pci_resource_start(pdev, 0);\n\telse\n\t\ta = pci_bus_address(pdev, 0);\n\tsink(a);",
      ),
    ),
    ["phys-bar(pdev)", "pci-bus(pdev)"],
  );
  assert.deepEqual(
    await sink(body("\tu64 a = pci_resource_start(pdev, 0);\n\ta = pci_bus_address(pdev, 0);\n\tsink(a);")),
    ["pci-bus(pdev)"],
  );
  assert.deepEqual(
    await sink(body("\tsink(f->x ? pci_resource_start(pdev, 0) : pci_bus_address(pdev, 0));")),
    ["phys-bar(pdev)", "pci-bus(pdev)"],
  );
});

Deno.test("flow follows struct fields and sg_dma_address() as a place", async () => {
  assert.deepEqual(
    await sink(body("\tf->addr = dma_map_resource(dev, f->p, 4, DMA_TO_DEVICE, 0);\n\tsink(f->addr);")),
    ["dma(dev)"],
  );
  assert.deepEqual(
    await sink(
      body("\tsg_dma_address(f->sg) = pci_resource_start(pdev, 1);\n\tsink(sg_dma_address(f->sg));"),
    ),
    ["phys-bar(pdev)"],
  );
});

Deno.test("flow takes the handle of dma_alloc_coherent() from its out-parameter", async () => {
  assert.deepEqual(
    await sink(
      body("\tdma_addr_t h;\n\tvoid *p = dma_alloc_coherent(&pdev->dev, 64, &h, GFP_KERNEL);\n\tsink(h);"),
    ),
    ["dma(&pdev->dev)"],
  );
});

Deno.test("flow forgets a value when its variable is written by somebody else", async () => {
  assert.deepEqual(await sink(body("\tu64 a = pci_bus_address(pdev, 0);\n\tbar(&a);\n\tsink(a);")), []);
});

Deno.test("flow knows a platform resource from a BAR", async () => {
  assert.deepEqual(
    await sink(body("\tstruct resource *r = &pdev->resource[2];\n\tsink(r->start);")),
    ["phys-bar(pdev)"],
  );
  assert.deepEqual(
    await sink(
      body("\tstruct resource *r = platform_get_resource(f->p, IORESOURCE_MEM, 0);\n\tsink(r->start);"),
    ),
    ["phys-mmio"],
  );
});

Deno.test("flow reads declared types, of fields too", async () => {
  assert.deepEqual(
    await sink(`struct foo {\n\tdma_addr_t h;\n\tvoid __iomem *regs;\n};\n\n${body("\tsink(f->h);")}`),
    ["dma?declared"],
  );
  assert.deepEqual(
    await sink(`struct foo {\n\tdma_addr_t h;\n\tvoid __iomem *regs;\n};\n\n${body("\tsink(f->regs + 8);")}`),
    ["iomem?declared"],
  );
});

Deno.test("flow knows what a helper of the patch returns, for the caller's device", async () => {
  assert.deepEqual(
    await sink(
      "static dma_addr_t map(struct device *d, void *p)\n{\n\treturn dma_map_single(d, p, 4, DMA_TO_DEVICE);\n}\n\n" +
        body("\tsink(map(&pdev->dev, f));"),
    ),
    ["dma(&pdev->dev)"],
  );
});

Deno.test("flow knows what another function put into a field", async () => {
  assert.deepEqual(
    await sink(
      "static void init(struct foo *x, struct pci_dev *p)\n{\n\tx->base = pci_resource_start(p, 0);\n}\n\n" +
        body("\tsink(f->base);"),
    ),
    ["phys-bar(p)"],
  );
});

Deno.test("flow survives loops that walk a list", async () => {
  assert.deepEqual(
    await sink(
      body(
        "\tstruct foo *n = f;\n\twhile (n) {\n\t\tn = n->next;\n\t\tbar(n->next->next);\n\t}\n\tsink(n->x);",
      ),
    ),
    [],
  );
});

Deno.test("canonical() follows local aliases and drops them when their root changes", async () => {
  const { file, use } = await sourceOf(
    body("\tstruct device *d = &pdev->dev;\n\tone(d);\n\tpdev = f->other;\n\ttwo(d);"),
  );
  const values = use(flow, functionOf(file, "foo"));
  const arg = (name: string): Expr => values.calls.find(({ call }) => call.name === name)!.call.args[0]!;
  assert.equal(values.canonical(arg("one")), "&pdev->dev");
  assert.equal(values.canonical(arg("two")), "d");
});

Deno.test("flow concludes nothing from a hole", async () => {
  const { files, use } = await sideOf(
    "--- a/drivers/foo/foo.c\n+++ b/drivers/foo/foo.c\n@@ -10,2 +10,3 @@ static int foo(struct foo *f, struct device *dev)\n \tint a;\n+\tf->h = dma_map_single(dev, f->p, 4, DMA_TO_DEVICE);\n \tbar(f);\n@@ -50,2 +51,3 @@ static int foo(struct foo *f, struct device *dev)\n \tint b;\n+\tsink(f->h);\n \treturn 0;\n",
  );
  const fn = functionOf(files[0]!, "foo");
  assert.equal(fn.whole, false);
  assert.ok(use(flow, fn).cfg.nodes.some((node) => node.kind === "hole"));
});

Deno.test("handling pairs a mapping with its handle, device, check and release", async () => {
  const { file, use } = await sourceOf(
    body(
      "\tstruct device *d = &pdev->dev;\n\tf->h = dma_map_single(d, f->p, 4, DMA_TO_DEVICE);\n\tif (dma_mapping_error(d, f->h))\n\t\treturn -ENOMEM;\n\tdma_unmap_single(&pdev->dev, f->h, 4, DMA_TO_DEVICE);",
    ),
  );
  const { mappings, checks, releases } = use(handling, functionOf(file, "foo"));
  const short = (
    u: { api: { name: string }; device: string | null; handle: string | null },
  ) => [u.api.name, u.device, u.handle];
  assert.deepEqual(mappings.map(short), [["dma_map_single", "&pdev->dev", "f->h"]]);
  assert.deepEqual(checks.map(short), [["dma_mapping_error", "&pdev->dev", "f->h"]]);
  assert.deepEqual(releases.map(short), [["dma_unmap_single", "&pdev->dev", "f->h"]]);
});

Deno.test("relate() calls two devices different only with proof", async () => {
  const { file } = await sourceOf(
    "static int foo(struct dma_buf_attachment *a, struct pci_dev *p, struct pci_dev *q)\n{\n\treturn 0;\n}",
  );
  const fn = functionOf(file, "foo");
  assert.equal(relate(fn, "a->dev", "&a->dmabuf->priv->pdev->dev"), "different");
  assert.equal(relate(fn, "a->dev", "a->dev"), "same");
  assert.equal(relate(fn, "&p->dev", "&q->dev"), "different");
  assert.equal(relate(fn, "x->dev", "x->dma_dev"), "unknown");
  assert.equal(relate(fn, "dev", "&p->dev"), "unknown");
});

Deno.test("flow knows a field through an accessor of an accessor", async () => {
  const { file, use } = await sourceOf(`
struct foo {
	u64 base;
};
static void foo_init(struct foo *foo, struct pci_dev *pdev)
{
	foo->base = pci_resource_start(pdev, 2);
}
static u64 foo_base(struct foo *foo)
{
	return foo->base;
}
static dma_addr_t foo_peer(struct foo *foo, u64 offset)
{
	return foo_base(foo) + offset;
}
`);
  const values = use(flow, functionOf(file, "foo_peer"));
  assert.deepEqual(values.returns[0]!.origins.map(({ meaning, certainty }) => [meaning, certainty])[0], [
    "phys-bar",
    "exact",
  ]);
});
