-- A write of a record is one row, and no longer one row a field: a first sync writes a dozen fields to each of two
-- records a person, and each of those rows was written twice, with four indexes and a look at the connection.
-- The lists have one entry a field, in one order; before, why, lane and kind have a single entry where all are alike.
-- ends: what became of single fields, where that differs from the row: {field: {state, after, stored}}, as in the view.

-- All at once, and in the order in which a run takes them: a run of an older program that remembers a slice holds its
-- claims and waits for the journal, and would else win against us after minutes of work.
LOCK TABLE claim, journal, conflict, base, link, lead, verdict IN ACCESS EXCLUSIVE MODE;
ALTER TABLE journal DROP CONSTRAINT journal_connection_id_fkey;

CREATE TEMPORARY TABLE journal_by_field ON COMMIT DROP AS
SELECT min(journal_id) AS journal_id, connection_id, run_id, lead_id, crm, object, record_id, state, noted_at, done_at,
       array_agg(field ORDER BY journal_id) AS fields, array_agg(crm_field ORDER BY journal_id) AS crm_fields,
       array_agg(before ORDER BY journal_id) AS before, array_agg(after ORDER BY journal_id) AS after,
       array_agg(why ORDER BY journal_id) AS why, array_agg(lane ORDER BY journal_id) AS lane,
       array_agg(kind ORDER BY journal_id) AS kind,
       jsonb_object_agg(field, jsonb_build_object('stored', stored)) FILTER (WHERE stored IS NOT NULL) AS ends
  FROM journal
 GROUP BY connection_id, run_id, lead_id, crm, object, record_id, state, noted_at, done_at, kind = 'create';

TRUNCATE journal;
DROP INDEX journal_open;
ALTER TABLE journal
  DROP COLUMN field, DROP COLUMN crm_field, DROP COLUMN before, DROP COLUMN after, DROP COLUMN why, DROP COLUMN lane,
  DROP COLUMN kind, DROP COLUMN stored,
  ADD COLUMN fields text[] NOT NULL, ADD COLUMN crm_fields text[] NOT NULL, ADD COLUMN before text[] NOT NULL,
  ADD COLUMN after text[] NOT NULL, ADD COLUMN why text[] NOT NULL, ADD COLUMN lane text[] NOT NULL,
  ADD COLUMN kind text[] NOT NULL, ADD COLUMN ends jsonb;
INSERT INTO journal (journal_id, connection_id, run_id, lead_id, crm, object, record_id, state, noted_at, done_at,
                     fields, crm_fields, before, after, why, lane, kind, ends)
OVERRIDING SYSTEM VALUE
SELECT journal_id, connection_id, run_id, lead_id, crm, object, record_id, state, noted_at, done_at,
       fields, crm_fields, before, after, why, lane, kind, ends
  FROM journal_by_field ORDER BY journal_id;
CREATE INDEX journal_open ON journal (connection_id, lead_id, crm) WHERE state = 'intent';

-- The journal field by field. row_state is the state of the whole write, by which open ones are found in their index.
CREATE VIEW journal_field AS
SELECT journal_id, connection_id, run_id, lead_id, crm, object, record_id, field, crm_field,
       CASE cardinality(journal.before) WHEN 1 THEN journal.before[1] ELSE listed.before END AS before,
       coalesce(ends -> field ->> 'after', listed.after) AS after,
       CASE cardinality(journal.why) WHEN 1 THEN journal.why[1] ELSE listed.why END AS why,
       CASE cardinality(journal.lane) WHEN 1 THEN journal.lane[1] ELSE listed.lane END AS lane,
       CASE cardinality(journal.kind) WHEN 1 THEN journal.kind[1] ELSE listed.kind END AS kind,
       coalesce(ends -> field ->> 'state', state) AS state, ends -> field ->> 'stored' AS stored,
       state AS row_state, noted_at, done_at, place
  FROM journal CROSS JOIN LATERAL
       unnest(fields, crm_fields, journal.before, journal.after, journal.why, journal.lane, journal.kind)
       WITH ORDINALITY AS listed(field, crm_field, before, after, why, lane, kind, place);

-- No row of connection is ever deleted, and its number is looked up before anything is remembered: to look for it again
-- beside every row of a first sync says nothing new.
ALTER TABLE lead DROP CONSTRAINT lead_connection_id_fkey;
ALTER TABLE verdict DROP CONSTRAINT verdict_connection_id_fkey;
ALTER TABLE link DROP CONSTRAINT link_connection_id_fkey;
ALTER TABLE base DROP CONSTRAINT base_connection_id_fkey;
ALTER TABLE conflict DROP CONSTRAINT conflict_connection_id_fkey;
ALTER TABLE claim DROP CONSTRAINT claim_connection_id_fkey;
