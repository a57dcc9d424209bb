-- Whether it was refused by somebody's rights, and not by what its handler said: until now that was told by the words of `error`.
ALTER TABLE inbox ADD COLUMN refused INTEGER NOT NULL DEFAULT 0 CHECK (refused IN (0, 1));
UPDATE inbox SET refused = 1 WHERE error LIKE 'denied: %';
