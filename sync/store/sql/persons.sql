-- tables --
-- Every table of ours, wherever the search path puts them.
SELECT table_name FROM information_schema.tables
 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
 ORDER BY table_name;

-- tables_about_persons --
SELECT table_name,
       bool_or(column_name = 'lead_id') AS by_lead,
       bool_or(column_name = 'crm') AND bool_or(column_name = 'record_id') AS by_record
  FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
 GROUP BY table_name
HAVING bool_or(column_name = 'connection_id')
   AND (bool_or(column_name = 'lead_id')
        OR (bool_or(column_name = 'crm') AND bool_or(column_name = 'record_id')))
 ORDER BY table_name;

-- make_salt --
INSERT INTO erasure_salt (connection_id, salt) VALUES (%(connection)s, %(salt)s) ON CONFLICT DO NOTHING;

-- salt --
SELECT salt FROM erasure_salt WHERE connection_id = %(connection)s;

-- bar_person --
INSERT INTO erased (connection_id, digest, erased_at) VALUES (%(connection)s, %(digest)s, %(now)s)
ON CONFLICT DO NOTHING;

-- barred_persons --
SELECT digest FROM erased WHERE connection_id = %(connection)s;

-- note_plan --
INSERT INTO saved_plan (connection_id, path, saved_at) VALUES (%(connection)s, %(path)s, %(now)s)
ON CONFLICT (connection_id, path) DO UPDATE SET saved_at = excluded.saved_at;

-- noted_plans --
SELECT path FROM saved_plan WHERE connection_id = %(connection)s ORDER BY saved_at, path;

-- strike_plan --
DELETE FROM saved_plan WHERE connection_id = %(connection)s AND path = %(path)s;
