-- The owner of one app does not own another: who claimed a simulated bot is nobody at DingTalk.
CREATE TABLE owners (
    -- Client id and host of its DingTalk. Empty: claimed before apps were told apart; the next one that is served takes it.
    app           TEXT PRIMARY KEY,
    staff_id      TEXT NOT NULL,
    claimed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO owners (app, staff_id, claimed_at_ms) SELECT '', staff_id, claimed_at_ms FROM owner;
DROP TABLE owner;
ALTER TABLE owners RENAME TO owner;

-- `zh` or `en`: what its sender chose at the computer. NULL: they were not asked.
ALTER TABLE claim ADD COLUMN language TEXT;
