-- Whether what becomes of leads has moved: one row for each time that it was looked at.
CREATE TABLE rates_compared (
  connection_id integer NOT NULL REFERENCES connection,
  compared_at   timestamptz NOT NULL,
  outcome       text NOT NULL,               -- the stage that counts as the outcome
  leads         integer NOT NULL,            -- in the later part, which was held against the earlier one
  outcomes      integer NOT NULL,            -- of these, how many reached it
  moved         text NOT NULL,               -- canonical JSON: a list of which sentence, and its numbers
  PRIMARY KEY (connection_id, compared_at)
);
