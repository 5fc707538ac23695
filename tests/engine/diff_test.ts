import assert from "node:assert/strict";
import { fileFromSource, printDiff, readDiff, readPatch } from "../../rules/engine/diff.ts";
import type { Mail } from "../../rules/engine/types.ts";

const DIFF = `diff --git a/x.c b/x.c
index 1234567..89abcde 100644
--- a/x.c
+++ b/x.c
@@ -1,3 +1,4 @@ int x(void)
 \ta();
+\tb();
 \tc();
 \td();
`;

function mailOf(body: string, more: Partial<Mail> = {}): Mail {
  return {
    input: "-",
    position: null,
    messageId: null,
    inReplyTo: null,
    references: [],
    author: null,
    from: null,
    to: [],
    cc: [],
    date: null,
    subject: { text: "", isPatch: true, isReply: false, tags: [], version: 1, index: 1, total: 1, title: "" },
    headers: new Map(),
    body,
    rawBody: null,
    defects: [],
    ...more,
  };
}

Deno.test("readDiff() skips the commit message, the diffstat and the signature", () => {
  const body = `Fix x

- first
+ second
---
 x.c | 1 +
 1 file changed, 1 insertion(+)

${DIFF}-- 
2.40.1
`;
  const { files, defects } = readDiff(body);
  assert.deepEqual(defects, []);
  assert.equal(files.length, 1);
  assert.equal(files[0]?.bodyNo, 9);
  assert.equal(files[0]?.hunks[0]?.bodyNo, 13);
  assert.equal(files[0]?.hunks[0]?.section, "int x(void)");
  assert.deepEqual(files[0]?.hunks[0]?.lines[1], {
    kind: "added",
    raw: "+\tb();",
    text: "\tb();",
    bodyNo: 15,
    marker: null,
    newNo: 2,
  });
});

Deno.test("readDiff() reads several diffs with text between them", () => {
  const other = DIFF.replaceAll("x.c", "y.c");
  const { files, defects } = readDiff(`one\n\n${DIFF}\nand then\n\n${other}-- \n2.40\n`);
  assert.deepEqual(defects, []);
  assert.deepEqual(files.map(({ newPath }) => newPath), ["x.c", "y.c"]);
  assert.equal(printDiff(files), DIFF + other);
});

Deno.test("readDiff() reads -p0, plain and timestamped headers", () => {
  const hunk = "@@ -1 +1 @@\n-a;\n+b;\n";
  const body =
    `--- drivers/x.c\t2024-01-01 00:00:00 +0000\n+++ drivers/x.c\t2024-01-02 00:00:00 +0000\n${hunk}` +
    `diff -ruN linux.orig/y.c linux/y.c\n--- linux.orig/y.c\n+++ linux/y.c\n${hunk}`;
  const { files, defects } = readDiff(body);
  assert.deepEqual(defects, []);
  assert.deepEqual(files.map(({ oldPath, newPath }) => [oldPath, newPath]), [
    ["drivers/x.c", "drivers/x.c"],
    ["y.c", "y.c"],
  ]);
  assert.equal(printDiff(files), body);
});

Deno.test("readDiff() keeps a pure rename, a mode change and a binary file", () => {
  const body = `diff --git a/x.c b/y.c
similarity index 100%
rename from x.c
rename to y.c
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
diff --git a/logo.png b/logo.png
index 1234567..89abcde 100644
GIT binary patch
literal 12
TcmZQzU|?imU|=v{U|0YE01gBK

literal 0
HcmV?d00001

diff --git a/x.bin b/x.bin
index 1234567..89abcde 100644
Binary files a/x.bin and b/x.bin differ
`;
  const { files, defects } = readDiff(body);
  assert.deepEqual(files.map(({ status }) => status), ["renamed", "mode", "binary", "binary"]);
  assert.deepEqual(defects.map(({ damage, bodyNo }) => [damage, bodyNo]), [["binary", 10], ["binary", 19]]);
  assert.equal(printDiff(files), body);
});

Deno.test("readDiff() keeps a combined diff verbatim and does not judge it", () => {
  const body = `diff --cc x.c
index 1111111,2222222..3333333
--- a/x.c
+++ b/x.c
@@@ -1,2 -1,2 +1,2 @@@
- one
 -two
++both
  end
`;
  const { files, defects } = readDiff(body + DIFF);
  assert.deepEqual(files.map(({ status, hunks }) => [status, hunks.length]), [["combined", 0], [
    "modified",
    1,
  ]]);
  assert.deepEqual(defects.map(({ damage }) => damage), ["combined-diff"]);
  assert.equal(printDiff(files), body + DIFF);
});

Deno.test("readDiff() keeps carriage returns in raw and prints them back", () => {
  const body = DIFF.replaceAll("\n", "\r\n");
  const { files, defects } = readDiff(body);
  assert.deepEqual(defects, []);
  assert.equal(files[0]?.newPath, "x.c");
  assert.equal(files[0]?.newBlob, "89abcde");
  assert.equal(files[0]?.hunks[0]?.section, "int x(void)");
  assert.equal(files[0]?.hunks[0]?.lines[0]?.text, "\ta();");
  assert.equal(printDiff(files), body);
});

Deno.test("readDiff() prints end-of-file marks back", () => {
  const body =
    "--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n";
  assert.equal(printDiff(readDiff(body).files), body);
});

Deno.test("readDiff() leaves out a file with a hostile path and reads the rest", () => {
  for (const path of ["../../etc/x", "/etc/passwd", "x\\y", '"\\033[2Jx"']) {
    const { files, defects } = readDiff(`--- ${path}\n+++ ${path}\n@@ -1,9 +1 @@\n-a\n+b\n${DIFF}`);
    assert.deepEqual(files.map(({ newPath }) => newPath), ["x.c"], path);
    assert.deepEqual(defects.map(({ damage }) => damage), ["hostile-path"], path);
  }
});

