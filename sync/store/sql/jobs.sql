-- let_drains_wait --
-- Held until the transaction ends. Whoever empties the inbox waits for it (await_senders): a sender that saw a job
-- queued and added none has then brought its row in, or the job had not begun yet.
SELECT pg_advisory_xact_lock_shared(%(lock)s, %(connection)s);

-- await_senders --
SELECT pg_advisory_xact_lock(%(lock)s, %(connection)s);

-- enqueue_job --
-- Nothing where a job of the same fold waits already. Two that ask in the same moment are told apart by the unique
-- index, so this runs in a savepoint.
SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
         ROW(%(queue)s, %(task)s, %(priority)s, NULL, %(fold)s, %(args)s::jsonb, %(at)s::timestamptz)
       ]::procrastinate_job_to_defer_v1[]))
 WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = %(fold)s AND status = 'todo');

-- correlate_waiting_job --
-- The job that waits already is also the answer to this. Who fetches it just now is not waited for.
UPDATE procrastinate_jobs
   SET args = jsonb_set(args, '{correlation}', to_jsonb(concat_ws(',', args->>'correlation', %(began)s::text)))
 WHERE id = (SELECT id FROM procrastinate_jobs
              WHERE queueing_lock = %(fold)s AND status = 'todo'
                AND coalesce(length(args->>'correlation'), 0) < %(most)s
                FOR UPDATE SKIP LOCKED);

-- jobs_listed --
SELECT job.id, split_part(job.queue_name, ':', 1) AS lane, job.args->>'what' AS what, job.status::text AS status,
       coalesce(job.queueing_lock, '') AS fold, job.attempts, job.scheduled_at, event.queued_at, event.begun_at,
       event.parked_at, now() AS asked_at,
       coalesce(failure.failures, 0) AS failures, coalesce(failure.deaths, 0) AS deaths,
       coalesce(failure.kind, '') AS kind, coalesce(failure.place, '') AS place,
       coalesce(failure.said, '') AS said, coalesce(failure.fix, '') AS fix
  FROM procrastinate_jobs AS job
  LEFT JOIN job_failure AS failure ON failure.job_id = job.id
  LEFT JOIN LATERAL (
       SELECT min(at) FILTER (WHERE type = 'deferred') AS queued_at,
              max(at) FILTER (WHERE type = 'started') AS begun_at,
              max(at) FILTER (WHERE type = 'failed') AS parked_at
         FROM procrastinate_events WHERE job_id = job.id) AS event ON true
 WHERE split_part(job.queue_name, ':', 2) = %(connection)s::text AND job.status IN ('todo', 'doing', 'failed')
 ORDER BY job.status = 'failed' DESC, job.status = 'doing' DESC, job.priority DESC, job.id
 LIMIT %(most)s;

-- jobs_counted --
SELECT split_part(job.queue_name, ':', 1) AS lane, job.status::text AS status, count(*) AS jobs,
       extract(epoch FROM now() - min(event.at))::float AS oldest_seconds
  FROM procrastinate_jobs AS job
  JOIN procrastinate_events AS event ON event.job_id = job.id AND event.type = 'deferred'
 WHERE split_part(job.queue_name, ':', 2) = %(connection)s::text AND job.status IN ('todo', 'doing', 'failed')
 GROUP BY 1, 2;

-- retry_parked_job --
WITH back AS (
  UPDATE procrastinate_jobs AS job
     SET status = 'todo', attempts = 0, scheduled_at = NULL, worker_id = NULL
   WHERE job.id = %(job)s AND job.status = 'failed' AND split_part(job.queue_name, ':', 2) = %(connection)s::text
     AND NOT EXISTS (SELECT FROM procrastinate_jobs AS other
                      WHERE other.queueing_lock = job.queueing_lock AND other.status = 'todo')
  RETURNING job.id, job.queue_name),
forgiven AS (DELETE FROM job_failure USING back WHERE job_failure.job_id = back.id)
-- The engine itself only calls its workers for new jobs.
SELECT id, pg_notify('procrastinate_queue_v1#' || queue_name,
                     json_build_object('type', 'job_inserted', 'job_id', id)::text)
  FROM back;

-- drop_job --
DELETE FROM procrastinate_jobs
 WHERE id = %(job)s AND status IN ('todo', 'failed') AND split_part(queue_name, ':', 2) = %(connection)s::text
RETURNING id;

-- drop_others_parked --
-- Parked jobs of the same fold: a newer one ended, or tells of the same trouble.
DELETE FROM procrastinate_jobs
 WHERE status = 'failed' AND queueing_lock = %(fold)s AND id <> %(job)s;

-- drop_idle_drains --
-- Parked drains, while nothing is left to drain: whoever took it on had it done.
DELETE FROM procrastinate_jobs
 WHERE status = 'failed' AND args->>'what' = 'drain' AND split_part(queue_name, ':', 2) = %(connection)s::text;

