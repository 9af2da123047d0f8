-- Whether anybody looked at the words about an older loss when a lead was handed over: without it, no words may mean
-- that no field for them was read then. Rows from before do not say.
ALTER TABLE handover ADD COLUMN lost_then_known boolean;
