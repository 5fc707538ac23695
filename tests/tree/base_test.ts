import { deepEqual, equal, match } from "node:assert/strict";
import { baseFor, findPreImage, isFound } from "../../rules/tree/base.ts";
import { blobId } from "../../rules/tree/blob.ts";
import type { Repository, Tree } from "../../rules/tree/tree.ts";
import { diffOf } from "./diffs.ts";

/** A tree in memory. */
class MadeTree implements Tree {
  constructor(readonly name: string, private readonly files: Readonly<Record<string, string>>) {}

  read(path: string) {
    const text = this.files[path];
    return text === undefined ? null : { path, text, blob: idOf(text) };
  }

  folders(): readonly string[] {
    return [];
  }

  list(): readonly string[] {
    return [];
  }
}

const idOf = (text: string) => blobId(new TextEncoder().encode(text));

const BASE_COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** A repository with HEAD, one commit, and loose contents. */
function repository(
  head: Readonly<Record<string, string>>,
  more: { commit?: Readonly<Record<string, string>>; blobs?: readonly string[] } = {},
): Repository {
  return {
    name: "linux",
    head: new MadeTree("linux at head", head),
    at: (id) => id === BASE_COMMIT && more.commit ? new MadeTree("linux at base", more.commit) : null,
    blob: (id) => more.blobs?.find((text) => idOf(text).startsWith(id)) ?? null,
  };
}

const TEXT = "a\nb\nc\nd\ne\nf\ng\nh\n";
const RESULT = "a\nb\nc\nd\nX\nf\ng\nh\n";

const diff = (index = "") =>
  diffOf(
    `diff --git a/x.c b/x.c\n${index}--- a/x.c\n+++ b/x.c\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+X\n f\n g\n h\n`,
  );

const INDEX = `index ${idOf(TEXT).slice(0, 12)}..123456789abc 100644\n`;

/** How the diff went in: the text that it gave, by what, and the sentence. */
function land(
  file: ReturnType<typeof diff>,
  from: Repository,
  baseCommit: string | null = null,
  state?: Tree,
) {
  const result = findPreImage(file, baseFor(baseCommit, from), from, state);
  return isFound(result) ? [result.applied.text, result.by, result.fuzz, result.said] : result.reason;
}

Deno.test("findPreImage() takes HEAD for a patch that names nothing", () => {
  deepEqual(land(diff(), repository({ "x.c": TEXT })), [RESULT, "head", 0, "applied to linux at head"]);
  deepEqual(land(diff(), repository({ "x.c": `0\n0\n${TEXT}` })), [
    `0\n0\n${RESULT}`,
    "head",
    0,
    "applied to linux at head, up to 2 lines off",
  ]);
});

Deno.test("findPreImage() takes the base commit before the blob, and the blob before HEAD", () => {
  const other = `other\n${TEXT}`;
  const all = { commit: { "x.c": `base\n${TEXT}` }, blobs: [TEXT] };
  deepEqual(land(diff(INDEX), repository({ "x.c": other }, all), BASE_COMMIT), [
    `base\n${RESULT}`,
    "base-commit",
    0,
    "applied to linux at base, its base commit, up to 1 line off",
  ]);
  deepEqual(land(diff(INDEX), repository({ "x.c": other }, { blobs: [TEXT] })), [
    RESULT,
    "blob",
    0,
    `applied to blob ${idOf(TEXT).slice(0, 12)} of its index line`,
  ]);
  deepEqual(land(diff(INDEX), repository({ "x.c": TEXT })), [
    RESULT,
    "blob",
    0,
    `applied to blob ${idOf(TEXT).slice(0, 12)} of its index line`,
  ]);
});

Deno.test("findPreImage() says why it did not take what the patch names", () => {
  deepEqual(land(diff(INDEX), repository({ "x.c": `0\n${TEXT}` }), BASE_COMMIT), [
    `0\n${RESULT}`,
    "head",
    0,
    "applied to linux at head, up to 1 line off; base commit 0123456789ab is not in linux; " +
    `blob ${idOf(TEXT).slice(0, 12)} of its index line: not in linux`,
  ]);
  deepEqual(land(diff(), repository({ "x.c": TEXT }, { commit: { "x.c": "a\n" } }), BASE_COMMIT), [
    RESULT,
    "head",
    0,
    'applied to linux at head; linux at base, its base commit: the hunk does not apply: the file has no line "b"',
  ]);
});

Deno.test("findPreImage() tries fuzz when no text takes every line", () => {
  deepEqual(land(diff(), repository({ "x.c": TEXT.replace("b", "B") })), [
    RESULT.replace("b", "B"),
    "head",
    1,
    "applied to linux at head, with fuzz 1: outer context lines differ",
  ]);
  // The blob fits as it is: HEAD, which needs fuzz, is not asked.
  deepEqual(land(diff(INDEX), repository({ "x.c": TEXT.replace("b", "B") }, { blobs: [TEXT] })).slice(0, 3), [
    RESULT,
    "blob",
    0,
  ]);
});

Deno.test("findPreImage() does not trust fuzz that leaves no word of the hunk", () => {
  const added = diffOf("--- a/x.c\n+++ b/x.c\n@@ -2,5 +2,6 @@\n b\n c\n }\n+X\n \n e\n");
  const text = "a\nB\nC\n}\n\ne\n";
  match(String(land(added, repository({ "x.c": text }))), /has no line "b"/);
  deepEqual(land(added, repository({ "x.c": text.replace("C", "c") })).slice(0, 3), [
    "a\nB\nc\n}\nX\n\ne\n",
    "head",
    1,
  ]);
});

Deno.test("findPreImage() takes what earlier patches of the series left, and not HEAD behind their back", () => {
  const from = repository({ "x.c": TEXT }, { commit: { "x.c": "a\n" } });
  const state = new MadeTree("", { "x.c": `1/2\n${TEXT}` });
  equal(land(diff(), from, BASE_COMMIT, state)[0], `1/2\n${RESULT}`);
  const spoilt = new MadeTree("", { "x.c": "1/2\n" });
  match(
    String(land(diff(), from, BASE_COMMIT, spoilt)),
    /has no line "b" \(tried: linux at base, its base commit\)$/,
  );
});

Deno.test("findPreImage() gives the first refusal when nothing fits, and what was tried", () => {
  equal(
    land(diff(INDEX), repository({ "x.c": "nothing\n" })),
    'the hunk does not apply: the file has no line "b" (tried: linux at head)',
  );
  equal(land(diff(), repository({})), "there is no such file (tried: linux at head)");
});

Deno.test("findPreImage() knows new, renamed and deleted files", () => {
  const created = diffOf(
    "diff --git a/x.c b/x.c\nnew file mode 100644\nindex 0000000..1234567\n--- /dev/null\n+++ b/x.c\n@@ -0,0 +1 @@\n+a\n",
  );
  deepEqual(land(created, repository({})), ["a\n", "head", 0, "applied to linux at head"]);
  match(String(land(created, repository({ "x.c": "" }))), /creates is there already/);
  const renamed = diffOf("diff --git a/x.c b/y.c\nsimilarity index 100%\nrename from x.c\nrename to y.c\n");
  deepEqual(land(renamed, repository({ "x.c": TEXT })).slice(0, 2), [TEXT, "head"]);
  equal(land(renamed, repository({ "x.c": TEXT, "y.c": "" })), "y.c is there already");
  const deleted = diffOf(
    "diff --git a/x.c b/x.c\ndeleted file mode 100644\n--- a/x.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
  );
  equal(land(deleted, repository({ "x.c": "a\n" }))[0], null);
});
