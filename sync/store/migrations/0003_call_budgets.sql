-- One call budget for all processes: the times of the calls of each window, and what the CRMs said of their day.
-- budget: "crm:window", behind a fingerprint of the credentials; two apps of one account have windows of their own.
CREATE TABLE call_window (
  budget     text PRIMARY KEY,
  calls_at   timestamptz[] NOT NULL DEFAULT '{}',   -- oldest first; only those that still count
  held_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);                           -- written at every call: room for the next version beside it

CREATE TABLE call_day (
  budget    text PRIMARY KEY,
  used      bigint NOT NULL,
  day_limit bigint NOT NULL,
  heard     timestamptz NOT NULL                    -- by the clock of whoever asked
);
