-- columns_of_table --
SELECT column_name FROM information_schema.columns
 WHERE table_schema = current_schema() AND table_name = %(table)s
 ORDER BY ordinal_position;

-- sequences --
SELECT sequencename, last_value FROM pg_sequences
 WHERE schemaname = current_schema() AND last_value IS NOT NULL
 ORDER BY sequencename;

-- set_sequence --
SELECT setval(quote_ident(%(name)s)::regclass, %(value)s);

-- living_runs --
SELECT count(*) FROM pg_locks
 WHERE locktype = 'advisory' AND granted AND classid = %(lock)s
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- applied_migrations --
SELECT number, checksum FROM schema_migration ORDER BY number;

-- note_whole_database --
INSERT INTO audit (connection_id, at, what, details) VALUES (NULL, %(now)s, %(what)s, %(details)s);

-- keep_accounts_with_erasures --
-- Who was forgotten stays forgotten, also for accounts that the backup did not know yet.
INSERT INTO connection (hubspot_account, salesforce_account, first_seen)
SELECT k.hubspot_account, k.salesforce_account, k.first_seen FROM kept_connection AS k
 WHERE EXISTS (SELECT FROM kept_erased AS e WHERE e.connection_id = k.connection_id)
ON CONFLICT DO NOTHING;

-- number_the_kept --
-- What is kept follows the accounts; the backup may number them otherwise.
CREATE TEMPORARY TABLE kept_number ON COMMIT DROP AS
SELECT k.connection_id AS was, c.connection_id AS now
  FROM kept_connection AS k JOIN connection AS c USING (hubspot_account, salesforce_account);

-- erasures_grown_apart --
-- Hashes under two salts cannot stand in one list.
SELECT count(*) FROM kept_number AS n
  JOIN kept_erasure_salt AS k ON k.connection_id = n.was
  JOIN erasure_salt AS s ON s.connection_id = n.now
 WHERE s.salt <> k.salt
   AND EXISTS (SELECT FROM kept_erased AS e WHERE e.connection_id = n.was)
   AND EXISTS (SELECT FROM erased AS e WHERE e.connection_id = n.now);

-- bring_back_salts --
INSERT INTO erasure_salt (connection_id, salt)
SELECT n.now, k.salt FROM kept_erasure_salt AS k JOIN kept_number AS n ON n.was = k.connection_id
 WHERE EXISTS (SELECT FROM kept_erased AS e WHERE e.connection_id = k.connection_id)
ON CONFLICT (connection_id) DO UPDATE SET salt = excluded.salt;

-- bring_back_erasures --
INSERT INTO erased (connection_id, digest, erased_at)
SELECT n.now, k.digest, k.erased_at FROM kept_erased AS k JOIN kept_number AS n ON n.was = k.connection_id
ON CONFLICT DO NOTHING;

-- bring_back_plans --
-- Plans saved since the backup still lie on the disk, and somebody may have to be taken out of them.
INSERT INTO saved_plan (connection_id, path, saved_at)
SELECT n.now, k.path, k.saved_at FROM kept_saved_plan AS k JOIN kept_number AS n ON n.was = k.connection_id
ON CONFLICT DO NOTHING;

-- bring_back_deeds --
INSERT INTO audit (connection_id, at, by_whom, what, lead_id, details)
SELECT n.now, k.at, k.by_whom, k.what, k.lead_id, k.details
  FROM kept_audit AS k LEFT JOIN kept_number AS n ON n.was = k.connection_id
 WHERE (k.connection_id IS NULL OR n.now IS NOT NULL)
   AND NOT EXISTS (SELECT FROM audit AS a WHERE a.at = k.at AND a.what = k.what AND a.by_whom = k.by_whom)
 ORDER BY k.audit_id;

-- bring_back_letters --
-- What was sent since the backup is not sent again.
INSERT INTO letter (connection_id, what, about, recipient, state, queued_at, not_before, held_until, tries, said,
                    ended_at)
SELECT n.now, k.what, k.about, k.recipient, k.state, k.queued_at, k.not_before, k.held_until, k.tries, k.said,
       k.ended_at
  FROM kept_letter AS k JOIN kept_number AS n ON n.was = k.connection_id
ON CONFLICT (connection_id, what, about, recipient) DO UPDATE
   SET state = excluded.state, not_before = excluded.not_before, held_until = excluded.held_until,
       tries = excluded.tries, said = excluded.said, ended_at = excluded.ended_at;

-- ask_for_approval_again --
UPDATE connection SET approved_at = NULL, approved_by_run = NULL;

-- connections_with_erasures --
SELECT DISTINCT connection_id FROM erased ORDER BY connection_id;

-- barred_leads --
-- Leads with an address or a record of somebody who was forgotten.
WITH named AS (
  SELECT lead_id, 'email:' || email_key AS name FROM lead
   WHERE connection_id = %(connection)s AND email_key IS NOT NULL
  UNION
  SELECT lead_id, 'email:' || email_key FROM link
   WHERE connection_id = %(connection)s AND email_key IS NOT NULL
  UNION
  SELECT lead_id, 'record:' || crm || ':' || record_id FROM link WHERE connection_id = %(connection)s
)
SELECT DISTINCT named.lead_id
  FROM named CROSS JOIN erasure_salt AS s JOIN erased AS e
    ON e.connection_id = s.connection_id AND e.digest = sha256(s.salt || convert_to(named.name, 'UTF8'))
 WHERE s.connection_id = %(connection)s
 ORDER BY named.lead_id;

-- records_of_leads --
SELECT crm, record_id FROM link WHERE connection_id = %(connection)s AND lead_id = ANY(%(leads)s);

-- addresses_of_leads --
SELECT email_key FROM lead
 WHERE connection_id = %(connection)s AND lead_id = ANY(%(leads)s) AND email_key IS NOT NULL
UNION
SELECT email_key FROM link
 WHERE connection_id = %(connection)s AND lead_id = ANY(%(leads)s) AND email_key IS NOT NULL;

-- drop_functions --
-- The job engine's functions stand on its tables, and ours on `pull_gap`; the triggers go with them.
DO $$
DECLARE
  one regprocedure;
BEGIN
  FOR one IN SELECT oid::regprocedure FROM pg_proc
              WHERE pronamespace = current_schema()::regnamespace
                AND (proname LIKE 'procrastinate\_%' OR proname = 'keep_whole_gap_open')
  LOOP
    EXECUTE format('DROP FUNCTION %s CASCADE', one);
  END LOOP;
END;
$$;

-- drop_engine_types --
DROP TYPE IF EXISTS procrastinate_job_to_defer_v1, procrastinate_job_status, procrastinate_job_event_type;
