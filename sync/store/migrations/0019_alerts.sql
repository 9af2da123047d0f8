-- What somebody is told of: once when it begins, and once when it is over.
CREATE TABLE alert (
  alert_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  kind          text NOT NULL,
  about         text NOT NULL,               -- a lane, a budget, a field, a job: never a person
  found         text NOT NULL,               -- canonical JSON: which of the kind's sentences, and its numbers
  opened_at     timestamptz NOT NULL,
  seen_at       timestamptz NOT NULL,        -- when it was found last
  cleared_at    timestamptz                  -- null while it lasts
);
CREATE UNIQUE INDEX alert_open ON alert (connection_id, kind, about) WHERE cleared_at IS NULL;

-- Who is to get which mail, and whether they have. Its text is made when it is sent, so that nobody's data lies here.
CREATE TABLE letter (
  connection_id integer NOT NULL REFERENCES connection,
  what          text NOT NULL,               -- monday, alerts
  about         text NOT NULL,               -- the day on which it was due; which alerts
  recipient     text NOT NULL,               -- a mailbox of the config, or webhook
  state         text NOT NULL,               -- waiting, leaving, sent, unsure, dropped
  queued_at     timestamptz NOT NULL,
  not_before    timestamptz NOT NULL,
  held_until    timestamptz,                 -- somebody is sending it
  tries         integer NOT NULL DEFAULT 0,
  said          text NOT NULL DEFAULT '',    -- what went wrong last; no address
  ended_at      timestamptz,
  PRIMARY KEY (connection_id, what, about, recipient)
);
CREATE INDEX letter_waiting ON letter (connection_id, what, not_before) WHERE state IN ('waiting', 'leaving');

-- How many characters each text field of the map took, at its widest: a field that takes fewer later has shrunk.
CREATE TABLE seen_length (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  object        text NOT NULL,
  field         text NOT NULL,
  length        integer NOT NULL,
  PRIMARY KEY (connection_id, crm, object, field)
);
