import assert from "node:assert/strict";
import { frame } from "../../rules/engine/frame.ts";
import { readSource } from "../../rules/engine/source.ts";
import { cParser, fileOf, hunk } from "../code.ts";

/** Names of the calls that the framed text of one side holds inside functions. */
async function calls(...hunks: ReturnType<typeof hunk>[]): Promise<string[]> {
  const { walkStmt, walkExpr } = await import("../../rules/engine/ast.ts");
  const file = readSource(fileOf(...hunks), "new", await cParser())!;
  const names: string[] = [];
  for (const fn of file.functions) {
    walkStmt(fn.node.body, {
      expr: (expr) => walkExpr(expr, (e) => e.kind === "call" && names.push(`${fn.name}:${e.name}`)),
    });
  }
  return names;
}

Deno.test("frame() puts the middle of a function into the function its heading names", async () => {
  assert.deepEqual(
    await calls(hunk("static int foo_map(struct foo *foo,", " \tint ret;\n+\tmap(foo);\n \tother(foo);")),
    ["foo_map:map", "foo_map:other"],
  );
});

Deno.test("frame() keeps two hunks of one function together with a hole between them", async () => {
  const first = hunk("static int foo_map(struct foo *foo)", " \tif (foo) {\n+\t\tone(foo);\n \t\tmore();");
  const second = hunk(
    "static int foo_map(struct foo *foo)",
    " \t\tx();\n \t}\n+\ttwo(foo);\n \treturn 0;\n }",
    200,
  );
  const file = readSource(fileOf(first, second), "new", await cParser())!;
  assert.deepEqual(file.functions.map((fn) => [fn.name, fn.whole]), [["foo_map", false]]);
  assert.deepEqual(await calls(first, second), ["foo_map:one", "foo_map:more", "foo_map:x", "foo_map:two"]);
});

Deno.test("frame() does not join hunks of different functions", async () => {
  const first = hunk("static int foo_a(struct foo *foo)", " \tb();\n+\tone(foo);\n \tc();");
  const second = hunk("static int foo_b(struct foo *foo)", " \td();\n+\ttwo(foo);\n \treturn 0;\n }", 200);
  assert.deepEqual(await calls(first, second), ["foo_a:b", "foo_a:one", "foo_a:c", "foo_b:d", "foo_b:two"]);
});

Deno.test("frame() reads a hunk that ends one function and holds the next", async () => {
  assert.deepEqual(
    await calls(
      hunk(
        "int foo_a(void)",
        " \t\t}\n+\t\ta();\n \t}\n \treturn 0;\n }\n \n static int foo_b(int x)\n {\n+\tb();\n \tc();",
      ),
    ),
    ["foo_a:a", "foo_b:b", "foo_b:c"],
  );
});

Deno.test("frame() takes the body of a function whose head the hunk cuts off", async () => {
  assert.deepEqual(await calls(hunk("static void foo(struct device *dev)", " {\n+\tone(dev);\n }")), [
    "foo:one",
  ]);
  assert.deepEqual(
    await calls(hunk("static void foo(struct device *dev,", " \t\tint dir)\n {\n+\tone(dev);\n }")),
    ["foo:one"],
  );
});

Deno.test("frame() completes a call that the hunk cuts at either end", async () => {
  const names = await calls(hunk("int foo(int a)", " \t\t  len, dir);\n+\tone(a);\n \ttwo(a,"));
  assert.ok(names.includes("foo:one"));
  assert.ok(names.includes("foo:two"));
});

Deno.test("frame() reads `} else {` and `} while ()` without their openings", async () => {
  assert.deepEqual(
    await calls(hunk("int foo(int a)", " \t\tone(a);\n \t} else {\n+\t\ttwo(a);\n \t}\n \treturn 0;\n }")),
    ["foo:one", "foo:two"],
  );
  assert.deepEqual(
    await calls(hunk("int foo(int a)", "+\t\tone(a);\n \t} while (next(a));\n \ttwo(a);\n }")),
    ["foo:one", "foo:next", "foo:two"],
  );
});

Deno.test("frame() leaves out comments that the hunk starts or ends within", async () => {
  assert.deepEqual(
    await calls(
      hunk("int foo(int a)", " \t * bar(x); is not\n \t * called\n \t */\n+\tone(a);\n \t/* nor is baz(x)"),
    ),
    ["foo:one"],
  );
});

Deno.test("frame() turns #ifdef around statements into an unknown condition", async () => {
  const file = readSource(
    fileOf(
      hunk(
        "",
        "+int foo(void)\n+{\n+#ifdef CONFIG_A\n+\tone();\n+#else\n+\ttwo();\n+#endif\n+\tthree();\n+}",
      ),
    ),
    "new",
    await cParser(),
  )!;
  const body = file.functions[0]!.node.body;
  assert.equal(body.kind === "block" && body.body[0]!.kind, "if");
  assert.deepEqual(
    await calls(
      hunk(
        "",
        "+int foo(void)\n+{\n+#ifdef CONFIG_A\n+\tone();\n+#else\n+\ttwo();\n+#endif\n+\tthree();\n+}",
      ),
    ),
    ["foo:one", "foo:two", "foo:three"],
  );
});

Deno.test("frame() keeps one branch where #if splits a statement, and drops #if 0", async () => {
  assert.deepEqual(
    await calls(
      hunk(
        "",
        "+int foo(int a)\n+{\n+#if A\n+\tif (a) {\n+#else\n+\tif (b()) {\n+#endif\n+\t\tone();\n+\t}\n+#if 0\n+\tdead();\n+#endif\n+}",
      ),
    ),
    ["foo:one"],
  );
});

Deno.test("frame() sees the statements of a macro", async () => {
  assert.deepEqual(
    await calls(
      hunk("", "+#define FOO(dev, x)\t\\\n+do {\t\t\\\n+\tone(dev);\t\\\n+} while (0)\n+\n+int y;"),
    ),
    ["FOO:one"],
  );
});

Deno.test("frame() maps every row back to its line", () => {
  const framed = frame(fileOf(hunk("int foo(void)", " \tone();\n-\ttwo();\n+\tthree();\n }")), "new");
  const rows = framed.text.split("\n");
  framed.rows.forEach((line, row) => {
    if (line !== null) assert.equal(rows[row], line.text);
  });
  assert.deepEqual(framed.rows.filter((line) => line !== null).map((line) => line.text), [
    "\tone();",
    "\tthree();",
    "}",
  ]);
});

Deno.test("frame() does not take `*/` behind `//` for the end of a comment", async () => {
  assert.deepEqual(
    await calls(hunk("int foo(int a)", "+\tone(a);\n+\ttwo(a); // match */*\n \tthree(a);")),
    ["foo:one", "foo:two", "foo:three"],
  );
});
