-- What the CRM said it holds after a write, where that is not what was sent to it (rounded, trimmed, shortened).
ALTER TABLE journal ADD COLUMN stored text;

-- The Contacts that converted leads were turned into: they go on saying and hearing what the person does not want.
CREATE TABLE turned_contact (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  crm           text NOT NULL,
  record_id     text NOT NULL,                -- the Contact's
  origin_id     text NOT NULL,                -- the converted Lead's
  changed_at    timestamptz,                  -- when we heard that it changed; null once its lead was looked at
  PRIMARY KEY (connection_id, crm, record_id, origin_id)
);
CREATE INDEX turned_contact_of_lead ON turned_contact (connection_id, lead_id);
CREATE INDEX turned_contact_changed ON turned_contact (connection_id) WHERE changed_at IS NOT NULL;
INSERT INTO turned_contact (connection_id, lead_id, crm, record_id, origin_id, changed_at)
SELECT connection_id, lead_id, crm, became::json ->> 'Contact', record_id, now()
  FROM fate WHERE fate = 'converted' AND became::json ->> 'Contact' IS NOT NULL;