Deno.test("readDiff() names a hunk without a file and a broken @@ line", () => {
  assert.deepEqual(
    readDiff("text\n@@ -1 +1 @@\n-a\n+b\n").defects.map(({ damage, bodyNo }) => [damage, bodyNo]),
    [
      ["bad-header", 2],
    ],
  );
  const { files, defects } = readDiff(DIFF.replace("@@ -1,3 +1,4 @@", "@@ -1,3 1,4 @@"));
  assert.deepEqual(defects.map(({ damage, bodyNo }) => [damage, bodyNo]), [["bad-header", 5]]);
  assert.deepEqual(files[0]?.hunks, []);
});

Deno.test("readDiff() reads an empty body", () => {
  assert.deepEqual(readDiff(""), { files: [], defects: [] });
});

Deno.test("readDiff() needs linear time for what could be quadratic", () => {
  const hostile = [
    "@@ -1,9 +1,9 @@\n".repeat(40_000),
    "diff --git a/x b/x\n".repeat(40_000),
    `${DIFF}${"@@ -1,999999999 +1,999999999 @@\n a\nb\n".repeat(20_000)}`,
    `--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n${"text\n\n".repeat(50_000)}`,
    `--- a/x${" ".repeat(300_000)}\n+++ b/${"/x".repeat(200_000)}\n@@ -1 +1 @@\n-${
      " {".repeat(200_000)
    }\n+\n`,
    `--- a/x\n+++ b/x\n@@ -1,4 +1,4 @@\n ${" +\t(".repeat(100_000)}\n`,
  ];
  for (const [i, body] of hostile.entries()) {
    const start = performance.now();
    readPatch(mailOf(body));
    readPatch(mailOf(body.replaceAll(/^/gm, "> ")));
    assert.ok(performance.now() - start < 3_000, `body ${i}`);
  }
});

Deno.test("readPatch() puts the mail's defects first and finds the trailers", () => {
  const defect = { damage: "charset", bodyNo: null, reason: "x" } as const;
  const patch = readPatch(mailOf(
    `${DIFF.replace("+1,4", "+1,5")}---\nbase-commit: ${
      "0123456789".repeat(4)
    }\nchange-id: 20240101-x-y-0123456789ab\n`,
    { defects: [defect] },
  ));
  assert.deepEqual(patch.defects.map(({ damage }) => damage), ["charset", "wrong-counts"]);
  assert.equal(patch.baseCommit, "0123456789".repeat(4));
  assert.equal(patch.changeId, "20240101-x-y-0123456789ab");
  const plain = readPatch(mailOf(DIFF));
  assert.equal(plain.baseCommit, null);
  assert.equal(plain.changeId, null);
});

Deno.test("readPatch() reads a flowed mail as sent when its joined lines do not fit", () => {
  const joined = DIFF.replace("\ta();\n", "\ta(); ");
  const patch = readPatch(mailOf(joined, { rawBody: DIFF }));
  assert.deepEqual(patch.defects, []);
  assert.equal(patch.mail.body, DIFF);
  assert.ok(patch.files[0]?.hunks[0]?.whole);
});

Deno.test("readPatch() keeps a flowed mail's joined lines when they fit", () => {
  const patch = readPatch(mailOf(DIFF, { rawBody: DIFF.replace("int x(void)", "int \nx(void)") }));
  assert.deepEqual(patch.defects, []);
  assert.equal(patch.mail.body, DIFF);
});

Deno.test("readPatch() names a flowed mail that fits neither way", () => {
  const broken = DIFF.replace("\ta();\n", "\ta(); ");
  const patch = readPatch(mailOf(broken, { rawBody: broken }));
  assert.ok(patch.defects.some(({ damage, reason }) => damage === "flowed-joins" && /as sent/.test(reason)));
});

Deno.test("readPatch() reads quoted code only where the mail has no diff of its own", () => {
  const quoted = DIFF.replaceAll(/^(?=.)/gm, "> ");
  assert.deepEqual(readPatch(mailOf(`${quoted}\nLooks wrong.\n`)).files.map(({ origin }) => origin), [
    "quote",
  ]);
  assert.deepEqual(readPatch(mailOf(`${quoted}\nBetter:\n\n${DIFF}`)).files.map(({ origin }) => origin), [
    "diff",
  ]);
});

Deno.test("readPatch() reads a hunk that a reply pastes without a file header", () => {
  const body = "You wrote:\n\n@@ -4,2 +4,3 @@ int x(void)\n \ta();\n+\tb();\n \tc();\n\nWhy?\n";
  const reply = mailOf(body, { inReplyTo: "1@example.org" });
  const { files, defects } = readPatch(reply);
  assert.deepEqual(defects, []);
  assert.equal(files[0]?.origin, "quote");
  assert.equal(files[0]?.hunks[0]?.newStart, 4);
});

Deno.test("fileFromSource() adds every line", () => {
  const file = fileFromSource("drivers/x.c", "int a;\r\n\nint b;\n");
  assert.deepEqual([file.origin, file.status, file.oldPath, file.newPath], [
    "source",
    "created",
    null,
    "drivers/x.c",
  ]);
  assert.deepEqual(
    file.hunks[0]?.lines.map(({ text, bodyNo }) => [text, bodyNo]),
    [["int a;", 1], ["", 2], ["int b;", 3]],
  );
  assert.equal(file.hunks[0]?.newCount, 3);
});
