-- remember_imported --
INSERT INTO imported (connection_id, run_id, lead_id, crm, record_id, row_key, file_line, source, kind, referrer,
                      consent_wording, consent_at, consent_source, campaign_id, member_id, imported_at)
SELECT %(connection)s, %(run)s, lead_id, crm, record_id, row_key, file_line, source, kind, referrer,
       consent_wording, consent_at, consent_source, campaign_id, member_id, %(now)s
  FROM new_imported
ON CONFLICT DO NOTHING;

-- imported_by_key --
SELECT imported.row_key, imported.crm, imported.record_id
  FROM asked JOIN imported USING (row_key)
 WHERE imported.connection_id = %(connection)s;

-- imported_members --
SELECT member_id FROM imported
 WHERE connection_id = %(connection)s AND run_id = %(run)s AND member_id IS NOT NULL
 ORDER BY member_id;

-- forget_import --
DELETE FROM imported WHERE connection_id = %(connection)s AND run_id = %(run)s;
