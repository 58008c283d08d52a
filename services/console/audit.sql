-- name: counted_below_nothing
-- a partition with a count below zero
select topic, part, applied, duplicate, conflict, ignored, parked, dead from watermarks
where least(applied, duplicate, conflict, ignored, parked, dead) < 0

-- name: parked_is_not_what_was_counted
-- a partition whose count of parked records is not the number that wait
select topic, part, coalesce(w.parked, 0) as counted, coalesce(p.waiting, 0) as waiting
from watermarks w full join (select topic, part, count(*) as waiting from parked group by topic, part) p using(topic, part)
where coalesce(w.parked, 0) <> coalesce(p.waiting, 0)

-- name: more_disposed_of_than_counted
-- a partition of which the inbox knows more than was counted, or further than was read
select topic, part, i.applied, w.applied as counted_applied, i.ignored, w.ignored as counted_ignored, i.furthest, w.next_off
from (select topic, part, count(*) filter (where disposition = 'applied') as applied, count(*) filter (where disposition = 'ignored') as ignored,
  max(off) as furthest from inbox group by topic, part) i left join watermarks w using(topic, part)
where w.topic is null or i.applied > w.applied or i.ignored > w.ignored or i.furthest >= w.next_off

-- name: parked_in_one_place_only
-- an event that the inbox calls parked and no queue has, or the other way round
select source, event_id from inbox i
where disposition = 'parked' and not exists (select from parked p where (p.source, p.event_id) = (i.source, i.event_id))
union all
select source, event_id from parked p
where not exists (select from inbox i where (i.source, i.event_id) = (p.source, p.event_id) and disposition = 'parked')

-- name: dead_without_a_letter
-- an event that the inbox calls dead and no dead letter tells of
select source, event_id, topic, part, off from inbox i
where disposition = 'dead' and not exists (select from dead_letters d where (d.topic, d.part, d.off) = (i.topic, i.part, i.off))

-- name: two_dispositions
-- a record that has an open dead letter and another disposition as well
select topic, part, off, d.reason, i.disposition from dead_letters d join inbox i using(topic, part, off)
where d.resolved_at is null and d.reason <> 'conflict' and i.disposition <> 'dead'

-- name: let_go_and_never_taken
-- an event that was to be applied once more, and was not
select source, event_id, topic, part, off from inbox where disposition = 'released'

-- name: applied_twice
-- an event or answer that the same entity applied more than once
select entity_id, source, event_id, count(*) as times from transitions where source not like '//offramp/%/timer'
group by entity_id, source, event_id having count(*) > 1

-- name: conflict_with_an_effect
-- a record that was called a conflict although it is the one that the inbox knows
select topic, part, off, source, event_id from dead_letters d join inbox i using(topic, part, off, source, event_id) where d.reason = 'conflict'

-- name: versions_with_a_gap
-- an entity whose versions are not 1, 2, 3 ...
select entity_id, min(version) as first, max(version) as last, count(*) as transitions from transitions
group by entity_id having min(version) <> 1 or max(version) <> count(*)

-- name: version_without_its_transition
-- an entity whose version is not the one that its history ends with
select coalesce(e.subscription_id, t.entity_id) as entity_id, e.version, t.version as of_history
from {entities} e full join (select entity_id, max(version) as version from transitions group by entity_id) t on t.entity_id = e.subscription_id
where e.version is distinct from t.version

-- name: applied_without_a_transition
-- an event that the inbox calls applied and no history has
select source, event_id, topic, part, off from inbox i
where disposition = 'applied' and not exists (select from transitions t where t.event_id = i.event_id and t.source = i.source)

-- name: effect_without_an_event
-- a transition by an event that was not applied, or never came (the inbox remembers 35 days)
select entity_id, version, t.source, t.event_id, i.disposition from transitions t left join inbox i using(source, event_id)
where t.source not like '//offramp/%/timer' and t.source not like '//offramp/%/call'
  and (i.disposition <> 'applied' or (i.disposition is null and t.at > $1::timestamptz - interval '34 days'))

-- name: case_of_nobody
-- a dead letter or a parked record without an owner or a date
select topic, part, off from dead_letters where resolved_at is null and (owner = '' or next_action_at is null)
union all
select topic, part, off from parked where owner = '' or give_up_at is null

-- name: mail_of_nobody
-- a mail that could not be delivered and is nobody's case, or without a date
select mail_id, template, owner, act_by from mails where state = 'undeliverable' and (coalesce(owner, '') = '' or act_by is null)

-- name: subscription_asleep
-- a subscription that is not over and never wakes
select subscription_id, state, data_stage from subscriptions
where wake_at is null and (refund_ack_due_at is not null or guarded_wake_at is null and not (
  state = 'ended' and data_stage = 'deleted' or state = 'active' and price_minor = 0 and current_period_end is null))

