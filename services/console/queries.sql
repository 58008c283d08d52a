-- name: dispositions
-- what this service did with these events, and where it found them
select source, event_id, disposition, topic, part, off from inbox where event_id = any($1::text[])

-- name: next_offset
-- whether this record was read: a repeat leaves no other trace
select next_off from watermarks where topic = $1 and part = $2

-- name: dead_letter_at
-- one place, whether it is open or not
select topic, part, off, key, value, headers, redacted, source, event_id, reason, error_class, message, attempts, first_failed_at, owner,
  next_action_at, resolved_at, resolution, note
from dead_letters where topic = $1 and part = $2 and off = $3

-- name: dead_letters_of
-- an event may have died after it was parked
select reason, message, event_id from dead_letters where event_id = any($1::text[])

-- name: dead_letters
-- open ones first, then the newest
select topic, part, off, key, reason, error_class, message, owner, first_failed_at, next_action_at, resolution
from dead_letters where $1 or resolved_at is null order by (resolved_at is null) desc, first_failed_at desc limit $2

-- name: dead_letters_about
-- the key of every record is the subscription
select topic, part, off, reason, message, first_failed_at, resolution from dead_letters where key = convert_to($1, 'UTF8') order by first_failed_at

-- name: parked_about
-- one queue per subscription, in order of arrival
select topic, part, off, event_id, waits_for, parked_at, give_up_at, owner from parked where entity_id = $1 order by arrival

-- name: parked_events
-- what these events wait for
select event_id, waits_for, give_up_at from parked where event_id = any($1::text[])

-- name: transitions_of
-- what came of these events, calls and timers
select entity_id, version, event_id, event, from_state, to_state, facts, at from transitions where event_id = any($1::text[]) order by at, version

-- name: transitions_about
-- the history of one entity
select version, source, event_id, event, from_state, to_state, facts, at from transitions where entity_id = $1 order by version

-- name: calls_about
-- what was asked of the outside
select idempotency_key, kind, asked_at, attempts, done_at, outcome from calls where entity_id = $1 order by asked_at, idempotency_key

-- name: calls_since
-- those that an event's decision may have made
select idempotency_key, done_at from calls where entity_id = $1 and asked_at >= $2

-- name: under_way
-- what still moves for this subscription: told but not on Kafka yet, asked but not answered yet
select (select count(*) from outbox where record_key = convert_to($1, 'UTF8'))
  + (select count(*) from calls where entity_id = $1 and done_at is null) as things

-- name: test_clock
-- business time in test-clock mode; no row: it is the wall's
select now from test_clock

-- name: subscription
-- whole rows as JSON: the console shows what is there, whatever columns are added
select to_jsonb(s) as row from subscriptions s where subscription_id = $1

-- name: refunds_of
-- every refund of one subscription, and what a person who decides has to know: who approved it already, and what the customer says
select to_jsonb(r) || jsonb_build_object('approved_by', stage -> 'approved_by', 'comment', stage -> 'comment') as row
from refunds r join accounts a using(subscription_id) cross join lateral (select a.details #> array['refunds', r.refund_id::text, 'stage'] as stage) of_it
where subscription_id = $1 order by informed_at

-- name: refund
-- the same by its id or by the reference that asked for it
select to_jsonb(r) || jsonb_build_object('approved_by', stage -> 'approved_by', 'comment', stage -> 'comment') as row
from refunds r join accounts a using(subscription_id) cross join lateral (select a.details #> array['refunds', r.refund_id::text, 'stage'] as stage) of_it
where refund_id::text = $1 or request_ref = $1 order by informed_at desc limit 1

-- name: open_refunds
-- whatever is not over has somebody whose turn it is; one that somebody else made, until it is explained
select row from (
  select to_jsonb(r) as row, deadline_at from refunds r where next_action_at is not null
  union all
  select to_jsonb(f) || jsonb_build_object('refund_id', provider_refund_id, 'state', 'foreign', 'informed_at', seen_at), deadline_at
  from foreign_refunds f where next_action_at is not null) open
order by deadline_at nulls last, row ->> 'refund_id' limit $1

-- name: correspondence
-- when the notifier wakes for this subscription
select wake_at, guarded_wake_at from correspondences where subscription_id = $1

-- name: mails_of
-- without their text
select mail_id, entity_id, version, template, class, state, reason, tries, send_after, due_by, closed_at, message_id from mails
where subscription_id = $1 order by coalesce(closed_at, send_after), mail_id

-- name: queued_mails
-- those that are due and not on their way yet
select count(*) from mails where subscription_id = $1 and state = 'queued' and send_after <= $2

-- name: mail
-- with its text, while that is kept
select mail_id, subscription_id, entity_id, version, template, locale, class, state, reason, rendered, tries, send_after, due_by, closed_at,
  owner, act_by, message_id
from mails where mail_id::text = $1

-- name: stood
-- the state of these subscriptions at a moment: that before the first change since, or today's. The moment is the beginning ($3), or,
-- for one that came later and whose start is forgotten, the first event that is still there ($2).
select s.subscription_id, details, moment.at, coalesce(
  (select coalesce(t.from_state, '') from transitions t where t.entity_id = s.subscription_id and t.at >= moment.at order by t.version limit 1),
  state) as stood
from unnest($1::text[], $2::timestamptz[]) as heard(subscription_id, first_at)
join subscriptions s using(subscription_id)
cross join lateral (
  select case when min(t.at) < $3 then $3 else heard.first_at end as at from transitions t where t.entity_id = s.subscription_id
) as moment;

-- name: paid_before
-- what refunds knows of these subscriptions: their payments and refunds
select subscription_id, details::text as details from accounts where subscription_id = any($1::text[])
