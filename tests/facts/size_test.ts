import assert from "node:assert/strict";
import { flow } from "../../rules/facts/flow.ts";
import { isOtherConstant } from "../../rules/facts/size.ts";
import { functionOf, sourceOf } from "../code.ts";

async function differ(a: string, b: string): Promise<boolean> {
  const { file, use } = await sourceOf(`static void foo(void)\n{\n\tfoo_take(${a}, ${b});\n}`);
  const { call } = use(flow, functionOf(file, "foo")).calls[0]!;
  return isOtherConstant(call.args[0]!, call.args[1]!);
}

Deno.test("isOtherConstant() is true for what cannot be one size", async () => {
  for (
    const [a, b] of [
      ["64", "128"],
      ["FOO_N * sizeof(struct foo)", "FOO_N"],
      ["sizeof(struct foo)", "sizeof(struct bar)"],
      ["FOO_N * sizeof(struct foo)", "sizeof(struct bar) * FOO_N"],
    ]
  ) assert.equal(await differ(a!, b!), true, `${a} and ${b}`);
});

Deno.test("isOtherConstant() is false for what may be one size", async () => {
  for (
    const [a, b] of [
      ["64", "0x40"],
      ["SZ_4K", "PAGE_SIZE"],
      ["FOO_N * sizeof(struct foo)", "sizeof( struct\n\t\tfoo) * FOO_N"],
      ["sizeof(*p)", "sizeof(struct foo)"],
      ["n * 4", "n"],
      ["FOO_N * 1", "FOO_N"],
      ["sizeof(struct foo)", "FOO_LEN"],
    ]
  ) assert.equal(await differ(a!, b!), false, `${a} and ${b}`);
});
