-- The calls to a CRM by the hour: ours, those of backfills, and all that were no backfill's as the CRM counts its day.
-- budget: the CRM, behind a fingerprint of the credentials. Kept for eight days.
CREATE TABLE call_hour (
  budget   text NOT NULL,
  hour     timestamptz NOT NULL,            -- its start
  ours     bigint NOT NULL DEFAULT 0,       -- made in this hour
  backfill bigint NOT NULL DEFAULT 0,
  besides  bigint,                          -- of the CRM's day, as last heard in this hour; NULL: nothing was heard
  highest  bigint,                          -- the most that was heard in it
  PRIMARY KEY (budget, hour)
) WITH (fillfactor = 50);                   -- written every second: room for the next version beside it
