-- Over the views `report_…` of the services. $1 since, $2 until, $3 plan (null: all). Months are UTC's, as the session's time zone is.

-- name: months
-- who was there when each month began, and who came and went in it
with month as (select generate_series(date_trunc('month', $1::timestamptz), $2::timestamptz - interval '1 microsecond', interval '1 month') as began),
moved as (select * from report_movements where $3::text is null or plan = $3)
select to_char(month.began, 'YYYY-MM') as month,
  (select count(*) filter (where movement <> 'lost') - count(*) filter (where movement = 'lost') from moved where at < month.began) as at_start,
  count(*) filter (where movement = 'new') as new, count(*) filter (where movement = 'returned') as returned,
  count(*) filter (where kind = 'voluntary') as voluntary, count(*) filter (where kind = 'involuntary') as involuntary
from month left join moved on moved.at >= month.began and moved.at < month.began + interval '1 month' and moved.at >= $1 and moved.at < $2
group by month.began order by month.began

-- name: money
-- what a month was lost, and what was saved: cancellations undone, charges recovered
select to_char(date_trunc('month', at), 'YYYY-MM') as month, currency,
  coalesce(sum(monthly_minor) filter (where what = 'lost'), 0)::bigint as lost, coalesce(sum(monthly_minor) filter (where what = 'saved'), 0)::bigint as saved
from (
  select at, currency, monthly_minor, plan, 'lost' as what from report_movements where movement = 'lost'
  union all
  select at, currency, monthly_minor, plan, 'saved' from report_facts
  where monthly_minor > 0 and fact in ('cancellation-undone', 'retention-offer-applied', 'payment-recovered')) both_
where at >= $1 and at < $2 and ($3::text is null or plan = $3) group by 1, 2 order by 1, 2

-- name: reasons
-- why customers went; who gave several codes counts under each
select kind, reason, coalesce(code, '-') as said, currency, count(*) as customers, sum(monthly_minor)::bigint as monthly_minor
from report_movements left join lateral jsonb_array_elements_text(said) code on true
where movement = 'lost' and at >= $1 and at < $2 and ($3::text is null or plan = $3) group by 1, 2, 3, 4 order by 5 desc, 1, 2, 3

-- name: plans
-- the same months by plan
select plan, currency, count(*) filter (where movement = 'new') as new, count(*) filter (where movement = 'returned') as returned,
  count(*) filter (where kind = 'voluntary') as voluntary, count(*) filter (where kind = 'involuntary') as involuntary,
  coalesce(sum(monthly_minor) filter (where movement = 'lost'), 0)::bigint as lost
from report_movements where at >= $1 and at < $2 and ($3::text is null or plan = $3) group by 1, 2
order by count(*) filter (where movement = 'lost') desc, 1

-- name: cohorts
-- of those who came in a month, how many were still there so many months later; null while that is in the future
with came as (
  select subscription_id, date_trunc('month', at) as cohort from report_movements
  where movement = 'new' and at >= $1 and at < $2 and ($3::text is null or plan = $3)),
later as (select cohort, subscription_id, age, cohort + make_interval(months => age + 1) as by from came, unnest(array[0, 1, 2, 3, 6, 12]) age)
select to_char(cohort, 'YYYY-MM') as cohort, age, count(*) as size,
  case when by - interval '1 month' <= $4 then count(*) filter (where there.still) end as still
from later cross join lateral (
  select coalesce((select movement <> 'lost' from report_movements m where m.subscription_id = later.subscription_id and m.at < least(later.by, $4)
    order by m.at desc limit 1), true) as still) there
group by cohort, age, by order by cohort, age

-- name: offers
-- what was offered for staying, and what came of it
select coalesce(offer_kind, '-') as kind, count(*) filter (where fact = 'retention-offered') as made,
  count(*) filter (where fact = 'retention-offer-applied') as accepted, count(*) filter (where fact = 'retention-offer-declined') as declined,
  count(*) filter (where fact = 'retention-offer-expired') as expired
