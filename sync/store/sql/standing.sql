-- keep_agreement --
INSERT INTO agreement (connection_id, compared_at, linked, same, agreed, explained, unexplained)
VALUES (%(connection)s, %(now)s, %(linked)s, %(same)s, %(agreed)s, %(explained)s, %(unexplained)s);

-- newest_agreements --
SELECT compared_at, linked, same, agreed, explained, unexplained FROM agreement
 WHERE connection_id = %(connection)s ORDER BY agreement_id DESC LIMIT %(limit)s;

-- read_to --
SELECT cursor.crm, cursor.object, cursor.moved_at, cursor.run_id, run.started_at
  FROM cursor LEFT JOIN run USING (run_id) WHERE cursor.connection_id = %(connection)s
 ORDER BY cursor.crm, cursor.object;

-- backlog --
SELECT (SELECT count(*) FROM held WHERE connection_id = %(connection)s AND settled_at IS NULL),
       (SELECT min(since) FROM held WHERE connection_id = %(connection)s AND settled_at IS NULL),
       (SELECT count(*) FROM refused WHERE connection_id = %(connection)s),
       (SELECT min(first_at) FROM refused WHERE connection_id = %(connection)s),
       open.writes, open.oldest, (SELECT count(*) FROM claim WHERE connection_id = %(connection)s)
  FROM (SELECT count(*) AS writes, min(found.noted_at) AS oldest
          FROM journal_part AS part CROSS JOIN LATERAL (
               SELECT noted_at FROM journal
                WHERE journal.run_id = part.run_id AND journal.part_id = part.part_id AND journal.state IS NULL
               OFFSET 0) AS found
         WHERE part.connection_id = %(connection)s AND part.done_at IS NULL) AS open;

-- linked_records --
SELECT count(*) FROM link WHERE connection_id = %(connection)s AND crm = %(crm)s AND object = %(object)s;

-- last_verdicts --
-- When each lead was last judged.
SELECT lead.lead_id, lead.decided_at
  FROM asked CROSS JOIN LATERAL (
       SELECT lead_id, decided_at FROM lead
        WHERE lead.connection_id = %(connection)s AND lead.lead_id = asked.lead_id OFFSET 0) AS lead;

-- undone_since --
SELECT lead_id, min(undone_at) FROM undone WHERE connection_id = %(connection)s GROUP BY lead_id;

-- judged_otherwise --
SELECT count(*) FROM lead WHERE connection_id = %(connection)s AND policy_version <> %(version)s;

-- temperatures --
SELECT temperature, count(*) FROM lead WHERE connection_id = %(connection)s AND temperature <> ''
 GROUP BY temperature ORDER BY temperature;

-- budgets --
-- What each CRM said last of its day. Of several apps the one that was heard last.
SELECT DISTINCT ON (name) name, used, day_limit, heard
  FROM (SELECT substr(budget, strpos(budget, ':') + 1) AS name, used, day_limit, heard FROM call_day) AS told
 ORDER BY name, heard DESC;

-- held_windows --
SELECT substr(budget, strpos(budget, ':') + 1),
       extract(epoch FROM max(held_until) - clock_timestamp())::float8
  FROM call_window WHERE held_until > clock_timestamp() AND held_until < 'infinity' GROUP BY 1 ORDER BY 1;

-- last_policy --
SELECT policy_version FROM run
 WHERE connection_id = %(connection)s AND state = 'done' AND policy_version IS NOT NULL
   AND command IN ('sync', 'apply', 'rescore')
 ORDER BY run_id DESC LIMIT 1;
