-- Why a lead was handed over: its points, or chance, with the share (0 to 1) and the seed that drew it at mql_at. Rows
-- from before have none. An exploration has cycle 0.
ALTER TABLE handover ADD COLUMN handed_by text, ADD COLUMN drawn_share double precision, ADD COLUMN drawn_seed bigint;
CREATE INDEX handover_explored ON handover (connection_id, mql_at) WHERE handed_by = 'exploration';
