-- What the owner granted to scripts of other people. An older moonbell refuses a database with this table: its version is
-- one higher.
CREATE TABLE consents (
    -- The whole path of the script.
    script  TEXT PRIMARY KEY,
    -- A need on each line, as scripts write them.
    needs   TEXT NOT NULL,
    -- SHA-256 of the script at that time, in hex.
    content TEXT NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
