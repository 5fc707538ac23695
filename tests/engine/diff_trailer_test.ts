import assert from "node:assert/strict";
import { readBinary, readCombinedHunks } from "../../rules/engine/diff_trailer.ts";

Deno.test("readBinary() ends behind both blocks of a binary patch", () => {
  const lines = [
    "GIT binary patch",
    "literal 12",
    "TcmZQzU|?imU|=v{U|0YE01gBK",
    "",
    "literal 0",
    "HcmV?d00001",
    "",
    "-- ",
  ];
  assert.equal(readBinary(lines, 0), 7);
});

Deno.test("readBinary() takes one line of Binary files … differ", () => {
  assert.equal(readBinary(["Binary files a/x and b/x differ", "-- "], 0), 1);
});

Deno.test("readBinary() stands a cut patch", () => {
  assert.equal(readBinary(["GIT binary patch", "literal 12"], 0), 2);
  assert.equal(readBinary(["GIT binary patch"], 0), 1);
});

Deno.test("readCombinedHunks() counts each parent's column", () => {
  const lines = [
    "@@@ -1,3 -1,2 +1,3 @@@",
    "  same",
    "- only first",
    " -only second",
    "++new",
    " +mine",
    "text",
  ];
  assert.equal(readCombinedHunks(lines, 0), 6);
});

Deno.test("readCombinedHunks() stops at a line that has no column", () => {
  assert.equal(readCombinedHunks(["@@@ -1,3 -1,2 +1,3 @@@", "  same", "text"], 0), 2);
});
