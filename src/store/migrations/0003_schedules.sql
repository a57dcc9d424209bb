-- When each schedule of a script was last due, so that one missed while the host was down can be made up for.
-- An older moonbell refuses a database with this table: its version is one higher.
CREATE TABLE schedules (
    script    TEXT NOT NULL,
    -- Expression, time zone and place among equal ones: the same after lines moved.
    name      TEXT NOT NULL,
    due_at_ms INTEGER NOT NULL,
    PRIMARY KEY (script, name)
) STRICT, WITHOUT ROWID;
