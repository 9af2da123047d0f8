-- open_alerts --
SELECT alert_id, kind, about, found, opened_at, seen_at, cleared_at FROM alert
 WHERE connection_id = %(connection)s AND cleared_at IS NULL ORDER BY opened_at, alert_id;

-- alerts_by_number --
SELECT alert_id, kind, about, found, opened_at, seen_at, cleared_at FROM alert
 WHERE connection_id = %(connection)s AND alert_id = ANY(%(numbers)s::bigint[]) ORDER BY opened_at, alert_id;

-- open_alert --
-- A row for whoever sees it first; for everybody else it only lasts on. A job that is tried anew has another number and
-- maybe another cause: what is told to be done has to fit the one that is there now.
INSERT INTO alert (connection_id, kind, about, found, opened_at, seen_at)
VALUES (%(connection)s, %(kind)s, %(about)s, %(found)s, %(now)s, %(now)s)
ON CONFLICT (connection_id, kind, about) WHERE cleared_at IS NULL DO UPDATE
   SET seen_at = excluded.seen_at, found = CASE alert.kind WHEN 'job' THEN excluded.found ELSE alert.found END
RETURNING alert_id, (xmax = 0) AS new;

-- clear_alert --
UPDATE alert SET cleared_at = %(now)s
 WHERE connection_id = %(connection)s AND kind = %(kind)s AND about = %(about)s AND cleared_at IS NULL
RETURNING alert_id;

-- drop_old_alerts --
DELETE FROM alert WHERE connection_id = %(connection)s AND cleared_at < %(before)s;

-- keep_rates --
WITH old AS (DELETE FROM rates_compared WHERE connection_id = %(connection)s AND compared_at < %(before)s)
INSERT INTO rates_compared (connection_id, compared_at, outcome, leads, outcomes, moved)
VALUES (%(connection)s, %(at)s, %(outcome)s, %(leads)s, %(outcomes)s, %(moved)s)
ON CONFLICT (connection_id, compared_at) DO UPDATE
   SET outcome = excluded.outcome, leads = excluded.leads, outcomes = excluded.outcomes, moved = excluded.moved;

-- last_rates --
SELECT compared_at, outcome, leads, outcomes, moved FROM rates_compared
 WHERE connection_id = %(connection)s ORDER BY compared_at DESC LIMIT 1;

-- seen_lengths --
SELECT crm, object, field, length FROM seen_length WHERE connection_id = %(connection)s;

-- keep_lengths --
INSERT INTO seen_length (connection_id, crm, object, field, length)
SELECT %(connection)s, seen.crm, seen.object, seen.field, seen.length
  FROM unnest(%(crms)s::text[], %(objects)s::text[], %(fields)s::text[], %(lengths)s::integer[])
       AS seen (crm, object, field, length)
 ORDER BY seen.crm, seen.object, seen.field
ON CONFLICT (connection_id, crm, object, field) DO UPDATE
   SET length = greatest(seen_length.length, excluded.length);
