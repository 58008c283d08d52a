-- What the business sees, for `offramp report` and for anybody's own queries. Views: nothing is kept twice, and nothing here names a person.
-- Prices, plans and reasons are those that are known today: what they were before is not kept.

-- A price a month, whatever the period; and what the customer said of leaving, in codes.
create view report_subscriptions as
select s.subscription_id, s.plan, s.currency, s.state, s.end_reason,
  case when known.details #>> '{facts,interval}' = 'year' then round(s.price_minor / 12.0)::bigint else s.price_minor end as monthly_minor,
  (known.details #>> '{facts,contract_at}')::timestamptz as contract_at,
  coalesce(known.details #> '{cancellation,feedback}', known.details #> '{heard,feedback,codes}', '[]') as said,
  known.details #>> '{heard,offer,kind}' as offer_kind
from subscriptions s cross join lateral (select s.details::jsonb as details) known;

-- What was told, one row each.
create view report_facts as
select t.entity_id as subscription_id, t.version, t.at, t.event, told.fact, s.plan, s.currency, s.monthly_minor, s.offer_kind
from transitions t cross join lateral unnest(string_to_array(t.facts, ',')) told(fact) join report_subscriptions s on s.subscription_id = t.entity_id;

-- Customers come and go. Only who pays counts: trials and free plans are in nobody's churn. One who was active when Offramp first heard
-- of the subscription is a customer since the contract was made; a pause is neither coming nor going.
create view report_movements as
with gained as (
  select distinct on (entity_id) entity_id, version, at, from_state from transitions where to_state = 'active' order by entity_id, version),
lost as (
  select t.entity_id, t.at, t.event, t.version = max(t.version) over (partition by t.entity_id) as is_last
  from transitions t join gained g using(entity_id) where t.to_state = 'ended' and t.from_state <> 'ended' and t.version > g.version),
moved as (
  select entity_id, 'new' as movement, null as event, false as is_last, at, from_state is null as introduced from gained
  union all
  select t.entity_id, 'returned', null, false, t.at, false from transitions t join gained g using(entity_id)
  where t.from_state = 'ended' and t.to_state <> 'ended' and t.version > g.version
  union all
  select entity_id, 'lost', event, is_last, at, false from lost),
reasoned as (
  select m.*, s.plan, s.currency, s.monthly_minor, s.contract_at, s.said,
    case when m.movement <> 'lost' then null
      when m.is_last and s.end_reason is not null then s.end_reason
      when m.event like 'timer give-up%' then 'payment_failed'
      when m.event like 'timer inactivity%' then 'inactivity'
      when m.event like 'timer pause-expiry%' then 'pause_expired'
      when m.event like 'refund-%' then 'refunded'
      else 'requested' end as reason
  from moved m join report_subscriptions s on s.subscription_id = m.entity_id where s.monthly_minor > 0)
select entity_id as subscription_id, case when introduced then least(contract_at, at) else at end as at, movement, reason,
  case when reason in ('requested', 'withdrawal', 'refunded') then 'voluntary' when reason is not null then 'involuntary' end as kind,
  plan, currency, monthly_minor, said
from reasoned;

-- Each failed charge and what became of it; `step` is how far the reminders had come by then. Invoices of one subscription that are unpaid
-- at the same time share their outcome.
create view report_dunnings as
select f.subscription_id, f.at as failed_at, f.plan, f.currency, f.monthly_minor, over.at as over_at,
  case over.fact when 'payment-recovered' then 'recovered' when 'dunning-exhausted' then 'lost' when 'dunning-stopped' then 'stopped' else 'open' end as outcome,
  coalesce((select max(substring(t.event from ':(\d+)$')::int) from transitions t
    where t.entity_id = f.subscription_id and t.event like 'timer dunning:%' and t.version > f.version
      and (over.version is null or t.version < over.version)), 0) as step
from report_facts f
left join lateral (
  select o.version, o.at, o.fact from report_facts o
  where o.subscription_id = f.subscription_id and o.version > f.version and o.fact in ('payment-recovered', 'dunning-exhausted', 'dunning-stopped')
  order by o.version limit 1) over on true
where f.fact = 'payment-past-due';
