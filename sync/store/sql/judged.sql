-- see_one_moment --
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- blocks_of_leads --
SELECT pg_relation_size('lead') / current_setting('block_size')::integer;

-- judged_in_blocks --
-- The leads in some blocks of the table, with what a policy looks at. They are one row of two texts, a line a lead:
-- handing over each lead by itself costs more than all the rest. Both texts are gathered from the same rows, and so
-- are in the same order.
SELECT convert_to(string_agg(lead_values, chr(10)), 'UTF8'),
       convert_to(string_agg(
         lead_id || ',' || stage || ',' || highest_stage || ',' || cycle || ',' ||
         CASE WHEN temperature <> '' THEN chr(1) || temperature || chr(1) || ',' || score ELSE ',' END || ',' ||
         stage_why || ',' || coalesce(temperature_since::text, '') || ',' || coalesce(returned_on::text, '') || ',' ||
         CASE WHEN spent_rejection IS NULL THEN ''
              ELSE chr(1) || replace(spent_rejection, chr(1), chr(1) || chr(1)) || chr(1) END,
         chr(10)), 'UTF8'),
       int4send(count(*)::integer)
  FROM lead
 WHERE connection_id = %(connection)s AND ctid >= %(begin)s::tid AND ctid < %(end)s::tid
HAVING count(*) > 0;
