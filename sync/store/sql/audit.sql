-- act_as --
SELECT set_config('leadpact.who', %(who)s, false);

-- note_deed --
INSERT INTO audit (connection_id, at, what, lead_id, details)
VALUES (%(connection)s, %(now)s, %(what)s, %(lead)s, %(details)s);

-- newest_deeds --
-- What people did, newest first: runs that somebody asked for, the first approval, and deeds without a run.
SELECT at, by_whom, what, details FROM (
  SELECT at, by_whom, what, details, audit_id AS number FROM audit
   WHERE connection_id = %(connection)s OR connection_id IS NULL
  UNION ALL
  SELECT started_at, by_whom, command, 'run ' || run_id || ': ' || state, run_id FROM run
   WHERE connection_id = %(connection)s AND (command = ANY(%(commands)s) OR command LIKE 'undo %%')
  UNION ALL
  SELECT decided_at, decided_by, 'resolved', 'held ' || held_id || ': ' || kind, decision_id FROM decision
   WHERE connection_id = %(connection)s
  UNION ALL
  SELECT c.approved_at, r.by_whom, 'approved', 'run ' || r.run_id, r.run_id
    FROM connection AS c JOIN run AS r ON r.run_id = c.approved_by_run
   WHERE c.connection_id = %(connection)s
) AS deed
 ORDER BY at DESC, number DESC
 LIMIT %(limit)s;
