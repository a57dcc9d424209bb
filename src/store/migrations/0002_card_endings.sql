-- How a card ends, committed with the run that ended it: then `shown` is its last text, and a crash before the final
-- frame was accepted loses neither.
ALTER TABLE cards ADD COLUMN ending TEXT CHECK (ending IN ('finished', 'failed'));
