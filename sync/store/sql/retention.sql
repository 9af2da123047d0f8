-- Each deletes what is older than a time about the leads that stand in one stage. A lead that another one became
-- part of counts with it.

-- expire_journal --
DELETE FROM journal AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.noted_at < %(before)s
   AND (t.state IS NOT NULL
        OR EXISTS (SELECT FROM journal_part AS p WHERE p.part_id = t.part_id AND p.done_at IS NOT NULL))
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s
   AND l.lead_id = coalesce((SELECT a.lead_id FROM lead_alias AS a
                              WHERE a.connection_id = t.connection_id AND a.old_lead_id = t.lead_id), t.lead_id);

-- expire_verdict --
-- The newest verdict of a lead is the one in force: it stays.
DELETE FROM verdict AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.decided_at < %(before)s
   AND EXISTS (SELECT FROM verdict AS n WHERE n.connection_id = t.connection_id AND n.lead_id = t.lead_id
                AND (n.decided_at, n.verdict_id) > (t.decided_at, t.verdict_id))
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s
   AND l.lead_id = coalesce((SELECT a.lead_id FROM lead_alias AS a
                              WHERE a.connection_id = t.connection_id AND a.old_lead_id = t.lead_id), t.lead_id);

-- note_verdicts_from --
UPDATE connection SET verdicts_from = greatest(verdicts_from, %(before)s)
 WHERE connection_id = %(connection)s;

-- verdicts_from --
SELECT verdicts_from FROM connection WHERE connection_id = %(connection)s;

-- expire_conflict --
DELETE FROM conflict AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.decided_at < %(before)s
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s
   AND l.lead_id = coalesce((SELECT a.lead_id FROM lead_alias AS a
                              WHERE a.connection_id = t.connection_id AND a.old_lead_id = t.lead_id), t.lead_id);

-- expire_handover --
-- The newest cycle of a lead is where it stands: it stays, and so does what is not closed.
DELETE FROM handover AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.closed_at < %(before)s
   AND EXISTS (SELECT FROM handover AS n WHERE n.connection_id = t.connection_id AND n.lead_id = t.lead_id
                AND n.cycle > t.cycle)
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s AND l.lead_id = t.lead_id;

-- expire_handover_event --
DELETE FROM handover_event AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.noted_at < %(before)s
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s AND l.lead_id = t.lead_id;

-- expire_held --
-- What still waits for a person is never taken away from them.
DELETE FROM held AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.settled_at < %(before)s
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s
   AND l.lead_id = coalesce((SELECT a.lead_id FROM lead_alias AS a
                              WHERE a.connection_id = t.connection_id AND a.old_lead_id = t.lead_id), t.lead_id);

-- expire_decision --
DELETE FROM decision AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.decided_at < %(before)s
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s
   AND l.lead_id = coalesce((SELECT a.lead_id FROM lead_alias AS a
                              WHERE a.connection_id = t.connection_id AND a.old_lead_id = t.lead_id), t.lead_id);
