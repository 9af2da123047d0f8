-- owners --
SELECT crm, owner_id, email, name, active, queue, ours FROM owner WHERE connection_id = %(connection)s
 ORDER BY crm, owner_id;

-- owners_read_at --
SELECT owners_read_at FROM desk WHERE connection_id = %(connection)s;

-- strike_owners --
DELETE FROM owner WHERE connection_id = %(connection)s;

-- keep_owners --
INSERT INTO owner (connection_id, crm, owner_id, email, name, active, queue, ours)
SELECT %(connection)s, crm, owner_id, email, name, active, queue, ours FROM new_owners;

-- note_owners_read --
INSERT INTO desk (connection_id, version, owners_read_at) VALUES (%(connection)s, 0, %(now)s)
ON CONFLICT (connection_id) DO UPDATE SET owners_read_at = excluded.owners_read_at;

-- desk_version --
SELECT version FROM desk WHERE connection_id = %(connection)s;

-- turns --
SELECT route, owner, standing FROM turn WHERE connection_id = %(connection)s;

-- open_by_owner --
-- What each owner has on the table: open handovers, and what was given to them and is not remembered yet.
SELECT owner, count(*) FROM (
  SELECT h.owner FROM handover AS h
   WHERE h.connection_id = %(connection)s AND h.closed_at IS NULL AND h.owner IS NOT NULL
     AND h.state IN ('open', 'touched', 'overdue', 'reassigned')
     AND NOT EXISTS (SELECT FROM routed AS r WHERE r.connection_id = h.connection_id AND r.lead_id = h.lead_id
                      AND r.cycle = h.cycle AND NOT r.settled)
  UNION ALL
  SELECT r.owner FROM routed AS r WHERE r.connection_id = %(connection)s AND NOT r.settled AND NOT r.queue) AS held
 GROUP BY owner;

-- newest_routed --
-- The latest owner that each lead was given.
SELECT r.lead_id, r.cycle, r.number, r.turn, r.owner, r.queue, r.salesforce_owner, r.hubspot_owner, r.before,
       r.route, r.why, r.settled
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM routed
        WHERE routed.connection_id = %(connection)s AND routed.lead_id = asked.lead_id
        ORDER BY cycle DESC, number DESC LIMIT 1) AS r;

-- lock_desk --
INSERT INTO desk (connection_id, version) VALUES (%(connection)s, 0)
ON CONFLICT (connection_id) DO UPDATE SET version = desk.version;

-- next_version --
-- One row only where nobody gave a lead away since; from here to the end of the transaction nobody else does.
INSERT INTO desk (connection_id, version) VALUES (%(connection)s, 1)
ON CONFLICT (connection_id) DO UPDATE SET version = desk.version + 1 WHERE desk.version = %(version)s;

-- add_routed --
INSERT INTO routed (connection_id, lead_id, cycle, number, turn, owner, queue, salesforce_owner, hubspot_owner, before,
                    route, why, at, run_id, settled)
SELECT %(connection)s, lead_id, cycle, number, turn, owner, queue, salesforce_owner, hubspot_owner, before, route,
       why, %(now)s, %(run)s, false
  FROM new_routed;

-- keep_turns --
INSERT INTO turn (connection_id, route, owner, standing)
SELECT %(connection)s, route, owner, standing FROM new_turns
ON CONFLICT (connection_id, route, owner) DO UPDATE SET standing = turn.standing + excluded.standing;

-- settle_routed --
UPDATE routed SET settled = true FROM asked
 WHERE routed.connection_id = %(connection)s AND routed.lead_id = asked.lead_id AND NOT routed.settled
RETURNING routed.lead_id, routed.cycle, routed.owner, routed.route, routed.why;

-- handovers_without_owner --
-- Open handovers that nobody has touched and that have nobody, or somebody who cannot have them now.
SELECT h.lead_id FROM handover AS h
  LEFT JOIN LATERAL (SELECT r.turn, r.queue FROM routed AS r
                      WHERE r.connection_id = h.connection_id AND r.lead_id = h.lead_id AND r.cycle = h.cycle
                      ORDER BY r.number DESC LIMIT 1) AS g ON true
 WHERE h.connection_id = %(connection)s AND h.closed_at IS NULL
   AND h.state IN ('open', 'touched', 'overdue', 'reassigned')
   AND ((g.turn IS NULL AND h.owner IS NULL AND h.first_touch_at IS NULL) OR h.owner = ANY(%(gone)s)
        OR (h.first_touch_at IS NULL AND (h.owner = ANY(%(absent)s) OR g.turn < h.reassigned)))
 ORDER BY h.owner_due_at, h.lead_id LIMIT %(limit)s;

-- routed_of_lead --
SELECT cycle, number, owner, queue, route, why, at, run_id, settled
  FROM routed WHERE connection_id = %(connection)s AND lead_id = %(lead)s ORDER BY cycle, number;

-- alias_routed --
-- Two leads became one: what the one that goes was given is told with the other's, where nothing was given there.
UPDATE routed AS r SET lead_id = %(lead)s
 WHERE r.connection_id = %(connection)s AND r.lead_id = %(old)s
   AND NOT EXISTS (SELECT FROM routed AS t
                    WHERE t.connection_id = r.connection_id AND t.lead_id = %(lead)s AND t.cycle = r.cycle);

-- alias_routed_left --
DELETE FROM routed WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_notice --
UPDATE notice AS n SET lead_id = %(lead)s
 WHERE n.connection_id = %(connection)s AND n.lead_id = %(old)s
   AND NOT EXISTS (SELECT FROM notice AS t
                    WHERE t.connection_id = n.connection_id AND t.lead_id = %(lead)s AND t.cycle = n.cycle
                      AND t.kind = n.kind);

-- alias_notice_left --
DELETE FROM notice WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- expire_routed --
DELETE FROM routed AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.at < %(before)s AND t.settled
   AND EXISTS (SELECT FROM handover AS h WHERE h.connection_id = t.connection_id AND h.lead_id = t.lead_id
                AND (h.cycle > t.cycle OR h.cycle = t.cycle AND h.closed_at IS NOT NULL))
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s AND l.lead_id = t.lead_id;

-- expire_notice --
DELETE FROM notice AS t USING lead AS l
 WHERE t.connection_id = %(connection)s AND t.made_at < %(before)s AND t.task_done_at IS NOT NULL
   AND t.mail_done_at IS NOT NULL
   AND l.connection_id = t.connection_id AND l.stage = %(stage)s AND l.lead_id = t.lead_id;
