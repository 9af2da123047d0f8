-- past_of_leads --
-- What was known of each lead so many days after its first verdict, and what became of it. A verdict is stored
-- whenever values or verdict change, so the newest one at a moment holds what was known then. A lead that was not
-- to be scored then is left out. So is everybody whose early verdicts may be gone: deletion periods differ by stage, so
-- those whom they left would be those of other stages. A first verdict follows none, and nothing was deleted since
-- verdicts_from. The last column: a CRM had known the lead for longer than that, or it came with the first readings,
-- whose records may be copies of older ones.
SELECT past.lead_id, past.first_at + make_interval(days => %(after)s) AS at, past.reached_at, past.handed_at,
       past.worked, known.inputs::json ->> 'lead',
       past.first_at < connection.first_seen + make_interval(days => %(after)s)
       OR coalesce((first.inputs ->> 'created_at')::timestamptz < past.first_at - make_interval(days => %(after)s),
                   false)
  FROM asked JOIN connection ON connection.connection_id = %(connection)s
 CROSS JOIN LATERAL (
       SELECT asked.lead_id, min(decided_at) AS first_at,
              min(decided_at) FILTER (WHERE stage = ANY(%(reached)s::text[])) AS reached_at,
              min(decided_at) FILTER (WHERE stage = 'mql') AS handed_at,
              coalesce(bool_or(stage = ANY(%(worked)s::text[]) OR stage_why = ANY(%(decided)s::text[])),
                       false) AS worked
         FROM verdict
        WHERE verdict.connection_id = %(connection)s AND verdict.lead_id = asked.lead_id OFFSET 0) AS past
 CROSS JOIN LATERAL (
       SELECT verdict.inputs::json AS inputs
         FROM verdict
        WHERE verdict.connection_id = %(connection)s AND verdict.lead_id = asked.lead_id
        ORDER BY verdict.decided_at, verdict.verdict_id LIMIT 1) AS first
 CROSS JOIN LATERAL (
       SELECT verdict.inputs, verdict.temperature
         FROM verdict
        WHERE verdict.connection_id = %(connection)s AND verdict.lead_id = asked.lead_id
          AND verdict.decided_at <= past.first_at + make_interval(days => %(after)s)
        ORDER BY verdict.decided_at DESC, verdict.verdict_id DESC LIMIT 1) AS known
 WHERE known.temperature <> '' AND first.inputs ->> 'prev_stage' IS NULL
   AND past.first_at >= coalesce(connection.verdicts_from, past.first_at);
