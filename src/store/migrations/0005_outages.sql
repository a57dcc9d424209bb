-- When messages could last come in, brought up to date once a minute: what the next host knows of the one before it.
CREATE TABLE contact (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    heard_at_ms INTEGER NOT NULL,
    -- 1: the host ended in order.
    stopped     INTEGER NOT NULL
) STRICT;

-- Stretches in which no message could come in, long enough to be told of.
CREATE TABLE outages (
    id         INTEGER PRIMARY KEY,
    from_ms    INTEGER NOT NULL,
    to_ms      INTEGER NOT NULL,
    -- slept, stopped, died, network, refused, deaf; and what was said of it.
    cause      TEXT NOT NULL,
    detail     TEXT,
    told_at_ms INTEGER
) STRICT;
