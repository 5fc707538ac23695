import assert from "node:assert/strict";
import {
  decodeBase64,
  decodeText,
  decodeWords,
  fromLatin1,
  toLatin1,
  unquotePrintable,
} from "../../rules/engine/encoding.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("decodeBase64() stops at a footer in clear and reads glued output", () => {
  assert.equal(text(decodeBase64("aGVs\r\nbG8K\r\n")), "hello\n");
  assert.equal(text(decodeBase64("aGVsbG8=\n_____\nA list footer\n")), "hello");
  assert.equal(text(decodeBase64("aGVsbG8=\nRegards Jane\n")), "hello");
  assert.equal(text(decodeBase64("aGVsbG8=\naGVsbG8=\n")), "hellohello");
});

Deno.test("unquotePrintable() joins soft breaks and leaves a stray = alone", () => {
  assert.equal(unquotePrintable("a=3Db =\nc=\r\nd =zz =e9 \n"), "a=b cd =zz \xe9 \n");
});

Deno.test("decodeText() believes UTF-8 before the declared charset", () => {
  const utf8 = new TextEncoder().encode("Jürgen");
  for (const charset of ["iso-8859-1", "gb2312", "y", null]) {
    assert.deepEqual(decodeText(utf8, charset), { text: "Jürgen", isSure: true });
  }
});

Deno.test("decodeText() uses the declared charset, then latin1", () => {
  assert.deepEqual(decodeText(fromLatin1("\xd6\xd0"), "gb2312"), { text: "中", isSure: true });
  assert.deepEqual(decodeText(fromLatin1("\xcb\xc9"), "KOI8-R"), { text: "ки", isSure: true });
  assert.deepEqual(decodeText(fromLatin1("J\xfcrgen"), "all"), { text: "Jürgen", isSure: false });
});

Deno.test("decodeText() undoes escape-coded charsets, whose bytes are plain ASCII", () => {
  assert.equal(decodeText(fromLatin1('\x1b$B$"\x1b(B'), "iso-2022-jp").text, "あ");
});

Deno.test("decodeWords() joins neighbours before decoding, and leaves the rest", () => {
  assert.equal(decodeWords("=?utf-8?B?w7w=?= and =?utf-8?Q?=C3?=\t=?utf-8?Q?=BC?="), "ü and ü");
  assert.equal(decodeWords("=?x-none?Q?caf=E9?="), "café");
  assert.equal(decodeWords("=?utf-8?Q?open"), "=?utf-8?Q?open");
});

Deno.test("toLatin1() and fromLatin1() keep every byte", () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  assert.deepEqual(fromLatin1(toLatin1(all)), all);
});
