-- links_to_move --
SELECT record_id, lead_id FROM link
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND object = %(object)s AND record_id = ANY(%(ids)s)
 ORDER BY linked_at, lead_id;

-- move_link --
UPDATE link SET record_id = %(new)s, how = 'merged', linked_at = %(now)s
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND object = %(object)s AND record_id = %(old)s;

-- move_base --
UPDATE base SET record_id = %(new)s
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND object = %(object)s AND record_id = %(old)s;

-- drop_link --
DELETE FROM link
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND object = %(object)s AND record_id = %(old)s;

-- drop_base --
DELETE FROM base
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND object = %(object)s AND record_id = %(old)s;

-- note_fate --
INSERT INTO fate (connection_id, crm, object, record_id, lead_id, fate, became, noted_at)
VALUES (%(connection)s, %(crm)s, %(object)s, %(record)s, %(lead)s, %(fate)s, %(became)s, %(now)s)
ON CONFLICT (connection_id, crm, object, record_id) DO UPDATE
   SET fate = excluded.fate, became = excluded.became, lead_id = excluded.lead_id, noted_at = excluded.noted_at
 WHERE (fate.fate, fate.became, fate.lead_id)
       IS DISTINCT FROM (excluded.fate, excluded.became, excluded.lead_id)
   AND NOT (fate.fate = 'gone' AND excluded.fate = 'gone' AND excluded.became IS NULL);

-- strike_fates --
-- Records that are there again, as they were.
DELETE FROM fate USING asked
 WHERE fate.connection_id = %(connection)s AND fate.crm = asked.crm AND fate.object = asked.object
   AND fate.record_id = asked.record_id AND fate.fate = 'gone';

-- some_gone --
SELECT EXISTS (SELECT 1 FROM fate WHERE connection_id = %(connection)s AND crm = %(crm)s AND fate = 'gone');

-- gone_how --
-- Records that are gone and of which nobody has asked yet how, with when they were last seen alive.
SELECT fate.record_id, fate.lead_id, run.started_at
  FROM fate
  LEFT JOIN base ON base.connection_id = fate.connection_id AND base.crm = fate.crm
                AND base.object = fate.object AND base.record_id = fate.record_id
  LEFT JOIN run ON run.run_id = base.run_id
 WHERE fate.connection_id = %(connection)s AND fate.crm = %(crm)s AND fate.object = %(object)s
   AND fate.fate = 'gone' AND fate.became IS NULL
 ORDER BY fate.record_id;

-- some_fates --
SELECT EXISTS (SELECT 1 FROM fate WHERE connection_id = %(connection)s);

-- fates_of_leads --
SELECT found.*
  FROM asked CROSS JOIN LATERAL (
       SELECT fate.lead_id, fate.crm, fate.object, fate.record_id, fate.fate, fate.became FROM fate
        WHERE fate.connection_id = %(connection)s AND fate.lead_id = asked.lead_id
       OFFSET 0) AS found;

-- alias_links --
-- Each lead has one record a CRM: a link that the other lead has no room for stays where it is.
UPDATE link SET lead_id = %(lead)s, how = 'merged', linked_at = %(now)s
 WHERE link.connection_id = %(connection)s AND link.lead_id = %(old)s
   AND NOT EXISTS (SELECT 1 FROM link AS theirs
                    WHERE theirs.connection_id = link.connection_id AND theirs.lead_id = %(lead)s
                      AND theirs.crm = link.crm);

-- alias_lead --
INSERT INTO lead_alias (connection_id, old_lead_id, lead_id, why, since)
VALUES (%(connection)s, %(old)s, %(lead)s, %(why)s, %(now)s)
ON CONFLICT (connection_id, old_lead_id) DO UPDATE SET lead_id = excluded.lead_id, why = excluded.why;

-- alias_further --
UPDATE lead_alias SET lead_id = %(lead)s WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_fates --
UPDATE fate SET lead_id = %(lead)s WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_turned --
UPDATE turned_contact SET lead_id = %(lead)s WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_held --
UPDATE held SET settled_at = %(now)s
 WHERE connection_id = %(connection)s AND lead_id = %(old)s AND settled_at IS NULL;

-- alias_refused --
DELETE FROM refused WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_undone --
DELETE FROM undone WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_journal --
UPDATE journal SET lead_id = %(lead)s WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_verdict --
UPDATE verdict SET lead_id = %(lead)s WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_conflict --
UPDATE conflict SET lead_id = %(lead)s
 WHERE connection_id = %(connection)s AND lead_id = %(old)s
   AND NOT EXISTS (
       SELECT FROM conflict AS met
        WHERE met.connection_id = conflict.connection_id AND met.lead_id = %(lead)s
          AND met.field = conflict.field
          AND (met.hubspot_value, met.salesforce_value, met.hubspot_at, met.salesforce_at)
              IS NOT DISTINCT FROM
              (conflict.hubspot_value, conflict.salesforce_value, conflict.hubspot_at, conflict.salesforce_at));

