-- What kind of change it was (set, create, stage_back, cross_id): undoing a create takes the record away again.
ALTER TABLE journal ADD COLUMN kind text NOT NULL DEFAULT 'set';

-- What a person took back. Until it would be something else, the same is not written there again.
CREATE TABLE undone (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  crm           text NOT NULL,
  field         text NOT NULL,                -- the lead's field; '' where a created record was taken away
  value         text,                         -- what had been written, in the CRM's words
  run_id        bigint NOT NULL,              -- the run that was undone
  undone_by     bigint NOT NULL,              -- the run that undid it
  undone_at     timestamptz NOT NULL,
  PRIMARY KEY (connection_id, lead_id, crm, field)
);
