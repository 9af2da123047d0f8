-- Some things that a log cannot tell concern every record of an object, and no time stamp says so.
ALTER TABLE pull_gap ADD COLUMN whole boolean NOT NULL DEFAULT false;  -- the object is read from its beginning
