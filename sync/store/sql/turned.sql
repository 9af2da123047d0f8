-- note_turned --
INSERT INTO turned_contact (connection_id, lead_id, crm, record_id, origin_id)
SELECT %(connection)s, lead_id, crm, record_id, origin_id FROM new_turned
ON CONFLICT (connection_id, crm, record_id, origin_id) DO UPDATE SET lead_id = excluded.lead_id
 WHERE turned_contact.lead_id <> excluded.lead_id;

-- some_turned --
SELECT EXISTS (SELECT 1 FROM turned_contact WHERE connection_id = %(connection)s);

-- turned_contacts_changed --
UPDATE turned_contact SET changed_at = %(now)s
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND record_id = ANY(%(ids)s);

-- turned_contact_merged --
-- The Contact that is left may stand for this lead already.
UPDATE turned_contact SET record_id = %(new)s, changed_at = %(now)s
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND record_id = %(old)s
   AND NOT EXISTS (SELECT FROM turned_contact AS there
                    WHERE there.connection_id = turned_contact.connection_id AND there.crm = turned_contact.crm
                      AND there.record_id = %(new)s AND there.origin_id = turned_contact.origin_id);

-- turned_to_look_at --
-- A Lead that was deleted is not looked at any more.
SELECT crm, origin_id AS record_id FROM turned_contact
 WHERE connection_id = %(connection)s AND changed_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM fate
                    WHERE fate.connection_id = turned_contact.connection_id AND fate.crm = turned_contact.crm
                      AND fate.record_id = turned_contact.origin_id AND fate.fate = 'gone');

-- origins_of_contacts --
SELECT record_id, origin_id FROM turned_contact
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND record_id = ANY(%(ids)s) ORDER BY record_id, origin_id;

-- turned_of_leads --
SELECT turned_contact.lead_id, turned_contact.crm, turned_contact.origin_id, turned_contact.record_id
  FROM turned_contact JOIN asked USING (lead_id) WHERE turned_contact.connection_id = %(connection)s;

-- leads_of_accounts --
SELECT DISTINCT became::json ->> 'Account' AS account, lead_id FROM fate
 WHERE connection_id = %(connection)s AND fate = 'converted' AND became::json ->> 'Account' = ANY(%(ids)s)
 ORDER BY account, lead_id;

-- turned_looked_at --
UPDATE turned_contact SET changed_at = NULL
  FROM asked
 WHERE turned_contact.connection_id = %(connection)s AND turned_contact.lead_id = asked.lead_id
   AND turned_contact.changed_at IS NOT NULL;
