import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "../../bot/journal_schema.ts";
import { openJournal } from "../../bot/journal_sqlite.ts";
import {
  type Journal,
  JournalError,
  type MailRecord,
  type MirrorPost,
  type Outcome,
  type ReplyPost,
  type Taken,
} from "../../bot/ports.ts";
import { readSubject } from "../../rules/engine/subject.ts";
import { inFolder, NOON } from "./lab.ts";

const CURSOR = { account: "a", mailbox: "INBOX", validity: "7", uid: 5, modseq: "99" };

function taken(messageId: string, more: Partial<MailRecord> = {}, bytes: Uint8Array | null = null): Taken {
  return {
    mail: {
      messageId,
      account: "a",
      mailbox: "INBOX",
      uid: 1,
      arrived: NOON,
      list: "linux-foo.example.org",
      subject: readSubject("[PATCH] go"),
      inReplyTo: null,
      references: [],
      from: "ada@example.com",
      state: "waiting",
      reason: "for its series",
      ...more,
    },
    bytes,
    verdicts: [],
    optOut: null,
  };
}

function post(id: string, more: Partial<ReplyPost> = {}): ReplyPost {
  return {
    kind: "reply",
    id,
    messageId: `p2plint.${id}@bots.example.net`,
    inReplyTo: `${id}@example.com`,
    sender: "bot@example.net",
    recipients: ["ada@example.com"],
    text: "To: ada\n\ngo\n",
    list: "linux-foo.example.org",
    author: "ada@example.com",
    thread: "root@example.com",
    sink: "smtp",
    ...more,
  };
}

function outcome(messageId: string, posts: Outcome["posts"] = [], more: Partial<Outcome> = {}): Outcome {
  return {
    root: messageId,
    version: 1,
    keys: ["title ada go"],
    mails: [{ messageId, state: posts.length > 0 ? "replied" : "clean", reason: "" }],
    findings: posts.slice(0, 1).map(({ post }) => ({
      fingerprint: "f1",
      rule: "dma-one",
      severity: "error",
      path: "drivers/foo.c",
      line: 3,
      message: "wrong",
      messageId,
      post: post.id,
    })),
    posts,
    ...more,
  };
}

function inJournal(run: (journal: Journal, path: string) => Promise<void>, maxPages?: number): Promise<void> {
  return inFolder(async (folder) => {
    const path = `${folder}/state.sqlite`;
    const journal = openJournal(path, { now: () => NOON, ...(maxPages === undefined ? {} : { maxPages }) });
    try {
      await run(journal, path);
    } finally {
      await journal.close();
    }
  });
}

Deno.test("openJournal() migrates from every version, and refuses what is newer or is something else", async () => {
  await inFolder((folder) => {
    for (let version = 0; version <= MIGRATIONS.length; version++) {
      const path = `${folder}/from-${version}.sqlite`;
      const db = new DatabaseSync(path);
      for (const step of MIGRATIONS.slice(0, version)) db.exec(step);
      db.exec(`PRAGMA user_version = ${version}`);
      db.close();
      equal(openJournal(path, { now: Date.now }).version, MIGRATIONS.length);
    }
    const newer = new DatabaseSync(`${folder}/newer.sqlite`);
    newer.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    newer.close();
    throws(() => openJournal(`${folder}/newer.sqlite`, { now: Date.now }), /this p2plint knows/);
    const other = new DatabaseSync(`${folder}/other.sqlite`);
    other.exec("CREATE TABLE bookmarks (url)");
    other.close();
    throws(() => openJournal(`${folder}/other.sqlite`, { now: Date.now }), /a database of something else/);
    throws(() => openJournal(`${folder}/none/x.sqlite`, { now: Date.now }), JournalError);
    return Promise.resolve();
  });
});

