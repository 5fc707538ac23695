import assert from "node:assert/strict";
import { MAX_ADDRESSES, readAddresses } from "../../rules/engine/address.ts";

/** What is read, as `name|address` lines. */
const read = (value: string) => readAddresses(value).map(({ name, address }) => `${name}|${address}`);

Deno.test("readAddresses() reads names, bare addresses and several of them", () => {
  assert.deepEqual(read("Jane Doe <jane@example.org>, <a@example.org>,\tb@example.org"), [
    "Jane Doe|jane@example.org",
    "|a@example.org",
    "|b@example.org",
  ]);
});

Deno.test("readAddresses() keeps commas and parentheses of a name", () => {
  assert.deepEqual(read('"Doe, Jane (Example)" <jane@example.org>'), [
    "Doe, Jane (Example)|jane@example.org",
  ]);
  assert.deepEqual(read("Jane (Example Inc.) <jane@example.org>"), ["Jane (Example Inc.)|jane@example.org"]);
  assert.deepEqual(read('"Jane \\"JD\\" Doe" <jane@example.org>'), ['Jane "JD" Doe|jane@example.org']);
});

Deno.test("readAddresses() joins a name whose comma should have been quoted", () => {
  assert.deepEqual(read("Doe, Jane <jane@example.org>, b@example.org"), [
    "Doe, Jane|jane@example.org",
    "|b@example.org",
  ]);
});

Deno.test("readAddresses() takes a comment for the name of a bare address", () => {
  assert.deepEqual(read("jane@example.org (Jane Doe)"), ["Jane Doe|jane@example.org"]);
});

Deno.test("readAddresses() reads the members of a group", () => {
  assert.deepEqual(read("maintainers: a@example.org, B <b@example.org>;, c@example.org"), [
    "|a@example.org",
    "B|b@example.org",
    "|c@example.org",
  ]);
  assert.deepEqual(read("undisclosed-recipients:;"), []);
});

Deno.test("readAddresses() decodes encoded words only after splitting", () => {
  assert.deepEqual(read("=?UTF-8?B?SmFuZSwgRG9l?= <jane@example.org>"), ["Jane, Doe|jane@example.org"]);
  assert.deepEqual(read("=?utf-8?q?J=C3=BC?= =?utf-8?q?rgen?= <j@example.org>"), ["Jürgen|j@example.org"]);
  assert.deepEqual(read("=?iso-8859-1?Q?J=FCrgen_X?= <j@example.org>"), ["Jürgen X|j@example.org"]);
});

Deno.test("readAddresses() leaves out what is no address and stops at its limit", () => {
  assert.deepEqual(read('nobody, <>, <not an address>, (((, "open'), []);
  assert.equal(readAddresses("a@b.c,".repeat(MAX_ADDRESSES + 5)).length, MAX_ADDRESSES);
});