from report_facts where fact like 'retention-offer%' and at >= $1 and at < $2 and ($3::text is null or plan = $3) group by 1 order by 2 desc, 1

-- name: movements
-- for a spreadsheet
select at, movement, kind, reason, said::text as said, plan, currency, monthly_minor, subscription_id from report_movements
where at >= $1 and at < $2 and ($3::text is null or plan = $3) order by at

-- name: dunning_steps
-- how far the reminders had come when it was paid, given up, or stopped by an end
select step, count(*) filter (where outcome = 'recovered') as recovered, count(*) filter (where outcome = 'lost') as lost,
  count(*) filter (where outcome = 'stopped') as stopped, count(*) filter (where outcome = 'open') as open
from report_dunnings where failed_at >= $1 and failed_at < $2 and ($3::text is null or plan = $3) group by 1 order by 1

-- name: dunnings
-- for a spreadsheet
select failed_at, outcome, step, over_at, plan, currency, monthly_minor, subscription_id from report_dunnings
where failed_at >= $1 and failed_at < $2 and ($3::text is null or plan = $3) order by failed_at

-- name: refund_ages
-- those that have not arrived, by how long they wait, against the promise and the deadline of their stage; $4 is now
select width_bucket(extract(epoch from $4 - informed_at), array[86400, 172800, 432000, 1209600]) as age, currency, count(*) as refunds,
  sum(amount_minor)::bigint as amount_minor, count(*) filter (where issued_at is null and due_at < $4) as promise_missed,
  count(*) filter (where deadline_at < $4) as deadline_missed, min(deadline_at) as next_deadline
from report_refunds where next_action_at is not null and state <> 'succeeded' and informed_at >= $1 and informed_at < $2 and ($3::text is null or plan = $3)
group by 1, 2 order by 1, 2

-- name: refund_months
-- what was asked back in each month, and what became of it
select to_char(date_trunc('month', informed_at), 'YYYY-MM') as month, currency, count(*) as asked,
  sum(amount_minor)::bigint as amount_minor, count(*) filter (where state = 'rejected') as rejected,
  count(*) filter (where issued_at <= due_at) as in_time, count(*) filter (where issued_at > due_at) as late,
  count(*) filter (where issued_at is null and next_action_at is not null) as waiting
from report_refunds where informed_at >= $1 and informed_at < $2 and ($3::text is null or plan = $3) group by 1, 2 order by 1, 2

-- name: refund_rows
-- for a spreadsheet
select informed_at, state, basis, currency, amount_minor, promise_due_at, legal_due_at, issued_at, owner, next_action_at, deadline_at, escalation,
  plan, refund_id::text as refund_id, subscription_id
from report_refunds where informed_at >= $1 and informed_at < $2 and ($3::text is null or plan = $3) order by informed_at

-- name: mails
-- by template; $1 and $2 alone
select template, class, count(*) filter (where outcome = 'sent') as sent, count(*) filter (where late) as late,
  count(*) filter (where outcome = 'suppressed') as suppressed,
  count(*) filter (where outcome = 'bounced') as bounced, count(*) filter (where outcome = 'undeliverable') as undeliverable,
  count(*) filter (where outcome = 'queued') as waiting
from report_mails where at >= $1 and at < $2 group by 1, 2 order by 3 desc, 1

-- name: mail_reasons
-- why some were not sent
select outcome, reason, count(*) as mails from report_mails where outcome not in ('sent', 'queued') and at >= $1 and at < $2 group by 1, 2 order by 3 desc, 1, 2

-- name: mail_rows
-- for a spreadsheet: a row for each day, template, language and outcome
select to_char(date_trunc('day', at), 'YYYY-MM-DD') as day, template, class, locale, outcome, reason, count(*) as mails
from report_mails where at >= $1 and at < $2 group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6
