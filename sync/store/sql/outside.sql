-- outside_leads --
SELECT lead_id FROM outside WHERE connection_id = %(connection)s ORDER BY lead_id;

-- some_outside --
SELECT EXISTS (SELECT 1 FROM outside WHERE connection_id = %(connection)s);

-- outside_among --
SELECT outside.lead_id FROM asked JOIN outside USING (lead_id) WHERE outside.connection_id = %(connection)s;

-- note_outside --
INSERT INTO outside (connection_id, lead_id, noted_at, run_id)
SELECT %(connection)s, lead_id, %(now)s, %(run)s FROM left_out
ON CONFLICT DO NOTHING;

-- strike_outside --
DELETE FROM outside USING let_in WHERE outside.connection_id = %(connection)s AND outside.lead_id = let_in.lead_id;

-- scope_in_force --
SELECT digest FROM scope_in_force WHERE connection_id = %(connection)s;

-- keep_scope --
INSERT INTO scope_in_force (connection_id, digest, moved_at) VALUES (%(connection)s, %(digest)s, %(now)s)
ON CONFLICT (connection_id) DO UPDATE SET digest = excluded.digest, moved_at = excluded.moved_at;

-- account_of_config --
SELECT hubspot_account, salesforce_account FROM config_account WHERE config_key = %(config)s;

-- keep_account_of_config --
INSERT INTO config_account (config_key, hubspot_account, salesforce_account, noted_at)
VALUES (%(config)s, %(hubspot)s, %(salesforce)s, %(now)s)
ON CONFLICT DO NOTHING;
