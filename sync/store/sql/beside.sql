-- leads_that_are_contacts --
SELECT lead_id FROM turned_contact WHERE connection_id = %(connection)s AND crm = %(crm)s
 UNION
SELECT lead_id FROM link WHERE connection_id = %(connection)s AND crm = %(crm)s AND object = 'Contact'
 ORDER BY lead_id;

-- forget_deal_parties --
DELETE FROM deal_party USING asked
 WHERE deal_party.connection_id = %(connection)s AND deal_party.lead_id = asked.lead_id AND deal_party.crm = %(crm)s;

-- leads_of_crm --
SELECT lead_id FROM link WHERE connection_id = %(connection)s AND crm = %(crm)s ORDER BY lead_id;

-- leads_counted_more_than_once --
SELECT lead_id FROM lead
 WHERE connection_id = %(connection)s
   AND EXISTS (SELECT FROM unnest(%(counters)s::text[]) AS counter
                WHERE (lead_values::json ->> counter)::bigint > 1)
 ORDER BY lead_id;

-- note_deal_parties --
INSERT INTO deal_party (connection_id, lead_id, crm, object, record_id)
SELECT %(connection)s, lead_id, crm, object, record_id FROM new_parties
ON CONFLICT DO NOTHING;

-- look_again_by_party --
INSERT INTO look_again (connection_id, lead_id, why, noted_at)
SELECT DISTINCT %(connection)s, deal_party.lead_id, %(why)s, %(now)s
  FROM deal_party JOIN changed USING (crm, object, record_id)
 WHERE deal_party.connection_id = %(connection)s
ON CONFLICT (connection_id, lead_id, why) DO UPDATE SET noted_at = excluded.noted_at;

-- look_again --
INSERT INTO look_again (connection_id, lead_id, why, noted_at)
SELECT DISTINCT %(connection)s, lead_id, %(why)s, %(now)s FROM asked
ON CONFLICT (connection_id, lead_id, why) DO NOTHING;

-- to_look_at_again --
-- A lead without a record, or whose records are gone, is not looked at any more.
SELECT link.crm, link.record_id
  FROM (SELECT lead_id FROM look_again AS again
         WHERE connection_id = %(connection)s AND why = %(why)s
           AND EXISTS (SELECT FROM link
                        WHERE link.connection_id = again.connection_id AND link.lead_id = again.lead_id
                          AND NOT EXISTS (SELECT FROM fate
                                           WHERE fate.connection_id = link.connection_id AND fate.crm = link.crm
                                             AND fate.record_id = link.record_id AND fate.fate = 'gone'))
         ORDER BY noted_at, lead_id LIMIT %(most)s) AS waiting
  JOIN link ON link.connection_id = %(connection)s AND link.lead_id = waiting.lead_id
 ORDER BY link.crm, link.record_id;

-- looked_at_again --
-- What was heard after these leads were read still has to be looked at.
DELETE FROM look_again USING asked
 WHERE look_again.connection_id = %(connection)s AND look_again.lead_id = asked.lead_id
   AND look_again.why = %(why)s AND look_again.noted_at <= %(now)s;
