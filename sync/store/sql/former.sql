-- note_former --
INSERT INTO former_address (connection_id, email_key, lead_id, since, run_id)
SELECT DISTINCT %(connection)s, email_key, lead_id, %(now)s::timestamptz, %(run)s FROM moved WHERE email_key IS NOT NULL
ON CONFLICT (connection_id, email_key, lead_id) DO UPDATE
   SET since = excluded.since, run_id = excluded.run_id, reviewed_at = NULL, reviewed_by = NULL;

-- strike_former --
-- An address that a lead has again is no former one.
DELETE FROM former_address USING moved
 WHERE former_address.connection_id = %(connection)s AND former_address.lead_id = moved.lead_id
   AND former_address.email_key = moved.current_key;

-- records_by_former --
-- The records of leads that had one of these addresses, unless what they have now is asked for as well.
-- Looked up one by one (see links_of_records).
SELECT link.crm, link.record_id, link.lead_id, asked.email_key AS also
  FROM asked
 CROSS JOIN LATERAL (
       SELECT lead_id FROM former_address
        WHERE former_address.connection_id = %(connection)s AND former_address.email_key = asked.email_key
          AND former_address.reviewed_at IS NULL OFFSET 0) AS was
 CROSS JOIN LATERAL (
       SELECT * FROM link WHERE link.connection_id = %(connection)s AND link.lead_id = was.lead_id OFFSET 0) AS link
 WHERE link.email_key IS NULL OR link.email_key NOT IN (SELECT email_key FROM asked)
 ORDER BY link.crm, link.record_id, asked.email_key;

-- former_addresses --
-- taken_by: a lead that has this address now.
SELECT was.email_key AS address, was.lead_id AS lead, was.since, was.reviewed_at, was.reviewed_by,
       (SELECT min(lead.lead_id) FROM lead
         WHERE lead.connection_id = was.connection_id AND lead.email_key = was.email_key) AS taken_by
  FROM former_address AS was
 WHERE was.connection_id = %(connection)s AND (%(whole)s OR was.reviewed_at IS NULL)
 ORDER BY was.since, was.email_key, was.lead_id;

-- former_of_lead --
SELECT email_key AS address, since, reviewed_at FROM former_address
 WHERE connection_id = %(connection)s AND lead_id = %(lead)s ORDER BY since, email_key;

-- review_former --
UPDATE former_address SET reviewed_at = %(now)s, reviewed_by = %(who)s
 WHERE connection_id = %(connection)s AND email_key = %(address)s AND reviewed_at IS NULL;

-- alias_former --
UPDATE former_address SET lead_id = %(lead)s
 WHERE connection_id = %(connection)s AND lead_id = %(old)s
   AND NOT EXISTS (SELECT FROM former_address AS met
                    WHERE met.connection_id = former_address.connection_id AND met.lead_id = %(lead)s
                      AND met.email_key = former_address.email_key);

-- alias_former_twice --
DELETE FROM former_address WHERE connection_id = %(connection)s AND lead_id = %(old)s;
