-- How far each log that is pulled has been read, and what it could not tell. Neither table names anybody.

-- One row a log. It moves in the transaction that brings into the inbox what was read.
CREATE TABLE pull_log (
  connection_id  integer NOT NULL REFERENCES connection,
  name           text NOT NULL,
  crm            text NOT NULL,
  place          text,                         -- where reading goes on, in its connector's words; NULL: at the beginning
  known_until    timestamptz NOT NULL,         -- nothing is missing up to here, by the CRM's clock
  heard_at       timestamptz NOT NULL,         -- when it answered last, by ours
  events         bigint NOT NULL DEFAULT 0,    -- that it has told of
  problem        text NOT NULL DEFAULT '',     -- why it does not answer
  PRIMARY KEY (connection_id, name)
);

-- What a log could not tell, and which run read it again.
CREATE TABLE pull_gap (
  gap_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id  integer NOT NULL REFERENCES connection,
  name           text NOT NULL,
  crm            text NOT NULL,
  why            text NOT NULL,
  begins_at      timestamptz NOT NULL,
  ends_at        timestamptz NOT NULL,
  records        integer,                      -- that it named, which went into the inbox; NULL: it named none
  found_at       timestamptz NOT NULL,
  read_at        timestamptz,                  -- NULL: not yet read again
  by_run         bigint
);
CREATE INDEX pull_gap_open ON pull_gap (connection_id) WHERE read_at IS NULL;
CREATE INDEX pull_gap_newest ON pull_gap (connection_id, gap_id);

-- Somebody said that the record is no longer there: it is asked what became of it.
ALTER TABLE inbox ADD COLUMN gone boolean NOT NULL DEFAULT false;
