-- Who did it: every run says who began it, and what is done without a run stands in a list of its own.
-- The session's setting leadpact.who names the person, so no command can forget to say it.
ALTER TABLE run ADD COLUMN by_whom text NOT NULL DEFAULT '';
ALTER TABLE run ALTER COLUMN by_whom SET DEFAULT coalesce(current_setting('leadpact.who', true), '');

CREATE TABLE audit (
  audit_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer REFERENCES connection,     -- null: what concerns the whole database
  at            timestamptz NOT NULL,
  by_whom       text NOT NULL DEFAULT coalesce(current_setting('leadpact.who', true), ''),
  what          text NOT NULL,                     -- exported, retained, backed up, restored
  lead_id       text,                              -- goes with the person when somebody is forgotten
  details       text NOT NULL DEFAULT ''           -- numbers and times, never a word about a person
);
CREATE INDEX audit_newest ON audit (connection_id, audit_id DESC);
