-- begin_part --
INSERT INTO journal_part (connection_id, run_id) VALUES (%(connection)s, %(run)s) RETURNING part_id;

-- settle_writes --
-- A part whose writes all ended is done. Only what the part does not say of a row is written to it: another end than
-- that it was written as it was noted, the id of a record that the run itself created, and any end at all where others
-- of its part are still open.
WITH open AS MATERIALIZED (
  SELECT found.*
    FROM journal_part AS part CROSS JOIN LATERAL (
         SELECT journal_id, part_id, lead_id, crm, object, record_id, kind[1] = 'create' AS is_new FROM journal
          WHERE journal.run_id = part.run_id AND journal.part_id = part.part_id AND journal.state IS NULL
         OFFSET 0) AS found
   WHERE part.connection_id = %(connection)s AND part.run_id = %(run)s AND part.done_at IS NULL),
-- Joined in full, so that no plan looks through the one for each row of the other.
both_ways AS MATERIALIZED (
  SELECT open.journal_id, open.part_id, open.record_id IS NULL AND results.record_id IS NOT NULL AS is_named,
         coalesce(results.state <> 'intent', false) AS has_ended, results.state, results.record_id, results.ends
    FROM open FULL JOIN results
      ON open.lead_id = results.lead_id AND open.crm = results.crm AND open.object = results.object
     AND open.is_new = results.is_new AND coalesce(open.record_id = results.record_id, true)),
whole AS MATERIALIZED (
  SELECT part_id FROM both_ways WHERE journal_id IS NOT NULL GROUP BY part_id HAVING bool_and(has_ended)),
done AS (
  UPDATE journal_part SET done_at = %(now)s FROM whole WHERE journal_part.part_id = whole.part_id)
UPDATE journal SET state = ended.state, record_id = coalesce(ended.record_id, journal.record_id),
       ends = ended.ends::jsonb, done_at = %(now)s
  FROM both_ways AS ended
 WHERE journal.journal_id = ended.journal_id AND ended.has_ended
   AND (ended.state <> 'written' OR ended.is_named OR ended.ends IS NOT NULL
        OR ended.part_id NOT IN (SELECT part_id FROM whole));

-- others_left_open --
-- Whether a run beside this one may have open writes.
SELECT EXISTS (SELECT FROM journal_part WHERE connection_id = %(connection)s AND done_at IS NULL AND run_id <> %(run)s);

-- strike_left_open --
-- A part of which nothing is open has nothing to say of any row: whatever ended here says so itself.
UPDATE journal_part SET done_at = %(now)s
 WHERE connection_id = %(connection)s AND done_at IS NULL AND run_id <> %(run)s
   AND EXISTS (SELECT FROM run WHERE run.run_id = journal_part.run_id AND run.ended_at IS NOT NULL OFFSET 0)
   AND NOT EXISTS (SELECT FROM journal
                    WHERE journal.run_id = journal_part.run_id AND journal.part_id = journal_part.part_id
                      AND journal.state IS NULL OFFSET 0);

-- abandon_intents --
-- Intents of a run that died: whether the CRM was reached is not known; what it holds has been read again.
-- "part_id + 0": by the leads that are asked for, and not by the parts.
UPDATE journal SET state = 'unknown', done_at = %(now)s
  FROM (SELECT found.journal_id
          FROM asked CROSS JOIN LATERAL (
               SELECT journal_id FROM journal
                WHERE journal.connection_id = %(connection)s AND journal.lead_id = asked.lead_id
                  AND journal.state IS NULL
                  AND journal.part_id + 0 = ANY (ARRAY(
                      SELECT part_id FROM journal_part
                       WHERE connection_id = %(connection)s AND done_at IS NULL AND run_id <> %(run)s))
               OFFSET 0) AS found) AS left_open
 WHERE journal.journal_id = left_open.journal_id;

-- by_index_alone --
SET LOCAL enable_seqscan = off;

