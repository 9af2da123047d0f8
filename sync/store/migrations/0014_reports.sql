-- The numbers of periods that have ended, as they were first told. They hold counts and names of goals, nobody's
-- data; what changes afterwards is told beside them and never changes them.
CREATE TABLE frozen_period (
  connection_id integer NOT NULL REFERENCES connection,
  goal          text NOT NULL,
  digest        text NOT NULL,                -- of what was counted: another period or condition is another goal
  first_day     date NOT NULL,
  last_day      date NOT NULL,                -- included
  counted       bigint NOT NULL,
  reached       bigint NOT NULL,
  frozen_at     timestamptz NOT NULL,
  PRIMARY KEY (connection_id, goal, digest)
);
