-- open_call_window --
INSERT INTO call_window (budget) VALUES (%(budget)s) ON CONFLICT (budget) DO NOTHING;

-- grant_calls --
-- One call, and up to "lot" where the window has room for them.
-- The row is locked before the clock is read: who waited for it must not be granted a moment that has passed.
WITH locked AS MATERIALIZED (
  SELECT budget, calls_at, held_until FROM call_window WHERE budget = %(budget)s FOR UPDATE),
moment AS MATERIALIZED (
  SELECT budget, calls_at, held_until, clock_timestamp() AS now FROM locked),
kept AS MATERIALIZED (
  SELECT budget, held_until, now,
         ARRAY(SELECT at FROM unnest(calls_at) AS at WHERE at > now - %(seconds)s * interval '1 second'
               ORDER BY at) AS calls_at
    FROM moment),
answer AS MATERIALIZED (
  SELECT budget, now, calls_at,
         CASE WHEN held_until > now THEN extract(epoch FROM held_until - now)
              WHEN cardinality(calls_at) < %(calls)s THEN 0
              ELSE greatest(0.001, %(seconds)s
                   - extract(epoch FROM now - calls_at[cardinality(calls_at) - %(calls)s + 1])) END AS wait
    FROM kept)
UPDATE call_window
   SET calls_at = CASE WHEN wait = 0 THEN answer.calls_at || array_fill(answer.now, ARRAY[
                         least(%(lot)s, %(calls)s - cardinality(answer.calls_at))])
                       ELSE answer.calls_at END
  FROM answer WHERE call_window.budget = answer.budget
RETURNING wait::float8, cardinality(call_window.calls_at),
          cardinality(call_window.calls_at) - cardinality(answer.calls_at);

-- count_calls --
-- Calls of others, made at a time we do not know: counted as if made now.
WITH locked AS MATERIALIZED (
  SELECT budget, calls_at FROM call_window WHERE budget = %(budget)s FOR UPDATE),
kept AS MATERIALIZED (
  SELECT budget, clock_timestamp() AS now,
         ARRAY(SELECT at FROM unnest(calls_at) AS at
                WHERE at > clock_timestamp() - %(seconds)s * interval '1 second' ORDER BY at) AS calls_at
    FROM locked)
UPDATE call_window
   SET calls_at = kept.calls_at
                  || array_fill(kept.now, ARRAY[greatest(%(calls)s - cardinality(kept.calls_at), 0)])
  FROM kept WHERE call_window.budget = kept.budget;

-- hold_calls --
UPDATE call_window
   SET held_until = greatest(held_until, clock_timestamp() + %(seconds)s * interval '1 second')
 WHERE budget = %(budget)s;

-- note_day --
-- What was heard later counts; heard at the same moment, the one that saw more calls.
INSERT INTO call_day (budget, used, day_limit, heard)
VALUES (%(budget)s, %(used)s, %(limit)s, %(heard)s)
ON CONFLICT (budget) DO UPDATE
   SET used = excluded.used, day_limit = excluded.day_limit, heard = excluded.heard
 WHERE (call_day.heard, call_day.used) <= (excluded.heard, excluded.used);

-- noted_days --
SELECT budget, used, day_limit, heard FROM call_day WHERE starts_with(budget, %(app)s);

-- count_calls_of_hour --
INSERT INTO call_hour (budget, hour, ours, backfill) VALUES (%(budget)s, %(hour)s, %(ours)s, %(backfill)s)
ON CONFLICT (budget, hour) DO UPDATE
   SET ours = call_hour.ours + excluded.ours, backfill = call_hour.backfill + excluded.backfill;

-- note_use_of_hour --
-- What a CRM counts of its day, without what backfills made of it. Of the hour in which the day began a part belongs
-- to it; the highest is noted without the whole of that hour, so that no call of ours is taken for one of others.
WITH forgotten AS (DELETE FROM call_hour WHERE budget = %(budget)s AND hour < %(oldest)s),
besides AS (
  SELECT greatest(%(used)s::bigint - coalesce(round(sum(backfill * least(
           extract(epoch FROM hour + interval '1 hour' - %(began)s::timestamptz) / 3600, 1))), 0), 0)::bigint AS calls,
         greatest(%(used)s::bigint - coalesce(sum(backfill), 0), 0)::bigint AS at_least
    FROM call_hour
   WHERE budget = %(budget)s AND hour > %(began)s::timestamptz - interval '1 hour' AND hour <= %(hour)s)
INSERT INTO call_hour (budget, hour, besides, highest) SELECT %(budget)s, %(hour)s, calls, at_least FROM besides
ON CONFLICT (budget, hour) DO UPDATE
   SET besides = excluded.besides, highest = greatest(call_hour.highest, excluded.highest);

-- hours_of_calls --
SELECT hour, ours, backfill, besides, highest FROM call_hour
 WHERE budget = %(budget)s AND hour >= %(oldest)s ORDER BY hour;