-- open_intents --
-- What ended runs had set out to write and never remembered, the newest first; not what another one has written since.
-- Mostly no run has left anything open, and then no write is looked at; the open writes of the run that asks are thousands.
WITH begun AS MATERIALIZED (
  SELECT found.journal_id
    FROM journal_part AS part CROSS JOIN LATERAL (
         SELECT journal_id FROM journal
          WHERE journal.run_id = part.run_id AND journal.part_id = part.part_id AND journal.state IS NULL
         OFFSET 0) AS found
   WHERE part.connection_id = %(connection)s AND part.done_at IS NULL
     AND EXISTS (SELECT FROM run WHERE run.run_id = part.run_id AND run.ended_at IS NOT NULL OFFSET 0))
SELECT open.lead_id, open.crm, open.record_id, open.field, open.crm_field, open.before, open.after
  FROM begun CROSS JOIN LATERAL (
       SELECT * FROM journal_field WHERE journal_field.journal_id = begun.journal_id OFFSET 0) AS open
 WHERE NOT EXISTS (SELECT FROM journal_field AS later
                    WHERE later.connection_id = open.connection_id AND later.lead_id = open.lead_id
                      AND later.journal_id > open.journal_id AND later.state = 'written'
                      AND later.crm = open.crm AND later.field = open.field
                      AND later.record_id = open.record_id OFFSET 0)
 ORDER BY open.journal_id DESC, open.place DESC;

-- changes_of_lead --
SELECT run_id, crm, record_id, field, before, after, why, state, noted_at, done_at
  FROM journal_field WHERE connection_id = %(connection)s AND lead_id = %(lead)s
 ORDER BY journal_id DESC, place DESC LIMIT %(limit)s;

-- changes_of_run --
SELECT lead_id, crm, object, record_id, field, before, after, why, lane, state
  FROM journal_field WHERE connection_id = %(connection)s AND run_id = %(run)s
 ORDER BY journal_id, place;

-- remember_conflicts --
INSERT INTO conflict (connection_id, run_id, lead_id, field, rule, winner, hubspot_value, salesforce_value,
                      hubspot_at, salesforce_at, decided_at)
SELECT %(connection)s, %(run)s, lead_id, field, rule, winner, hubspot_value, salesforce_value,
       hubspot_at, salesforce_at, %(now)s
  FROM new_conflicts
 WHERE NOT EXISTS (
       -- Met by a run that died over this field: its own write has moved the record's time since.
       SELECT FROM conflict AS met
        WHERE met.connection_id = %(connection)s AND met.run_id <> %(run)s
          AND met.lead_id = new_conflicts.lead_id AND met.field = new_conflicts.field
          AND met.hubspot_value IS NOT DISTINCT FROM new_conflicts.hubspot_value
          AND met.salesforce_value IS NOT DISTINCT FROM new_conflicts.salesforce_value
          AND EXISTS (SELECT FROM journal
                       WHERE journal.connection_id = met.connection_id AND journal.run_id = met.run_id
                         AND journal.lead_id = met.lead_id AND met.field = ANY (journal.fields)
                         AND journal.state IS NULL
                         AND EXISTS (SELECT FROM journal_part AS part
                                      WHERE part.part_id = journal.part_id AND part.done_at IS NULL OFFSET 0)
                         OFFSET 0)
        OFFSET 0)
ON CONFLICT DO NOTHING;

-- conflicts_of_lead --
SELECT field, rule, winner, hubspot_value, salesforce_value, hubspot_at, salesforce_at, decided_at, run_id
  FROM conflict WHERE connection_id = %(connection)s AND lead_id = %(lead)s
 ORDER BY conflict_id DESC LIMIT %(limit)s;

