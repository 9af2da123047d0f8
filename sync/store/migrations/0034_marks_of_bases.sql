-- A number for what a base says, so that a record that still holds it is known without reading the text.
-- NULL: nobody has reckoned it yet; then the text is read.
ALTER TABLE base ADD COLUMN record_mark bigint;
