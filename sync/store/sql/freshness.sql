-- note_freshness --
INSERT INTO freshness (connection_id, hour, lane, crm, bucket, leads)
SELECT %(connection)s, date_trunc('hour', %(now)s::timestamptz, 'UTC'), took.lane, took.crm, took.bucket, took.leads
  FROM unnest(%(lanes)s::text[], %(crms)s::text[], %(buckets)s::smallint[], %(leads)s::bigint[])
       AS took (lane, crm, bucket, leads)
 ORDER BY took.lane, took.crm, took.bucket
ON CONFLICT (connection_id, hour, lane, crm, bucket) DO UPDATE SET leads = freshness.leads + excluded.leads;

-- drop_old_freshness --
DELETE FROM freshness WHERE connection_id = %(connection)s AND hour < %(before)s;

-- freshness_since --
SELECT lane, bucket, sum(leads)::bigint FROM freshness
 WHERE connection_id = %(connection)s AND hour >= date_trunc('hour', %(since)s::timestamptz, 'UTC')
 GROUP BY lane, bucket ORDER BY lane, bucket;

-- runs_since --
SELECT command, state, count(*), coalesce(sum(written), 0)::bigint, coalesce(sum(unchanged), 0)::bigint,
       coalesce(sum(held), 0)::bigint, coalesce(sum(refused), 0)::bigint, coalesce(sum(calls_hubspot), 0)::bigint,
       coalesce(sum(calls_salesforce), 0)::bigint
  FROM run WHERE connection_id = %(connection)s AND started_at >= %(since)s
 GROUP BY command, state ORDER BY command, state;
