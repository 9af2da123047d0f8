-- open_backfill --
SELECT backfill_id, field_map, started_at FROM backfill
 WHERE connection_id = %(connection)s AND asked = %(asked)s AND state = 'open';

-- open_backfills --
SELECT backfill.backfill_id, backfill.asked, backfill.started_at, count(*) AS slices,
       count(slice.done_at) AS done, sum(slice.records)::bigint AS records,
       coalesce(sum(slice.records) FILTER (WHERE slice.done_at IS NOT NULL), 0)::bigint AS records_done
  FROM backfill JOIN backfill_slice AS slice USING (backfill_id)
 WHERE backfill.connection_id = %(connection)s AND backfill.state = 'open'
 GROUP BY backfill.backfill_id ORDER BY backfill.backfill_id;

-- start_backfill --
INSERT INTO backfill (connection_id, asked, field_map, started_at)
VALUES (%(connection)s, %(asked)s, %(field_map)s, %(now)s)
RETURNING backfill_id;

-- end_backfill --
UPDATE backfill SET state = %(state)s, ended_at = %(now)s WHERE backfill_id = %(backfill)s;

-- cut_slices --
INSERT INTO backfill_slice (backfill_id, connection_id, number, crm, from_at, to_at, records, calls)
SELECT %(backfill)s, %(connection)s, number, crm, from_at, to_at, records, calls FROM new_slices;

-- slices_of_backfill --
SELECT number, crm, from_at, to_at, records, calls, run_id, done_at FROM backfill_slice
 WHERE backfill_id = %(backfill)s ORDER BY number;

-- worked_by_backfill --
SELECT slice.crm, sum(slice.records)::bigint, sum(run.targets)::bigint,
       coalesce(sum(extract(epoch FROM run.ended_at - run.started_at)), 0)::float8,
       sum(run.calls_hubspot)::bigint, sum(run.calls_salesforce)::bigint
  FROM backfill_slice AS slice JOIN run USING (run_id)
 WHERE slice.backfill_id = %(backfill)s AND slice.done_at IS NOT NULL
 GROUP BY slice.crm;

-- created_by_backfill --
SELECT count(DISTINCT (lead_id, crm))
  FROM journal
 WHERE 'create' = ANY (kind) AND run_id IN (
       SELECT run_id FROM backfill_slice JOIN run USING (run_id)
        WHERE backfill_id = %(backfill)s AND run.written > 0);

-- slice_is_done --
UPDATE backfill_slice SET run_id = %(run)s, done_at = %(now)s
 WHERE backfill_id = %(backfill)s AND number = %(number)s;

-- read_maps --
SELECT crm, object, fields FROM read_map WHERE connection_id = %(connection)s;

-- note_read_map --
INSERT INTO read_map (connection_id, crm, object, fields, noted_at)
VALUES (%(connection)s, %(crm)s, %(object)s, %(fields)s, %(now)s)
ON CONFLICT (connection_id, crm, object) DO UPDATE SET fields = excluded.fields, noted_at = excluded.noted_at;

-- read_by_backfill --
-- Records that a finished slice has brought into agreement already, as themselves or as somebody's counterpart.
SELECT base.record_id
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM base
        WHERE base.connection_id = %(connection)s AND base.crm = asked.crm AND base.object = asked.object
          AND base.record_id = asked.record_id
       OFFSET 0) AS base
 WHERE base.run_id IN (SELECT run_id FROM backfill_slice WHERE backfill_id = %(backfill)s);

-- written_by_backfill --
-- As the guards count it. What a create writes is a row of its own.
SELECT count(DISTINCT (lead_id, crm)) FILTER (WHERE 'create' = ANY (kind)),
       count(DISTINCT (lead_id, crm)) FILTER (WHERE 'create' <> ALL (kind)),
       count(*) FILTER (WHERE 'create' <> ALL (kind) AND 'stage' = ANY (fields)),
       count(DISTINCT lead_id)
  FROM journal WHERE run_id IN (SELECT run_id FROM backfill_slice WHERE backfill_id = %(backfill)s);
