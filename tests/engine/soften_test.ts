import assert from "node:assert/strict";
import { soften, stripComments } from "../../rules/engine/soften.ts";

Deno.test("stripComments() blanks comments and leaves strings alone", () => {
  assert.equal(stripComments('a /* b */ "/* c */" // d\ne'), 'a         "/* c */"     \ne');
});

Deno.test("stripComments() keeps every offset", () => {
  const text = "a;\n/* x\n * y\n */ b; // z\n'\"'; /* q */ c;";
  const out = stripComments(text);
  assert.equal(out.length, text.length);
  assert.equal(out.indexOf("b;"), text.indexOf("b;"));
  assert.equal(out.indexOf("c;"), text.indexOf("c;"));
});

Deno.test("soften() turns a loop macro into a while of the same width", () => {
  const text = "{\n\tfor_each_sg(sgl, sg, n, i)\n\t\tfoo(sg);\n}";
  const { text: out, loops } = soften(text);
  assert.equal(out.length, text.length);
  assert.ok(out.includes("while      (sgl, sg, n, i)"));
  assert.deepEqual([...loops], [text.indexOf("for_each_sg")]);
});

Deno.test("soften() leaves a function whose name holds for_each alone", () => {
  const text = "{\n\tdevice_for_each_child(dev, NULL, foo);\n}";
  assert.equal(soften(text).text, text);
});

Deno.test("soften() blanks attributes and types in arguments, in place", () => {
  const text = "x = container_of(p, struct foo, bar); void __iomem *b;";
  const out = soften(text).text;
  assert.equal(out.length, text.length);
  assert.ok(!out.includes("struct") && !out.includes("__iomem"));
  assert.equal(out.indexOf("bar"), text.indexOf("bar"));
});

Deno.test("soften() takes scoped_guard() for a block that runs", () => {
  const { loops } = soften("{\n\tscoped_guard(mutex, &l) {\n\t\tfoo();\n\t}\n}");
  assert.equal(loops.size, 1);
});
