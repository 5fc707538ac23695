/**
 * The tables of the journal, as the steps from one version to the next. A step that was released is never edited.
 *
 * @module
 */

/** Step N leads from version N to version N + 1 (`PRAGMA user_version`). Times are milliseconds of the epoch. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE cursor (
    account TEXT NOT NULL, mailbox TEXT NOT NULL, validity TEXT NOT NULL,
    uid INTEGER NOT NULL, modseq TEXT,
    PRIMARY KEY (account, mailbox, validity)
  ) STRICT;
  CREATE TABLE mail (
    message_id TEXT PRIMARY KEY,
    account TEXT NOT NULL, mailbox TEXT NOT NULL, uid INTEGER NOT NULL,
    arrived INTEGER NOT NULL, taken_at INTEGER NOT NULL, settled_at INTEGER,
    list TEXT NOT NULL, sender TEXT NOT NULL, head TEXT NOT NULL, -- JSON: subject, inReplyTo, references
    state TEXT NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    bytes BLOB
  ) STRICT;
  CREATE INDEX mail_open ON mail (state) WHERE state IN ('waiting', 'parked');
  CREATE TABLE series (
    root TEXT PRIMARY KEY, version INTEGER NOT NULL, judged_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE series_key (
    key TEXT NOT NULL, root TEXT NOT NULL REFERENCES series (root), PRIMARY KEY (key, root)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE post (
    id TEXT PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, in_reply_to TEXT NOT NULL,
    sender TEXT NOT NULL, recipients TEXT NOT NULL, -- JSON
    text TEXT NOT NULL, list TEXT NOT NULL, author TEXT NOT NULL, thread TEXT NOT NULL, sink TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    made_at INTEGER NOT NULL, next_at INTEGER NOT NULL DEFAULT 0,
    claimed_at INTEGER NOT NULL DEFAULT 0, ended_at INTEGER, confirmed_at INTEGER
  ) STRICT;
  CREATE INDEX post_open ON post (state, next_at) WHERE state NOT IN ('sent', 'dropped');
  CREATE INDEX post_thread ON post (thread);
  CREATE INDEX post_claimed ON post (claimed_at);
  CREATE TABLE finding (
    fingerprint TEXT NOT NULL, message_id TEXT NOT NULL, root TEXT NOT NULL,
    rule TEXT NOT NULL, severity TEXT NOT NULL, path TEXT NOT NULL, line INTEGER NOT NULL,
    message TEXT NOT NULL, post TEXT REFERENCES post (id),
    PRIMARY KEY (fingerprint, message_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX finding_root ON finding (root);
  CREATE INDEX finding_post ON finding (post);
  CREATE TABLE verdict (
    fingerprint TEXT NOT NULL, rule TEXT NOT NULL, verb TEXT NOT NULL, reason TEXT NOT NULL,
    said_by TEXT NOT NULL, message_id TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, message_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE opt_out (
    address TEXT PRIMARY KEY, message_id TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // A report to a mirror has none of a mail's fields. Foreign keys are off while the steps run.
  `
  CREATE TABLE post_of_any_kind (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL,
    message_id TEXT UNIQUE, in_reply_to TEXT, sender TEXT, recipients TEXT, author TEXT, thread TEXT,
    mirror TEXT, root TEXT, until INTEGER,
    text TEXT NOT NULL, list TEXT NOT NULL, sink TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    made_at INTEGER NOT NULL, next_at INTEGER NOT NULL DEFAULT 0,
    claimed_at INTEGER NOT NULL DEFAULT 0, ended_at INTEGER, confirmed_at INTEGER,
    CHECK (CASE kind
      WHEN 'reply' THEN NOT (message_id IS NULL OR in_reply_to IS NULL OR sender IS NULL OR recipients IS NULL
        OR author IS NULL OR thread IS NULL)
      WHEN 'mirror' THEN NOT (mirror IS NULL OR root IS NULL OR until IS NULL)
      ELSE false END)
  ) STRICT;
  INSERT INTO post_of_any_kind (id, kind, message_id, in_reply_to, sender, recipients, author, thread, text, list,
      sink, state, reason, attempts, made_at, next_at, claimed_at, ended_at, confirmed_at)
    SELECT id, 'reply', message_id, in_reply_to, sender, recipients, author, thread, text, list,
      sink, state, reason, attempts, made_at, next_at, claimed_at, ended_at, confirmed_at
    FROM post ORDER BY rowid;
  DROP TABLE post;
  ALTER TABLE post_of_any_kind RENAME TO post;
  CREATE INDEX post_open ON post (state, next_at) WHERE state NOT IN ('sent', 'dropped');
  CREATE INDEX post_thread ON post (thread);
  CREATE INDEX post_claimed ON post (claimed_at);
  `,
];
