-- How often DingTalk delivered a message: more than once is common, and `explain` tells. An older moonbell refuses a
-- database with this column: its version is one higher.
ALTER TABLE inbox ADD COLUMN deliveries INTEGER NOT NULL DEFAULT 1;
