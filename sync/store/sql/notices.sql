-- queue_notices --
-- Whoever has an untouched handover is told once; a new owner anew.
INSERT INTO notice (connection_id, lead_id, cycle, kind, recipient, due_at, made_at, task_done_at, mail_done_at)
SELECT h.connection_id, h.lead_id, h.cycle, 'handover', h.owner, h.owner_due_at, %(now)s,
       CASE WHEN %(tasks)s THEN NULL ELSE %(now)s::timestamptz END,
       CASE WHEN %(mails)s THEN NULL ELSE %(now)s::timestamptz END
  FROM asked JOIN handover AS h ON h.connection_id = %(connection)s AND h.lead_id = asked.lead_id
 WHERE h.closed_at IS NULL AND h.first_touch_at IS NULL AND h.owner IS NOT NULL
   AND h.state IN ('open', 'overdue', 'reassigned')
ON CONFLICT (connection_id, lead_id, cycle, kind) DO UPDATE
   SET recipient = excluded.recipient, due_at = excluded.due_at, made_at = excluded.made_at,
       task_done_at = excluded.task_done_at, mail_done_at = excluded.mail_done_at, problem = NULL
 WHERE notice.recipient <> excluded.recipient;

-- add_escalation --
INSERT INTO notice (connection_id, lead_id, cycle, kind, recipient, due_at, made_at, task_done_at, mail_done_at)
VALUES (%(connection)s, %(lead)s, %(cycle)s, 'escalation', %(recipient)s, %(due)s, %(now)s,
        CASE WHEN %(task)s THEN NULL ELSE %(now)s::timestamptz END,
        CASE WHEN %(mail)s THEN NULL ELSE %(now)s::timestamptz END)
ON CONFLICT (connection_id, lead_id, cycle, kind) DO UPDATE
   SET recipient = excluded.recipient, due_at = excluded.due_at, made_at = excluded.made_at,
       task_done_at = excluded.task_done_at, mail_done_at = excluded.mail_done_at, problem = NULL;

-- take_task_notices --
-- Those whose task is still to be made, ours alone until the transaction ends.
SELECT n.number, n.made_at, n.lead_id, n.cycle, n.kind, n.recipient, n.due_at, n.task_id, n.task_owner, h.temperature,
       h.score, h.owner, h.closed_at IS NOT NULL OR h.first_touch_at IS NOT NULL AS over,
       coalesce(h.handed_by = 'exploration', false) AS explored
  FROM notice AS n
  JOIN handover AS h ON h.connection_id = n.connection_id AND h.lead_id = n.lead_id AND h.cycle = n.cycle
 WHERE n.connection_id = %(connection)s AND n.task_done_at IS NULL
 ORDER BY n.due_at, n.lead_id, n.kind LIMIT %(limit)s
   FOR UPDATE OF n SKIP LOCKED;

-- take_mail_notices --
-- Taken by whoever asks first, in the transaction that puts them into the outbox. A program from before the outbox takes
-- them by the same mark and sends them itself: one mail in either case.
UPDATE notice AS n SET mail_done_at = %(now)s
  FROM handover AS h
 WHERE n.connection_id = %(connection)s AND n.mail_done_at IS NULL
   AND h.connection_id = n.connection_id AND h.lead_id = n.lead_id AND h.cycle = n.cycle
RETURNING n.number, n.made_at, n.lead_id, n.cycle, n.kind, n.recipient, n.due_at, n.task_id, n.task_owner, h.temperature,
       h.score, h.owner, h.closed_at IS NOT NULL OR h.first_touch_at IS NOT NULL AS over,
       coalesce(h.handed_by = 'exploration', false) AS explored;

-- notice_of_number --
SELECT n.number, n.made_at, n.lead_id, n.cycle, n.kind, n.recipient, n.due_at, n.task_id, n.task_owner, h.temperature,
       h.score, h.owner, h.closed_at IS NOT NULL OR h.first_touch_at IS NOT NULL AS over,
       coalesce(h.handed_by = 'exploration', false) AS explored
  FROM notice AS n
  JOIN handover AS h ON h.connection_id = n.connection_id AND h.lead_id = n.lead_id AND h.cycle = n.cycle
 WHERE n.connection_id = %(connection)s AND n.number = %(number)s;

-- end_task_notice --
UPDATE notice SET task_id = %(task)s, task_owner = %(owner)s, task_done_at = %(now)s, problem = %(problem)s
 WHERE connection_id = %(connection)s AND lead_id = %(lead)s AND cycle = %(cycle)s AND kind = %(kind)s;

-- note_mail_problem --
UPDATE notice SET problem = %(problem)s
 WHERE connection_id = %(connection)s AND lead_id = %(lead)s AND cycle = %(cycle)s AND kind = %(kind)s;

-- delay_notices --
UPDATE notice SET problem = %(problem)s WHERE connection_id = %(connection)s AND task_done_at IS NULL;

-- notice_problems --
SELECT problem, count(*)
  FROM (SELECT problem FROM notice WHERE connection_id = %(connection)s AND problem IS NOT NULL
        UNION ALL
        SELECT said FROM letter
         WHERE connection_id = %(connection)s AND what = %(what)s
           AND (state = 'waiting' AND tries > 0
                OR state = 'unsure' AND ended_at > now() - make_interval(days => %(days)s))) AS found
 GROUP BY problem ORDER BY count(*) DESC, problem;
