import { equal, throws } from "node:assert/strict";
import { defineRule, fillMessage, type FunctionRule } from "../../rules/engine/rule.ts";

const BAD = { title: "bad", patch: "+\tgo(foo); /* want: wrong */" };
const GOOD = { title: "good", patch: "+\tstop(foo); /* ok: wrong */" };

function made(more: Partial<FunctionRule<"wrong">> = {}): FunctionRule<"wrong"> {
  return {
    id: "foo-bar",
    since: "0.1.0",
    code: "T01",
    severity: "warning",
    confidence: "medium",
    category: "translation",
    scope: "function",
    summary: "foo goes wrong",
    why: "It does.",
    limits: "None known.",
    unless: "foo is right",
    sources: ["Documentation/foo.rst"],
    messages: { wrong: "{callee}() is wrong" },
    bad: [BAD],
    good: [GOOD],
    check: () => [],
    ...more,
  };
}

Deno.test("defineRule() gives the rule back", () => {
  const rule = made();
  equal(defineRule(rule), rule);
});

for (
  const [more, complaint] of [
    [{ id: "foo_bar" }, /not kebab-case/],
    [{ code: "1" }, /code "1"/],
    [{ since: "1" }, /since "1"/],
    [{ why: " " }, /"why" is empty/],
    [{ sources: [] }, /cites no source/],
    [{ good: [] }, /needs a bad and a good example/],
    [{ messages: { wrong: "" } }, /message "wrong" is empty/],
    [{ bad: [{ ...BAD, patch: "+\tgo(foo);" }] }, /wants nothing/],
    [{ bad: [{ ...BAD, patch: "+\tgo(foo); /* want: wrnog */" }] }, /marks unknown "wrnog"/],
    [{ bad: [{ ...BAD, patch: "+\tgo(foo); /* miss: wrong */" }] }, /no bad example wants "wrong"/],
    [{ bad: [{ ...BAD, patch: "go(foo); /* want: wrong */" }] }, /starts with no diff sign/],
    [{ good: [{ ...GOOD, patch: BAD.patch }] }, /wants a finding/],
  ] as const
) {
  Deno.test(`defineRule() refuses a rule: ${complaint.source}`, () => {
    throws(() => defineRule(made(more)), complaint);
  });
}

Deno.test("defineRule() does not compile a misspelt key", () => {
  defineRule({
    ...made(),
    messages: { wrong: "{callee}() is wrong" },
    // @ts-expect-error `say` is no key of messages
    *check(view) {
      yield { at: view.node, say: "wrnog" };
    },
  });
});

Deno.test("fillMessage() fills every placeholder and leaves other braces", () => {
  equal(fillMessage("{a} and {a}, {b}: { 0 }", { a: "x", b: "$&" }), "x and x, $&: { 0 }");
});

Deno.test("fillMessage() throws when a value is missing", () => {
  throws(() => fillMessage("{callee}() is wrong", {}), /no "callee"/);
  throws(() => fillMessage("{toString}", {}), /no "toString"/);
});
