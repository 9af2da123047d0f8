-- How often the database server was started anew while a job ran: whether the job had to do with it, nobody can tell.
-- Counted apart from its workers' deaths, because a job may live through far more of these.
ALTER TABLE job_failure ADD COLUMN restarts integer NOT NULL DEFAULT 0;
