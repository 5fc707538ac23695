import assert from "node:assert/strict";
import { outline } from "../../rules/facts/outline.ts";
import { sideOf } from "../code.ts";

const lines = (code: string) => code.split("\n").map((line) => `+${line}`);
const created = (code: string) =>
  `--- /dev/null\n+++ b/drivers/foo/foo.c\n@@ -0,0 +1,${lines(code).length} @@\n${lines(code).join("\n")}\n`;

const CODE = String.raw`static int foo_map(struct foo *foo,
		   size_t n)
{
	return n; /* foo_gone() */
}

static int foo_cb(struct foo *foo)
{
	return 0;
}

static const struct foo_ops foo_ops = {
	.start = foo_cb,
};

int foo_probe(struct device *dev)
{
	if (foo_map(foo, 4))
		foo_free(foo);
	return foo_cb(foo);
}`;

Deno.test("outline tells callers and what follows the call, in code that nobody parsed", async () => {
  const { files, use } = await sideOf(created(CODE));
  const found = use(outline, files[0]!);
  assert.deepEqual(found.functions.map(({ name, isStatic }) => [name, isStatic]), [
    ["foo_map", true],
    ["foo_cb", true],
    ["foo_probe", false],
  ]);
  const [first] = found.callersOf("foo_map");
  assert.equal(first?.caller.name, "foo_probe");
  assert.match(first!.after, /^foo, 4\)\)\s+foo_free\(foo\);/);
  assert.deepEqual(found.callersOf("foo_gone"), []);
});

Deno.test("outline: private is what is static, called only, and in a file that is shown whole", async () => {
  const { files, use } = await sideOf(created(CODE));
  const found = use(outline, files[0]!);
  assert.equal(found.isPrivate("foo_map"), true);
  assert.equal(found.isPrivate("foo_cb"), false);
  assert.equal(found.isPrivate("foo_probe"), false);
  const part = await sideOf(
    created(CODE).replace("--- /dev/null", "--- a/drivers/foo/foo.c").replace("-0,0", "-1,0"),
  );
  assert.equal(part.use(outline, part.files[0]!).isPrivate("foo_map"), false);
});
