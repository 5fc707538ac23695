import { equal, match } from "node:assert/strict";
import { ruleIndex, rulePage } from "../../rules/engine/page.ts";
import type { Rule } from "../../rules/engine/rule.ts";

const RULE: Rule = {
  id: "foo-bar",
  since: "0.1.0",
  code: "T01",
  severity: "warning",
  confidence: "medium",
  category: "translation",
  kernel: { since: [6, 16] },
  scope: "function",
  summary: "foo | bar goes wrong",
  why: "It does.",
  limits: "None known.",
  unless: "foo is right",
  sources: ["Documentation/foo.rst"],
  messages: { wrong: "{callee}() is wrong" },
  bad: [{ title: "the plain case", patch: "+\tgo(foo); /* want: wrong */\n+\tgone(foo); /* miss: wrong */" }],
  good: [{ title: "the near miss", path: "drivers/dma/foo.c", kernel: "6.12", patch: "+\tstop(foo);" }],
  check: () => [],
};

Deno.test("rulePage() shows the examples without marks and says what is reported", () => {
  const page = rulePage(RULE);
  match(page, /```diff\n\+\tgo\(foo\);\n\+\tgone\(foo\);\n```\n\n- reported as `wrong`: ``go\(foo\);``\n/);
  match(page, /- not seen yet, `wrong`: ``gone\(foo\);``/);
  match(page, /1 missed, 0 reported by mistake/);
  match(page, /In `drivers\/dma\/foo\.c`\. For v6\.12\./);
  match(page, /\| T01 \| warning \| medium \| translation \| v6\.16 and newer \| p2plint 0\.1\.0 \|/);
  equal(page.includes("/* "), false);
});

Deno.test("ruleIndex() has one row per rule", () => {
  match(
    ruleIndex([RULE]),
    /^\| \[foo-bar\]\(foo-bar\.md\) \| T01 \| warning \| foo \\\| bar goes wrong \|$/m,
  );
});
