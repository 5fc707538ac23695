import assert from "node:assert/strict";
import { sinks } from "../../rules/facts/sinks.ts";
import { functionOf, sourceOf } from "../code.ts";

const MAP = `
static dma_addr_t foo_map_page(struct device *dev, struct page *page, unsigned long offset)
{
	return page_to_phys(page) + offset;
}`;

Deno.test("sinks knows that what implements the DMA API makes such addresses", async () => {
  const driver = await sourceOf(MAP);
  assert.equal(driver.use(sinks, functionOf(driver.file, "foo_map_page")).length, 1);
  const { file, use } = await sourceOf(
    `${MAP}\nstatic const struct dma_map_ops foo_dma_ops = {\n\t.map_page = foo_map_page,\n};`,
  );
  assert.deepEqual(use(sinks, functionOf(file, "foo_map_page")), []);
});

Deno.test("sinks follows a value into the helper that writes it", async () => {
  const { file, use } = await sourceOf(`
static void foo_set(struct foo *foo, u64 addr)
{
	writeq(addr, foo->regs);
}
static void foo_go(struct foo *foo)
{
	foo_set(foo, virt_to_phys(foo->buf));
}`);
  const [sink] = use(sinks, functionOf(file, "foo_go"));
  assert.deepEqual([sink!.kind, sink!.where, sink!.through !== null], ["register", "foo_set", true]);
});
