import { deepEqual, equal, match } from "node:assert/strict";
import { frame } from "../../rules/engine/frame.ts";
import { fileFromSource } from "../../rules/engine/diff.ts";
import type { Selection } from "../../rules/engine/idle.ts";

const SELECTION: Selection = {
  matters: (text) => text.includes("dma_map"),
  concerns: (text) => /dma_/.test(text),
  isReference: false,
};

/** What is left of a source, without blank lines. */
function left(source: string, selection: Partial<Selection> = {}): string {
  const { text } = frame(fileFromSource("drivers/foo/foo.c", source), "new", { ...SELECTION, ...selection });
  return text.split("\n").filter((line) => line.trim() !== "").join("\n");
}

const functionsOf = (text: string) =>
  [...text.matchAll(/^\w[\w *]*?(\w+)\([^;]*\)$/gm)].map(([, name]) => name);

const MAPS = "static int foo_map(struct foo *f)\n{\n\treturn dma_map(f);\n}\n";

Deno.test("frame() leaves a function that nobody asks about blank, with the macro in front of it", () => {
  const text = left(`static int foo_idle(int a)
{
	return a;
}
FOO_ATTR(foo, 1)
#define FOO_SHOW(x) \\
	do_show(x); \\
	do_more(x)

/* says more (of it) */
static int foo_also_idle(int a)
{
	/* } */
	return a;
}

${MAPS}`);
  deepEqual(functionsOf(text), ["foo_map"]);
  equal(text.includes("FOO_"), false, text);
});

Deno.test("frame() is not misled by what looks like a function's end", () => {
  for (
    const body of [
      "\tx = 1;\n/*\n}\n*/\n\tdma_map(x);\n",
      "#if 0\n}\n#endif\n\tdma_map(x);\n",
      '\tputs("}\\\n}");\n\tdma_map(x);\n',
    ]
  ) {
    const text = left(`static int foo(int x)\n{\n${body}}\n\nstatic int next(void)\n{\n\treturn 1;\n}\n`);
    match(text, /dma_map\(x\)/, body);
  }
});

Deno.test("frame() keeps what is tied to a function that matters", () => {
  const source = `static int foo_set(struct foo *f, dma_addr_t a)
{
	return foo_note(f, a);
}

static int foo_note(struct foo *f, dma_addr_t a)
{
	${"f->count++;\n\t".repeat(80)}
	return dma_check(a);
}

static int foo_apart(struct foo *f)
{
	return dma_check(f->a);
}

static int foo_map(struct foo *f)
{
	return foo_set(f, dma_map(f));
}

static int foo_use(struct foo *f)
{
	dma_addr_t a = foo_map(f);

	return a;
}

static int foo_small(struct foo *f)
{
	return foo_map(f);
}
`;
  deepEqual(functionsOf(left(source)), ["foo_set", "foo_note", "foo_map", "foo_use"]);
  // Whoever calls into a file that is read for others is not its business.
  deepEqual(functionsOf(left(source, { isReference: true })), ["foo_set", "foo_note", "foo_map"]);
  // Where all that is of interest matters, nothing has to be tied to anything.
  deepEqual(functionsOf(left(source, { matters: SELECTION.concerns })), [
    "foo_set",
    "foo_note",
    "foo_apart",
    "foo_map",
    "foo_use",
  ]);
});

Deno.test("frame() leaves numbers blank, and keeps the declaration of their table", () => {
  const text = left(`static const u32 foo_table[] = {
	1, 2,
};

static const struct dma_ops foo_ops[] = {
	{ .map = dma_it, },
};

enum foo_bits {
	FOO_A,
};

${MAPS}`);
  match(
    text,
    /^static const u32 foo_table\[\] = \{\n\};\nstatic const struct dma_ops foo_ops\[\] = \{\n\t\{ \.map = dma_it, \},\n\};\nstatic int foo_map/,
  );
});

Deno.test("frame() keeps the structs of a file that is read for others as texts", () => {
  const source = `struct foo {
	struct {
		int inner;
	};
	dma_addr_t dma;
};

int foo_map(struct foo *f);
int foo_start(struct foo *f,
	      int a);
${MAPS}`;
  const file = fileFromSource("drivers/foo/foo.h", source);
  const { text, idleStructs } = frame(file, "new", { ...SELECTION, isReference: true });
  deepEqual([/struct foo \{|;\n.*foo_start|int foo_map\(struct foo \*f\);/.test(text), idleStructs.length], [
    false,
    1,
  ]);
  match(idleStructs[0]!, /^struct foo \{[^]*dma_addr_t dma;\n\};$/);
  match(text, /static int foo_map\(struct foo \*f\)\n\{\n\treturn dma_map\(f\);\n\}/);
});
