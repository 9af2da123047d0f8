-- From when on every verdict is there: deletion periods have reached to here for some stage. NULL: none was deleted.
ALTER TABLE connection ADD COLUMN verdicts_from timestamptz;
