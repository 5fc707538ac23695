/**
 * The journal in a file of SQLite. The only file that names `node:sqlite`. Every method is one transaction that is on
 * disk when it returns: the write-ahead log, flushed at each commit.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { MIGRATIONS } from "./journal_schema.ts";
import {
  type Cursor,
  type FindingRecord,
  type Journal,
  JournalError,
  type MailRecord,
  type MailState,
  type MirrorPost,
  type Outcome,
  type Post,
  type PostRecord,
  type PostState,
  type ReplyPost,
  type Taken,
} from "./ports.ts";

/** Another process (`p2plint approve`) holds the file for milliseconds. */
const BUSY_MS = 5000;

/** How to open. */
export interface JournalOptions {
  readonly now: () => number;
  /** Most pages of 4096 bytes that the file may have; a full disk says the same as reaching it. */
  readonly maxPages?: number;
}

type Row = Record<string, string | number | bigint | Uint8Array | null>;
type Value = string | number | Uint8Array | null;

const text = (row: Row, name: string): string => String(row[name] ?? "");
const number = (row: Row, name: string): number => Number(row[name] ?? 0);

/**
 * Opens the file, makes it when it is not there, and brings its tables to the newest version.
 *
 * @throws {JournalError} If it cannot be opened, is no journal, or is newer than this program
 */
export function openJournal(path: string, options: JournalOptions): Journal & { readonly version: number } {
  try {
    const db = new DatabaseSync(path);
    // One transaction that is lost with the power may be the mark that a mail was sent: FULL, not NORMAL.
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`);
    if (options.maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${options.maxPages}`);
    // A step may make a table anew that others refer to (sqlite.org/lang_altertable.html, 7).
    db.exec("PRAGMA foreign_keys = OFF");
    migrate(db, path);
    db.exec("PRAGMA foreign_keys = ON");
    return new SqliteJournal(db, options.now);
  } catch (cause) {
    if (cause instanceof JournalError) throw cause;
    throw new JournalError(`cannot open the journal ${path}: ${(cause as Error).message}`, { cause });
  }
}

