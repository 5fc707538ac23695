import assert from "node:assert/strict";
import { plain } from "../../rules/engine/plain.ts";

Deno.test("plain() quotes, cuts, and lets nothing through that a terminal would act on", () => {
  assert.equal(plain("gb2312"), '"gb2312"');
  assert.equal(plain('\x1b[31m"\u202e\u0007\u2028é'), '"?[31m????é"');
  assert.equal(plain("x".repeat(100)), `"${"x".repeat(40)}…"`);
});
