-- links_of_records --
-- The lead of each record we know; a record we do not know is simply absent.
-- Here and below OFFSET 0 keeps the planner from joining: in a first run it knows nothing of tables that grew a
-- minute ago, and would read them whole. This way a question costs as many look-ups as it names rows.
SELECT link.crm, link.object, link.record_id, link.lead_id
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM link
        WHERE link.connection_id = %(connection)s AND link.crm = asked.crm AND link.object = asked.object
          AND link.record_id = asked.record_id
       OFFSET 0) AS link;

-- some_links --
SELECT EXISTS (SELECT 1 FROM link WHERE connection_id = %(connection)s);

-- links_of_leads --
SELECT link.lead_id, link.crm, link.object, link.record_id, link.email_key, link.name_key, link.company_key,
       link.phone_key
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM link
        WHERE link.connection_id = %(connection)s AND link.lead_id = asked.lead_id OFFSET 0) AS link;

-- links_until --
SELECT link.lead_id, link.crm, link.object, link.record_id, link.email_key, link.name_key, link.company_key,
       link.phone_key
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM link
        WHERE link.connection_id = %(connection)s AND link.lead_id = asked.lead_id
          AND link.linked_at <= %(at)s OFFSET 0) AS link;

-- links_by_email --
SELECT link.lead_id, link.crm, link.object, link.record_id, link.email_key, link.name_key, link.company_key,
       link.phone_key
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM link
        WHERE link.connection_id = %(connection)s AND link.email_key = asked.email_key OFFSET 0) AS link;

-- links_by_phone --
-- A number of many is a switchboard's: no more of it are looked at than it takes to see that.
SELECT link.lead_id, link.crm, link.object, link.record_id, link.email_key, link.name_key, link.company_key,
       link.phone_key
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM link
        WHERE link.connection_id = %(connection)s AND link.phone_key = asked.phone_key
        LIMIT %(at_most)s) AS link;

-- links_by_name_and_domain --
-- The conditions on the name and the address are those of the index, which holds whole names only.
SELECT link.lead_id, link.crm, link.object, link.record_id, link.email_key, link.name_key, link.company_key,
       link.phone_key
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM link
        WHERE link.connection_id = %(connection)s AND link.name_key = asked.name_key
          AND split_part(link.email_key, '@', 2) = asked.domain
          AND link.email_key IS NOT NULL AND link.name_key LIKE '%% %%'
        LIMIT %(at_most)s) AS link;

-- bases_of_records --
SELECT base.crm, base.object, base.record_id, base.record_values, base.record_mark
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM base
        WHERE base.connection_id = %(connection)s AND base.crm = asked.crm AND base.object = asked.object
          AND base.record_id = asked.record_id
       OFFSET 0) AS base;

-- leads_by_id --
-- No temperature: the lead is not scored, and its zeros are none.
SELECT lead.lead_id, lead.lead_values, CASE WHEN lead.temperature <> '' THEN lead.score END,
       CASE WHEN lead.temperature <> '' THEN lead.fit END,
       CASE WHEN lead.temperature <> '' THEN lead.engagement END,
       CASE WHEN lead.temperature <> '' THEN lead.coverage END, nullif(lead.temperature, ''),
       lead.stage, lead.stage_why, lead.highest_stage, lead.cycle, lead.nurture_track,
       lead.grade, lead.temperature_since, lead.returned_on, lead.spent_rejection, lead.policy_version,
       lead.decided_at
  FROM asked CROSS JOIN LATERAL (
       SELECT * FROM lead
        WHERE lead.connection_id = %(connection)s AND lead.lead_id = asked.lead_id OFFSET 0) AS lead;

-- lead_ids_after --
SELECT lead_id FROM lead
 WHERE connection_id = %(connection)s AND lead_id > %(after)s
 ORDER BY lead_id LIMIT %(limit)s;

-- count_leads --
SELECT count(*) FROM lead WHERE connection_id = %(connection)s;

-- leads_of_email --
SELECT lead_id FROM lead WHERE connection_id = %(connection)s AND email_key = %(email)s ORDER BY lead_id;

-- lead_of_record --
-- A record that was merged into another is found under its old id, too.
SELECT lead_id FROM link
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND record_id = %(record)s
UNION ALL
SELECT lead_id FROM fate
 WHERE connection_id = %(connection)s AND crm = %(crm)s AND record_id = %(record)s
LIMIT 1;

