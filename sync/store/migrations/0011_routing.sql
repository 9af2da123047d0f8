-- Who gets a lead that is handed over: the people, whose turn it is, what was given to whom, and who was told.
CREATE TABLE owner (
  connection_id integer NOT NULL REFERENCES connection,
  crm           text NOT NULL,
  owner_id      text NOT NULL,
  email         text NOT NULL,                -- in lower case; empty where the CRM tells none
  name          text NOT NULL,
  active        boolean NOT NULL,
  queue         boolean NOT NULL,
  ours          boolean NOT NULL,             -- the user that Leadpact itself works as
  PRIMARY KEY (connection_id, crm, owner_id)
);

-- One row a connection: the number of the last giving away, and how old what we know of the owners is.
CREATE TABLE desk (
  connection_id  integer PRIMARY KEY REFERENCES connection,
  version        bigint NOT NULL,
  owners_read_at timestamptz                  -- null: to be read again
);

-- Whose turn it is on each route: the higher, the sooner.
CREATE TABLE turn (
  connection_id integer NOT NULL REFERENCES connection,
  route         text NOT NULL,
  owner         text NOT NULL,
  standing      integer NOT NULL,
  PRIMARY KEY (connection_id, route, owner)
);

-- One row each time that a lead gets an owner. It is there before the CRMs are written to.
CREATE TABLE routed (
  connection_id    integer NOT NULL REFERENCES connection,
  lead_id          text NOT NULL,
  cycle            integer NOT NULL,
  number           integer NOT NULL,          -- within the cycle
  turn             integer NOT NULL,          -- how often the lead had run out of time by then
  owner            text NOT NULL,             -- an e-mail address, or the name of a queue
  queue            boolean NOT NULL,
  salesforce_owner text,                      -- the ids that the records show since
  hubspot_owner    text,
  before           text,                      -- the Salesforce owner that the record showed until then
  route            text NOT NULL,             -- empty: the lead had this owner, or a person chose it
  why              text NOT NULL,
  at               timestamptz NOT NULL,
  run_id           bigint NOT NULL,
  settled          boolean NOT NULL,          -- false: whether the CRMs were written to is not known yet
  PRIMARY KEY (connection_id, lead_id, cycle, number)
);
CREATE INDEX routed_unsettled ON routed (connection_id) WHERE NOT settled;

-- Who is to be told of a handover: one row a handover and kind.
CREATE TABLE notice (
  connection_id integer NOT NULL REFERENCES connection,
  lead_id       text NOT NULL,
  cycle         integer NOT NULL,
  kind          text NOT NULL,                -- handover, escalation
  recipient     text NOT NULL,                -- an e-mail address
  due_at        timestamptz,
  made_at       timestamptz NOT NULL,
  task_id       text,                         -- the Salesforce task
  task_owner    text,                         -- who has it, by the id that we gave it
  task_done_at  timestamptz,                  -- null: the task is still to be made, or to be moved
  mail_done_at  timestamptz,                  -- null: the mail is still to be sent
  problem       text,                         -- why it could not be, the last time
  PRIMARY KEY (connection_id, lead_id, cycle, kind)
);
CREATE INDEX notice_waiting ON notice (connection_id) WHERE task_done_at IS NULL OR mail_done_at IS NULL;
