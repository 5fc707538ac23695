import { deepEqual } from "node:assert/strict";
import { Gatherer, type Group } from "../../bot/gather.ts";
import { readPatch } from "../../rules/engine/diff.ts";
import { readSubject } from "../../rules/engine/subject.ts";
import { mail } from "./reports.ts";

const from = { name: "", address: "ada@example.org" };
const one = (id: string, subject: string, parent: string | null = null) => ({
  input: id,
  kind: "mail",
  patch: readPatch(
    mail({
      messageId: id,
      inReplyTo: parent,
      references: parent === null ? [] : [parent],
      from,
      subject: readSubject(subject),
    }),
  ),
});
const ids = (groups: readonly Group[]) =>
  groups.map(({ members, isComplete }) =>
    `${isComplete ? "" : "part of "}${members.map(({ input }) => input)}`
  );

Deno.test("Gatherer gives a lone patch and a reply back at once", () => {
  const gatherer = new Gatherer();
  deepEqual(ids(gatherer.add(one("a", "[PATCH] foo: go"))), ["a"]);
  deepEqual(ids(gatherer.add(one("b", "Re: [PATCH 1/2] foo: go", "x"))), ["b"]);
  deepEqual(ids(gatherer.end()), []);
});

Deno.test("Gatherer gives a series when its last patch is there, in order", () => {
  const gatherer = new Gatherer();
  deepEqual(ids(gatherer.add(one("0", "[PATCH 0/2] foo"))), []);
  deepEqual(ids(gatherer.add(one("2", "[PATCH 2/2] foo: b", "0"))), []);
  deepEqual(ids(gatherer.add(one("other", "[PATCH v2 1/2] foo: a"))), []);
  deepEqual(ids(gatherer.add(one("1", "[PATCH 1/2] foo: a", "0"))), ["0,1,2"]);
  deepEqual(ids(gatherer.end()), ["part of other"]);
});

Deno.test("Gatherer waits no longer when too much is held", () => {
  const gatherer = new Gatherer();
  const out: string[] = [];
  for (let i = 0; i < 1112; i++) out.push(...ids(gatherer.add(one(`m${i}`, "[PATCH 1/2] foo: go", `c${i}`))));
  deepEqual(out.slice(0, 2), ["part of m0", "part of m1"]);
  deepEqual(out.length, 88);
});

Deno.test("Gatherer answers for the same mail from a second list", () => {
  const gatherer = new Gatherer();
  gatherer.add(one("1", "[PATCH 1/2] foo: a"));
  gatherer.add(one("1", "[PATCH 1/2] foo: a"));
  deepEqual(ids(gatherer.end()).sort(), ["part of 1", "part of 1"]);
});
