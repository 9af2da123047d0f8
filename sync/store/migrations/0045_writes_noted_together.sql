-- Writes that are noted together are a part of the journal, and mostly end together: written, as they were noted. To say so
-- of each rewrote the whole wide row, with three indexes, and left as much again to be cleared away.
-- Of a row without a state its part tells: an intent until the part is done, and written since then.
LOCK TABLE journal, run IN ACCESS EXCLUSIVE MODE;

CREATE TABLE journal_part (
  part_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL,
  run_id        bigint NOT NULL,
  done_at       timestamptz                   -- null: some of its writes may still be open
);
CREATE INDEX journal_part_open ON journal_part (connection_id) WHERE done_at IS NULL;

ALTER TABLE journal
  ADD COLUMN part_id bigint,                  -- null: noted before there were parts, and ended
  ALTER COLUMN state DROP DEFAULT,
  ALTER COLUMN state DROP NOT NULL;
INSERT INTO journal_part (connection_id, run_id)
SELECT DISTINCT connection_id, run_id FROM journal WHERE state = 'intent' ORDER BY run_id, connection_id;
UPDATE journal SET state = NULL, done_at = NULL, part_id = part.part_id
  FROM journal_part AS part
 WHERE journal.state = 'intent' AND part.connection_id = journal.connection_id AND part.run_id = journal.run_id;
ALTER TABLE journal ADD CONSTRAINT journal_says_its_state CHECK (num_nonnulls(state, part_id) > 0);

-- A part's rows stand one after the other, as those of a run do: both are found by the same index, which grows at its end.
DROP INDEX journal_open;
DROP INDEX journal_of_run;
CREATE INDEX journal_of_run ON journal (run_id, part_id);

-- What was left open is what the parts say.
DROP INDEX run_left_open;
ALTER TABLE run DROP COLUMN left_open;

DROP VIEW journal_field;
CREATE VIEW journal_field AS
SELECT journal_id, connection_id, run_id, lead_id, crm, object, record_id, field, crm_field,
       CASE cardinality(journal.before) WHEN 1 THEN journal.before[1] ELSE listed.before END AS before,
       coalesce(ends -> field ->> 'after', listed.after) AS after,
       CASE cardinality(journal.why) WHEN 1 THEN journal.why[1] ELSE listed.why END AS why,
       CASE cardinality(journal.lane) WHEN 1 THEN journal.lane[1] ELSE listed.lane END AS lane,
       CASE cardinality(journal.kind) WHEN 1 THEN journal.kind[1] ELSE listed.kind END AS kind,
       coalesce(ends -> field ->> 'state', journal.state, CASE WHEN part.done_at IS NULL THEN 'intent' ELSE 'written' END)
         AS state,
       ends -> field ->> 'stored' AS stored,
       coalesce(journal.state, CASE WHEN part.done_at IS NULL THEN 'intent' ELSE 'written' END) AS row_state,
       noted_at, CASE WHEN journal.state IS NULL THEN part.done_at ELSE journal.done_at END AS done_at, place
  FROM journal
  -- Looked up row by row: a part is one of as many as there are slices and syncs.
  LEFT JOIN LATERAL (
       SELECT done_at FROM journal_part WHERE journal_part.part_id = journal.part_id OFFSET 0) AS part ON true
 CROSS JOIN LATERAL
       unnest(fields, crm_fields, journal.before, journal.after, journal.why, journal.lane, journal.kind)
       WITH ORDINALITY AS listed(field, crm_field, before, after, why, lane, kind, place);
