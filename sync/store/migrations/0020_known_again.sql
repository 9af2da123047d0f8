-- Addresses that leads had before they had another one. Until a person has looked at one, it stands on the list of
-- those who get no mail there, and a record that turns up with it is a candidate for that lead.
CREATE TABLE former_address (
  connection_id integer NOT NULL REFERENCES connection,
  email_key     text NOT NULL,
  lead_id       text NOT NULL,
  since         timestamptz NOT NULL,         -- when the lead was first seen with another address
  run_id        bigint NOT NULL,
  reviewed_at   timestamptz,
  reviewed_by   text,
  PRIMARY KEY (connection_id, email_key, lead_id)
);
CREATE INDEX former_address_of_lead ON former_address (connection_id, lead_id);

-- What else a record may be known by: its telephone number, and its name within its mail domain.
ALTER TABLE link ADD COLUMN phone_key text;
CREATE INDEX link_by_phone ON link (connection_id, phone_key) WHERE phone_key IS NOT NULL;
CREATE INDEX link_by_name_and_domain ON link (connection_id, name_key, split_part(email_key, '@', 2))
 WHERE email_key IS NOT NULL AND name_key LIKE '% %';
