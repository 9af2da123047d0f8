-- What Leadpact remembers. Every table is keyed by connection: one HubSpot portal with one Salesforce organisation.

CREATE TABLE connection (
  connection_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hubspot_account    text NOT NULL,
  salesforce_account text NOT NULL,
  first_seen         timestamptz NOT NULL,
  approved_at        timestamptz,           -- when a person first let a run write
  approved_by_run    bigint,
  UNIQUE (hubspot_account, salesforce_account)
);

CREATE TABLE run (
  run_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id    integer NOT NULL REFERENCES connection,
  command          text NOT NULL,
  started_at       timestamptz NOT NULL,
  ended_at         timestamptz,
  state            text NOT NULL DEFAULT 'running',   -- running, done, stopped (by a guard), failed
  policy_version   text,
  fingerprint      text,
  records_read     bigint NOT NULL DEFAULT 0,
  targets          bigint NOT NULL DEFAULT 0,
  written          bigint NOT NULL DEFAULT 0,
  unchanged        bigint NOT NULL DEFAULT 0,
  held             bigint NOT NULL DEFAULT 0,
  refused          bigint NOT NULL DEFAULT 0,
  calls_hubspot    bigint NOT NULL DEFAULT 0,
  calls_salesforce bigint NOT NULL DEFAULT 0,
  note             text NOT NULL DEFAULT ''
);
CREATE INDEX run_newest ON run (connection_id, run_id DESC);

-- Every policy that ever decided something, as it was written, so that the past can be explained.
CREATE TABLE policy_version (
  connection_id  integer NOT NULL REFERENCES connection,
  version        text NOT NULL,
  declared       text NOT NULL,               -- the policy tables, as JSON
  first_used_at  timestamptz NOT NULL,
  PRIMARY KEY (connection_id, version)
);

-- The leads, with the values both sides were last merged to and the verdict in force.
CREATE TABLE lead (
  connection_id  integer NOT NULL REFERENCES connection,
  lead_id        text NOT NULL,
  email_key      text,
  lead_values    text NOT NULL,               -- canonical JSON: the merged lead, the input of the verdict
  score          integer NOT NULL,
  fit            integer NOT NULL,
  engagement     integer NOT NULL,
  coverage       integer NOT NULL,
  temperature    text NOT NULL,
  stage          text NOT NULL,
  stage_why      text NOT NULL,
  highest_stage  text NOT NULL,
  cycle          integer NOT NULL,
  nurture_track  text,
  policy_version text NOT NULL,
  decided_at     timestamptz NOT NULL,
  PRIMARY KEY (connection_id, lead_id)
);
CREATE INDEX lead_by_email ON lead (connection_id, email_key) WHERE email_key IS NOT NULL;

-- Every verdict with what it was decided on.
CREATE TABLE verdict (
  verdict_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id  integer NOT NULL REFERENCES connection,
  lead_id        text NOT NULL,
  run_id         bigint NOT NULL,
  decided_at     timestamptz NOT NULL,
  policy_version text NOT NULL,
  inputs         text NOT NULL,               -- canonical JSON: the merged lead and what stood before
  score          integer NOT NULL,
  fit            integer NOT NULL,
  engagement     integer NOT NULL,
  coverage       integer NOT NULL,
  temperature    text NOT NULL,
  stage          text NOT NULL,
  stage_why      text NOT NULL,
  highest_stage  text NOT NULL,
  cycle          integer NOT NULL,
  nurture_track  text
);
CREATE INDEX verdict_of_lead ON verdict (connection_id, lead_id, decided_at DESC);

-- Which record is which lead. A link is made once and never moves by itself.
CREATE TABLE link (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  object        text NOT NULL,
  record_id     text NOT NULL,
  lead_id       text NOT NULL,
  how           text NOT NULL,                -- cross_id, email, alone
  linked_at     timestamptz NOT NULL,
  run_id        bigint NOT NULL,
  email_key     text,
  name_key      text,
  company_key   text,
  PRIMARY KEY (connection_id, crm, object, record_id),
  UNIQUE (connection_id, lead_id, crm)
);
CREATE INDEX link_by_email ON link (connection_id, email_key) WHERE email_key IS NOT NULL;

