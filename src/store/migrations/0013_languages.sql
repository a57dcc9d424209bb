-- In which language people are spoken to. An older moonbell refuses a database with this table: its version is one higher.
CREATE TABLE languages (
    staff_id TEXT PRIMARY KEY,
    -- `zh`, `en`, or `auto`: what they write in. NULL: they chose nothing.
    chosen   TEXT,
    -- That of their last message with letters: `zh` or `en`.
    wrote    TEXT
) STRICT, WITHOUT ROWID;
