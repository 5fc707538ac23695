import { equal, notEqual, ok } from "node:assert/strict";
import { globProblem, toGlob } from "../../bot/glob.ts";

for (
  const [glob, path, matches] of [
    ["drivers/gpu/**", "drivers/gpu/drm/foo/foo.c", true],
    ["drivers/gpu/**", "drivers/gpu/foo.c", true],
    ["drivers/gpu/**", "drivers/gpu", true],
    ["drivers/gpu/**", "drivers/gpuX/foo.c", false],
    ["drivers/gpu/**", "sound/drivers/gpu/foo.c", false],
    ["drivers/*/foo.c", "drivers/misc/foo.c", true],
    ["drivers/*/foo.c", "drivers/misc/bar/foo.c", false],
    ["**/*_test.c", "lib/foo_test.c", true],
    ["**/*_test.c", "foo_test.c", true],
    ["**/*_test.c", "lib/foo_test.h", false],
    ["**", "a/b/c.c", true],
    ["**/vfio/**/*.{c,h}", "drivers/vfio/pci/foo/foo.h", true],
    ["**/vfio/**/*.{c,h}", "drivers/vfio/foo.c", true],
    ["**/vfio/**/*.{c,h}", "drivers/vfio/foo.S", false],
    ["a/**/b/**/c", "a/b/x/b/c", true],
    ["a/**/b/**/c", "a/x/c/b/d", false],
    ["foo[0-9].c", "foo7.c", true],
    ["foo?.c", "foo.c", false],
    ["foo.c", "fooXc", false],
    ["a+(b).c", "a+(b).c", true],
  ] as const
) {
  Deno.test(`toGlob("${glob}") ${matches ? "matches" : "leaves"} ${path}`, () => {
    equal(globProblem(glob), null);
    equal(toGlob(glob)(path), matches);
  });
}

for (
  const glob of [
    "",
    "/drivers/**",
    "drivers/",
    "a//b",
    "../x",
    "./x",
    "a/../b",
    "a**/b",
    "***",
    "*a*a*a*a*b",
    "{a,b",
    "{a}{b}",
    "{a/b,c}",
    "x".repeat(600),
  ]
) {
  Deno.test(`globProblem() refuses ${JSON.stringify(glob.slice(0, 20))}`, () => {
    notEqual(globProblem(glob), null);
  });
}

Deno.test("toGlob() does not run away on hostile globs and paths", () => {
  const hostile = [
    ["*a*a*b", "a".repeat(4000)],
    ["*a*a*b", "a".repeat(255)],
    [`{${"a*,".repeat(1)}${"a,".repeat(100)}b}*a*b`, "a".repeat(255)],
    [`*{${Array.from({ length: 20 }, (_, n) => "a".repeat(n + 1)).join()}}*a*b`, "a".repeat(255)],
    ["**/a/".repeat(60) + "b", "a/".repeat(2000) + "c"],
    ["**/*a*a*b/".repeat(40) + "b", `${"a".repeat(80)}/`.repeat(500) + "c"],
  ] as const;
  for (const [glob, path] of hostile) {
    equal(globProblem(glob), null, glob);
    const start = performance.now();
    equal(toGlob(glob)(path), false);
    const took = performance.now() - start;
    ok(took < 2000, `${glob.slice(0, 30)}: ${took} ms`);
  }
});