-- What each record held, in the common words, when both sides last agreed: the base of the three-way merge.
CREATE TABLE base (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  object        text NOT NULL,
  record_id     text NOT NULL,
  record_values text NOT NULL,                -- canonical JSON
  agreed_at     timestamptz NOT NULL,
  run_id        bigint NOT NULL,
  PRIMARY KEY (connection_id, crm, object, record_id)
);

-- What was about to be written, and what became of it. An intent is stored before the CRM is called.
CREATE TABLE journal (
  journal_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  run_id        bigint NOT NULL,
  lead_id       text NOT NULL,
  crm           text NOT NULL,
  object        text NOT NULL,
  record_id     text,                         -- null until a created record has one
  field         text NOT NULL,                -- the lead's field
  crm_field     text NOT NULL,
  before        text,                         -- in the CRM's words
  after         text,
  why           text NOT NULL,
  lane          text NOT NULL,
  state         text NOT NULL DEFAULT 'intent',   -- intent, written, refused, ignored (by the CRM), unknown
  noted_at      timestamptz NOT NULL,
  done_at       timestamptz
);
CREATE INDEX journal_of_run ON journal (connection_id, run_id, lead_id);
CREATE INDEX journal_of_lead ON journal (connection_id, lead_id, journal_id DESC);
CREATE INDEX journal_open ON journal (connection_id, crm, record_id) WHERE state = 'intent';

-- Both sides had changed the same field: who won, by which rule, and what was lost.
CREATE TABLE conflict (
  conflict_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  run_id        bigint NOT NULL,
  lead_id       text NOT NULL,
  field         text NOT NULL,
  rule          text NOT NULL,
  winner        text NOT NULL,                -- hubspot, salesforce, nobody (held)
  hubspot_value    text,
  salesforce_value text,
  hubspot_at    timestamptz,                  -- when each record last moved, by its own CRM's clock
  salesforce_at timestamptz,
  decided_at    timestamptz NOT NULL
);
-- A run that was killed and begun again finds the same conflict, and notes it once.
CREATE UNIQUE INDEX conflict_once ON conflict
  (connection_id, lead_id, field, md5(coalesce(hubspot_value, '')), md5(coalesce(salesforce_value, '')),
   hubspot_at, salesforce_at) NULLS NOT DISTINCT;
CREATE INDEX conflict_of_lead ON conflict (connection_id, lead_id, conflict_id DESC);

-- What waits for a person.
CREATE TABLE held (
  held_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  held_key      text NOT NULL,                -- kind and what it is about: one open row each
  kind          text NOT NULL,                -- ambiguous, conflict, gone, unsayable
  lead_id       text,
  crm           text NOT NULL,
  object        text NOT NULL,
  record_id     text,
  field         text NOT NULL DEFAULT '',
  details       text NOT NULL,                -- JSON for the person who settles it
  since         timestamptz NOT NULL,
  run_id        bigint NOT NULL,
  settled_at    timestamptz
);
CREATE UNIQUE INDEX held_open ON held (connection_id, held_key) WHERE settled_at IS NULL;

-- What a CRM rejected and why; a later success strikes it off.
CREATE TABLE refused (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  crm           text NOT NULL,
  object        text NOT NULL,
  record_id     text,
  code          text NOT NULL,
  message       text NOT NULL,
  fields        text[] NOT NULL DEFAULT '{}',
  first_at      timestamptz NOT NULL,
  last_at       timestamptz NOT NULL,
  tries         integer NOT NULL DEFAULT 1,
  run_id        bigint NOT NULL,
  PRIMARY KEY (connection_id, lead_id, crm)
);

-- How far each CRM's change log has been read and remembered.
CREATE TABLE cursor (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  object        text NOT NULL,
  place         text NOT NULL,                -- JSON, opaque outside the connector
  moved_at      timestamptz NOT NULL,
  run_id        bigint NOT NULL,
  PRIMARY KEY (connection_id, crm, object)
);

-- Who works which lead now. The fencing number grows with every claim and is checked when remembering.
CREATE SEQUENCE fence;
CREATE TABLE claim (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  run_id        bigint NOT NULL,
  fence         bigint NOT NULL,
  expires_at    timestamptz NOT NULL,
  PRIMARY KEY (connection_id, lead_id)
);