Deno.test("openJournal() brings the replies of version 1 along, with what each said", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/state.sqlite`;
    const db = new DatabaseSync(path);
    db.exec(MIGRATIONS[0]!);
    db.exec(`
      PRAGMA user_version = 1;
      INSERT INTO series VALUES ('1@x', 1, 5);
      INSERT INTO series_key VALUES ('title ada go', '1@x');
      INSERT INTO post (id, message_id, in_reply_to, sender, recipients, text, list, author, thread, sink, state,
        reason, attempts, made_at, next_at, claimed_at)
        VALUES ('b', 'p2plint.b@x', '2@x', 'bot@x', '["ada@x"]', 'b', 'l', 'ada@x', 't', 'smtp', 'doubt', 'cut', 1, 5,
          6, 7), ('a', 'p2plint.a@x', '1@x', 'bot@x', '[]', 'a', 'l', 'ada@x', 't', 'smtp', 'sent', '250', 1, 5, 0, 7);
      INSERT INTO finding VALUES ('f1', '1@x', '1@x', 'dma-one', 'error', 'foo.c', 3, 'wrong', 'a');
    `);
    db.close();
    const journal = openJournal(path, { now: () => NOON });
    const [doubt] = await journal.posts("doubt", NOON);
    deepEqual(doubt, {
      post: {
        kind: "reply",
        id: "b",
        messageId: "p2plint.b@x",
        inReplyTo: "2@x",
        sender: "bot@x",
        recipients: ["ada@x"],
        text: "b",
        list: "l",
        author: "ada@x",
        thread: "t",
        sink: "smtp",
      },
      state: "doubt",
      reason: "cut",
      attempts: 1,
      madeAt: 5,
      claimedAt: 7,
    });
    deepEqual((await journal.said(["title ada go"], 2)).map(({ postMessageId }) => postMessageId), [
      "p2plint.a@x",
    ]);
    equal(await journal.postsInThread("t"), 2);
    await journal.close();
    const after = new DatabaseSync(path);
    deepEqual(after.prepare("PRAGMA foreign_key_check").all(), []);
    throws(() => after.exec("UPDATE post SET thread = NULL"), /CHECK constraint failed/);
    after.close();
  });
});

Deno.test("a report to a mirror is no mail: it is in no thread, in no limit, and nobody's verdict is about it", async () => {
  await inJournal(async (journal) => {
    const report: MirrorPost = {
      kind: "mirror",
      id: "m",
      mirror: "foo",
      root: "1@x",
      until: NOON + 5,
      text: "{}\n",
      list: "linux-foo.example.org",
      sink: "github",
    };
    await journal.settle([
      outcome("1@x", [{ post: post("a"), state: "pending", reason: "" }, {
        post: report,
        state: "pending",
        reason: "mode send",
      }]),
    ]);
    deepEqual((await journal.posts("pending", NOON)).map((record) => record.post), [post("a"), report]);
    equal(await journal.claim("m", NOON), true);
    deepEqual(await journal.sentSince(NOON - 1, report.list, "ada@example.com"), {
      total: 0,
      list: 0,
      author: 0,
    });
    equal(await journal.postsInThread("root@example.com"), 1);
    deepEqual(await journal.ownPosts(["m", "", "p2plint.a@bots.example.net"]), [
      ...(await journal.posts("pending", NOON)),
    ]);
    equal(await journal.overtaken("1@x"), null);
    await journal.settle([outcome("9@x", [], { version: 3 }), outcome("8@x", [], { version: 2 })]);
    deepEqual([await journal.overtaken("1@x"), await journal.overtaken("9@x")], [3, null]);
  });
});

Deno.test("take() stores mails and cursor as one, keeps the first of two alike, and never moves the cursor back", async () => {
  await inJournal(async (journal) => {
    await journal.take([
      taken("1@x", {}, new Uint8Array([1, 2])),
      taken("2@x", { state: "skipped", reason: "a reply" }),
    ], CURSOR);
    await journal.take([taken("1@x", { reason: "again" })], { ...CURSOR, uid: 3 });
    deepEqual([...await journal.known(["1@x", "2@x", "3@x"])].sort(), ["1@x", "2@x"]);
    equal((await journal.cursor("a", "INBOX", "7"))?.uid, 5);
    equal(await journal.cursor("a", "INBOX", "8"), null);
    const [mail, ...rest] = await journal.waiting();
    deepEqual([mail!.messageId, mail!.reason, mail!.hasBytes, rest.length], [
      "1@x",
      "for its series",
      true,
      0,
    ]);
    deepEqual(await journal.bytesOf("1@x"), new Uint8Array([1, 2]));
  });
});

Deno.test("settle() ends a series with its posts, and drops the bytes unless it is parked", async () => {
  await inJournal(async (journal) => {
    await journal.take(
      [taken("1@x", {}, new Uint8Array([1])), taken("2@x", {}, new Uint8Array([2]))],
      CURSOR,
    );
    const parked = outcome("2@x", [], { mails: [{ messageId: "2@x", state: "parked", reason: "our bug" }] });
    await journal.settle([outcome("1@x", [{ post: post("a"), state: "pending", reason: "" }]), parked]);
    deepEqual([await journal.bytesOf("1@x"), await journal.bytesOf("2@x")], [null, new Uint8Array([2])]);
    deepEqual((await journal.queue()).mails.map(({ messageId, reason }) => [messageId, reason]), [[
      "2@x",
      "our bug",
    ]]);
    // The same series once more, as after a crash: nothing is there twice.
    await journal.settle([outcome("1@x", [{ post: post("a"), state: "pending", reason: "" }])]);
    equal((await journal.posts("pending", NOON)).length, 1);
    equal(await journal.approve("2@x", NOON), true);
    deepEqual((await journal.waiting()).map(({ messageId }) => messageId), ["2@x"]);
  });
});

Deno.test("claim() gives a post to one, and what ended stays ended", async () => {
  await inJournal(async (journal) => {
    await journal.settle([outcome("1@x", [{ post: post("a"), state: "pending", reason: "" }])]);
    deepEqual([await journal.claim("a", NOON), await journal.claim("a", NOON)], [true, false]);
    deepEqual(await journal.sentSince(NOON - 1, "linux-foo.example.org", "nobody"), {
      total: 1,
      list: 1,
      author: 0,
    });
    await journal.move("a", "sent", "250", NOON);
    await journal.move("a", "pending", "again", NOON);
    deepEqual((await journal.counts()).posts, new Map([["sent", 1]]));
    equal(await journal.drop("a", NOON), false);
  });
});

Deno.test("confirm() ends the doubt about a post", async () => {
  await inJournal(async (journal) => {
    await journal.settle([outcome("1@x", [{ post: post("a"), state: "pending", reason: "" }])]);
    await journal.claim("a", NOON);
    await journal.move("a", "doubt", "closed", NOON, NOON + 1000);
    equal((await journal.posts("doubt", NOON)).length, 0);
    await journal.confirm(["p2plint.a@bots.example.net"]);
    const [record] = await journal.ownPosts(["p2plint.a@bots.example.net"]);
    deepEqual([record!.state, record!.reason], ["sent", "seen on the list"]);
  });
});

Deno.test("said() gives what earlier versions of the same series were told", async () => {
  await inJournal(async (journal) => {
    await journal.settle([outcome("1@x", [{ post: post("a"), state: "pending", reason: "" }])]);
    const said = await journal.said(["title ada go"], 2);
    deepEqual(said.map(({ fingerprint, version, postMessageId }) => [fingerprint, version, postMessageId]), [
      ["f1", 1, "p2plint.a@bots.example.net"],
    ]);
    deepEqual(await journal.said(["title ada stop"], 2), []);
    equal(await journal.laterVersion(["title ada go"], 1), null);
    await journal.settle([outcome("9@x", [], { version: 3 })]);
    equal(await journal.laterVersion(["title ada go"], 1), 3);
  });
});

Deno.test("scores() count the last verdict on each finding", async () => {
  await inJournal(async (journal) => {
    await journal.settle([outcome("1@x", [{ post: post("a"), state: "pending", reason: "" }])]);
    const verdict = { fingerprint: "f1", rule: "dma-one", reason: "", by: "ada@example.com" } as const;
    const said = (verb: "fixed" | "false-positive", messageId: string): Taken => ({
      ...taken(messageId, { state: "verdict" }),
      verdicts: [{ ...verdict, verb, messageId }],
      optOut: "kim@example.net",
    });
    await journal.take([said("fixed", "v1@x")], CURSOR);
    deepEqual((await journal.scores())[0], {
      rule: "dma-one",
      found: 1,
      sent: 0,
      falsePositive: 0,
      wontfix: 0,
      fixed: 1,
    });
    deepEqual(await journal.judged(["f1", "f2"]), new Set(["f1"]));
    deepEqual(await journal.optedOut(["kim@example.net", "ada@example.com"]), new Set(["kim@example.net"]));
  });
});

Deno.test("a full disk is a JournalError, and what was begun is undone", async () => {
  await inJournal(async (journal) => {
    const large = new Uint8Array(400_000);
    await rejects(journal.take([taken("1@x"), taken("2@x", {}, large)], CURSOR), (error) => {
      return error instanceof JournalError && /full/.test(error.message);
    });
    equal(await journal.cursor("a", "INBOX", "7"), null);
    equal((await journal.known(["1@x"])).size, 0);
    await journal.take([taken("1@x")], CURSOR);
    equal((await journal.cursor("a", "INBOX", "7"))?.uid, 5);
  }, 60);
});
