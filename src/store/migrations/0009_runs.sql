-- A row of the inbox is a run, with its whole account: which version of which script served it, with what, what it wrote
-- and how it ended. Runs that no message started are rows too, written with their end. The table is made anew because
-- SQLite cannot widen a CHECK. An older moonbell refuses a database with these columns: its version is one higher.
CREATE TABLE runs (
    id             INTEGER PRIMARY KEY,
    -- What makes two deliveries the same one; see `inbox::key`.
    key            TEXT NOT NULL UNIQUE,
    -- Rows of a lane run one after another; empty for runs that no message started.
    lane           TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'done', 'failed', 'cancelled', 'interrupted', 'parked')),
    -- What came in, as JSON. Empty: nothing did, or it was forgotten to make room.
    payload        TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    started_at_ms  INTEGER,
    ended_at_ms    INTEGER,
    -- Short id of the run, as people see it: made from the id.
    run            TEXT,
    handler        TEXT,
    error          TEXT,
    deliveries     INTEGER NOT NULL DEFAULT 1,
    -- The script, as its path below the scripts folder, and which of its versions since the start of the host.
    script         TEXT,
    version        INTEGER,
    -- As JSON.
    args           TEXT,
    -- Of the last program that it ran.
    exit           TEXT,
    -- Replies and cards.
    replies        INTEGER,
    -- What the script logged, a line each: time, level, text. The newest only.
    log            TEXT,
    -- The end of what its programs wrote.
    output         TEXT,
    -- Which try this is: more than 1 after a crash.
    attempt        INTEGER NOT NULL DEFAULT 1,
    -- The run that this one repeats, because somebody said so.
    again          TEXT
) STRICT;
INSERT INTO runs (id, key, lane, state, payload, received_at_ms, started_at_ms, ended_at_ms, run, handler, error, deliveries)
    SELECT id, key, lane, state, payload, received_at_ms, started_at_ms, ended_at_ms, run, handler, error, deliveries FROM inbox;
DROP TABLE inbox;
ALTER TABLE runs RENAME TO inbox;
CREATE INDEX inbox_unfinished ON inbox (id) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX inbox_run ON inbox (run) WHERE run IS NOT NULL;

-- Ids of runs up to here are used, or may be: they are reserved in blocks, so that none comes again after a sweep.
CREATE TABLE run_ids (
    reserved INTEGER NOT NULL
) STRICT;
INSERT INTO run_ids SELECT ifnull(max(id), 0) FROM inbox;
