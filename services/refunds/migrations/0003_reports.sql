-- What the business sees of refunds, for `offramp report` and for anybody's own queries. Nothing here names a person.
create view report_refunds as
select r.refund_id, r.subscription_id, a.details #>> '{customer,plan_name}' as plan, r.state, r.basis, r.currency, r.amount_minor,
  r.informed_at, r.promise_due_at, r.legal_due_at, least(r.promise_due_at, r.legal_due_at) as due_at, r.owner, r.next_action_at, r.deadline_at,
  r.escalation, sent.issued_at
from refunds r join accounts a using(subscription_id)
left join lateral (
  select min((attempt ->> 'issued_at')::timestamptz) as issued_at
  from jsonb_array_elements(a.details #> array['refunds', r.refund_id::text, 'attempts']) attempt where attempt ->> 'failed_at' is null) sent on true;
