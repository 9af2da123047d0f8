-- What stands beside a lead's record in Salesforce and tells of its opportunities: its Contact, its Account, and the
-- opportunities that were counted for it. When one of them changes, the lead is judged again.
CREATE TABLE deal_party (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  crm           text NOT NULL,
  object        text NOT NULL,                -- Contact, Account, Opportunity
  record_id     text NOT NULL,
  PRIMARY KEY (connection_id, crm, object, record_id, lead_id)
);
CREATE INDEX deal_party_of_lead ON deal_party (connection_id, lead_id);

-- Leads to be looked at by the next run although their own records have not changed.
CREATE TABLE look_again (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  why           text NOT NULL,                -- opportunity, signals
  noted_at      timestamptz NOT NULL,
  PRIMARY KEY (connection_id, lead_id, why)
);
CREATE INDEX look_again_oldest ON look_again (connection_id, why, noted_at);
