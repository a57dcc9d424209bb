-- Signatures of calls in HTTP mode. An older moonbell refuses a database with this table: its version is one higher.

-- Each has signed one body and may sign no other, also after a restart. Digests only, for as long as the signature is good.
CREATE TABLE signatures (
    proof    BLOB PRIMARY KEY,
    body     BLOB NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
