-- The language of whoever a card answers, for what the host adds to it after a crash.
ALTER TABLE cards ADD COLUMN lang TEXT NOT NULL DEFAULT 'en';
-- Its whole output is to be sent as a file once it is closed: decided with its ending.
ALTER TABLE cards ADD COLUMN attach INTEGER NOT NULL DEFAULT 0;
-- Its last text was said as a message already, because the card did not take it: only its end is still owed.
ALTER TABLE cards ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
