import { deepEqual } from "node:assert/strict";
import { cutMarks } from "../../rules/engine/marks.ts";
import { mismatches, readMarks } from "../marks.ts";
import { finding, span } from "../bot/reports.ts";

Deno.test("cutMarks() takes the marks off and reads them", () => {
  deepEqual(cutMarks("+\tgo(); /* want: a, foo-bar.b */"), {
    text: "+\tgo();",
    marks: [{ kind: "want", rule: null, key: "a" }, { kind: "want", rule: "foo-bar", key: "b" }],
  });
  deepEqual(cutMarks("+\tgo(); /* a comment: no mark */").marks, []);
  deepEqual(cutMarks("+\tgo(); /* ok: a */ /* miss: b */").text, "+\tgo();");
});

Deno.test("readMarks() counts lines from behind the mail's head", () => {
  const { text, marks } = readMarks("From: a@example.org\nSubject: a\n\nhello\n+go(); /* want: a */\n");
  deepEqual(text, "From: a@example.org\nSubject: a\n\nhello\n+go();\n");
  deepEqual([...marks.keys()], [2]);
});

const found = (line: number, key: string) => finding({ key, at: span(line, 1, "") });
const wrong = (mark: string, ...findings: ReturnType<typeof found>[]) =>
  mismatches("foo-bar", findings, readMarks(`+go(); /* ${mark} */`).marks);

Deno.test("mismatches() is empty when every mark has its partner", () => {
  deepEqual(wrong("want: a", found(1, "a")), []);
  deepEqual(wrong("noise: a", found(1, "a")), []);
  deepEqual(wrong("ok: a"), []);
  deepEqual(wrong("miss: a"), []);
});

Deno.test("mismatches() names what is wanted, unmarked, cured or marked ok", () => {
  deepEqual(wrong("want: a"), ["line 1: foo-bar.a is wanted and not found"]);
  deepEqual(wrong("want: a", found(1, "a"), found(2, "a")), ["line 2: foo-bar.a is found and not marked"]);
  deepEqual(wrong("want: a", found(1, "a"), found(1, "a")), ["line 1: foo-bar.a is found and not marked"]);
  deepEqual(wrong("noise: a"), ["line 1: foo-bar.a is cured: take the noise mark off"]);
  deepEqual(wrong("miss: a", found(1, "a")), [
    "line 1: foo-bar.a is found now: make the miss mark a want mark",
  ]);
  deepEqual(wrong("ok: a", found(1, "a")), ["line 1: foo-bar.a is marked ok and found"]);
});
