-- Nothing asks for handovers by this index, and it led astray: it begins as the primary key does, so that a server that
-- takes the table for a few rows saw no difference, and walked all handovers for each lead that it was asked for.
DROP INDEX handover_by_time;