-- hold --
-- What is held already and told alike is left alone: each sync meets all that waits for a person again.
INSERT INTO held (connection_id, held_key, kind, lead_id, crm, object, record_id, field, details, since, run_id)
SELECT %(connection)s, held_key, kind, lead_id, crm, object, record_id, field, details, %(now)s, %(run)s
  FROM new_held
 WHERE NOT EXISTS (SELECT FROM held
                    WHERE held.connection_id = %(connection)s AND held.held_key = new_held.held_key
                      AND held.settled_at IS NULL AND held.details = new_held.details OFFSET 0)
ON CONFLICT (connection_id, held_key) WHERE settled_at IS NULL DO UPDATE SET details = excluded.details
RETURNING (xmax = 0)::integer AS is_new;

-- settle_held --
-- What was held about these records and is not held any more.
UPDATE held SET settled_at = %(now)s
  FROM looked_at
 WHERE held.connection_id = %(connection)s AND held.settled_at IS NULL
   AND held.crm = looked_at.crm AND held.record_id = looked_at.record_id
   AND NOT EXISTS (SELECT 1 FROM new_held WHERE new_held.held_key = held.held_key);

-- open_held --
SELECT held_id, kind, lead_id, crm, object, record_id, field, details, since, run_id
  FROM held WHERE connection_id = %(connection)s AND settled_at IS NULL
 ORDER BY held_id;

-- refuse --
INSERT INTO refused (connection_id, lead_id, crm, object, record_id, code, message, fields, first_at, last_at,
                     run_id)
SELECT %(connection)s, lead_id, crm, object, record_id, code, message,
       coalesce(string_to_array(nullif(fields, ''), ','), '{}'), %(now)s, %(now)s, %(run)s
  FROM new_refused
ON CONFLICT (connection_id, lead_id, crm) DO UPDATE
   SET record_id = excluded.record_id, code = excluded.code, message = excluded.message,
       fields = excluded.fields, last_at = excluded.last_at, tries = refused.tries + 1,
       run_id = excluded.run_id
RETURNING (xmax = 0)::integer AS is_new;

-- some_refused --
SELECT EXISTS (SELECT 1 FROM refused WHERE connection_id = %(connection)s);

-- strike_refused --
DELETE FROM refused USING passed
 WHERE refused.connection_id = %(connection)s AND refused.lead_id = passed.lead_id
   AND refused.crm = passed.crm;

-- refused_leads --
SELECT lead_id, crm, object, record_id, code, message, array_to_string(fields, ',') AS fields, first_at, last_at, tries
  FROM refused WHERE connection_id = %(connection)s ORDER BY first_at, lead_id;

-- written_by_run --
-- What a run wrote, or may have written: its connection broke before the answer.
SELECT lead_id, crm, object, record_id, field, crm_field, before, after, kind, stored
  FROM journal_field
 WHERE connection_id = %(connection)s AND run_id = %(run)s AND state IN ('written', 'unknown')
   AND record_id IS NOT NULL
 ORDER BY lead_id, crm, field;

-- remember_undone --
INSERT INTO undone (connection_id, lead_id, crm, field, value, run_id, undone_by, undone_at)
SELECT %(connection)s, lead_id, crm, field, value, %(undone)s, %(run)s, %(now)s FROM new_undone
ON CONFLICT (connection_id, lead_id, crm, field) DO UPDATE
   SET value = excluded.value, run_id = excluded.run_id, undone_by = excluded.undone_by,
       undone_at = excluded.undone_at;

-- strike_undone --
-- Something else was written there since: what was taken back is past.
DELETE FROM undone USING written
 WHERE undone.connection_id = %(connection)s AND undone.lead_id = written.lead_id
   AND undone.crm = written.crm AND undone.field = written.field;

-- some_undone --
SELECT EXISTS (SELECT 1 FROM undone WHERE connection_id = %(connection)s);

-- undone_of_leads --
SELECT undone.lead_id, undone.crm, undone.field, undone.value
  FROM undone JOIN asked USING (lead_id)
 WHERE undone.connection_id = %(connection)s;

-- undone_leads --
SELECT DISTINCT lead_id FROM undone WHERE connection_id = %(connection)s;