-- name: dunning_asleep
-- a subscription that is past due without an unpaid invoice that is chased
select subscription_id from subscriptions where state = 'past_due' and coalesce(details::jsonb -> 'dunnings', '{}') = '{}'

-- name: refund_never_acknowledged
-- a refund that lifecycle asked for over an hour ago and refunds has not acknowledged
select subscription_id, ack.key as request_ref, ack.value ->> 'requested_at' as requested_at
from subscriptions, jsonb_each(details::jsonb -> 'refund_acks') ack
where refund_ack_due_at is not null and (ack.value ->> 'requested_at')::timestamptz < $1::timestamptz - interval '1 hour'

-- name: refund_asleep
-- a refund that is not over and has no owner, next action or deadline
select refund_id, subscription_id, state, owner, next_action_at, deadline_at from refunds
where state not in('closed', 'rejected', 'settled_manually', 'superseded')
  and (coalesce(owner, '') = '' or next_action_at is null or deadline_at is null)

-- name: account_sleeps_too_long
-- a refund account that wakes later than one of its refunds needs, or miscounts them (one in quarantine may)
select a.subscription_id, a.wake_at, min(r.next_action_at) as needed_at, a.open_refunds, count(r.refund_id) as counted
from accounts a left join refunds r on r.subscription_id = a.subscription_id and r.next_action_at is not null
where not exists (select from dead_letters d where d.reason = 'timer_stuck' and d.resolved_at is null and d.key = convert_to(a.subscription_id, 'UTF8'))
group by a.subscription_id, a.wake_at, a.open_refunds having a.open_refunds <> count(r.refund_id) or coalesce(a.wake_at, 'infinity') > min(r.next_action_at)

-- name: foreign_refund_asleep
-- a refund that somebody else made and nobody has explained, without an owner, a next action or a deadline
select a.subscription_id, payment.key as payment_id, theirs.key as provider_refund_id, f.owner, f.next_action_at, f.deadline_at
from accounts a cross join jsonb_each(a.details -> 'payments') payment cross join jsonb_each(payment.value -> 'foreign') theirs
left join foreign_refunds f on (f.payment_id, f.provider_refund_id) = (payment.key, theirs.key)
where theirs.value ->> 'remind_at' is not null and (coalesce(f.owner, '') = '' or f.next_action_at is null or f.deadline_at is null)

-- name: foreign_refund_not_counted
-- a refund account that wakes later than an unexplained refund of somebody else's needs, or miscounts those (one in quarantine may)
select a.subscription_id, a.wake_at, min(f.next_action_at) as needed_at, a.open_cases, count(f.payment_id) as counted
from accounts a left join foreign_refunds f on f.subscription_id = a.subscription_id and f.next_action_at is not null
where not exists (select from dead_letters d where d.reason = 'timer_stuck' and d.resolved_at is null and d.key = convert_to(a.subscription_id, 'UTF8'))
group by a.subscription_id, a.wake_at, a.open_cases
having coalesce(a.open_cases, 0) <> count(f.payment_id) or coalesce(a.wake_at, 'infinity') > min(f.next_action_at)

-- name: wish_never_answered
-- money that was asked back before any payment was known, and the account does not wake to answer (one in quarantine may)
select a.subscription_id, wish.key as request_ref, wish.value ->> 'answer_at' as answer_at, a.guarded_wake_at
from accounts a cross join jsonb_each(a.details -> 'wishes') wish
where coalesce(a.guarded_wake_at, 'infinity') > (wish.value ->> 'answer_at')::timestamptz
  and not exists (select from dead_letters d where d.reason = 'timer_stuck' and d.resolved_at is null and d.key = convert_to(a.subscription_id, 'UTF8'))

-- name: question_that_nobody_asks
-- an attempt that waits for the answer to a call that is not open
select a.subscription_id, r.key as refund_id, attempt ->> 'waiting_for' as waiting_for
from accounts a, jsonb_each(a.details -> 'refunds') r, jsonb_array_elements(r.value -> 'attempts') attempt
where attempt ->> 'waiting_for' is not null
  and not exists (select from calls c where c.idempotency_key = attempt ->> 'waiting_for' and c.done_at is null)

-- name: mail_asleep
-- a mail that is queued and never leaves
select mail_id, subscription_id, template from mails where state = 'queued' and send_after is null

-- name: correspondence_asleep
-- a correspondence that never wakes for its open mails and refunds, or miscounts its mails
select c.subscription_id, c.open_mails, count(m.mail_id) as counted from correspondences c
left join mails m on m.subscription_id = c.subscription_id and m.state = 'queued'
group by c.subscription_id, c.open_mails, c.open_refunds, c.wake_at, c.guarded_wake_at having c.open_mails <> count(m.mail_id)
  or c.wake_at is null and c.guarded_wake_at is null and (c.open_mails > 0 or c.open_refunds > 0)

