import assert from "node:assert/strict";
import { assemble, type SeriesMember, type SeriesOf } from "../../rules/engine/series.ts";
import { readSubject } from "../../rules/engine/subject.ts";

const A = "a@example.org";

/** A head: id, subject, and what it answers, root of the thread first. */
const mail = (
  id: string | null,
  subject: string,
  answers: readonly string[] = [],
  from = A,
): SeriesMember => ({
  messageId: id,
  inReplyTo: answers.at(-1) ?? null,
  references: answers,
  subject: readSubject(subject),
  from: { name: "", address: from },
});

/** `root vN total: cover members | absent`, by id. */
const show = (series: readonly SeriesOf<SeriesMember>[]) =>
  series.map(({ root, version, total, cover, members, absent }) =>
    `${root} v${version} ${total}: ${cover?.messageId ?? "-"} ${
      members.map(({ messageId }) => messageId).join(" ")
    } | ${absent.join(" ")}`
  );

Deno.test("assemble() gathers a shallow thread under its cover, in order of index", () => {
  const mails = [
    mail("p2", "[PATCH 2/3] b", ["c"]),
    mail("c", "[PATCH 0/3] all"),
    mail("p3", "[PATCH 3/3] c", ["c"]),
    mail("r", "Re: [PATCH 2/3] b", ["c", "p2"], "b@example.org"),
    mail("p1", "[PATCH 1/3] a", ["c"]),
  ];
  assert.deepEqual(show(assemble(mails)), ["c v1 3: c p1 p2 p3 | "]);
});

Deno.test("assemble() follows a deep thread, names absent members and works without a cover", () => {
  assert.deepEqual(
    show(
      assemble([
        mail("p1", "[PATCH 1/4] a"),
        mail("p2", "[PATCH 2/4] b", ["p1"]),
        mail("p4", "[PATCH 4/4] d", ["p1", "p2", "p3"]),
      ]),
    ),
    ["p1 v1 4: - p1 p2 p4 | 3"],
  );
  assert.deepEqual(
    show(assemble([mail("p1", "[PATCH 1/3] a", ["c"]), mail("p3", "[PATCH 3/3] c", ["c"])])),
    ["p1 v1 3: - p1 p3 | 2"],
  );
});

Deno.test("assemble() keeps versions and resends apart even in one thread", () => {
  const mails = [
    mail("c", "[PATCH 0/1] all"),
    mail("p", "[PATCH 1/1] a", ["c"]),
    mail("c2", "[PATCH v2 0/2] all", ["c"]),
    mail("q1", "[PATCH v2 1/2] a", ["c", "c2"]),
    mail("q2", "[PATCH v2 2/2] b", ["c", "c2"]),
    mail("s2", "[RESEND PATCH v2 2/2] b", ["c", "c2"]),
  ];
  assert.deepEqual(show(assemble(mails)), ["c v1 1: c p | ", "c2 v2 2: c2 q1 q2 | ", "s2 v2 2: - s2 | 1"]);
});

Deno.test("assemble() joins unthreaded mails by git's Message-ID stem or by sender and total", () => {
  const stem = "20240101000000.123";
  assert.equal(
    assemble([mail(`${stem}-2-${A}`, "[PATCH 1/2] a"), mail(`${stem}-3-${A}`, "[PATCH 2/2] b")]).length,
    1,
  );
  assert.equal(assemble([mail(null, "[PATCH 1/2] a"), mail(null, "[PATCH 2/2] b")]).length, 1);
  assert.equal(
    assemble([mail("x", "[PATCH 1/2] a"), mail("y", "[PATCH 2/2] b", [], "b@example.org")]).length,
    2,
  );
});

Deno.test("assemble() leaves single patches alone", () => {
  const mails = [
    mail("a", "[PATCH] a"),
    mail("b", "[PATCH v2] a", ["a"]),
    mail("c", "[PATCH] c", ["a"]),
    mail(null, ""),
  ];
  assert.deepEqual(show(assemble(mails)), [
    "a v1 1: - a | ",
    "b v2 1: - b | ",
    "c v1 1: - c | ",
    " v1 1: -  | ",
  ]);
});

Deno.test("assemble() counts a mail of two lists once and splits patches of one index", () => {
  const mails = [
    mail("p1", "[PATCH 1/2] a", ["c"]),
    mail("p1", "[PATCH 1/2] a", ["c"]),
    mail("p2", "[PATCH 2/2] b", ["c"]),
    mail("again", "[PATCH 2/2] b", ["c"]),
  ];
  assert.deepEqual(show(assemble(mails)), ["p1 v1 2: - p1 p2 | ", "again v1 2: - again | 1"]);
});

Deno.test("assemble() takes no reply and no talk for a patch", () => {
  assert.deepEqual(assemble([mail("r", "Re: [PATCH 1/2] a"), mail("t", "a question")]), []);
});
