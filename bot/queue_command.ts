/**
 * `queue` lists what waits, for its time or for a human; `approve` decides.
 *
 * @module
 */

import { journalOf, loadConfig, systemClock } from "./opening.ts";
import { type Arguments, UsageError } from "./options.ts";
import type { Journal, PostRecord, Queue } from "./ports.ts";
import { printable, printableJson, printableLines } from "./render/printable.ts";
import type { Terminal } from "./terminal.ts";

/** Lists what waits, or prints replies and reports. */
export const runQueue = (args: Arguments, terminal: Terminal): Promise<number> =>
  withJournal(args, (journal) => list(journal, args, terminal));

/** Approves or drops. */
export const runApprove = (args: Arguments, terminal: Terminal): Promise<number> =>
  withJournal(args, (journal) => decide(journal, args, terminal));

async function withJournal(args: Arguments, run: (journal: Journal) => Promise<number>): Promise<number> {
  const journal = journalOf(await loadConfig(args.values.get("config")!));
  try {
    return await run(journal);
  } finally {
    await journal.close();
  }
}

async function list(journal: Journal, { operands, values }: Arguments, terminal: Terminal): Promise<number> {
  const queue = await journal.queue();
  if (operands.length > 0) return showPosts(queue, operands, terminal);
  if (values.get("format") === "json") {
    terminal.out(
      printableJson({
        posts: queue.posts.map(({ post, ...rest }) => ({ ...post, ...rest })),
        mails: queue.mails,
      }) + "\n",
    );
    return 0;
  }
  for (const record of queue.posts) terminal.out(postLine(record));
  for (const { messageId, state, takenAt, reason, subject } of queue.mails) {
    terminal.out(
      printable(`${state.padEnd(8)} ${ago(takenAt)} mail ${messageId}: ${subject.text}: ${reason}`) + "\n",
    );
  }
  if (queue.posts.length + queue.mails.length === 0) terminal.out("nothing waits\n");
  return 0;
}

function postLine({ post, state, reason, madeAt }: PostRecord): string {
  const about = post.kind === "reply"
    ? /^Subject: (.*(?:\n .*)*)/m.exec(post.text)?.[1]?.replace(/\n /g, " ") ?? ""
    : `series ${post.root} on ${post.mirror}`;
  const what = post.kind === "reply" ? "reply" : "report";
  return printable(
    `${state.padEnd(8)} ${ago(madeAt)} ${what} ${post.id} for ${post.list}: ${about}: ${reason}`,
  ) +
    "\n";
}

function showPosts({ posts }: Queue, ids: readonly string[], terminal: Terminal): number {
  let code = 0;
  for (const id of ids) {
    const record = posts.find(({ post }) => post.id === id);
    if (record === undefined) {
      terminal.err(`p2plint: no reply or report ${printable(id)} waits\n`);
      code = 1;
      continue;
    }
    terminal.out(printableLines(record.post.text).join("\n"));
  }
  return code;
}

async function decide(journal: Journal, { operands, flags }: Arguments, terminal: Terminal): Promise<number> {
  if (operands.length === 0) throw new UsageError("approve needs an ID: p2plint queue lists them");
  let code = 0;
  for (const id of operands) {
    const isDrop = flags.has("drop");
    const isDone = isDrop
      ? await journal.drop(id, systemClock.now())
      : await journal.approve(id, systemClock.now());
    if (isDone) terminal.out(`${printable(id)} ${isDrop ? "dropped" : "approved"}\n`);
    else {
      terminal.err(`p2plint: nothing with the ID ${printable(id)} waits for a human\n`);
      code = 1;
    }
  }
  return code;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How long ago, in four columns. */
function ago(ms: number): string {
  const age = Math.max(0, systemClock.now() - ms);
  const text = age < HOUR_MS
    ? `${Math.floor(age / MINUTE_MS)}m`
    : age < 2 * DAY_MS
    ? `${Math.floor(age / HOUR_MS)}h`
    : `${Math.floor(age / DAY_MS)}d`;
  return text.padStart(4);
}
