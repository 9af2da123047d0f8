-- report_leads --
-- The next leads in the order of their ids, with what reports look at.
SELECT lead_id, lead_values, highest_stage FROM lead
 WHERE connection_id = %(connection)s AND lead_id > %(after)s
 ORDER BY lead_id LIMIT %(limit)s;

-- report_history --
-- The verdicts that say something else than the one before them about stage, score, temperature or track. A lead
-- that another one became part of counts with it.
SELECT lead_id, decided_at, stage, CASE WHEN temperature <> '' THEN score END, nullif(temperature, ''),
       nurture_track, cycle
  FROM (SELECT whose.lead_id, v.verdict_id, v.decided_at, v.stage, v.score, v.temperature, v.nurture_track, v.cycle,
               row_number() OVER told AS place,
               lag((v.stage, v.temperature, v.nurture_track, v.cycle)) OVER told AS before,
               (v.stage, v.temperature, v.nurture_track, v.cycle) AS now
          FROM verdict AS v
          LEFT JOIN lead_alias AS a ON a.connection_id = v.connection_id AND a.old_lead_id = v.lead_id
         CROSS JOIN LATERAL (SELECT coalesce(a.lead_id, v.lead_id) AS lead_id) AS whose
         WHERE v.connection_id = %(connection)s
        WINDOW told AS (PARTITION BY whose.lead_id ORDER BY v.decided_at, v.verdict_id)) AS each
 WHERE place = 1 OR now IS DISTINCT FROM before
 ORDER BY lead_id, decided_at, verdict_id;

-- report_records --
-- What one CRM's records say, by lead, for the leads that both CRMs have.
SELECT link.lead_id, base.record_values
  FROM link
  JOIN base USING (connection_id, crm, object, record_id)
 WHERE link.connection_id = %(connection)s AND link.crm = %(crm)s
   AND link.lead_id > %(after)s AND link.lead_id <= %(last)s
   AND EXISTS (SELECT FROM link AS other
                WHERE other.connection_id = link.connection_id AND other.lead_id = link.lead_id
                  AND other.crm <> link.crm);

-- report_linked --
-- The records of leads in a range of ids.
SELECT lead_id, crm, record_id FROM link
 WHERE connection_id = %(connection)s AND lead_id > %(after)s AND lead_id <= %(last)s;

-- report_imports --
-- When a file first told of each lead, and the campaign that it was told with.
SELECT lead_id, min(imported_at), (array_agg(campaign_id ORDER BY imported_at, campaign_id))[1]
  FROM imported WHERE connection_id = %(connection)s GROUP BY lead_id;

-- report_owners --
SELECT DISTINCT ON (lead_id) lead_id, owner FROM handover
 WHERE connection_id = %(connection)s AND owner IS NOT NULL ORDER BY lead_id, cycle DESC;

-- freeze_period --
INSERT INTO frozen_period (connection_id, goal, digest, first_day, last_day, counted, reached, frozen_at)
VALUES (%(connection)s, %(goal)s, %(digest)s, %(first)s, %(last)s, %(counted)s, %(reached)s, %(frozen_at)s)
ON CONFLICT (connection_id, goal, digest) DO NOTHING;

-- frozen_periods --
SELECT goal, digest, first_day, last_day, counted, reached, frozen_at FROM frozen_period
 WHERE connection_id = %(connection)s ORDER BY goal, frozen_at;
