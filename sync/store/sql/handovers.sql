-- newest_handovers --
-- The newest cycle of each lead that has one.
SELECT h.lead_id, h.cycle, h.state, h.mql_at, h.handed_over_at, h.owner, h.due_at, h.owner_due_at, h.escalate_at,
       h.first_touch_at, h.touched_by, h.answered_at, h.reason, h.closed_at, h.reassigned, h.score, h.fit,
       h.engagement, h.temperature, h.policy_version, h.hot_since, h.last_sign_at, h.contacted_then,
       h.activity_then, h.contacts_then, h.stage_then, h.lost_on, h.lost_reason, h.lost_then,
       h.lost_then_known, h.handed_by, h.drawn_share, h.drawn_seed
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM handover
        WHERE handover.connection_id = %(connection)s AND handover.lead_id = asked.lead_id
        ORDER BY cycle DESC LIMIT 1) AS h;

-- any_handover --
SELECT EXISTS (SELECT 1 FROM handover WHERE connection_id = %(connection)s);

-- handovers_between --
-- Everything that was handed over, or became ripe for it, in a time; with what the lead is called.
SELECT h.lead_id, h.cycle, h.state, h.mql_at, h.handed_over_at, h.owner, h.due_at, h.owner_due_at, h.escalate_at,
       h.first_touch_at, h.touched_by, h.answered_at, h.reason, h.closed_at, h.reassigned, h.score, h.fit,
       h.engagement, h.temperature, h.policy_version, h.hot_since, h.last_sign_at, h.contacted_then,
       h.activity_then, h.contacts_then, h.stage_then, h.lost_on, h.lost_reason, h.lost_then,
       h.lost_then_known, h.handed_by, h.drawn_share, h.drawn_seed
  FROM handover AS h
 WHERE h.connection_id = %(connection)s
   AND coalesce(h.handed_over_at, h.mql_at) >= coalesce(%(since)s, '-infinity'::timestamptz)
   AND coalesce(h.handed_over_at, h.mql_at) < coalesce(%(until)s, 'infinity'::timestamptz)
 ORDER BY coalesce(h.handed_over_at, h.mql_at), h.lead_id, h.cycle;

-- handovers_of_lead --
SELECT lead_id, cycle, state, mql_at, handed_over_at, owner, due_at, owner_due_at, escalate_at, escalated_at,
       first_touch_at, touched_by, answered_at, reason, closed_at, reassigned, score, fit, engagement, temperature,
       policy_version, hot_since, last_sign_at, lost_on, lost_reason, handed_by, drawn_share,
       drawn_seed, run_id
  FROM handover WHERE connection_id = %(connection)s AND lead_id = %(lead)s ORDER BY cycle DESC;

-- handover_events_of_lead --
SELECT cycle, at, noted_at, what, who, why, run_id
  FROM handover_event WHERE connection_id = %(connection)s AND lead_id = %(lead)s ORDER BY event_id;

-- names_of_leads --
-- What people call the leads: their addresses.
SELECT lead.lead_id, lead.email_key
  FROM asked CROSS JOIN LATERAL (
       SELECT lead_id, email_key FROM lead
        WHERE lead.connection_id = %(connection)s AND lead.lead_id = asked.lead_id OFFSET 0) AS lead;

-- handovers_run_out --
-- Open handovers whose time is up and of which nothing more is noted yet.
SELECT lead_id FROM handover
 WHERE connection_id = %(connection)s AND closed_at IS NULL AND first_touch_at IS NULL
   AND state IN ('open', 'reassigned') AND owner_due_at < %(now)s
 ORDER BY owner_due_at LIMIT %(limit)s;

-- handovers_explored --
-- Who was drawn since then; a row of an exploration begins with its draw.
SELECT lead_id FROM handover
 WHERE connection_id = %(connection)s AND handed_by = 'exploration' AND mql_at > %(since)s;

-- handovers_to_escalate --
-- One whose time is over is told late rather than never: nothing may have run before it was. After a day it is history.
SELECT lead_id, cycle, state, owner, owner_due_at, escalate_at FROM handover
 WHERE connection_id = %(connection)s AND closed_at IS NULL AND first_touch_at IS NULL
   AND state IN ('open', 'reassigned', 'overdue') AND escalate_at <= %(now)s AND escalated_at IS NULL
   AND owner_due_at > %(now)s - interval '1 day'
 ORDER BY escalate_at, lead_id;

-- mark_escalated --
UPDATE handover SET escalated_at = %(now)s
 WHERE connection_id = %(connection)s AND lead_id = %(lead)s AND cycle = %(cycle)s AND escalated_at IS NULL;

-- add_handover_event --
INSERT INTO handover_event (connection_id, lead_id, cycle, at, noted_at, what, who, why, run_id)
VALUES (%(connection)s, %(lead)s, %(cycle)s, %(now)s, %(now)s, %(what)s, %(who)s, %(why)s, %(run)s);

