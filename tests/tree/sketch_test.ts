import { deepEqual } from "node:assert/strict";
import { sketch } from "../../rules/tree/sketch.ts";

const concerns = (code: string) => /dma_|pci_resource/.test(code);

const TEXT = `
#include <linux/pci.h>
 #include "foo.h"

struct foo_ring {
	dma_addr_t base;
};

static int foo_own(struct foo *foo)
{
	foo->plain = 3;
	foo->win.base = pci_resource_start(foo->pdev, 0);
	return 0;
}

struct sg_table *
foo_table(struct foo *foo,
	  size_t len)
{
	foo->cpu = dma_alloc_coherent(foo->dev, len, &foo->ring.base, GFP_KERNEL);
	return foo_other(foo);
}

int foo_declared(struct foo *foo);
`;

Deno.test("sketch() names what others may call, the structs and the headers", () => {
  const { functions, structs, includes } = sketch("drivers/foo/foo.c", TEXT, concerns);
  deepEqual([...functions], ["foo_table"]);
  deepEqual([...structs], ["foo_ring"]);
  deepEqual(includes, ["linux/pci.h", "foo.h"]);
});

Deno.test("sketch() names the fields that are set where it is of interest", () => {
  deepEqual([...sketch("foo.c", TEXT, concerns).fields].sort(), ["base", "cpu"]);
});

Deno.test("sketch() takes a header's static functions for everybody's", () => {
  const text = "static inline u64 foo_base(struct foo *foo)\n{\n\treturn foo->base;\n}\n";
  deepEqual([...sketch("foo.h", text, concerns).functions], ["foo_base"]);
});
