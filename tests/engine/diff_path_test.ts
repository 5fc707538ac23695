import assert from "node:assert/strict";
import {
  gitNames,
  headerName,
  isHostilePath,
  stripPrefixes,
  unquotePath,
} from "../../rules/engine/diff_path.ts";

Deno.test("unquotePath() decodes octal bytes as UTF-8 and letter escapes", () => {
  assert.deepEqual(unquotePath('"a/b\\303\\251 \\"x\\"\\t.c" rest'), { name: 'a/bé "x"\t.c', end: 23 });
});

Deno.test("unquotePath() keeps characters outside ASCII that stand unescaped", () => {
  assert.equal(unquotePath('"a/é.c"')?.name, "a/é.c");
});

Deno.test("unquotePath() gives null for an open quote", () => {
  assert.equal(unquotePath('"a/b.c'), null);
  assert.equal(unquotePath('"a/b.c\\"'), null);
});

Deno.test("headerName() drops time stamps, revisions and carriage returns", () => {
  assert.equal(headerName("--- a/foo.c\t2024-01-02 03:04:05.000000000 +0100"), "a/foo.c");
  assert.equal(headerName("--- a/foo.c  2024-01-02 03:04:05 +0100"), "a/foo.c");
  assert.equal(headerName("+++ b/foo.c Tue Jan  2 03:04:05 2024"), "b/foo.c");
  assert.equal(headerName("+++ foo.c\t(working copy)"), "foo.c");
  assert.equal(headerName("+++ b/foo.c\r"), "b/foo.c");
  assert.equal(headerName('+++ "b/f\\303\\251.c"'), "b/fé.c");
});

Deno.test("gitNames() splits names with blanks where both halves agree", () => {
  assert.deepEqual(gitNames("diff --git a/x y.c b/x y.c"), { old: "a/x y.c", new: "b/x y.c" });
  assert.deepEqual(gitNames("diff --git foo.c foo.c"), { old: "foo.c", new: "foo.c" });
  assert.deepEqual(gitNames("diff --git a/old.c b/new name.c"), { old: "a/old.c", new: "b/new name.c" });
  assert.deepEqual(gitNames('diff --git "a/\\303\\251.c" b/e.c'), { old: "a/é.c", new: "b/e.c" });
  assert.equal(gitNames("diff --git nonsense"), null);
});

Deno.test("stripPrefixes() takes off git's prefixes and folders that differ", () => {
  const both = (oldPath: string | null, newPath: string | null) => ({ oldPath, newPath });
  assert.deepEqual(stripPrefixes("a/x/y.c", "b/x/y.c"), both("x/y.c", "x/y.c"));
  assert.deepEqual(stripPrefixes("linux.orig/x/y.c", "linux/x/y.c"), both("x/y.c", "x/y.c"));
  assert.deepEqual(stripPrefixes("drivers/x/y.c", "drivers/x/y.c"), both("drivers/x/y.c", "drivers/x/y.c"));
  assert.deepEqual(stripPrefixes("Makefile", "Makefile"), both("Makefile", "Makefile"));
  assert.deepEqual(stripPrefixes("/dev/null", "b/x.c"), both(null, "x.c"));
  assert.deepEqual(stripPrefixes("a/x.c", "/dev/null"), both("x.c", null));
});

Deno.test("isHostilePath() refuses what leads outside the tree or acts on a terminal", () => {
  const hostile = [
    "",
    "/etc/passwd",
    "../x.c",
    "a/../../x.c",
    "x/..",
    "C:/x.c",
    "x\\y.c",
    "\\\\host\\x",
    "x\u0000.c",
  ];
  for (
    const path of [...hostile, "x\u001b[2J.c", "x\u009b.c", "x\u202ec.c", ".git/hooks/x", "x/.GIT/y", "./x"]
  ) {
    assert.ok(isHostilePath(path), JSON.stringify(path));
  }
  for (const path of ["drivers/x.c", "x..y/z.c", ".gitignore", "Documentation/é.rst", "a b.c"]) {
    assert.ok(!isHostilePath(path), path);
  }
});
