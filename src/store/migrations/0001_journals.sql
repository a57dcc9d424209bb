-- Accepted work. A row is written before the acknowledgement and kept for de-duplication and history.
CREATE TABLE inbox (
    id             INTEGER PRIMARY KEY,
    -- What makes two deliveries the same one; see `inbox::key`.
    key            TEXT NOT NULL UNIQUE,
    -- Rows of a lane run one after another.
    lane           TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted', 'parked')),
    payload        TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    started_at_ms  INTEGER,
    ended_at_ms    INTEGER,
    -- Short id of the run, as people see it; set when it starts.
    run            TEXT,
    handler        TEXT,
    error          TEXT
) STRICT;
CREATE INDEX inbox_unfinished ON inbox (id) WHERE state IN ('queued', 'running');
CREATE INDEX inbox_ended ON inbox (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX inbox_run ON inbox (run) WHERE run IS NOT NULL;

-- Replies on their way out, in the order of their ids within a conversation.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    conversation  TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'parked')),
    payload       TEXT NOT NULL,
    run           TEXT NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    sent_at_ms    INTEGER,
    error         TEXT
) STRICT;
CREATE INDEX outbox_queued ON outbox (id) WHERE state = 'queued';

-- Cards that may still be spinning in somebody's chat: a row is closed only once its final frame was accepted.
CREATE TABLE cards (
    id            TEXT PRIMARY KEY,
    address       TEXT NOT NULL,
    title         TEXT NOT NULL,
    run           TEXT NOT NULL,
    -- new: not delivered yet; open: in the chat; closed: its end was accepted.
    state         TEXT NOT NULL CHECK (state IN ('new', 'open', 'closed')),
    -- The text of the last accepted frame, so that an interrupted card keeps what it showed.
    shown         TEXT NOT NULL DEFAULT '',
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cards_open ON cards (created_at_ms) WHERE state <> 'closed';

-- What scripts keep. Values are JSON text; a script sees only its own rows.
CREATE TABLE kv (
    script        TEXT NOT NULL,
    key           TEXT NOT NULL,
    value         TEXT NOT NULL,
    expires_at_ms INTEGER,
    PRIMARY KEY (script, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kv_expiring ON kv (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
