/**
 * The bot is killed, and comes back. Not named *_test.ts: it starts servers, for which it needs permissions that the other tests must not have
 * (`deno task test-servers`).
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import type { Step } from "../../bot/ports.ts";
import { damageOf, type Kill, playCrashes } from "../bot/crash.ts";
import { inFolder } from "../bot/lab.ts";
import { dull, innocent, letter, LIST, mistake } from "../bot/letters.ts";

const STEPS: readonly Step[] = [
  "pulled",
  "fetched",
  "taken",
  "begun",
  "judged",
  "settled",
  "claimed",
  "delivered",
  "ended",
];

// Many more kills, over a real stream: deno task crash.
Deno.test("a kill at each step, and some in between, lose nothing and send nothing twice", async () => {
  const bad = Array.from({ length: 30 }, (_, at) => `bad-${at}@example.com`);
  const mails = bad.flatMap((id, at) => [
    letter({
      id,
      from: `a${at}@example.com`,
      subject: `[PATCH] foo: no. ${at}`,
      body: mistake(`drivers/misc/f${at}.c`),
    }),
    letter({
      id: `good-${at}@example.com`,
      subject: `[PATCH] foo: good ${at}`,
      body: at % 2 === 0 ? innocent() : dull(),
    }),
    letter({ id: `talk-${at}@example.com`, subject: "Re: [PATCH] foo: no. 1" }),
  ]);
  const kills: Kill[] = [
    ...STEPS.map((step) => ({ step, count: 1 })),
    { step: "delivered", count: 2 },
    { afterMs: 1500 },
    { afterMs: 2100 },
  ];
  await inFolder(async (folder) => {
    const after = await playCrashes({ folder, mails, lists: [LIST], kills });
    deepEqual(damageOf(after, [...bad, ...bad.map((id) => id.replace("bad", "good"))]), []);
    equal(after.taken.length, bad.length);
    equal(bad.every((id) => after.fates.get(id)?.startsWith("replied") === true), true);
    deepEqual(after.lives.filter(({ end }) => end === "step not reached"), []);
  });
});
