import { deepEqual, equal, match } from "node:assert/strict";
import { main } from "../../bot/main.ts";
import { seriesText, showText } from "../../bot/render/show.ts";
import { paint } from "../../bot/render/color.ts";
import { readSubject } from "../../rules/engine/subject.ts";
import { keep, mail, report } from "./reports.ts";

const FIXTURE = new URL("../../fixtures/p2p-export.patch", import.meta.url).pathname;
const plain = paint(false);

async function shown(...argv: string[]) {
  const terminal = keep();
  const code = await main(["show", ...argv], terminal);
  return { code, ...terminal.printed };
}

Deno.test("showText() prints the parts of the subject and the defects", () => {
  const { patch } = report([], {}, mail({ subject: readSubject("[RFC PATCH v3 2/7] foo: go") }));
  const defects = [{ damage: "wrong-counts", bodyNo: 4, reason: "hunk has 1 line too many" }] as const;
  const text = showText({ input: "a.patch", kind: "mail", patch: { ...patch, defects } }, plain);
  match(text, /subject +foo: go\n +patch 2 of 7; version 3; tags RFC\n/);
  match(text, /modified +drivers\/foo\/foo\.c {2}\+0 -0\n/);
  match(text, /defect +body line 4: hunk has 1 line too many \[wrong-counts\]\n/);
});

Deno.test("showText() prints no control of a mail", () => {
  const { patch } = report([], {}, mail({ messageId: "\x1b[31m", input: "\x9b" }));
  // deno-lint-ignore no-control-regex
  equal(/[\x1b\x9b]/.exec(showText({ input: "\x9b", kind: "mail", patch }, plain)), null);
});

Deno.test("seriesText() names the members and what is absent, and leaves single patches out", () => {
  const member = { ...mail({ subject: readSubject("[PATCH 1/3] foo: go") }), position: 5, input: "box" };
  const series = {
    root: "1@example.org",
    version: 1,
    total: 3,
    cover: null,
    members: [member],
    absent: [2, 3],
  };
  const text = seriesText([series], plain);
  match(text, /^series of 3, version 1: foo: go$/m);
  match(text, /1\/3 +box#5 {2}foo: go/);
  match(text, /absent +2, 3/);
  equal(seriesText([{ ...series, total: 1, absent: [] }], plain), "");
});

Deno.test("show prints the diff as it stands in the mail", async () => {
  const { code, out } = await shown("--format", "diff", FIXTURE);
  equal(code, 0);
  const file = await Deno.readTextFile(FIXTURE);
  equal(out, file.slice(file.indexOf("diff --git"), file.indexOf("-- \n")));
});

Deno.test("show prints one JSON document with files, hunks and series", async () => {
  const { out } = await shown("--format", "json", FIXTURE);
  const { schema, inputs, series } = JSON.parse(out);
  equal(schema, "p2plint-show/1");
  deepEqual(inputs[0].subject.title, "misc: foo: export the doorbell BAR as a dma-buf");
  const [{ newPath, status, added, hunks }] = inputs[0].files;
  deepEqual([newPath, status, added, hunks.length], ["drivers/misc/foo_export.c", "created", 74, 1]);
  equal(series.length, 1);
});

Deno.test("show fails when nothing was understood", async () => {
  const { code, err } = await shown("/nonexistent");
  equal(code, 2);
  match(err, /no such file/);
});