-- note_job_failure --
INSERT INTO job_failure (job_id, connection_id, failures, deaths, first_at, last_at, kind, place, said, fix)
VALUES (%(job)s, %(connection)s, %(counts)s::integer, 0, now(), now(), %(kind)s, %(place)s, %(said)s, %(fix)s)
ON CONFLICT (job_id) DO UPDATE
   SET failures = job_failure.failures + %(counts)s::integer, last_at = now(), kind = excluded.kind,
       place = excluded.place, said = excluded.said, fix = excluded.fix
RETURNING failures, extract(epoch FROM last_at - first_at)::float;

-- take_over_jobs --
-- Jobs whose worker is gone, or has given no sign of life for too long. Of several of one fold one comes back, and
-- none where another waits already. One that has cost too many workers their life is parked. Where the server itself was
-- started anew meanwhile, it was most likely none of the job's doing: that takes three times as many.
WITH dead AS (
  SELECT job.id, job.queueing_lock, coalesce(failure.deaths, 0) AS deaths_before,
         coalesce(failure.restarts, 0) AS restarts_before,
         (coalesce(begun.at < pg_postmaster_start_time(), false))::integer AS restarted
    FROM procrastinate_jobs AS job
    LEFT JOIN LATERAL (SELECT max(at) AS at FROM procrastinate_events
                        WHERE job_id = job.id AND type = 'started') AS begun ON true
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    LEFT JOIN job_failure AS failure ON failure.job_id = job.id
   WHERE job.status = 'doing' AND split_part(job.queue_name, ':', 2) = %(connection)s::text
     AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => %(seconds)s))
     FOR UPDATE OF job SKIP LOCKED),
ordered AS (
  SELECT dead.*, deaths_before + 1 - restarted AS deaths, restarts_before + restarted AS restarts,
                 row_number() OVER (PARTITION BY coalesce(queueing_lock, id::text) ORDER BY id) > 1
                 OR EXISTS (SELECT FROM procrastinate_jobs AS other
                             WHERE other.queueing_lock = dead.queueing_lock AND other.status = 'todo') AS twice
    FROM dead),
gone AS (DELETE FROM procrastinate_jobs USING ordered WHERE procrastinate_jobs.id = ordered.id AND twice),
noted AS (
  INSERT INTO job_failure (job_id, connection_id, failures, deaths, restarts, first_at, last_at, kind, place, said, fix)
  SELECT id, %(connection)s, 0, deaths, restarts, now(), now(),
         CASE restarted WHEN 1 THEN 'DatabaseRestarted' ELSE 'WorkerDied' END, '',
         CASE restarted WHEN 1 THEN 'the database server was started anew while this job ran'
                        ELSE 'the worker of this job died' END, ''
    FROM ordered WHERE NOT twice
  ON CONFLICT (job_id) DO UPDATE
     SET deaths = excluded.deaths, restarts = excluded.restarts, last_at = now(), kind = excluded.kind, place = '',
         said = excluded.said, fix = ''),
back AS (
  UPDATE procrastinate_jobs AS job
     SET status = CASE WHEN ordered.deaths >= %(most)s OR ordered.deaths + ordered.restarts >= 3 * %(most)s
                       THEN 'failed' ELSE 'todo' END::procrastinate_job_status,
         attempts = attempts + 1, scheduled_at = NULL, worker_id = NULL
    FROM ordered
   WHERE job.id = ordered.id AND NOT ordered.twice
  RETURNING job.id, job.queue_name, job.status = 'failed' AS parked)
SELECT back.id, parked, pg_notify('procrastinate_queue_v1#' || queue_name,
                                  json_build_object('type', 'job_inserted', 'job_id', id)::text)
  FROM back;

-- see_to_schedule --
-- One row, for whoever is first to see that a schedule was due. One that was never seen before begins with the
-- next time.
INSERT INTO schedule (connection_id, name, due_at) VALUES (%(connection)s, %(name)s, %(due)s)
ON CONFLICT (connection_id, name) DO UPDATE SET due_at = excluded.due_at
 WHERE schedule.due_at < excluded.due_at
RETURNING (xmax = 0) AS new;

-- seen_schedules --
SELECT name, due_at FROM schedule WHERE connection_id = %(connection)s;

-- jobs_of_records --
-- Takes records of a CRM out of what jobs are to look at; a job that looks at nothing else goes.
WITH named AS (
  SELECT id, (SELECT coalesce(jsonb_agg(one), '[]'::jsonb) FROM jsonb_array_elements_text(args->'records') AS one
               WHERE one <> ALL (%(records)s::text[])) AS kept
    FROM procrastinate_jobs
   WHERE split_part(queue_name, ':', 2) = %(connection)s::text AND args->>'crm' = %(crm)s
     AND jsonb_typeof(args->'records') = 'array' AND args->'records' ?| %(records)s::text[]
     FOR UPDATE),
gone AS (DELETE FROM procrastinate_jobs USING named WHERE procrastinate_jobs.id = named.id AND kept = '[]'::jsonb),
less AS (UPDATE procrastinate_jobs SET args = jsonb_set(args, '{records}', kept)
           FROM named WHERE procrastinate_jobs.id = named.id AND kept <> '[]'::jsonb)
SELECT count(*) FROM named;

-- be_the_one --
SELECT pg_try_advisory_lock(%(lock)s, hashtext(%(name)s));