-- name: overdue
-- an entity whose timer should have fired longer ago than the bound
select subscription_id, least(wake_at, guarded_wake_at) as due_at from {entities} where least(wake_at, guarded_wake_at) < $1::timestamptz - $2::interval

-- name: fired_twice
-- a timer that fired more than once
select entity_id, event_id, count(*) as times from transitions where source like '//offramp/%/timer'
group by entity_id, event_id having count(*) > 1

-- name: fired_early
-- a timer that fired before it was due
select entity_id, version, event_id, at from transitions where source like '//offramp/%/timer'
  and at < substring(event_id from '.*:(\d{4}-\d\d-\d\dT.*)$')::timestamptz

-- name: call_that_nobody_makes
-- a call that has been open for five minutes of machine time with nobody at it
select idempotency_key, entity_id, kind, next_attempt_at from calls
where done_at is null and next_attempt_at < clock_timestamp() - interval '5 minutes' and (lease_until is null or lease_until < clock_timestamp())

-- name: more_back_than_captured
-- a payment of which more was refunded than captured, or not as much is reserved as its refunds take
select p.payment_id, p.captured_minor, p.external_minor, p.reserved_minor, coalesce(sum(r.amount_minor), 0) as taken
from payments p left join refunds r on r.payment_id = p.payment_id and r.state <> 'rejected'
group by p.payment_id, p.captured_minor, p.external_minor, p.reserved_minor having p.reserved_minor <> coalesce(sum(r.amount_minor), 0)
  or coalesce(sum(r.amount_minor), 0) > p.captured_minor

-- name: another_currency
-- a refund of nothing, or in another currency than its payment
select r.refund_id, r.amount_minor, r.currency, p.currency as paid_in from refunds r left join payments p using(payment_id)
where r.amount_minor <= 0 or r.currency is distinct from p.currency

-- name: told_and_never_sent
-- a follow-up or dead letter on its way to Kafka that nobody has sent for a minute
select o.topic, o.type, o.id, o.shard from outbox o left join outbox_leases l using(shard)
where l.held_until is null or l.held_until < clock_timestamp() - interval '1 minute'

-- name: two_mails_of_one_fact
-- more than one mail about the same thing, version, template and recipient
select entity_id, version, template, count(*) as mails from mails group by entity_id, version, template, recipient_hash having count(*) > 1

-- name: two_mails_of_one_name
-- more than one mail under the same Message-ID, so that a mailbox can't tell a repeat
select message_id, count(*) as mails from mails group by message_id having count(*) > 1

-- name: two_open_attempts
-- a refund with more than one attempt that has not failed: both could be paid
select refund_id, count(*) as attempts from refund_attempts where failed_at is null group by refund_id having count(*) > 1

-- name: attempts_of_one_key
-- attempts that share an idempotency key or a provider's refund
select idempotency_key as shared, count(*) as attempts from refund_attempts group by idempotency_key having count(*) > 1
union all
select provider_refund_id, count(*) from refund_attempts group by provider_refund_id having count(*) > 1 and provider_refund_id is not null

-- name: paid_by_no_attempt
-- a refund that is said to be with the provider, and no attempt has the provider's name for it
select refund_id, state from refunds r where state in('pending', 'requires_action', 'succeeded', 'reversed', 'closed')
  and not exists (select from refund_attempts a where a.refund_id = r.refund_id and a.provider_refund_id is not null)

-- name: without_a_disposition
-- of these records on Kafka, those that were read and left no trace
select topic, part, off from unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[]) as record(topic, part, off, source, event_id)
where not exists (select from dead_letters d where (d.topic, d.part, d.off) = (record.topic, record.part, record.off))
  and not exists (select from inbox i where (i.source, i.event_id) = (record.source, record.event_id))

-- name: marks
-- how far each partition was read, and how many records were counted
select topic, part, next_off, applied + duplicate + conflict + ignored + parked + dead as counted from watermarks

-- name: told
-- what each transition told, to be found on Kafka
select entity_id, event_id, facts, at from transitions where facts <> ''

-- name: letters
-- the dead letters, to be found on Kafka
select topic, part, off from dead_letters

-- name: unsent
-- what is still on its way to Kafka
select record_key, headers from outbox

-- name: attempts
-- the tries that the provider should know
select a.idempotency_key, a.provider_refund_id, r.amount_minor, p.provider_payment_id
from refund_attempts a join refunds r using(refund_id) join payments p using(payment_id)
