-- Nobody asks for a row by these: what was written, in lists of fields and in long texts. To count their most common
-- entries is five sixths of what ANALYZE of the journal costs, and tables that a first sync fills are analyzed each minute.
ALTER TABLE journal
  ALTER COLUMN fields SET STATISTICS 0, ALTER COLUMN crm_fields SET STATISTICS 0, ALTER COLUMN before SET STATISTICS 0,
  ALTER COLUMN after SET STATISTICS 0, ALTER COLUMN why SET STATISTICS 0, ALTER COLUMN lane SET STATISTICS 0,
  ALTER COLUMN kind SET STATISTICS 0, ALTER COLUMN ends SET STATISTICS 0;
ALTER TABLE verdict ALTER COLUMN inputs SET STATISTICS 0;
ALTER TABLE lead ALTER COLUMN lead_values SET STATISTICS 0;
ALTER TABLE base ALTER COLUMN record_values SET STATISTICS 0;
