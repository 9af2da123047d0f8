-- A record's id tells it from nearly all others, and connection, CRM and object from hardly any: with them in front each
-- step down the index compares four columns instead of one. A lead's id stands in front of the other index for the same
-- reason; and no index of these tables serves for half of a question that another one answers whole, which a server that
-- takes the table for a few rows would not tell apart.
ALTER TABLE link
  DROP CONSTRAINT link_pkey,
  DROP CONSTRAINT link_connection_id_lead_id_crm_key,
  ADD CONSTRAINT link_pkey PRIMARY KEY (record_id, object, crm, connection_id),
  ADD CONSTRAINT link_of_lead UNIQUE (lead_id, crm, connection_id);
ALTER TABLE base
  DROP CONSTRAINT base_pkey,
  ADD CONSTRAINT base_pkey PRIMARY KEY (record_id, object, crm, connection_id);
