-- What became of an opportunity after the handover: the day it was lost, what sales said of it, and what stood there
-- as the reason of an older loss when the lead was handed over.
ALTER TABLE handover ADD COLUMN lost_on date, ADD COLUMN lost_reason text, ADD COLUMN lost_then text;
