-- What the owner of one app gave and took from a chat says nothing of another app, as its owner does not own that one.
CREATE TABLE granted (
    -- Client id and host of the app. Empty: from before apps were told apart; the next one that is served takes it.
    app      TEXT NOT NULL,
    -- A staff id, or `group:` and a conversation id.
    subject  TEXT NOT NULL,
    -- `*`: every role; only taken.
    role     TEXT NOT NULL,
    allowed  INTEGER NOT NULL CHECK (allowed IN (0, 1)),
    -- NULL: for good.
    until_ms INTEGER,
    by_id    TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (app, subject, role)
) STRICT, WITHOUT ROWID;
-- Where one app alone was ever owned, they are of that one.
INSERT INTO granted (app, subject, role, allowed, until_ms, by_id, at_ms)
    SELECT CASE (SELECT count(*) FROM owner) WHEN 1 THEN (SELECT app FROM owner) ELSE '' END,
           subject, role, allowed, until_ms, by_id, at_ms
    FROM grants;
DROP TABLE grants;
ALTER TABLE granted RENAME TO grants;