-- stretches --
-- Since when each lead has been as warm as this, and an MQL, without a break: from its verdicts.
SELECT asked.lead_id,
       (SELECT min(v.decided_at) FROM verdict AS v
         WHERE v.connection_id = %(connection)s AND v.lead_id = asked.lead_id AND v.temperature = %(hot)s
           AND v.decided_at > coalesce((SELECT max(c.decided_at) FROM verdict AS c
                                         WHERE c.connection_id = v.connection_id AND c.lead_id = v.lead_id
                                           AND c.temperature <> %(hot)s), '-infinity'::timestamptz)),
       (SELECT min(v.decided_at) FROM verdict AS v
         WHERE v.connection_id = %(connection)s AND v.lead_id = asked.lead_id AND v.stage = 'mql'
           AND v.decided_at > coalesce((SELECT max(c.decided_at) FROM verdict AS c
                                         WHERE c.connection_id = v.connection_id AND c.lead_id = v.lead_id
                                           AND c.stage <> 'mql'), '-infinity'::timestamptz))
  FROM asked;

-- remember_handovers --
-- A row whose owner has another time than before is to be escalated anew.
INSERT INTO handover (connection_id, lead_id, cycle, state, mql_at, handed_over_at, owner, due_at, owner_due_at,
                      escalate_at, first_touch_at, touched_by, answered_at, reason, closed_at, reassigned, score, fit,
                      engagement, temperature, policy_version, hot_since, last_sign_at, contacted_then,
                      activity_then, contacts_then, stage_then, lost_on, lost_reason, lost_then, lost_then_known,
                      handed_by, drawn_share, drawn_seed, run_id)
SELECT %(connection)s, lead_id, cycle, state, mql_at, handed_over_at, owner, due_at, owner_due_at,
       escalate_at, first_touch_at, touched_by, answered_at, reason, closed_at, reassigned, score, fit,
       engagement, temperature, policy_version, hot_since, last_sign_at, contacted_then,
       activity_then, contacts_then, stage_then, lost_on, lost_reason, lost_then, lost_then_known, handed_by,
       drawn_share, drawn_seed, %(run)s
  FROM new_handovers
ON CONFLICT (connection_id, lead_id, cycle) DO UPDATE
   SET state = excluded.state, handed_over_at = excluded.handed_over_at, owner = excluded.owner,
       due_at = excluded.due_at, owner_due_at = excluded.owner_due_at, escalate_at = excluded.escalate_at,
       escalated_at = CASE WHEN handover.escalate_at IS NOT DISTINCT FROM excluded.escalate_at
                           THEN handover.escalated_at END,
       first_touch_at = excluded.first_touch_at, touched_by = excluded.touched_by,
       answered_at = excluded.answered_at, reason = excluded.reason, closed_at = excluded.closed_at,
       reassigned = excluded.reassigned, score = excluded.score, fit = excluded.fit,
       engagement = excluded.engagement, temperature = excluded.temperature,
       policy_version = excluded.policy_version, hot_since = excluded.hot_since,
       last_sign_at = excluded.last_sign_at, contacted_then = excluded.contacted_then,
       activity_then = excluded.activity_then, contacts_then = excluded.contacts_then,
       stage_then = excluded.stage_then, lost_on = excluded.lost_on, lost_reason = excluded.lost_reason,
       lost_then = excluded.lost_then, lost_then_known = excluded.lost_then_known, run_id = excluded.run_id;

-- remember_handover_events --
INSERT INTO handover_event (connection_id, lead_id, cycle, at, noted_at, what, who, why, run_id)
SELECT %(connection)s, lead_id, cycle, at, %(now)s, what, who, why, %(run)s FROM new_handover_events;

-- alias_handover --
-- Two leads became one: the cycles of the one that goes are told with the other's, and no two of them are open.
UPDATE handover AS h
   SET lead_id = %(lead)s,
       state = CASE WHEN h.closed_at IS NULL AND o.there THEN 'withdrawn' ELSE h.state END,
       reason = CASE WHEN h.closed_at IS NULL AND o.there THEN %(why)s ELSE h.reason END,
       closed_at = CASE WHEN h.closed_at IS NULL AND o.there THEN %(now)s ELSE h.closed_at END
  FROM (SELECT EXISTS (SELECT FROM handover
                        WHERE connection_id = %(connection)s AND lead_id = %(lead)s) AS there) AS o
 WHERE h.connection_id = %(connection)s AND h.lead_id = %(old)s
   AND NOT EXISTS (SELECT FROM handover AS t
                    WHERE t.connection_id = h.connection_id AND t.lead_id = %(lead)s AND t.cycle = h.cycle);

-- alias_handover_left --
DELETE FROM handover WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_handover_event --
UPDATE handover_event SET lead_id = %(lead)s WHERE connection_id = %(connection)s AND lead_id = %(old)s;
