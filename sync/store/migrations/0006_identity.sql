-- What became of records that are no longer to be written to.
CREATE TABLE fate (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  object        text NOT NULL,
  record_id     text NOT NULL,
  lead_id       text NOT NULL,
  fate          text NOT NULL,                -- merged, gone, converted
  became        text,                         -- merged: the record it is now; converted: what it was turned into
  noted_at      timestamptz NOT NULL,
  PRIMARY KEY (connection_id, crm, object, record_id)
);
CREATE INDEX fate_of_lead ON fate (connection_id, lead_id);

-- Leads that became one: the id that a lead was known by, and the lead it is now.
CREATE TABLE lead_alias (
  connection_id integer NOT NULL REFERENCES connection,
  old_lead_id   text NOT NULL,
  lead_id       text NOT NULL,
  why           text NOT NULL,
  since         timestamptz NOT NULL,
  PRIMARY KEY (connection_id, old_lead_id)
);
CREATE INDEX alias_of_lead ON lead_alias (connection_id, lead_id);

-- Further addresses of a record. They make candidates, never links.
CREATE TABLE second_address (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  object        text NOT NULL,
  record_id     text NOT NULL,
  email_key     text NOT NULL,
  PRIMARY KEY (connection_id, email_key, crm, object, record_id)
);
CREATE INDEX second_address_of_record ON second_address (connection_id, crm, object, record_id);

-- What people decided: who, when, and what they saw when they did.
CREATE TABLE decision (
  decision_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  connection_id integer NOT NULL REFERENCES connection,
  held_id       bigint NOT NULL,
  kind          text NOT NULL,                -- take, link, separate
  lead_id       text,
  crm           text NOT NULL,                -- the record that was held
  object        text NOT NULL,
  record_id     text,
  field         text NOT NULL DEFAULT '',
  answer        text NOT NULL,                -- hubspot, salesforce, the value; or the other record
  seen          text NOT NULL,                -- the details that were shown, as JSON
  decided_by    text NOT NULL,
  decided_at    timestamptz NOT NULL
);
CREATE INDEX decision_of_lead ON decision (connection_id, lead_id, decision_id DESC);

-- Records that a person said are two different people.
CREATE TABLE apart (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  record_id     text NOT NULL,
  other_crm     text NOT NULL,
  other_id      text NOT NULL,
  decision_id   bigint NOT NULL,
  PRIMARY KEY (connection_id, crm, record_id, other_crm, other_id)
);
