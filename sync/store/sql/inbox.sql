-- put_hints --
-- Rows come in the order of their keys, so that two processes that know the same records never wait in a circle.
INSERT INTO inbox (connection_id, crm, object, record_id, sequence, events, erased, gone, urgent, happened_at,
                   received_at, due_at)
SELECT %(connection)s, told.crm, told.object, told.record_id, nextval('inbox_sequence'), told.events, told.erased,
       coalesce(told.gone, false), told.urgent, told.happened_at, %(now)s, %(now)s
  FROM json_to_recordset(%(hints)s::json)
       AS told (crm text, object text, record_id text, events integer, erased boolean, gone boolean, urgent boolean,
                happened_at timestamptz)
ON CONFLICT (connection_id, crm, object, record_id) DO UPDATE
   SET sequence = excluded.sequence,
       events = inbox.events + excluded.events,
       erased = inbox.erased OR excluded.erased,
       gone = inbox.gone OR excluded.gone,
       urgent = inbox.urgent OR excluded.urgent,
       happened_at = least(inbox.happened_at, excluded.happened_at),
       -- Something new may have happened to what was parked.
       tries = CASE WHEN inbox.due_at = 'infinity' THEN 0 ELSE inbox.tries END,
       due_at = CASE WHEN inbox.due_at = 'infinity' THEN excluded.due_at ELSE inbox.due_at END;

-- begin_drain --
SELECT nextval('inbox_drain')::integer;

-- hold_drain --
SELECT pg_advisory_lock(%(lock)s, %(drain)s);

-- let_go_of_drain --
SELECT pg_advisory_unlock(%(lock)s, %(drain)s);

-- take_hints --
-- What is urgent first, then the oldest; what has failed before comes alone and last, so that it holds up nobody else. A drain whose
-- lock can be had is dead, and its rows are anybody's.
WITH dead AS (
  SELECT taken_by FROM (SELECT DISTINCT taken_by FROM inbox
                         WHERE connection_id = %(connection)s AND taken_by IS NOT NULL) AS others
   WHERE pg_try_advisory_xact_lock(%(lock)s, taken_by)),
picked AS (
  SELECT inbox.crm, inbox.object, inbox.record_id FROM inbox
   WHERE connection_id = %(connection)s AND due_at <= %(now)s AND (%(crm)s::text IS NULL OR crm = %(crm)s)
     AND (taken_by IS NULL OR taken_by IN (SELECT taken_by FROM dead))
     AND (tries = 0) = %(fresh)s
   ORDER BY urgent DESC, received_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE inbox SET taken_by = %(drain)s FROM picked
 WHERE inbox.connection_id = %(connection)s AND inbox.crm = picked.crm AND inbox.object = picked.object
   AND inbox.record_id = picked.record_id
RETURNING inbox.crm, inbox.object, inbox.record_id, inbox.sequence, inbox.events, inbox.erased, inbox.gone,
          inbox.happened_at, inbox.tries;

-- lock_taken_hints --
-- In the order in which they are put.
SELECT count(*) FROM (SELECT 1 FROM inbox WHERE connection_id = %(connection)s AND taken_by = %(drain)s
                       ORDER BY crm, object, record_id FOR UPDATE) AS mine;

-- strike_hints --
DELETE FROM inbox USING unnest(%(crms)s::text[], %(objects)s::text[], %(records)s::text[], %(sequences)s::bigint[])
       AS done (crm, object, record_id, sequence)
 WHERE inbox.connection_id = %(connection)s AND inbox.crm = done.crm AND inbox.object = done.object
   AND inbox.record_id = done.record_id AND inbox.sequence = done.sequence;

-- put_off_hints --
UPDATE inbox SET taken_by = NULL, due_at = %(due)s, tries = tries + %(counted)s
  FROM unnest(%(crms)s::text[], %(objects)s::text[], %(records)s::text[]) AS later (crm, object, record_id)
 WHERE inbox.connection_id = %(connection)s AND inbox.crm = later.crm AND inbox.object = later.object
   AND inbox.record_id = later.record_id;

-- renew_hints --
-- Told of again while they were read: what happened before that has been looked at.
UPDATE inbox SET taken_by = NULL, received_at = %(read_at)s, happened_at = greatest(happened_at, %(read_at)s), tries = 0
 WHERE connection_id = %(connection)s AND taken_by = %(drain)s;

-- hints_due --
-- Looked up and not tried as in take_hints: a drain that begins meanwhile must not find a dead one's lock with us.
SELECT EXISTS (
  SELECT 1 FROM inbox
   WHERE connection_id = %(connection)s AND due_at <= %(now)s
     AND NOT EXISTS (SELECT FROM pg_locks AS held
                      WHERE held.locktype = 'advisory' AND held.objsubid = 2 AND held.granted
                        AND held.classid = %(lock)s::integer::oid AND held.objid = inbox.taken_by::oid
                        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())));

-- inbox_size --
SELECT crm, count(*) FILTER (WHERE due_at < 'infinity'), coalesce(sum(events) FILTER (WHERE due_at < 'infinity'), 0),
       min(received_at) FILTER (WHERE due_at < 'infinity'), count(*) FILTER (WHERE due_at = 'infinity')
  FROM inbox WHERE connection_id = %(connection)s GROUP BY crm ORDER BY crm;

-- pushed_since --
-- What runs for pushes did, as the guards count it.
WITH done AS (
  SELECT wrote.lead_id, wrote.crm, wrote.kind, wrote.field FROM run JOIN journal_field AS wrote USING (run_id)
   WHERE run.connection_id = %(connection)s AND run.command = 'webhook' AND run.started_at >= %(since)s
     AND wrote.state = 'written')
SELECT count(DISTINCT (lead_id, crm)) FILTER (WHERE kind = 'create'),
       count(DISTINCT (lead_id, crm)) FILTER (WHERE kind <> 'create'),
       count(*) FILTER (WHERE field = 'stage' AND kind <> 'create')
  FROM done;
