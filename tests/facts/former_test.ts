import assert from "node:assert/strict";
import { argumentsAt } from "../../rules/facts/former.ts";

const split = (text: string) => argumentsAt(text, text.indexOf("(") + 1)?.args ?? null;

Deno.test("argumentsAt() splits at the call's own commas", () => {
  assert.deepEqual(split("foo(a, bar(b, c), d[e, f])"), ["a", "bar(b, c)", "d[e, f]"]);
  assert.deepEqual(split("foo(a,\n\t   b)"), ["a", "b"]);
});

Deno.test("argumentsAt() does not look into strings and characters", () => {
  assert.deepEqual(split(String.raw`foo(dev, "a, (b\"; %d", ')', c)`), [
    "dev",
    String.raw`"a, (b\"; %d"`,
    "')'",
    "c",
  ]);
});

Deno.test("argumentsAt() is null where the call does not end", () => {
  assert.equal(split("foo(a, b"), null);
  assert.equal(split("foo(a; b)"), null);
});
