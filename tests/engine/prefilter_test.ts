import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrefilter } from "../../rules/engine/prefilter.ts";

const { mayMatter } = createPrefilter(["frob_map", "a.b"]);
const may = (...lines: readonly string[]) => mayMatter(Buffer.from(lines.join("\n")));
const HEAD = ["From: a@example.org", "Subject: frob_map", ""];
const HUNK = ["@@ -1,2 +1,2 @@", " int x;"];

Deno.test("mayMatter() says yes to a word in a hunk, whatever its line starts with", () => {
  for (
    const line of [
      "+\tfrob_map(x);",
      "-frob_map",
      " frob_map",
      "frob_map that was wrapped",
      "@@ -9 +9 @@ frob_map(",
    ]
  ) {
    assert.equal(may(...HEAD, ...HUNK, line), true, line);
    assert.equal(may(...HUNK, line), true, line);
  }
});

Deno.test("mayMatter() says yes to a word in a quoted or bare fragment without a hunk header", () => {
  for (const line of ["> +\tfrob_map(x);", ">> frob_map", "+\tfrob_map(x);", "\tfrob_map(x);"]) {
    assert.equal(may(...HEAD, "Look:", line), true, line);
  }
});

Deno.test("mayMatter() says no to words in the head, the message, the file list and paths", () => {
  assert.equal(may(...HEAD, "frob_map is nice", ...HUNK, "+y"), false);
  assert.equal(
    may(...HEAD, "---", " frob_map.c | 2 +-", "diff --git a/frob_map.c b/frob_map.c", ...HUNK),
    false,
  );
  assert.equal(may(...HEAD, "--- a/frob_map.c", "+++ b/frob_map.c", ...HUNK), false);
  assert.equal(may(...HEAD, ...HUNK, "+FROB_MAP", "+axb"), false);
  assert.equal(mayMatter(new Uint8Array()), false);
});

Deno.test("mayMatter() looks through quoted-printable", () => {
  const head = ["Content-Transfer-Encoding: Quoted-Printable", ...HEAD];
  assert.equal(may(...head, ...HUNK, "+\tfrob=", "_map"), true);
  assert.equal(may(...head, ...HUNK, "+\tfrob=5Fmap"), true);
  assert.equal(may("", ...head, ...HUNK, "+\tfrob=5Fmap"), true);
  assert.equal(may(...head, ...HUNK, "=2B\tfrob_nap"), false);
});

Deno.test("mayMatter() says yes to what it cannot look through", () => {
  assert.equal(may("Content-Transfer-Encoding:", " base64", ...HEAD, "AAAA"), true);
  assert.equal(may("Content-Type: text/plain; format=flowed; DelSp=yes", ...HEAD), true);
  const parts = ["Content-Type: Multipart/Mixed; boundary=b", ...HEAD, "--b"];
  assert.equal(may(...parts, "Content-Transfer-Encoding: base64", "", "AAAA"), true);
  assert.equal(may(...parts, "Content-Transfer-Encoding: quoted-printable", "", "x"), true);
  assert.equal(may(...parts, "Content-Transfer-Encoding: 7bit", "", "x"), false);
});

Deno.test("createPrefilter() takes words literally, and none for nothing", () => {
  assert.equal(may(...HEAD, ...HUNK, "+a.b"), true);
  assert.equal(createPrefilter([]).mayMatter(Buffer.from("+x")), false);
});
