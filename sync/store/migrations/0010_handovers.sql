-- The handover ledger: one row a cycle of a lead, and what happened to it.
CREATE TABLE handover (
  connection_id  integer NOT NULL REFERENCES connection,
  lead_id        text NOT NULL,
  cycle          integer NOT NULL,
  state          text NOT NULL,                  -- qualified, open, touched, overdue, reassigned, accepted, …
  mql_at         timestamptz NOT NULL,
  handed_over_at timestamptz,                    -- null: sales cannot see the lead yet
  owner          text,                           -- a Salesforce user id or an e-mail address; null: nobody named
  due_at         timestamptz,                    -- what was promised; it never moves
  owner_due_at   timestamptz,                    -- when the present owner's time is up
  escalate_at    timestamptz,
  escalated_at   timestamptz,                    -- when somebody was told
  first_touch_at timestamptz,
  touched_by     text,                           -- how the touch showed
  answered_at    timestamptz,
  reason         text,                           -- why it was rejected, or taken back
  closed_at      timestamptz,
  reassigned     integer NOT NULL,
  score          integer,                        -- from here on: what was known at the handover
  fit            integer,
  engagement     integer,
  temperature    text,
  policy_version text,
  hot_since      timestamptz,
  last_sign_at   timestamptz,                    -- when the lead itself last showed interest
  contacted_then timestamptz,
  activity_then  timestamptz,
  contacts_then  bigint,
  stage_then     text,
  run_id         bigint NOT NULL,
  PRIMARY KEY (connection_id, lead_id, cycle)
);
-- What a sync looks at again because time has run out.
CREATE INDEX handover_waiting ON handover (connection_id, owner_due_at) WHERE closed_at IS NULL;
CREATE INDEX handover_by_time ON handover (connection_id, handed_over_at);

CREATE TABLE handover_event (
  event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  cycle         integer NOT NULL,
  at            timestamptz NOT NULL,            -- when it happened
  noted_at      timestamptz NOT NULL,            -- when it was seen
  what          text NOT NULL,
  who           text NOT NULL,
  why           text NOT NULL,
  run_id        bigint
);
CREATE INDEX handover_event_of_lead ON handover_event (connection_id, lead_id, event_id);
