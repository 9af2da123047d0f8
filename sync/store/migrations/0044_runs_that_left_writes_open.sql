-- Whether writes that a run set out to make may still be open: true until it ended and none was left. What dead runs left
-- half done is asked for several times a slice, and nearly always none did; the open writes of the run that asks are
-- thousands.
ALTER TABLE run ADD COLUMN left_open boolean NOT NULL DEFAULT true;
UPDATE run SET left_open = false
 WHERE ended_at IS NOT NULL AND run_id NOT IN (SELECT run_id FROM journal WHERE state = 'intent');
CREATE INDEX run_left_open ON run (connection_id) WHERE left_open;