-- lead_exists --
SELECT lead_id FROM lead WHERE connection_id = %(connection)s AND lead_id = %(lead)s
UNION ALL
SELECT lead_id FROM lead_alias WHERE connection_id = %(connection)s AND old_lead_id = %(lead)s
LIMIT 1;

-- remember_links --
INSERT INTO link (connection_id, crm, object, record_id, lead_id, how, linked_at, run_id,
                  email_key, name_key, company_key, phone_key)
SELECT %(connection)s, crm, object, record_id, lead_id, how, %(now)s, %(run)s,
       email_key, name_key, company_key, phone_key
  FROM new_links
ON CONFLICT (connection_id, crm, object, record_id) DO UPDATE
   SET email_key = excluded.email_key, name_key = excluded.name_key, company_key = excluded.company_key,
       phone_key = excluded.phone_key
 WHERE (link.email_key, link.name_key, link.company_key, link.phone_key)
       IS DISTINCT FROM (excluded.email_key, excluded.name_key, excluded.company_key, excluded.phone_key);

-- remember_bases --
-- A mark that is missing, or of another version, is put beside its text; that is no new agreement.
INSERT INTO base (connection_id, crm, object, record_id, record_values, record_mark, agreed_at, run_id)
SELECT %(connection)s, crm, object, record_id, record_values, record_mark, %(now)s, %(run)s
  FROM new_bases
ON CONFLICT (connection_id, crm, object, record_id) DO UPDATE
   SET record_values = excluded.record_values, record_mark = excluded.record_mark,
       agreed_at = CASE WHEN base.record_values = excluded.record_values THEN base.agreed_at
                        ELSE excluded.agreed_at END,
       run_id = CASE WHEN base.record_values = excluded.record_values THEN base.run_id ELSE excluded.run_id END
 WHERE base.record_values <> excluded.record_values OR base.record_mark IS DISTINCT FROM excluded.record_mark;

-- remember_leads --
INSERT INTO lead (connection_id, lead_id, email_key, lead_values, score, fit, engagement, coverage, temperature,
                  stage, stage_why, highest_stage, cycle, nurture_track, grade, temperature_since, returned_on,
                  spent_rejection, policy_version, decided_at)
SELECT %(connection)s, lead_id, email_key, lead_values, coalesce(score, 0), coalesce(fit, 0),
       coalesce(engagement, 0), coalesce(coverage, 0), coalesce(temperature, ''),
       stage, stage_why, highest_stage, cycle, nurture_track, grade, temperature_since, returned_on,
       spent_rejection, policy_version, decided_at
  FROM new_leads
ON CONFLICT (connection_id, lead_id) DO UPDATE
   SET email_key = excluded.email_key, lead_values = excluded.lead_values, score = excluded.score,
       fit = excluded.fit, engagement = excluded.engagement, coverage = excluded.coverage,
       temperature = excluded.temperature, stage = excluded.stage, stage_why = excluded.stage_why,
       highest_stage = excluded.highest_stage, cycle = excluded.cycle, nurture_track = excluded.nurture_track,
       grade = excluded.grade, temperature_since = excluded.temperature_since,
       returned_on = excluded.returned_on, spent_rejection = excluded.spent_rejection,
       policy_version = excluded.policy_version, decided_at = excluded.decided_at;

-- verdicts_of_lead --
SELECT decided_at, policy_version, inputs, CASE WHEN temperature <> '' THEN score END AS score,
       CASE WHEN temperature <> '' THEN fit END AS fit,
       CASE WHEN temperature <> '' THEN engagement END AS engagement,
       CASE WHEN temperature <> '' THEN coverage END AS coverage,
       nullif(temperature, '') AS temperature, stage, stage_why,
       highest_stage, cycle, nurture_track, grade, temperature_since, returned_on, spent_rejection, run_id
  FROM verdict WHERE connection_id = %(connection)s AND lead_id = %(lead)s
   AND decided_at <= coalesce(%(at)s, 'infinity'::timestamptz)
 ORDER BY decided_at DESC, verdict_id DESC LIMIT %(limit)s;

-- unlink --
-- A record that was taken away belongs to no lead, and nothing is agreed with it.
WITH gone AS (
  DELETE FROM link USING unlinked
   WHERE link.connection_id = %(connection)s AND link.crm = unlinked.crm AND link.object = unlinked.object
     AND link.record_id = unlinked.record_id)
DELETE FROM base USING unlinked
 WHERE base.connection_id = %(connection)s AND base.crm = unlinked.crm AND base.object = unlinked.object
   AND base.record_id = unlinked.record_id;
