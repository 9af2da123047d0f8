-- Persons who were forgotten. What is kept of each is a salted hash, so that a later sync leaves them alone.
CREATE TABLE erasure_salt (
  connection_id integer PRIMARY KEY REFERENCES connection,
  salt          bytea NOT NULL
);
CREATE TABLE erased (
  connection_id integer NOT NULL REFERENCES connection,
  digest        bytea NOT NULL,               -- SHA-256 of the salt and an address, or a record's name
  erased_at     timestamptz NOT NULL,
  PRIMARY KEY (connection_id, digest)
);

-- Where plans were saved: they hold values of leads, so forgetting somebody has to find them.
CREATE TABLE saved_plan (
  connection_id integer NOT NULL REFERENCES connection,
  path          text NOT NULL,
  saved_at      timestamptz NOT NULL,
  PRIMARY KEY (connection_id, path)
);
