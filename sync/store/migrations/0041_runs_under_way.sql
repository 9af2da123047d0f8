-- Each run asks as it begins who else is under way, and buries who died. Few are, and a sync every five minutes makes a
-- hundred thousand others a year.
CREATE INDEX run_under_way ON run (connection_id) WHERE ended_at IS NULL;
