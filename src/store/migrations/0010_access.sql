-- Who may do what, beside the settings. An older moonbell refuses a database with these tables: its version is one higher.

-- Whoever sent the claim code. The settings win over it.
CREATE TABLE owner (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    staff_id      TEXT NOT NULL,
    claimed_at_ms INTEGER NOT NULL
) STRICT;

-- The code that makes its sender the owner: there is one at most, and never the code itself.
CREATE TABLE claim (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    salt          BLOB NOT NULL,
    digest        BLOB NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    tries_left    INTEGER NOT NULL
) STRICT;

-- Roles that the owner gave (1) or took (0) from a chat. What was taken stays taken, whatever the settings give.
CREATE TABLE grants (
    -- A staff id, or `group:` and a conversation id.
    subject  TEXT NOT NULL,
    -- `*`: every role; only taken.
    role     TEXT NOT NULL,
    allowed  INTEGER NOT NULL CHECK (allowed IN (0, 1)),
    -- NULL: for good.
    until_ms INTEGER,
    by_id    TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (subject, role)
) STRICT, WITHOUT ROWID;

-- When somebody was last told that they may not, so that a restart does not tell them again.
CREATE TABLE refusals (
    person     TEXT PRIMARY KEY,
    told_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
