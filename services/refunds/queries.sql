-- name: known
-- Parking asks which accounts exist before it locks any.
select subscription_id from accounts where subscription_id = any($1::text[])

-- name: load
-- Locked in the order of their ids, so that two transactions never wait for each other.
select subscription_id, version, details::text as details, wake_at, guarded_wake_at
from accounts where subscription_id = any($1::text[]) order by subscription_id

-- name: store_accounts
-- First, since everything else refers to them.
insert into accounts select * from jsonb_populate_recordset(null::accounts, $1::jsonb)
on conflict (subscription_id) do update set
  version = excluded.version, country = excluded.country, consumer = excluded.consumer, open_refunds = excluded.open_refunds,
  open_cases = excluded.open_cases,
  wake_at = excluded.wake_at, guarded_wake_at = excluded.guarded_wake_at, details = excluded.details

-- name: store_payments
-- Before the refunds: the CHECK on what is reserved holds before any of them is written. Unchanged rows stay as they are.
insert into payments as known select * from jsonb_populate_recordset(null::payments, $1::jsonb)
on conflict (payment_id, subscription_id) do update set
  reserved_minor = excluded.reserved_minor, external_minor = excluded.external_minor
where (known.reserved_minor, known.external_minor) is distinct from (excluded.reserved_minor, excluded.external_minor)

-- name: store_refunds
-- What a refund is never changes, only where it stands, and after an appeal by which right; `version` tells when it last did.
insert into refunds as known select * from jsonb_populate_recordset(null::refunds, $1::jsonb)
on conflict (refund_id) do update set
  basis = excluded.basis, promise_due_at = excluded.promise_due_at, legal_due_at = excluded.legal_due_at,
  version = excluded.version, email = excluded.email, locale = excluded.locale, state = excluded.state, told_due_at = excluded.told_due_at,
  owner = excluded.owner, next_action_at = excluded.next_action_at, deadline_at = excluded.deadline_at,
  escalation = excluded.escalation, settlement_ref = excluded.settlement_ref
where (known.email, known.locale, known.state, known.told_due_at, known.owner, known.next_action_at, known.deadline_at, known.escalation)
  is distinct from (excluded.email, excluded.locale, excluded.state, excluded.told_due_at, excluded.owner, excluded.next_action_at,
    excluded.deadline_at, excluded.escalation)

-- name: store_attempts
-- In their order: the one that failed is closed before the next is opened.
insert into refund_attempts as known
select * from jsonb_populate_recordset(null::refund_attempts, $1::jsonb) as written order by written.refund_id, written.attempt
on conflict (refund_id, attempt) do update set
  provider_refund_id = excluded.provider_refund_id, raw_status = excluded.raw_status, failed_at = excluded.failed_at
where (known.provider_refund_id, known.raw_status, known.failed_at)
  is distinct from (excluded.provider_refund_id, excluded.raw_status, excluded.failed_at)

-- name: store_foreign
-- What others gave back: only the case about it changes, and what the provider says.
insert into foreign_refunds as known select * from jsonb_populate_recordset(null::foreign_refunds, $1::jsonb)
on conflict (payment_id, provider_refund_id) do update set
  provider_status = excluded.provider_status, seen_at = excluded.seen_at, owner = excluded.owner,
  next_action_at = excluded.next_action_at, deadline_at = excluded.deadline_at
where (known.provider_status, known.seen_at, known.owner, known.next_action_at, known.deadline_at)
  is distinct from (excluded.provider_status, excluded.seen_at, excluded.owner, excluded.next_action_at, excluded.deadline_at)

-- name: subscription_of
-- Whose refund a provider speaks of, and of which charge: by its own name for the refund, or by the charge's. Both are from our books,
-- nothing is taken from what was sent.
(select p.subscription_id, p.provider_payment_id, 1 as place from refund_attempts a join refunds r using(refund_id) join payments p using(payment_id)
 where a.provider_refund_id = $1)
union all
(select subscription_id, provider_payment_id, 2 from payments where provider_payment_id = any($2::text[]) order by payment_id)
order by place limit 1

-- name: count_cases
-- For the gauge: refunds that somebody else made and nobody has explained.
select owner, case when deadline_at < $1 then 'yes' else 'no' end as overdue, count(*)
from foreign_refunds where next_action_at is not null group by 1, 2

-- name: count_open
-- For the gauge: whatever is not over has a next action.
select state, owner, escalation, case when deadline_at < $1 then 'yes' else 'no' end as overdue, count(*)
from refunds where next_action_at is not null group by 1, 2, 3, 4

-- name: due
-- Two index scans; what waits for the watermarks is due when every input has been read past it.
(select subscription_id, wake_at as at from accounts where wake_at <= $1 order by wake_at limit $3)
union
(select subscription_id, guarded_wake_at from accounts where guarded_wake_at <= least($1, $2::timestamptz) and $2 is not null
 order by guarded_wake_at limit $3)
order by at limit $3

-- name: next_wake
-- Both are index lookups.
select least((select min(wake_at) from accounts), (select min(guarded_wake_at) from accounts))