function migrate(db: DatabaseSync, path: string): void {
  const version = () => number(db.prepare("PRAGMA user_version").get() as Row, "user_version");
  const from = version();
  if (from > MIGRATIONS.length) {
    throw new JournalError(
      `cannot use the journal ${path}: it has version ${from}, this p2plint knows ${MIGRATIONS.length}`,
    );
  }
  const [named] = db.prepare("SELECT count(*) AS n FROM sqlite_schema").all() as Row[];
  if (from === 0 && number(named!, "n") > 0) {
    throw new JournalError(`cannot use ${path}: it is a database of something else`);
  }
  MIGRATIONS.slice(from).forEach((step, ordinal) => {
    db.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version = ${from + ordinal + 1}; COMMIT`);
  });
}

const MAIL =
  "message_id, account, mailbox, uid, arrived, taken_at, list, sender, head, state, reason, attempts";
const FINDING = "fingerprint, rule, severity, path, line, message, message_id, post";

class SqliteJournal implements Journal {
  readonly version = MIGRATIONS.length;
  readonly #statements = new Map<string, StatementSync>();

  constructor(private readonly db: DatabaseSync, private readonly now: () => number) {}

  cursor(account: string, mailbox: string, validity: string): Promise<Cursor | null> {
    return this.#do("read the cursor", () => {
      const row = this.#row(
        "SELECT uid, modseq FROM cursor WHERE account = ? AND mailbox = ? AND validity = ?",
        account,
        mailbox,
        validity,
      );
      if (row === undefined) return null;
      const modseq = row["modseq"] === null ? null : text(row, "modseq");
      return { account, mailbox, validity, uid: number(row, "uid"), modseq };
    });
  }

  known(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#do("look for mails", () => {
      const rows = this.#rows(
        "SELECT message_id FROM mail WHERE message_id IN (SELECT value FROM json_each(?))",
        JSON.stringify(ids),
      );
      return new Set(rows.map((row) => text(row, "message_id")));
    });
  }

  ownPosts(ids: readonly string[]): Promise<readonly PostRecord<ReplyPost>[]> {
    return this.#do("look for posts", () =>
      this.#rows(
        "SELECT * FROM post WHERE message_id IN (SELECT value FROM json_each(?))",
        JSON.stringify(ids),
      ).map((row) => ({ ...toRecord(row), post: toReply(row) })));
  }

  take(mails: readonly Taken[], cursor: Cursor): Promise<void> {
    return this.#write("take mails", () => {
      for (const { mail, bytes, verdicts, optOut } of mails) {
        const head = JSON.stringify({
          subject: mail.subject,
          inReplyTo: mail.inReplyTo,
          references: mail.references,
        });
        const isOpen = mail.state === "waiting" || mail.state === "parked";
        // Two lists carry the same mail: the first one counts.
        this.#run(
          `INSERT OR IGNORE INTO mail (${MAIL}, bytes, settled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
          mail.messageId,
          mail.account,
          mail.mailbox,
          mail.uid,
          mail.arrived,
          this.now(),
          mail.list,
          mail.from,
          head,
          mail.state,
          mail.reason,
          isOpen ? bytes : null,
          isOpen ? null : this.now(),
        );
        for (const { fingerprint, rule, verb, reason, by, messageId } of verdicts) {
          this.#run(
            "INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?, ?, ?, ?)",
            fingerprint,
            rule,
            verb,
            reason,
            by,
            messageId,
            this.now(),
          );
        }
        if (optOut !== null) {
          this.#run("INSERT OR IGNORE INTO opt_out VALUES (?, ?, ?)", optOut, mail.messageId, this.now());
        }
      }
      this.#run(
        `INSERT INTO cursor (account, mailbox, validity, uid, modseq) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET uid = max(uid, excluded.uid), modseq = excluded.modseq`,
        cursor.account,
        cursor.mailbox,
        cursor.validity,
        cursor.uid,
        cursor.modseq,
      );
    });
  }

  confirm(messageIds: readonly string[]): Promise<void> {
    return this.#write("confirm posts", () => {
      for (const id of messageIds) {
        this.#run(
          `UPDATE post SET confirmed_at = coalesce(confirmed_at, ?), ended_at = coalesce(ended_at, ?),
             state = CASE WHEN state IN ('sending', 'doubt') THEN 'sent' ELSE state END,
             reason = CASE WHEN state IN ('sending', 'doubt') THEN 'seen on the list' ELSE reason END
           WHERE message_id = ?`,
          this.now(),
          this.now(),
          id,
        );
      }
    });
  }

  waiting() {
    return this.#do("read what waits", () =>
      this.#rows(
        `SELECT ${MAIL}, bytes IS NOT NULL AS has_bytes FROM mail WHERE state = 'waiting' ORDER BY arrived, rowid`,
      ).map((row) => ({ ...toMail(row), hasBytes: number(row, "has_bytes") === 1 })));
  }

  bytesOf(messageId: string): Promise<Uint8Array | null> {
    return this.#do("read a mail", () => {
      const row = this.#row("SELECT bytes FROM mail WHERE message_id = ?", messageId);
      return row?.["bytes"] instanceof Uint8Array ? row["bytes"] : null;
    });
  }

  begin(messageIds: readonly string[]): Promise<void> {
    return this.#write("count an attempt", () => {
      this.#run(
        "UPDATE mail SET attempts = attempts + 1 WHERE message_id IN (SELECT value FROM json_each(?))",
        JSON.stringify(messageIds),
      );
    });
  }

  settle(outcomes: readonly Outcome[]): Promise<void> {
    return this.#write("settle series", () => {
      for (const outcome of outcomes) this.#settle(outcome);
    });
  }

  #settle({ root, version, keys, mails, findings, posts }: Outcome): void {
    this.#run("INSERT OR REPLACE INTO series VALUES (?, ?, ?)", root, version, this.now());
    for (const key of keys) this.#run("INSERT OR IGNORE INTO series_key VALUES (?, ?)", key, root);
    for (const { post, state, reason } of posts) {
      this.#run(
        `INSERT OR IGNORE INTO post (id, kind, text, list, sink, state, reason, made_at,
             message_id, in_reply_to, sender, recipients, author, thread, mirror, root, until)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        post.id,
        post.kind,
        post.text,
        post.list,
        post.sink,
        state,
        reason,
        this.now(),
        ...ofItsKind(post),
      );
    }
    for (const finding of findings) {
      this.#run(
        `INSERT OR IGNORE INTO finding (${FINDING}, root) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        finding.fingerprint,
        finding.rule,
        finding.severity,
        finding.path,
        finding.line,
        finding.message,
        finding.messageId,
        finding.post,
        root,
      );
    }
    for (const { messageId, state, reason } of mails) {
      this.#run(
        `UPDATE mail SET state = ?, reason = ?, settled_at = ?, bytes = CASE WHEN ? THEN bytes END
           WHERE message_id = ? AND state = 'waiting'`,
        state,
        reason,
        this.now(),
        state === "parked" ? 1 : 0,
        messageId,
      );
    }
  }

  laterVersion(keys: readonly string[], version: number): Promise<number | null> {
    return this.#do("look for a later version", () => {
      const row = this.#row(
        `SELECT max(s.version) AS version FROM series_key k JOIN series s USING (root)
         WHERE k.key IN (SELECT value FROM json_each(?)) AND s.version > ?`,
        JSON.stringify(keys),
        version,
      );
      return row?.["version"] == null ? null : number(row, "version");
    });
  }

  overtaken(root: string): Promise<number | null> {
    return this.#do("look for a later version", () => {
      const row = this.#row(
        `SELECT max(later.version) AS version
         FROM series JOIN series_key own ON own.root = series.root JOIN series_key other ON other.key = own.key
           JOIN series later ON later.root = other.root
         WHERE series.root = ? AND later.version > series.version`,
        root,
      );
      return row?.["version"] == null ? null : number(row, "version");
    });
  }

  said(keys: readonly string[], version: number) {
    return this.#do("read what was said", () =>
      this.#rows(
        `SELECT DISTINCT f.*, s.version, p.message_id AS post_message_id
         FROM series_key k JOIN series s USING (root) JOIN finding f USING (root) JOIN post p ON p.id = f.post
         WHERE k.key IN (SELECT value FROM json_each(?)) AND s.version <= ? AND p.state <> 'dropped'
         ORDER BY s.version, f.message_id, f.fingerprint`,
        JSON.stringify(keys),
        version,
      ).map((row) => ({
        ...toFinding(row),
        version: number(row, "version"),
        postMessageId: text(row, "post_message_id"),
      })));
  }

  judged(fingerprints: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#do("read verdicts", () => {
      const rows = this.#rows(
        "SELECT DISTINCT fingerprint FROM verdict WHERE fingerprint IN (SELECT value FROM json_each(?))",
        JSON.stringify(fingerprints),
      );
      return new Set(rows.map((row) => text(row, "fingerprint")));
    });
  }

  findingsOf(post: string): Promise<readonly FindingRecord[]> {
    return this.#do(
      "read findings",
      () =>
        this.#rows(`SELECT ${FINDING} FROM finding WHERE post = ? ORDER BY path, line`, post).map(toFinding),
    );
  }

  optedOut(addresses: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#do("read who opted out", () => {
      const rows = this.#rows(
        "SELECT address FROM opt_out WHERE address IN (SELECT value FROM json_each(?))",
        JSON.stringify(addresses),
      );
      return new Set(rows.map((row) => text(row, "address")));
    });
  }

  posts(state: PostState, now: number): Promise<readonly PostRecord[]> {
    return this.#do(
      "read posts",
      () =>
        this.#rows("SELECT * FROM post WHERE state = ? AND next_at <= ? ORDER BY made_at, rowid", state, now)
          .map(toPost),
    );
  }

  claim(post: string, now: number): Promise<boolean> {
    return this.#write(
      "claim a post",
      () =>
        this.#run(
          "UPDATE post SET state = 'sending', attempts = attempts + 1, claimed_at = ? WHERE id = ? AND state = 'pending'",
          now,
          post,
        ) === 1,
    );
  }

  move(post: string, state: PostState, reason: string, now: number, nextAt = 0): Promise<void> {
    return this.#write("move a post", () => {
      const isOver = state === "sent" || state === "dropped";
      this.#run(
        "UPDATE post SET state = ?, reason = ?, next_at = ?, ended_at = ? WHERE id = ? AND state NOT IN ('sent', 'dropped')",
        state,
        reason,
        nextAt,
        isOver ? now : null,
        post,
      );
    });
  }

  sentSince(since: number, list: string, author: string) {
    return this.#do("count posts", () => {
      const row = this.#row(
        `SELECT count(*) AS total, coalesce(sum(list = ?), 0) AS list, coalesce(sum(author = ?), 0) AS author
         FROM post WHERE claimed_at > ? AND sink = 'smtp' AND state IN ('sending', 'doubt', 'sent')`,
        list,
        author,
        since,
      )!;
      return { total: number(row, "total"), list: number(row, "list"), author: number(row, "author") };
    });
  }

  postsInThread(thread: string): Promise<number> {
    return this.#do("count a thread", () =>
      number(
        this.#row("SELECT count(*) AS n FROM post WHERE thread = ? AND state <> 'dropped'", thread)!,
        "n",
      ));
  }

  queue() {
    return this.#do("read the queue", () => ({
      posts: this.#rows("SELECT * FROM post WHERE state NOT IN ('sent', 'dropped') ORDER BY made_at, rowid")
        .map(toPost),
      mails: this.#rows(
        `SELECT ${MAIL} FROM mail WHERE state IN ('waiting', 'parked') ORDER BY arrived, rowid`,
      ).map(toMail),
    }));
  }

  approve(id: string, now: number): Promise<boolean> {
    return this.#write("approve", () => {
      const posts = this.#run(
        `UPDATE post SET state = 'pending', reason = 'approved', next_at = ?
         WHERE id = ? AND state IN ('held', 'parked', 'doubt')`,
        now,
        id,
      );
      if (posts === 1) return true;
      return this.#run(
        `UPDATE mail SET state = 'waiting', reason = 'approved', attempts = 0, settled_at = NULL
         WHERE message_id = ? AND state = 'parked' AND bytes IS NOT NULL`,
        id,
      ) === 1;
    });
  }

  drop(id: string, now: number): Promise<boolean> {
    return this.#write("drop", () => {
      const posts = this.#run(
        `UPDATE post SET state = 'dropped', reason = 'dropped by hand', ended_at = ?
         WHERE id = ? AND state IN ('held', 'parked', 'doubt')`,
        now,
        id,
      );
      if (posts === 1) return true;
      return this.#run(
        `UPDATE mail SET state = 'skipped', reason = 'dropped by hand', bytes = NULL, settled_at = ?
         WHERE message_id = ? AND state IN ('parked', 'waiting')`,
        now,
        id,
      ) === 1;
    });
  }

  scores() {
    return this.#do("read verdicts", () =>
      this.#rows(
        // One finding has one verdict: the last that somebody gave.
        `WITH last AS (
           SELECT fingerprint, rule, verb, max(at) FROM verdict GROUP BY fingerprint
         ), said AS (
           SELECT rule, count(DISTINCT fingerprint) AS found,
             count(DISTINCT CASE WHEN p.state = 'sent' THEN fingerprint END) AS sent
           FROM finding LEFT JOIN post p ON p.id = finding.post GROUP BY rule
         )
         SELECT said.rule, found, sent,
           (SELECT count(*) FROM last WHERE last.rule = said.rule AND verb = 'false-positive') AS false_positive,
           (SELECT count(*) FROM last WHERE last.rule = said.rule AND verb = 'wontfix') AS wontfix,
           (SELECT count(*) FROM last WHERE last.rule = said.rule AND verb = 'fixed') AS fixed
         FROM said ORDER BY said.rule`,
      ).map((row) => ({
        rule: text(row, "rule"),
        found: number(row, "found"),
        sent: number(row, "sent"),
        falsePositive: number(row, "false_positive"),
        wontfix: number(row, "wontfix"),
        fixed: number(row, "fixed"),
      })));
  }

  counts() {
    return this.#do("count", () => {
      const by = (sql: string) =>
        new Map(this.#rows(sql).map((row) => [text(row, "state"), number(row, "n")] as const));
      return {
        mails: by("SELECT state, count(*) AS n FROM mail GROUP BY state"),
        posts: by("SELECT state, count(*) AS n FROM post GROUP BY state"),
      };
    });
  }

  close(): Promise<void> {
    return this.#do("close", () => this.db.close());
  }

  #statement(sql: string): StatementSync {
    const kept = this.#statements.get(sql);
    if (kept !== undefined) return kept;
    const made = this.db.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #row(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  #rows(sql: string, ...values: readonly Value[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** @returns The number of rows that were changed */
  #run(sql: string, ...values: readonly Value[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** A rejected promise, never a throw: the port is asynchronous. */
  async #do<Result>(what: string, run: () => Result): Promise<Result> {
    try {
      return await Promise.resolve(run());
    } catch (cause) {
      throw new JournalError(`cannot ${what}: ${(cause as Error).message}`, { cause });
    }
  }

  #write<Result>(what: string, run: () => Result): Promise<Result> {
    return this.#do(what, () => {
      this.db.exec("BEGIN IMMEDIATE");
      try {
        const result = run();
        this.db.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk has rolled back already; then there is nothing to undo.
        if (this.db.isTransaction) this.db.exec("ROLLBACK");
        throw error;
      }
    });
  }
}

