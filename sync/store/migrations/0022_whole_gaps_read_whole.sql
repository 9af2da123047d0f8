-- A gap that concerns every record is closed only by a run that read the object from its beginning. A program from
-- before `whole` does not know that, and may still be at work for minutes: its gap stays open for one that does.
ALTER TABLE pull_gap ADD COLUMN read_whole boolean NOT NULL DEFAULT false;  -- the run read the object from its beginning

CREATE FUNCTION keep_whole_gap_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.whole AND NEW.read_at IS NOT NULL AND NOT NEW.read_whole THEN
    RETURN NULL;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER whole_gap_read_whole BEFORE UPDATE OF read_at ON pull_gap
  FOR EACH ROW WHEN (OLD.read_at IS NULL) EXECUTE FUNCTION keep_whole_gap_open();
