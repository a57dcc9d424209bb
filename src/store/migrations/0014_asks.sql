-- Questions that runs asked of people, and how each was decided. An older moonbell refuses a database with these tables: its
-- version is one higher.
CREATE TABLE asks (
    -- 128 random bits.
    id            TEXT PRIMARY KEY,
    run           TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('ask', 'choose', 'confirm', 'approve')),
    -- What was asked, in a line.
    question      TEXT NOT NULL,
    lang          TEXT NOT NULL,
    -- Staff id of whoever's run asked.
    asker         TEXT NOT NULL,
    -- SHA-256 over what an approval allows, and for whom; empty for other questions.
    digest        TEXT NOT NULL,
    -- The number that is said beside yes or no.
    code          TEXT NOT NULL,
    -- The card that has its buttons.
    card          TEXT,
    created_at_ms INTEGER NOT NULL,
    until_ms      INTEGER NOT NULL,
    -- open: its run waits, or the host died while it did.
    state         TEXT NOT NULL CHECK (state IN ('open', 'answered', 'allowed', 'refused', 'expired', 'withdrawn', 'lost')),
    decided_by    TEXT,
    ended_at_ms   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX asks_open ON asks (run) WHERE state = 'open';
CREATE INDEX asks_code ON asks (code, created_at_ms) WHERE kind = 'approve';

-- What the buttons of a card send back: keys into this table, and nothing else.
CREATE TABLE ask_actions (
    -- 128 random bits.
    action TEXT PRIMARY KEY,
    ask    TEXT NOT NULL,
    -- Which of its answers, from 0.
    choice INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
