-- connection_of_accounts --
-- A pair that is known is only read: to write its row would wait for every run that is remembering now.
WITH known AS (
  SELECT connection_id, approved_at FROM connection
   WHERE hubspot_account = %(hubspot)s AND salesforce_account = %(salesforce)s),
made AS (
  INSERT INTO connection (hubspot_account, salesforce_account, first_seen)
  SELECT %(hubspot)s, %(salesforce)s, %(now)s WHERE NOT EXISTS (SELECT 1 FROM known)
  ON CONFLICT (hubspot_account, salesforce_account) DO NOTHING
  RETURNING connection_id, approved_at)
SELECT connection_id, approved_at FROM known UNION ALL SELECT connection_id, approved_at FROM made;

-- connections --
SELECT connection_id, hubspot_account, salesforce_account, first_seen, approved_at
  FROM connection ORDER BY connection_id;

-- approve_connection --
UPDATE connection SET approved_at = %(now)s, approved_by_run = %(run)s
 WHERE connection_id = %(connection)s AND approved_at IS NULL;

-- start_run --
INSERT INTO run (connection_id, command, started_at, policy_version)
VALUES (%(connection)s, %(command)s, %(now)s, %(policy)s)
RETURNING run_id;

-- end_run --
UPDATE run
   SET ended_at = %(now)s, state = %(state)s, fingerprint = %(fingerprint)s,
       records_read = %(records_read)s, targets = %(targets)s, written = %(written)s,
       unchanged = %(unchanged)s, held = %(held)s, refused = %(refused)s,
       calls_hubspot = %(calls_hubspot)s, calls_salesforce = %(calls_salesforce)s, note = %(note)s
 WHERE run_id = %(run)s;

-- newest_runs --
SELECT run_id, command, started_at, ended_at, state, records_read, targets, written, unchanged, held,
       refused, calls_hubspot, calls_salesforce, note
  FROM run WHERE connection_id = %(connection)s
 ORDER BY run_id DESC LIMIT %(limit)s;

-- keep_policy --
INSERT INTO policy_version (connection_id, version, declared, first_used_at)
VALUES (%(connection)s, %(version)s, %(declared)s, %(now)s)
ON CONFLICT DO NOTHING;

-- policy_of_version --
SELECT declared FROM policy_version WHERE connection_id = %(connection)s AND version = %(version)s;

-- cursors --
SELECT crm, object, place FROM cursor WHERE connection_id = %(connection)s;

-- move_cursor --
INSERT INTO cursor (connection_id, crm, object, place, moved_at, run_id)
VALUES (%(connection)s, %(crm)s, %(object)s, %(place)s, %(now)s, %(run)s)
ON CONFLICT (connection_id, crm, object)
DO UPDATE SET place = excluded.place, moved_at = excluded.moved_at, run_id = excluded.run_id;

-- claim_leads --
-- In id order, so that two runs that want the same leads cannot wait for each other in a circle.
INSERT INTO claim (connection_id, lead_id, run_id, fence, expires_at)
SELECT %(connection)s, wanted.lead_id, %(run)s, %(fence)s, %(until)s
  FROM claim_wanted AS wanted ORDER BY wanted.lead_id
ON CONFLICT (connection_id, lead_id) DO UPDATE
   SET run_id = excluded.run_id, fence = excluded.fence, expires_at = excluded.expires_at
 WHERE claim.expires_at < %(now)s OR claim.run_id = excluded.run_id
RETURNING lead_id;

-- next_fence --
SELECT nextval('fence');

-- claimed_leads --
-- Looked up one by one (see links_of_records).
SELECT claim.lead_id
  FROM claim_wanted CROSS JOIN LATERAL (
       SELECT lead_id FROM claim
        WHERE claim.connection_id = %(connection)s AND claim.lead_id = claim_wanted.lead_id OFFSET 0) AS claim;

-- fenced_out --
-- Leads of the slice whose claim somebody else has taken over since. Ours are kept from being taken over until
-- this transaction ends, in id order as they were claimed.
WITH ours AS (
  SELECT kept.lead_id
    FROM (SELECT lead_id FROM claim_wanted ORDER BY lead_id) AS wanted CROSS JOIN LATERAL (
         SELECT lead_id FROM claim
          WHERE claim.connection_id = %(connection)s AND claim.lead_id = wanted.lead_id
            AND claim.fence = %(fence)s FOR UPDATE) AS kept)
SELECT claim_wanted.lead_id FROM claim_wanted LEFT JOIN ours USING (lead_id) WHERE ours.lead_id IS NULL;

-- overtaken --
-- Leads that were remembered since this run began, and those that are gone of them that were known when it
-- read. What was written by a transaction that was over by then is older than the oldest that was not.
SELECT link.lead_id, false
  FROM claim_wanted JOIN link ON link.connection_id = %(connection)s AND link.lead_id = claim_wanted.lead_id
  JOIN base USING (connection_id, crm, object, record_id)
 WHERE age(base.xmin) <= age(%(since)s::text::xid)
 UNION
SELECT claim_wanted.lead_id, true
  FROM claim_wanted LEFT JOIN lead ON lead.connection_id = %(connection)s AND lead.lead_id = claim_wanted.lead_id
 WHERE lead.lead_id IS NULL AND claim_wanted.is_known
   -- A link that a person has just made has no lead yet.
   AND NOT EXISTS (SELECT FROM link WHERE link.connection_id = %(connection)s
                                      AND link.lead_id = claim_wanted.lead_id);

-- newest_run --
SELECT max(run_id) FROM run WHERE connection_id = %(connection)s;

-- other_living_runs --
SELECT run_id FROM run WHERE connection_id = %(connection)s AND ended_at IS NULL AND run_id <> %(run)s;

-- oldest_transaction --
SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text;

-- one_run_begins --
-- Runs begin one after the other: whoever has a lower number can be seen.
SELECT pg_advisory_xact_lock(%(lock)s, 0);

-- release_claims --
DELETE FROM claim WHERE connection_id = %(connection)s AND run_id = %(run)s AND fence = %(fence)s;

-- release_claims_of_dead_runs --
-- A living run holds an advisory lock under its number; the lock of a killed one went with its connection.
DELETE FROM claim
 WHERE claim.connection_id = %(connection)s AND claim.run_id IN (
       SELECT run_id FROM (SELECT DISTINCT run_id FROM claim
                            WHERE connection_id = %(connection)s AND run_id <> %(run)s) AS others
        WHERE pg_try_advisory_xact_lock(%(lock)s, others.run_id::integer));

-- hold_run --
SELECT pg_advisory_lock(%(lock)s, %(run)s::integer);

-- let_go_of_run --
SELECT pg_advisory_unlock(%(lock)s, %(run)s::integer);

-- bury_dead_runs --
UPDATE run SET state = 'failed', ended_at = %(now)s, note = 'the process died'
 WHERE connection_id = %(connection)s AND ended_at IS NULL AND run_id <> %(run)s
   AND pg_try_advisory_xact_lock(%(lock)s, run_id::integer);
