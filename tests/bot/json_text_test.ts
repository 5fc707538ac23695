import { deepEqual, equal, throws } from "node:assert/strict";
import { type Json, JsonText } from "../../bot/json_text.ts";

function plain(json: Json): unknown {
  if (json.kind === "value") return json.value;
  if (json.kind === "list") return json.items.map(plain);
  return Object.fromEntries([...json.members].map(([key, { value }]) => [key, plain(value)]));
}

for (
  const text of [
    '{"a": [1, -2.5e3, true, false, null], "b": {}, "c": []}',
    ' \t\r\n"\\u00e9\\n\\"\\\\ \u{1f600}" ',
    "0",
    '{"": {"": ""}}',
  ]
) {
  Deno.test(`JsonText means what JSON.parse() means: ${JSON.stringify(text)}`, () => {
    deepEqual(plain(new JsonText(text, "x").root), JSON.parse(text));
  });
}

for (
  const [text, complaint] of [
    ["", "1:1: not JSON: expected a value, found the end of the file"],
    ['{\n  "a": 1,\n}', '3:1: not JSON: expected a key in double quotes, found "}"'],
    ['{"a" 1}', '1:6: not JSON: expected ":", found "1"'],
    ['{"a": 1 "b": 2}', '1:9: not JSON: expected "," or "}", found """'],
    ["[1 2]", '1:4: not JSON: expected "," or "]", found "2"'],
    ["[01]", '1:3: not JSON: expected "," or "]", found "1"'],
    ["// note\n{}", '1:1: not JSON: expected a value, found "/"'],
    ["{} {}", '1:4: not JSON: expected nothing more, found "{"'],
    ["[nul]", '1:2: not JSON: expected a value, found "n"'],
    ["'a'", '1:1: not JSON: expected a value, found "\'"'],
    ['\n "abc\n"', "2:2: not JSON: this string is not closed on its line"],
    ['"\\x"', "1:1: not JSON: a control character or an unknown \\ sequence in this string"],
    ['"\u0001"', "1:1: not JSON: a control character or an unknown \\ sequence in this string"],
    ['{"a": 1,\n "a": 2}', '2:2: key "a" stands here a second time'],
    ["[".repeat(100_000), "1:17: nested deeper than 16 levels"],
  ] as const
) {
  Deno.test(`JsonText names the place of what is wrong in ${JSON.stringify(text.slice(0, 20))}`, () => {
    throws(() => new JsonText(text, "f.json"), { name: "UsageError", message: `f.json:${complaint}` });
    // A second time is no error to JSON.parse(), the rest is.
    if (!complaint.includes("second time") && !complaint.includes("deeper")) throws(() => JSON.parse(text));
  });
}

Deno.test("JsonText takes __proto__ for a key like any other", () => {
  const { root } = new JsonText('{"__proto__": {"polluted": true}, "constructor": 1}', "x");
  deepEqual(root.kind === "object" && [...root.members.keys()], ["__proto__", "constructor"]);
  equal(({} as { polluted?: boolean }).polluted, undefined);
});
