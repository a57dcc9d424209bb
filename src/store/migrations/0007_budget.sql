-- What was used of DingTalk's monthly budgets, by what it was for. An older moonbell refuses a database with these tables:
-- its version is one higher.
CREATE TABLE budget_uses (
    -- `2026-11`, by the calendar of China.
    month   TEXT NOT NULL,
    budget  TEXT NOT NULL CHECK (budget IN ('api_calls', 'pushes')),
    kind    TEXT NOT NULL,
    -- Empty: what moonbell itself says.
    handler TEXT NOT NULL,
    -- Staff id; empty: nobody in particular, as for timers.
    person  TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (month, budget, kind, handler, person)
) STRICT, WITHOUT ROWID;

-- Warnings that the owner has had: each once a month, budget and limit. Level 0: DingTalk itself said that it is used up.
CREATE TABLE budget_told (
    month      TEXT NOT NULL,
    budget     TEXT NOT NULL,
    limit_at   INTEGER NOT NULL,
    level      INTEGER NOT NULL,
    told_at_ms INTEGER NOT NULL,
    PRIMARY KEY (month, budget, limit_at, level)
) STRICT, WITHOUT ROWID;

-- The names that people go by, to be shown beside their ids.
CREATE TABLE budget_people (
    person TEXT PRIMARY KEY,
    name   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Until when everything was counted: what the journals show after it was cut off by a crash.
CREATE TABLE budget_counted (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    counted_at_ms INTEGER NOT NULL
) STRICT;
