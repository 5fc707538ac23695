import assert from "node:assert/strict";
import { bodyOffset, readFields, readParameters } from "../../rules/engine/header.ts";

Deno.test("bodyOffset() ends the head at a blank line, or at a line that is no field", () => {
  assert.equal(bodyOffset("A: 1\n\nbody"), 6);
  assert.equal(bodyOffset("A: 1\r\n\r\nbody"), 8);
  assert.equal(bodyOffset("A: 1\n folded\nB: 2\nno field\n"), 18);
  assert.equal(bodyOffset("From x@y Thu Jan  1 00:00:00 1970\nA: 1\n\n"), 40);
  assert.equal(bodyOffset("diff --git a/x b/x\n"), 0);
  assert.equal(bodyOffset("A: 1"), 4);
});

Deno.test("readFields() unfolds, keeps repeats in order and decodes raw bytes", () => {
  const fields = readFields("To: a,\n\tb\nX: 1\r\nx: 2\r\nName: J\xc3\xbcrgen\n");
  assert.deepEqual(fields.get("to"), ["a,\tb"]);
  assert.deepEqual(fields.get("x"), ["1", "2"]);
  assert.deepEqual(fields.get("name"), ["Jürgen"]);
});

Deno.test("readParameters() reads quoted and plain parameters", () => {
  const type = readParameters('Text/Plain; charset="utf-8" ; Format=flowed; x="a;b\\"c"');
  assert.equal(type.value, "text/plain");
  assert.deepEqual(Object.fromEntries(type.parameters), { charset: "utf-8", format: "flowed", x: 'a;b"c' });
  assert.equal(readParameters(undefined).value, "");
});
