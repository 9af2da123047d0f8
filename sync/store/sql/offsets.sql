-- pull_logs --
SELECT name, crm, place, known_until, heard_at, events, problem
  FROM pull_log WHERE connection_id = %(connection)s AND (%(name)s::text IS NULL OR name = %(name)s) ORDER BY name;

-- keep_pull_log --
INSERT INTO pull_log (connection_id, name, crm, place, known_until, heard_at, events)
VALUES (%(connection)s, %(name)s, %(crm)s, %(place)s, %(known_until)s, %(heard_at)s, %(events)s)
ON CONFLICT (connection_id, name) DO UPDATE
   SET place = excluded.place, known_until = excluded.known_until, heard_at = excluded.heard_at,
       events = pull_log.events + excluded.events, problem = '';

-- note_pull_problem --
-- Of one that never answered yet, too: its place is {}.
INSERT INTO pull_log (connection_id, name, crm, place, known_until, heard_at, problem)
VALUES (%(connection)s, %(name)s, %(crm)s, '{}', %(now)s, %(now)s, %(problem)s)
ON CONFLICT (connection_id, name) DO UPDATE SET problem = excluded.problem;

-- open_pull_gap --
INSERT INTO pull_gap (connection_id, name, crm, why, begins_at, ends_at, records, whole, found_at, read_at)
VALUES (%(connection)s, %(name)s, %(crm)s, %(why)s, %(begins_at)s, %(ends_at)s, %(records)s, %(whole)s, %(now)s,
        CASE WHEN %(records)s::integer IS NOT NULL THEN %(now)s::timestamptz END);

-- pull_gaps --
-- Open ones first, then the newest.
SELECT gap_id, name, crm, why, begins_at, ends_at, records, found_at, read_at, by_run, whole
  FROM pull_gap
 WHERE connection_id = %(connection)s AND (read_at IS NULL OR NOT %(open)s)
 ORDER BY read_at IS NOT NULL, gap_id DESC LIMIT %(most)s;

-- close_pull_gaps --
-- One that concerns every record only where all of that CRM was read (a trigger sees to it for older programs).
UPDATE pull_gap SET read_at = %(now)s, by_run = %(run)s, read_whole = crm = ANY(%(read_whole)s::text[])
 WHERE connection_id = %(connection)s AND gap_id = ANY(%(gaps)s::bigint[]) AND read_at IS NULL
   AND (NOT whole OR crm = ANY(%(read_whole)s::text[]));
