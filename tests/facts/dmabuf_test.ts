import assert from "node:assert/strict";
import { callbacks, comparesImporter, withHelpers } from "../../rules/facts/dmabuf.ts";
import { functionOf, sourceOf } from "../code.ts";

const EXPORTER = `
static int foo_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
{
	return attach->dev == foo_dev ? 0 : -EOPNOTSUPP;
}

static struct sg_table *foo_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	return foo_table(attach);
}

static struct sg_table *foo_table(struct dma_buf_attachment *attach)
{
	return attach->priv;
}

static const struct dma_buf_ops foo_ops = {
	.attach = foo_attach,
	.map_dma_buf = &foo_map,
	.release = foo_release,
};

static struct dma_buf_attach_ops foo_importer = { .allow_peer2peer = true };

static struct file_operations foo_fops = { .release = foo_close };`;

Deno.test("callbacks names the functions of a table, and none that is not in the file", async () => {
  const { file, use } = await sourceOf(EXPORTER);
  const found = use(callbacks, file);
  assert.deepEqual(found.map(({ table, fields }) => [table, [...fields.keys()]]), [
    ["dma_buf_ops", ["attach", "map_dma_buf", "release"]],
    ["dma_buf_attach_ops", ["allow_peer2peer"]],
  ]);
  const [ops] = found;
  assert.equal(ops!.fn("attach"), functionOf(file, "foo_attach"));
  assert.equal(ops!.fn("map_dma_buf"), functionOf(file, "foo_map"));
  assert.equal(ops!.fn("release"), null);
  assert.equal(ops!.fn("unmap_dma_buf"), null);
});

Deno.test("withHelpers() adds what is called and shown", async () => {
  const { file } = await sourceOf(EXPORTER);
  const map = functionOf(file, "foo_map");
  assert.deepEqual(withHelpers(map, ["foo_table", "kfree"]).map(({ name }) => name), [
    "foo_map",
    "foo_table",
  ]);
});

Deno.test("comparesImporter() wants a comparison of the attachment's device", async () => {
  const { file, use } = await sourceOf(EXPORTER);
  assert.equal(comparesImporter(file, use), true);
  const other = await sourceOf(EXPORTER.replace("attach->dev == foo_dev", "attach->peer2peer == foo_dev"));
  assert.equal(comparesImporter(other.file, other.use), false);
});
