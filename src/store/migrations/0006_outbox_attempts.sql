-- What became of the tries of a reply, and the end of one that somebody gave up. The check of `state` grows, which SQLite
-- does by building the table anew.
CREATE TABLE outbox_new (
    id            INTEGER PRIMARY KEY,
    conversation  TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'parked', 'dropped')),
    payload       TEXT NOT NULL,
    run           TEXT NOT NULL,
    -- Calls that were made for it. The first one of the host that journaled it is noted only when it failed.
    attempts      INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    -- When it was sent, parked or dropped.
    sent_at_ms    INTEGER,
    -- Why the last try failed, and what to do about it; of a queued row too.
    error         TEXT,
    hint          TEXT,
    -- Of the attempts, those of which nobody knows whether they reached the chat.
    unanswered    INTEGER NOT NULL DEFAULT 0,
    -- Not before this.
    due_at_ms     INTEGER,
    -- Since when it is tried, if not since it was journaled: somebody asked for a retry.
    retried_at_ms INTEGER
) STRICT;
INSERT INTO outbox_new (id, conversation, state, payload, run, attempts, created_at_ms, sent_at_ms, error)
    SELECT id, conversation, state, payload, run, attempts, created_at_ms, sent_at_ms, error FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;
CREATE INDEX outbox_queued ON outbox (id) WHERE state = 'queued';
CREATE INDEX outbox_parked ON outbox (id) WHERE state = 'parked';
