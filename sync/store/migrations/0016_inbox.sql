-- What the CRMs told of by themselves and nobody has looked at yet; and how long answers took.

CREATE SEQUENCE inbox_sequence;
-- Numbers of drains. An advisory lock has room for 31 bits of them.
CREATE SEQUENCE inbox_drain AS integer CYCLE;

-- One row a record, however often it was told of. The row is a reason to read the record again, never what it holds.
CREATE TABLE inbox (
  connection_id  integer NOT NULL REFERENCES connection,
  crm            text NOT NULL,
  object         text NOT NULL,
  record_id      text NOT NULL,
  sequence       bigint NOT NULL,       -- drawn anew with every event: whoever read an older one leaves the row
  events         integer NOT NULL,
  erased         boolean NOT NULL,      -- one of them told of a deletion for privacy
  urgent         boolean NOT NULL,      -- one of them told of a withdrawn consent, which goes before everything else
  happened_at    timestamptz NOT NULL,  -- the oldest of them, by the CRM's clock where it says
  received_at    timestamptz NOT NULL,  -- the oldest of them, by ours
  due_at         timestamptz NOT NULL,  -- not before; infinity: parked
  tries          integer NOT NULL DEFAULT 0,
  taken_by       integer,               -- the drain at work on it, which holds a lock under this number
  PRIMARY KEY (connection_id, crm, object, record_id)
) WITH (fillfactor = 70);
CREATE INDEX inbox_oldest ON inbox (connection_id, urgent DESC, received_at);
CREATE INDEX inbox_taken ON inbox (connection_id, taken_by) WHERE taken_by IS NOT NULL;

-- From a change in one CRM to the written answer in the other, counted by how long it took. Names nobody.
CREATE TABLE freshness (
  connection_id  integer NOT NULL REFERENCES connection,
  hour           timestamptz NOT NULL,
  lane           text NOT NULL,
  crm            text NOT NULL,         -- where the answer was written
  bucket         smallint NOT NULL,     -- sync.freshness says how long that is
  leads          bigint NOT NULL,
  PRIMARY KEY (connection_id, hour, lane, crm, bucket)
);

-- The runs of the last day are counted for the operator, and pushes make many.
CREATE INDEX run_by_time ON run (connection_id, started_at);
