import { deepEqual, equal, throws } from "node:assert/strict";
import { readDiff } from "../../rules/engine/diff.ts";
import { exampleDiff } from "../../rules/engine/example.ts";

Deno.test("exampleDiff() writes hunks that count right, and cuts the marks off", () => {
  const { text, marks } = exampleDiff({
    title: "two hunks",
    path: "drivers/foo/bar.c",
    patch: `
@@ int foo(void)
 {
-	old();
+	new(); /* want: wrong */
+	newer();

@@ int bar(void)
+	more();
`,
  });
  deepEqual(text.split("\n"), [
    "diff --git a/drivers/foo/bar.c b/drivers/foo/bar.c",
    "--- a/drivers/foo/bar.c",
    "+++ b/drivers/foo/bar.c",
    "@@ -100,3 +100,4 @@ int foo(void)",
    " {",
    "-\told();",
    "+\tnew();",
    "+\tnewer();",
    " ",
    "@@ -202,0 +204,1 @@ int bar(void)",
    "+\tmore();",
    "",
  ]);
  deepEqual([...marks], [[7, [{ kind: "want", rule: null, key: "wrong" }]]]);
  const { files, defects } = readDiff(text);
  deepEqual([files.length, files[0]!.hunks.length, defects], [1, 2, []]);
});

Deno.test("exampleDiff() patches drivers/foo/foo.c unless told", () => {
  equal(exampleDiff({ title: "a", patch: "+a" }).text.split("\n")[2], "+++ b/drivers/foo/foo.c");
});

Deno.test("exampleDiff() refuses a line without a sign", () => {
  throws(() => exampleDiff({ title: "a", patch: "+a\nb" }), /"b" starts with no diff sign/);
});
