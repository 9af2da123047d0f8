-- What is read besides the change logs: backfills with their slices, so that one can be stopped anywhere.
CREATE TABLE backfill (
  backfill_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  asked         text NOT NULL,                -- canonical JSON: the CRMs and the range, as a person asked
  field_map     text NOT NULL,                -- digest of the field map that the slices are read with
  started_at    timestamptz NOT NULL,
  ended_at      timestamptz,
  state         text NOT NULL DEFAULT 'open'  -- open, done, outdated (the map changed before its end)
);
CREATE UNIQUE INDEX backfill_open ON backfill (connection_id, asked) WHERE state = 'open';

-- One window of creation times in one CRM. A slice is done when its run has remembered everything.
CREATE TABLE backfill_slice (
  backfill_id   bigint NOT NULL REFERENCES backfill,
  connection_id integer NOT NULL REFERENCES connection,
  number        integer NOT NULL,
  crm           text NOT NULL,
  from_at       timestamptz,                  -- null: from the first record
  to_at         timestamptz NOT NULL,
  records       bigint NOT NULL,              -- counted when the slices were cut
  calls         bigint NOT NULL,
  run_id        bigint,
  done_at       timestamptz,
  PRIMARY KEY (backfill_id, number)
);

-- With which field map every record has been read at least once: what is mapped since needs a backfill.
CREATE TABLE read_map (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  object        text NOT NULL,
  fields        text NOT NULL,                -- canonical JSON: lead field to a digest of its rule
  noted_at      timestamptz NOT NULL,
  PRIMARY KEY (connection_id, crm, object)
);

-- What each `agree` found.
CREATE TABLE agreement (
  agreement_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  compared_at   timestamptz NOT NULL,
  linked        bigint NOT NULL,
  same          bigint NOT NULL,              -- both CRMs show the same
  agreed        bigint NOT NULL,              -- and it is the verdict as of then
  explained     text NOT NULL,                -- canonical JSON: reason to a number
  unexplained   bigint NOT NULL
);
CREATE INDEX agreement_newest ON agreement (connection_id, agreement_id DESC);
