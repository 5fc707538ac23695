import { equal } from "node:assert/strict";
import { join } from "@std/path";
import { kernelPath } from "../../bot/source/kernel_path.ts";

Deno.test("kernelPath() is relative to the tree that the file lies in", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(root, "drivers/net/foo"), { recursive: true });
    const file = join(root, "drivers/net/foo/foo.c");
    await Deno.writeTextFile(file, "int x;\n");
    equal(await kernelPath(file), file);
    for (const name of ["MAINTAINERS", "Kbuild"]) await Deno.writeTextFile(join(root, name), "");
    equal(await kernelPath(file), "drivers/net/foo/foo.c");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("kernelPath() leaves a path that is not in a tree as it is", async () => {
  equal(await kernelPath("drivers/net/foo/none.c"), "drivers/net/foo/none.c");
});
