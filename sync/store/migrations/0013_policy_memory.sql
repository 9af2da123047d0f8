-- What the next verdict has to know of the last one, and the grid that people read. All of it is null for verdicts
-- that were made before it was kept.
ALTER TABLE lead
  ADD COLUMN grade             text,   -- A1 to C3
  ADD COLUMN temperature_since date,   -- since which day (UTC) the lead has had its temperature
  ADD COLUMN returned_on       date,   -- when it last came back to marketing
  ADD COLUMN spent_rejection   text;   -- the reason of a rejection that a handover has followed already

ALTER TABLE verdict
  ADD COLUMN grade             text,
  ADD COLUMN temperature_since date,
  ADD COLUMN returned_on       date,
  ADD COLUMN spent_rejection   text;
