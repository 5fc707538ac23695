/**
 * `deno task crash [KILLS]`: kills the bot at every step and at random times while the recorded traffic comes in, and
 * prints what was lost or sent twice.
 *
 * @module
 */

import type { Step } from "../../bot/ports.ts";
import { damageOf, type Kill, playCrashes } from "../bot/crash.ts";
import { letter, mistake } from "../bot/letters.ts";
import { random, readStream, type Recorded } from "./stream.ts";

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
const SEED = 4;
const EVERY = 8;

/** A patch of ours with a mistake. */
function made(at: number): Recorded {
  const messageId = `made-${at}@example.com`;
  const text = letter({
    id: messageId,
    from: `a${at}@example.com`,
    to: ours.address,
    list: ours.id,
    subject: `[PATCH] foo: no. ${at}`,
    body: mistake(`drivers/misc/foo${at}.c`),
  });
  return { messageId, bytes: new TextEncoder().encode(text), isPatch: true };
}

const wanted = Number(Deno.args[0] ?? 60);
const { mails: recorded, lists } = await readStream();
// Real traffic has a finding in fifty patches: with ours among it each life of the bot has replies to write.
const ours = lists[0]!;
const mails = recorded.flatMap((mail, at) => at % EVERY === 0 ? [mail, made(at)] : [mail]);
const next = random(SEED);
const kills: Kill[] = Array.from(
  { length: wanted },
  (_, at) =>
    at % 2 === 0
      ? { step: STEPS[(at / 2) % STEPS.length]!, count: 1 + Math.floor(next() * 2) }
      : { afterMs: 300 + Math.floor(next() * 4000) },
);
const folder = await Deno.makeTempDir({ prefix: "p2plint-crash-" });
await Deno.chmod(folder, 0o755);
try {
  const after = await playCrashes({
    folder,
    mails: mails.map(({ bytes }) => bytes),
    lists,
    kills,
    onLife: (line) => console.error(line),
  });
  const rows = new Map<string, { kills: number; missed: number }>();
  for (const { kill, end } of after.lives) {
    const name = "step" in kill ? `at step ${kill.step}` : "at a random time";
    const row = rows.get(name) ?? { kills: 0, missed: 0 };
    rows.set(name, { kills: row.kills + 1, missed: row.missed + (end === "step not reached" ? 1 : 0) });
  }
  console.log("kill -9                kills  of them by time, the step not being reached");
  for (const [name, row] of rows) {
    console.log(`${name.padEnd(22)} ${String(row.kills).padStart(5)}  ${row.missed}`);
  }
  const states = new Map<string, number>();
  for (const fate of after.fates.values()) {
    const state = fate.split(":", 1)[0]!;
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  const patches = mails.filter(({ isPatch }) => isPatch);
  const unanswered = mails.filter(({ messageId }) =>
    messageId.startsWith("made-") && !after.fates.get(messageId)?.startsWith("replied")
  );
  console.log(
    `${unanswered.length} of ${Math.ceil(recorded.length / EVERY)} patches of ours without a reply`,
  );
  const damage = damageOf(after, patches.map(({ messageId }) => messageId));
  console.log(
    `\n${mails.length} mails, ${patches.length} patches and covers among them; journal: ${
      [...states].map(([state, count]) => `${count} ${state}`).join(", ")
    }`,
  );
  const doubts = [...after.posts.values()].filter((state) => /list/.test(state)).length;
  console.log(
    `${after.posts.size} replies composed, ${after.taken.length} taken by SMTP, ${
      new Set(after.taken).size
    } different`,
  );
  console.log(`${doubts} were in doubt and found on the list`);
  console.log(
    damage.length === 0
      ? "lost: 0, twice: 0"
      : `DAMAGE, ${damage.length}:\n${damage.slice(0, 20).join("\n")}`,
  );
  Deno.exitCode = damage.length === 0 ? 0 : 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}
