-- How much each script keeps, so that a limit costs no look at all of it. Bytes of keys and values.
CREATE TABLE kv_sizes (
    script TEXT PRIMARY KEY,
    bytes  INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO kv_sizes (script, bytes)
    SELECT script, sum(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))) FROM kv GROUP BY script;

CREATE TRIGGER kv_added AFTER INSERT ON kv BEGIN
    INSERT INTO kv_sizes (script, bytes)
        VALUES (new.script, length(CAST(new.key AS BLOB)) + length(CAST(new.value AS BLOB)))
        ON CONFLICT (script) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER kv_changed AFTER UPDATE OF value ON kv BEGIN
    UPDATE kv_sizes SET bytes = bytes + length(CAST(new.value AS BLOB)) - length(CAST(old.value AS BLOB))
        WHERE script = new.script;
END;

CREATE TRIGGER kv_removed AFTER DELETE ON kv BEGIN
    UPDATE kv_sizes SET bytes = bytes - length(CAST(old.key AS BLOB)) - length(CAST(old.value AS BLOB))
        WHERE script = old.script;
END;
