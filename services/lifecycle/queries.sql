-- name: known
-- Whoever is not in here yet is locked by name before anything is decided.
select subscription_id from subscriptions where subscription_id = any($1::text[])

-- name: load
-- Always in the order of the ids, so that two batches can't wait for each other. What a customer gets once a year counts with
-- whichever subscription of theirs: `others` is null for almost everyone, and found by an index that has few rows.
select subscription_id, version, details, wake_at, guarded_wake_at,
  (select array[max(other.last_paused_at), max(other.last_offered_at)] from subscriptions other
   where other.customer_id = subscriptions.customer_id and other.subscription_id <> subscriptions.subscription_id
     and (other.last_paused_at is not null or other.last_offered_at is not null) having count(*) > 0) as others
from subscriptions where subscription_id = any($1::text[]) order by subscription_id

-- name: lock_customers
-- Whoever gives a customer what comes once a year is alone with them until it is committed. In the order of the buckets.
select pg_advisory_xact_lock($1::int, b) from unnest($2::int[]) b

-- name: others
-- The same `others` as above, once more, under that lock.
select given.id, max(other.last_paused_at), max(other.last_offered_at)
from unnest($1::text[], $2::text[]) given(id, customer) left join subscriptions other
  on other.customer_id = given.customer and other.subscription_id <> given.id and (other.last_paused_at is not null or other.last_offered_at is not null)
group by given.id

-- name: store
-- One statement whatever the number; the lock was taken by `load`, or by name for a new one.
insert into subscriptions(
  subscription_id, version, state, return_state, customer_id, plan, price_minor, currency, current_period_end, trial_ends_at,
  canceled_at, ends_at, resumes_at, ended_at, end_reason, data_stage, inactive_since, deactivation_due_at, refund_ack_due_at,
  last_paused_at, last_offered_at, wake_at, guarded_wake_at, details)
select * from unnest(
  $1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::timestamptz[],
  $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::text[],
  $17::timestamptz[], $18::timestamptz[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::timestamptz[],
  $23::timestamptz[], $24::text[])
on conflict(subscription_id) do update set
  version = excluded.version, state = excluded.state, return_state = excluded.return_state, customer_id = excluded.customer_id,
  plan = excluded.plan, price_minor = excluded.price_minor, currency = excluded.currency,
  current_period_end = excluded.current_period_end, trial_ends_at = excluded.trial_ends_at, canceled_at = excluded.canceled_at,
  ends_at = excluded.ends_at, resumes_at = excluded.resumes_at, ended_at = excluded.ended_at, end_reason = excluded.end_reason,
  data_stage = excluded.data_stage, inactive_since = excluded.inactive_since, deactivation_due_at = excluded.deactivation_due_at,
  refund_ack_due_at = excluded.refund_ack_due_at, last_paused_at = excluded.last_paused_at,
  last_offered_at = excluded.last_offered_at, wake_at = excluded.wake_at, guarded_wake_at = excluded.guarded_wake_at,
  details = excluded.details

-- name: due
-- Two index scans, each bounded, so that a million rows that are not due cost nothing. No lock: they are looked at again under it.
(select subscription_id from subscriptions where wake_at <= $1 order by wake_at limit $3)
union
(select subscription_id from subscriptions where guarded_wake_at <= least($1, $2) order by guarded_wake_at limit $3)
limit $3

-- name: next_wake
-- What the test clock walks to.
select least((select min(wake_at) from subscriptions), (select min(guarded_wake_at) from subscriptions))