-- alias_conflict_twice --
DELETE FROM conflict WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_decision --
UPDATE decision SET lead_id = %(lead)s WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- alias_done --
DELETE FROM lead WHERE connection_id = %(connection)s AND lead_id = %(old)s;

-- aliases_of_lead --
SELECT old_lead_id, why, since FROM lead_alias
 WHERE connection_id = %(connection)s AND lead_id = %(lead)s ORDER BY since, old_lead_id;

-- second_addresses --
SELECT also.crm, also.record_id, link.lead_id, asked.email_key
  FROM asked
  JOIN second_address AS also ON also.connection_id = %(connection)s AND also.email_key = asked.email_key
  LEFT JOIN link ON link.connection_id = also.connection_id AND link.crm = also.crm
                AND link.object = also.object AND link.record_id = also.record_id
 ORDER BY also.crm, also.record_id, asked.email_key;

-- some_second_addresses --
SELECT EXISTS (SELECT 1 FROM second_address WHERE connection_id = %(connection)s);

-- strike_second_addresses --
DELETE FROM second_address USING addresses
 WHERE second_address.connection_id = %(connection)s AND second_address.crm = addresses.crm
   AND second_address.object = addresses.object AND second_address.record_id = addresses.record_id;

-- remember_second_addresses --
INSERT INTO second_address (connection_id, crm, object, record_id, email_key)
SELECT DISTINCT %(connection)s, crm, object, record_id, email_key FROM addresses
ON CONFLICT DO NOTHING;

-- hold_one --
INSERT INTO held (connection_id, held_key, kind, lead_id, crm, object, record_id, field, details, since, run_id)
VALUES (%(connection)s, %(key)s, %(kind)s, %(lead)s, %(crm)s, %(object)s, %(record)s, %(field)s, %(details)s,
        %(now)s, %(run)s)
ON CONFLICT (connection_id, held_key) WHERE settled_at IS NULL DO UPDATE SET details = excluded.details;

-- settle_one --
UPDATE held SET settled_at = %(now)s WHERE connection_id = %(connection)s AND held_id = %(held)s;

-- decide_held --
INSERT INTO decision (connection_id, held_id, kind, lead_id, crm, object, record_id, field, answer, seen,
                      decided_by, decided_at)
VALUES (%(connection)s, %(held)s, %(kind)s, %(lead)s, %(crm)s, %(object)s, %(record)s, %(field)s, %(answer)s,
        %(seen)s, %(who)s, %(now)s)
RETURNING decision_id;

-- decisions_of_lead --
SELECT decision_id, kind, field, answer, decided_by, decided_at FROM decision
 WHERE connection_id = %(connection)s AND lead_id = %(lead)s ORDER BY decision_id DESC LIMIT 50;

-- keep_apart --
INSERT INTO apart (connection_id, crm, record_id, other_crm, other_id, decision_id)
VALUES (%(connection)s, %(crm)s, %(record)s, %(other_crm)s, %(other)s, %(decision)s)
ON CONFLICT DO NOTHING;

-- bring_together --
DELETE FROM apart
 WHERE connection_id = %(connection)s
   AND ((crm, record_id, other_crm, other_id) = (%(crm)s, %(record)s, %(other_crm)s, %(other)s)
     OR (crm, record_id, other_crm, other_id) = (%(other_crm)s, %(other)s, %(crm)s, %(record)s));

-- kept_apart --
SELECT crm, record_id, other_crm, other_id FROM apart WHERE connection_id = %(connection)s;

-- writes_of_leads --
-- What we wrote lately and whether something else stood there again before: one row a write.
-- Looked up one by one (see links_of_records): joined, the whole journal may be read for a few leads.
SELECT found.lead_id, found.crm, found.field, found.before, found.after, found.done_at
  FROM asked CROSS JOIN LATERAL (
       SELECT journal_id, place, lead_id, crm, field, before, after, done_at FROM journal_field AS wrote
        WHERE wrote.connection_id = %(connection)s AND wrote.lead_id = asked.lead_id
          AND wrote.state = 'written' AND wrote.kind = 'set' AND wrote.done_at >= %(since)s
       OFFSET 0) AS found
 ORDER BY found.journal_id, found.place;
