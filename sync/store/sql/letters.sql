-- Times here are the server's: how long to wait has to mean the same to every worker.

-- queue_letter --
INSERT INTO letter (connection_id, what, about, recipient, state, queued_at, not_before)
VALUES (%(connection)s, %(what)s, %(about)s, %(recipient)s, 'waiting', now(), now())
ON CONFLICT DO NOTHING
RETURNING recipient;

-- drop_earlier_letters --
-- A newer mail of the same kind says what these would have said.
UPDATE letter SET state = 'dropped', ended_at = now(), held_until = NULL
 WHERE connection_id = %(connection)s AND what = %(what)s AND about <> %(about)s AND recipient = %(recipient)s
   AND state = 'waiting' AND coalesce(held_until < clock_timestamp(), true);

-- give_up_leaving --
-- Whoever sent these died between the content and the answer: they may have arrived, and are not sent twice.
UPDATE letter SET state = 'unsure', ended_at = now(), held_until = NULL,
                  said = 'the program ended before the mail server answered: the mail may have arrived'
 WHERE connection_id = %(connection)s AND what = %(what)s AND state = 'leaving' AND held_until < clock_timestamp()
RETURNING about;

-- take_letter --
UPDATE letter SET held_until = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE (connection_id, what, about, recipient) = (
       SELECT connection_id, what, about, recipient FROM letter
        WHERE connection_id = %(connection)s AND what = %(what)s AND state = 'waiting'
          AND not_before <= clock_timestamp() AND coalesce(held_until < clock_timestamp(), true)
          AND (recipient = 'webhook') = ANY(%(ways)s::boolean[])
        ORDER BY queued_at, about, recipient LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING what, about, recipient, tries;

-- letter_leaves --
UPDATE letter SET state = 'leaving'
 WHERE connection_id = %(connection)s AND what = %(what)s AND about = %(about)s AND recipient = %(recipient)s
   AND state = 'waiting'
RETURNING recipient;

-- letter_ends --
UPDATE letter SET state = %(state)s, ended_at = now(), held_until = NULL, said = %(said)s, tries = tries + 1
 WHERE connection_id = %(connection)s AND what = %(what)s AND about = %(about)s AND recipient = %(recipient)s;

-- letter_waits --
UPDATE letter SET state = 'waiting', held_until = NULL, said = %(said)s, tries = tries + 1,
                  not_before = clock_timestamp() + make_interval(secs => %(seconds)s)
 WHERE connection_id = %(connection)s AND what = %(what)s AND about = %(about)s AND recipient = %(recipient)s;

-- next_letter --
-- When the next one can be taken; null where none waits.
SELECT min(greatest(not_before, coalesce(held_until, not_before))) FROM letter
 WHERE connection_id = %(connection)s AND what = %(what)s AND state IN ('waiting', 'leaving');

-- letters_in_trouble --
-- Mails that were tried several times, and those of which nobody knows whether they arrived.
SELECT state, recipient = 'webhook' AS by_webhook, count(*),
       (array_agg(said ORDER BY queued_at DESC))[1]
  FROM letter
 WHERE connection_id = %(connection)s
   AND (state = 'waiting' AND tries >= %(tries)s
        OR state = 'unsure' AND ended_at > now() - make_interval(days => %(days)s))
 GROUP BY 1, 2 ORDER BY 1, 2;

-- drop_old_letters --
DELETE FROM letter WHERE connection_id = %(connection)s AND ended_at < now() - make_interval(days => %(days)s);
