-- What a slice settles is found lead by lead: its cost must not grow with what the run has written before it.
DROP INDEX journal_open;
CREATE INDEX journal_open ON journal (connection_id, lead_id, crm, field) WHERE state = 'intent';

-- A run's rows are found by their run alone. They come one after the other, so this index grows at its end only,
-- where every row of the journal is written twice: as an intent, and again with its end.
DROP INDEX journal_of_run;
CREATE INDEX journal_of_run ON journal (run_id);