function toMail(row: Row): MailRecord & { readonly takenAt: number; readonly attempts: number } {
  const { subject, inReplyTo, references } = JSON.parse(text(row, "head"));
  return {
    messageId: text(row, "message_id"),
    account: text(row, "account"),
    mailbox: text(row, "mailbox"),
    uid: number(row, "uid"),
    arrived: number(row, "arrived"),
    list: text(row, "list"),
    from: text(row, "sender"),
    subject,
    inReplyTo,
    references,
    state: text(row, "state") as MailState,
    reason: text(row, "reason"),
    takenAt: number(row, "taken_at"),
    attempts: number(row, "attempts"),
  };
}

/** The columns that only one kind of post has: of a reply, of a report to a mirror. */
function ofItsKind(post: Post): readonly Value[] {
  if (post.kind === "mirror") {
    return [null, null, null, null, null, null, post.mirror, post.root, post.until];
  }
  const { messageId, inReplyTo, sender, recipients, author, thread } = post;
  return [messageId, inReplyTo, sender, JSON.stringify(recipients), author, thread, null, null, null];
}

const toPost = (row: Row): PostRecord => ({
  ...toRecord(row),
  post: text(row, "kind") === "mirror" ? toMirror(row) : toReply(row),
});

const toReply = (row: Row): ReplyPost => ({
  kind: "reply",
  id: text(row, "id"),
  messageId: text(row, "message_id"),
  inReplyTo: text(row, "in_reply_to"),
  sender: text(row, "sender"),
  recipients: JSON.parse(text(row, "recipients")),
  text: text(row, "text"),
  list: text(row, "list"),
  author: text(row, "author"),
  thread: text(row, "thread"),
  sink: text(row, "sink") as ReplyPost["sink"],
});

const toMirror = (row: Row): MirrorPost => ({
  kind: "mirror",
  id: text(row, "id"),
  mirror: text(row, "mirror"),
  root: text(row, "root"),
  until: number(row, "until"),
  text: text(row, "text"),
  list: text(row, "list"),
  sink: text(row, "sink") as MirrorPost["sink"],
});

function toRecord(row: Row): Omit<PostRecord, "post"> {
  return {
    state: text(row, "state") as PostState,
    reason: text(row, "reason"),
    attempts: number(row, "attempts"),
    madeAt: number(row, "made_at"),
    claimedAt: number(row, "claimed_at"),
  };
}

function toFinding(row: Row): FindingRecord {
  return {
    fingerprint: text(row, "fingerprint"),
    rule: text(row, "rule"),
    severity: text(row, "severity") as FindingRecord["severity"],
    path: text(row, "path"),
    line: number(row, "line"),
    message: text(row, "message"),
    messageId: text(row, "message_id"),
    post: row["post"] === null ? null : text(row, "post"),
  };
}
