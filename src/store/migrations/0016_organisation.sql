-- The organisation that each app belongs to: staff ids are those of this organisation, and of no other.
CREATE TABLE organisation (
    -- As in `owner`.
    app         TEXT PRIMARY KEY,
    corp_id     TEXT NOT NULL,
    known_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
