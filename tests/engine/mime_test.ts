import assert from "node:assert/strict";
import { readParameters } from "../../rules/engine/header.ts";
import { isReadable, type Leaf, readLeaf, unflow, unixLines } from "../../rules/engine/mime.ts";

const leaf = (type: string, text = "", filename: string | null = null): Leaf => ({
  type: readParameters(type),
  filename,
  bytes: new TextEncoder().encode(text),
});

Deno.test("isReadable() takes text and attached patches of any type, and no html", () => {
  for (
    const type of ["", "text/plain", "text/x-patch", "text/x-diff", "text/x-csrc", "application/x-patch"]
  ) {
    assert.equal(isReadable(leaf(type)), true, type);
  }
  for (
    const type of [
      "text/html",
      "text/calendar",
      "image/png",
      "application/pgp-signature",
      "application/octet-stream",
    ]
  ) {
    assert.equal(isReadable(leaf(type)), false, type);
  }
  assert.equal(isReadable(leaf("application/octet-stream", "", "0001-x.PATCH")), true);
  assert.equal(isReadable(leaf("application/octet-stream", "", "x.diff.gz")), false);
});

Deno.test("readLeaf() joins flowed text, but never an attached patch", () => {
  assert.deepEqual(readLeaf(leaf("text/plain; format=flowed", "a \nb\n")), {
    text: "a b\n",
    raw: "a \nb\n",
    defects: [],
  });
  assert.equal(readLeaf(leaf("text/x-diff; format=flowed", "a \nb\n")).text, "a \nb\n");
});

Deno.test("unflow() unstuffs, keeps the signature mark and ends with what was held", () => {
  assert.equal(unflow(" >a\n-- \nb \n c", false), ">a\n-- \nb c");
  assert.equal(unflow("a ", false), "a ");
  assert.equal(unflow("a \nb", true), "ab");
});

Deno.test("unixLines() lets the first line decide", () => {
  assert.equal(unixLines("a\r\nb\r\n"), "a\nb\n");
  assert.equal(unixLines("a\nb\r\n"), "a\nb\r\n");
  assert.equal(unixLines("a\r"), "a\r");
});
