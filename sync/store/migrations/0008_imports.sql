-- People who came in by a file: what was said about them there, one row a person and record.
CREATE TABLE imported (
  connection_id   integer NOT NULL REFERENCES connection,
  run_id          bigint NOT NULL,
  lead_id         text NOT NULL,
  crm             text NOT NULL,
  record_id       text NOT NULL,
  row_key         text NOT NULL,                -- digest of what the row says of who it is
  file_line       text NOT NULL,                -- FILE:LINE
  source          text NOT NULL,
  kind            text NOT NULL,                -- met, bought, referral
  referrer        text,
  consent_wording text,                         -- what the person agreed to, word for word
  consent_at      text,                         -- when, as the file or the option says it
  consent_source  text,
  campaign_id     text,
  member_id       text,                         -- the membership that this import made
  imported_at     timestamptz NOT NULL,
  PRIMARY KEY (connection_id, crm, record_id, row_key, source)
);
CREATE INDEX imported_by_key ON imported (connection_id, row_key);

-- Leads that the scope or the pilot left out when they were last decided. Their cursors have passed them: whoever
-- is admitted later is read because it stands here.
CREATE TABLE outside (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  noted_at      timestamptz NOT NULL,
  run_id        bigint NOT NULL,
  PRIMARY KEY (connection_id, lead_id)
);
CREATE TABLE scope_in_force (
  connection_id integer PRIMARY KEY REFERENCES connection,
  digest        text NOT NULL,                  -- of the conditions that stood there when the cursors last moved
  moved_at      timestamptz NOT NULL
);

-- The accounts that a config opened first. A config that suddenly opens others is stopped.
CREATE TABLE config_account (
  config_key         text PRIMARY KEY,          -- digest of where the config stands
  hubspot_account    text NOT NULL,
  salesforce_account text NOT NULL,
  noted_at           timestamptz NOT NULL
);
