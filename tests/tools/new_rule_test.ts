import { equal } from "node:assert/strict";
import { template, withRule } from "./new_rule.ts";

Deno.test("withRule() keeps the catalogue sorted", () => {
  const catalogue = `/** The catalogue. */

import type { Rule } from "./engine/rule.ts";
import aFoo from "./a-foo.ts";
import cFoo from "./c-foo.ts";

/** Every rule, sorted by id. */
export const rules: readonly Rule[] = [
  aFoo,
  cFoo,
];
`;
  equal(
    withRule(catalogue, "b-foo"),
    catalogue.replace("import cFoo", 'import bFoo from "./b-foo.ts";\nimport cFoo')
      .replace("  cFoo,", "  bFoo,\n  cFoo,"),
  );
});

Deno.test("template() is named after its id and code", () => {
  equal(template("b-foo", "T12", "0.1.0").includes('id: "b-foo",\n  since: "0.1.0",\n  code: "T12"'), true);
});
