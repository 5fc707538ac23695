import assert from "node:assert/strict";
import { isHeaderAt, readHeader } from "../../rules/engine/diff_header.ts";

function read(text: string, at = 0) {
  const lines = text.split("\n");
  assert.ok(isHeaderAt(lines, at));
  return readHeader(lines, at, 0);
}

Deno.test("isHeaderAt() wants +++ and @@ behind a plain ---", () => {
  assert.ok(!isHeaderAt(["--- a", "text"], 0));
  assert.ok(!isHeaderAt(["--- a", "+++ b", "text"], 0));
  assert.ok(isHeaderAt(["--- a", "+++ b", "@@ -1 +1 @@"], 0));
});

Deno.test("readHeader() reads a rename with changes", () => {
  const header = read(`diff --git a/old.c b/new.c
similarity index 90%
rename from old.c
rename to new.c
index 1234567..89abcde 100644
--- a/old.c
+++ b/new.c
@@ -1 +1 @@`);
  assert.equal(header.status, "renamed");
  assert.equal(header.oldPath, "old.c");
  assert.equal(header.newPath, "new.c");
  assert.equal(header.oldBlob, "1234567");
  assert.equal(header.newBlob, "89abcde");
  assert.equal(header.next, 7);
});

Deno.test("readHeader() reads copies, modes, new and deleted files without ---", () => {
  const copy = read("diff --git a/x.c b/y.c\nsimilarity index 100%\ncopy from x.c\ncopy to y.c");
  assert.deepEqual([copy.status, copy.oldPath, copy.newPath], ["copied", "x.c", "y.c"]);
  const mode = read("diff --git a/x.sh b/x.sh\nold mode 100644\nnew mode 100755");
  assert.deepEqual([mode.status, mode.oldPath, mode.newPath], ["mode", "x.sh", "x.sh"]);
  const created = read("diff --git a/x b/x\nnew file mode 100644\nindex 0000000..e69de29");
  assert.deepEqual([created.status, created.oldPath, created.newPath], ["created", null, "x"]);
  const deleted = read("diff --git a/x b/x\ndeleted file mode 100644\nindex e69de29..0000000");
  assert.deepEqual([deleted.status, deleted.oldPath, deleted.newPath], ["deleted", "x", null]);
});

Deno.test("readHeader() decodes quoted rename paths", () => {
  const header = read('diff --git "a/\\303\\251.c" b/e.c\nrename from "\\303\\251.c"\nrename to e.c');
  assert.deepEqual([header.oldPath, header.newPath], ["é.c", "e.c"]);
});

Deno.test("readHeader() takes the lines of diff and svn in front of a plain header", () => {
  const header = read(
    "text\nIndex: foo.c\n=================\n--- foo.c\t(revision 1)\n+++ foo.c\t(working copy)\n@@ -1 +1 @@",
    3,
  );
  assert.equal(header.from, 1);
  assert.equal(header.lines.length, 4);
  assert.deepEqual([header.oldPath, header.newPath], ["foo.c", "foo.c"]);
});

Deno.test("readHeader() gives one name to x.c.orig and x.c", () => {
  const header = read("--- linux/x.c.orig\n+++ linux/x.c\n@@ -1 +1 @@");
  assert.deepEqual([header.oldPath, header.newPath], ["linux/x.c", "linux/x.c"]);
});

Deno.test("readHeader() knows new and deleted files of diff -N by their ranges", () => {
  const created = read("--- a/x.c\t1970-01-01 00:00:00\n+++ b/x.c\t2024-01-01 00:00:00\n@@ -0,0 +1,2 @@");
  assert.deepEqual([created.status, created.oldPath, created.newPath], ["created", null, "x.c"]);
  const deleted = read("--- a/x.c\n+++ b/x.c\n@@ -1,2 +0,0 @@");
  assert.deepEqual([deleted.status, deleted.oldPath, deleted.newPath], ["deleted", "x.c", null]);
});

Deno.test("readHeader() names a wrapped diff --git line and goes on", () => {
  const header = read(
    "diff --git a/x.c\nb/x.c\nindex 1234567..89abcde 100644\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@",
  );
  assert.deepEqual(header.defects.map(({ damage, bodyNo }) => [damage, bodyNo]), [["wrapped-lines", 2]]);
  assert.equal(header.newPath, "x.c");
  assert.equal(header.next, 5);
});

Deno.test("readHeader() refuses hostile paths", () => {
  const header = read("diff --git a/../x.c b/../x.c\n--- a/../x.c\n+++ b/../x.c\n@@ -1 +1 @@");
  assert.ok(header.refused);
  assert.deepEqual(header.defects.map(({ damage }) => damage), ["hostile-path"]);
});

Deno.test("readHeader() refuses a header that names no file", () => {
  for (const text of ["diff --git nonsense", "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@"]) {
    const header = read(text);
    assert.ok(header.refused, text);
    assert.deepEqual(header.defects.map(({ damage }) => damage), ["bad-header"]);
  }
});
