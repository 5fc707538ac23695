import assert from "node:assert/strict";
import { flow } from "../../rules/facts/flow.ts";
import { addressPlace, mapTypes, straightOn } from "../../rules/facts/map_type.ts";
import { functionOf, sourceOf } from "../code.ts";

/** Where each answer leads in `foo`: `TYPE,TYPE: calls that are sure to come`. */
async function ways(body: string): Promise<string[]> {
  const { file, use } = await sourceOf(
    `static int foo(struct p2pdma_provider *p, struct device *dev, int n)\n{\n${body}\n}`,
  );
  const fn = functionOf(file, "foo");
  const { calls } = use(flow, fn);
  return use(mapTypes, fn).flatMap((question) =>
    question.ways.map(({ types, to, isLeftOver }) => {
      const nodes = straightOn(to);
      const names = calls.filter(({ node }) => nodes.includes(node)).map(({ call }) => call.name);
      return `${[...types].sort().join()}${isLeftOver ? " left over" : ""}: ${names.join()}`;
    })
  );
}

Deno.test("mapTypes tells the cases of a switch and what is left over", async () => {
  assert.deepEqual(
    await ways(`
	switch (pci_p2pdma_map_type(p, dev)) {
	case PCI_P2PDMA_MAP_BUS_ADDR:
		a();
		break;
	case PCI_P2PDMA_MAP_THRU_HOST_BRIDGE:
	case PCI_P2PDMA_MAP_NONE:
		b();
		return 1;
	}
	c();
	return 0;`),
    ["BUS_ADDR: a,c", "THRU_HOST_BRIDGE: b", "NONE: b", "NOT_SUPPORTED left over: c"],
  );
});

Deno.test("mapTypes gives a default label all other answers", async () => {
  assert.deepEqual(
    await ways(`
	int type = pci_p2pdma_map_type(p, dev);

	switch (type) {
	case PCI_P2PDMA_MAP_BUS_ADDR:
		return a();
	default:
		return b();
	}`),
    ["BUS_ADDR: a", "NONE,NOT_SUPPORTED,THRU_HOST_BRIDGE: b"],
  );
});

Deno.test("mapTypes tells both outcomes of a comparison, and is silent behind the next test", async () => {
  assert.deepEqual(
    await ways(`
	if (pci_p2pdma_map_type(p, dev) != PCI_P2PDMA_MAP_BUS_ADDR) {
		if (n)
			a();
		return 1;
	}
	b();
	return 0;`),
    ["NONE,NOT_SUPPORTED,THRU_HOST_BRIDGE: ", "BUS_ADDR: b"],
  );
});

Deno.test("addressPlace() gives both ways to an entry's address one name", () => {
  assert.equal(addressPlace("sg_dma_address(sg)"), "sg->dma_address");
  assert.equal(addressPlace("sg_dma_address(&t.sg)"), "t.sg.dma_address");
  assert.equal(addressPlace("foo->dma"), "foo->dma");
});
