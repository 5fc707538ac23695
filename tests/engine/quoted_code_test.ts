import assert from "node:assert/strict";
import { looksLikeCode, looksLikeDiff } from "../../rules/engine/quoted_code.ts";

Deno.test("looksLikeDiff() takes two changed lines of C", () => {
  assert.ok(looksLikeDiff(["+\tret = foo(bar,", "+\t\t  baz);"]));
  assert.ok(looksLikeDiff(["-static int foo(void)", "+int foo(void)", " {", "+\treturn 0;"]));
  assert.ok(looksLikeDiff(["+ if (x)", "+         return foo(x);"]));
});

Deno.test("looksLikeDiff() refuses prose lists, votes and signatures", () => {
  const prose = [
    ["- the first item", "- the second item"],
    ["- foo() is wrong", "- bar->baz is never set"],
    ["+1", "+1 from me"],
    ["- use foo();", "- rename the helper"],
    ["-- ", "-Jane"],
    ["+ more speed", "- more code (see above)"],
    ["+\tfoo();"],
  ];
  for (const lines of prose) assert.ok(!looksLikeDiff(lines), lines.join(" | "));
});

Deno.test("looksLikeCode() gives up on very long lines", () => {
  assert.ok(!looksLikeCode(`${"x(".repeat(100_000)};`));
});
