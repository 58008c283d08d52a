-- name: known
-- asked before anything is locked, to see what has to be loaded
select subscription_id from correspondences where subscription_id = any($1::text[]);

-- name: load
-- in the order of their ids, so that two batches can't wait for each other
select subscription_id, version, details::text as details, wake_at, guarded_wake_at
from correspondences where subscription_id = any($1::text[]) order by subscription_id

-- name: store
-- one statement whatever the number
insert into correspondences(subscription_id, version, wake_at, guarded_wake_at, open_mails, open_refunds, open_cases, details)
select * from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::int[], $7::int[], $8::text[]::jsonb[])
on conflict(subscription_id) do update set version = excluded.version, wake_at = excluded.wake_at, guarded_wake_at = excluded.guarded_wake_at,
  open_mails = excluded.open_mails, open_refunds = excluded.open_refunds, open_cases = excluded.open_cases, details = excluded.details;

-- name: store_mails
-- a mail that was sent keeps its text when a bounce makes it a case; one that ended is never opened again
insert into mails(mail_id, subscription_id, entity_id, version, template, locale, address, context, rendered, recipient_hash, class, state,
  reason, tries, owner, act_by, send_after, due_by, closed_at, message_id, case_closed_at, case_closed_by,
  since, promised_by)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[]::jsonb[], $9::text[],
  $10::bytea[], $11::text[], $12::text[], $13::text[], $14::int[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[],
  $19::timestamptz[], $20::text[], $21::timestamptz[], $22::text[], $23::timestamptz[], $24::timestamptz[])
on conflict(mail_id) do update set address = excluded.address, context = excluded.context,
  rendered = coalesce(excluded.rendered, mails.rendered), state = excluded.state, reason = excluded.reason, tries = excluded.tries,
  owner = excluded.owner, act_by = excluded.act_by, send_after = excluded.send_after, closed_at = excluded.closed_at,
  case_closed_at = excluded.case_closed_at, case_closed_by = excluded.case_closed_by
where mails.state = 'queued' or excluded.state = 'undeliverable';

-- name: forget_words
-- of those who asked to be forgotten: a mail greets by name
update mails set rendered = null where subscription_id = any($1::text[]) and rendered is not null;

-- name: due
-- guarded wake-ups also wait until every input has been read past them
select subscription_id from (
  (select subscription_id, wake_at as at from correspondences where wake_at <= $1 order by wake_at limit $3)
  union all
  (select subscription_id, guarded_wake_at from correspondences where guarded_wake_at <= least($1, $2::timestamptz) and $2 is not null
   order by guarded_wake_at limit $3)) as either
group by subscription_id order by min(at) limit $3;

-- name: next_wake
-- the earliest of all, guarded ones included
select least((select min(wake_at) from correspondences), (select min(guarded_wake_at) from correspondences));

-- name: count_open
-- for the gauge: what has not left, and cases that nobody has closed; a mail to people of ours is none, and counts for as long as one could be
select state, class, count(*) from mails where state = 'queued' group by state, class
union all
select state, class, count(*) from mails
where state = 'undeliverable' and case_closed_at is null and (template <> 'alert' or act_by > $1) group by state, class;

-- name: count_late
-- for the gauge: proofs that still wait past their promise, and those of the last day that were sent after it
select 'waiting', count(*) from mails where state = 'queued' and promised_by < $1
union all
select 'sent', count(*) from mails where state = 'sent' and closed_at > promised_by and closed_at > $1 - interval '1 day';

-- name: longest_waits
-- for the gauge: for how many seconds the oldest mail to a customer has been waiting; a mail to people of ours was promised to nobody
select class, coalesce(extract(epoch from $1 - min(since)), 0)
from unnest(array['proof', 'status', 'marketing']) as every(class)
left join (select class, since from mails where state = 'queued' and template <> 'alert') as waiting using(class) group by class;

-- name: forget_texts
-- what a mail said is kept for 35 days
update mails set rendered = null where mail_id in (select mail_id from mails where rendered is not null and closed_at < $1 limit $2);
