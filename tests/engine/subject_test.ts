import assert from "node:assert/strict";
import { readSubject } from "../../rules/engine/subject.ts";
import type { Subject } from "../../rules/engine/types.ts";

/** The parts of a subject that differ from those of a plain `[PATCH] title`. */
type Said = Partial<Omit<Subject, "text">>;

const PLAIN = { isPatch: true, isReply: false, tags: [], version: 1, index: 1, total: 1, title: "a: b" };

function says(text: string, said: Said): void {
  const { text: folded, ...parts } = readSubject(text);
  assert.equal(folded, text);
  assert.deepEqual(parts, { ...PLAIN, ...said }, text);
}

Deno.test("readSubject() reads version and counts in any order", () => {
  const third = { version: 2, index: 3, total: 12 };
  says("[PATCH v2 03/12] a: b", third);
  says("[PATCH 3/12 v2] a: b", third);
  says("[v2 PATCH 3/12] a: b", third);
  says("[PATCH v2, 3/12] a: b", third);
  says("[PATCH v2 3 / 12] a: b", third);
  says("[PATCH v2-3/12] a: b", third);
  says("[PATCH v2 3 of 12] a: b", third);
  says("[patch 02/10] a: b", { index: 2, total: 10 });
  says("[PATCH01/10] a: b", { index: 1, total: 10 });
  says("[PATCH 0/3] a: b", { index: 0, total: 3 });
});

Deno.test("readSubject() reads a version glued to the PATCH word", () => {
  says("[PATCHv2 1/3] a: b", { version: 2, total: 3 });
  says("[PATCH-v2] a: b", { version: 2 });
  says("[PATCH V3] a: b", { version: 3 });
  says("[PATCHv2-next 1/2] a: b", { version: 2, total: 2, tags: ["next"] });
});

Deno.test("readSubject() keeps the other words as tags", () => {
  says("[RESEND PATCH v3] a: b", { version: 3, tags: ["RESEND"] });
  says("[PATCH RFC net-next v1 2/2] a: b", { tags: ["RFC", "net-next"], index: 2, total: 2 });
  says("[RFC/PATCH] a: b", { tags: ["RFC"] });
  says("[PATCH -next] a: b", { tags: ["-next"] });
});

Deno.test("readSubject() tells a kernel version from a revision", () => {
  says("[PATCH 5.10 01/10] a: b", { tags: ["5.10"], total: 10 });
  says("[PATCH v5.10 01/10] a: b", { tags: ["v5.10"], total: 10 });
  says("[PATCH v2.1] a: b", { version: 2 });
});

Deno.test("readSubject() reads several brackets", () => {
  says("[Linaro-mm-sig] [PATCH 1/2] a: b", { tags: ["Linaro-mm-sig"], total: 2 });
  says("[PATCH] [media] a: b", { tags: ["media"] });
  says("[PATCH] [Draft]: a: b", { tags: ["Draft"] });
});

Deno.test("readSubject() takes counts or a version for a patch without the word", () => {
  says("[RFC,v2] a: b", { tags: ["RFC"], version: 2 });
  says("[RFC 1/3] a: b", { tags: ["RFC"], total: 3 });
  says("[net-next,v15,06/12] a: b", { tags: ["net-next"], version: 15, index: 6, total: 12 });
  says("[RFC] a: b", { tags: ["RFC"], isPatch: false });
  says("[dispatch] a: b", { tags: ["dispatch"], isPatch: false });
  says("a: b", { isPatch: false });
});

Deno.test("readSubject() takes no pull request for a patch", () => {
  says("[GIT PULL] a: b", { isPatch: false, tags: ["GIT", "PULL"] });
  says("[GIT PULL 1/3] a: b", { isPatch: false, tags: ["GIT", "PULL"], total: 3 });
});

Deno.test("readSubject() sees reply marks before the bracket, in several languages", () => {
  for (const mark of ["Re: ", "RE:", "Aw: ", "AW: Re: ", "回复: ", "答复：", "Fwd: ", "Re[2]: "]) {
    says(`${mark}[PATCH v4 1/2] a: b`, { isReply: true, version: 4, total: 2 });
  }
  says("[Intel-gfx] Re: [PATCH] a: b", { isReply: true, tags: ["Intel-gfx"] });
  says("[PATCH] re: b", { title: "re: b" });
});

Deno.test("readSubject() folds white space and survives anything", () => {
  assert.equal(readSubject(" [PATCH]  a:\t b ").text, "[PATCH] a: b");
  assert.equal(readSubject("").title, "");
  assert.equal(readSubject("[PATCH").title, "[PATCH");
  assert.equal(readSubject("[PATCH 1/99999] x").total, 1);
  assert.equal(readSubject("[".repeat(10_000)).isPatch, false);
});
