-- Mails about handovers go by the same outbox as all others. There a notice needs a name of its own: the id of its lead
-- changes when two leads turn out to be one person.
ALTER TABLE notice ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX notice_number ON notice (number);
COMMENT ON COLUMN notice.mail_done_at IS 'NULL: the mail is still to be put into the outbox (letter, what = handover)';
