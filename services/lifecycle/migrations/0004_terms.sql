-- What was agreed, since when: a report about last year is of last year's plans and prices. Before this file, those of today are all that is known.

create table subscription_terms(
  subscription_id text references subscriptions, from_version bigint,  -- of the subscription; the terms hold until the next row's
  plan text not null, currency char(3) not null,
  monthly_minor bigint not null,                                       -- a twelfth of a yearly price
  primary key(subscription_id, from_version));
insert into subscription_terms select subscription_id, 1, plan, currency, monthly_minor from report_subscriptions;

-- By the table itself, so that whoever writes a subscription can't forget it; and in the owner's name, since a service that waited for this
-- file goes on before anybody has given it rights to the new table. In details, quotes in anybody's words are escaped.
create function terms_are_kept() returns trigger language plpgsql security definer set search_path from current as $$
begin
  insert into subscription_terms values(new.subscription_id, case tg_op when 'INSERT' then 1 else old.version + 1 end, new.plan, new.currency,
    case when new.details like '%"interval":"year"%' then round(new.price_minor / 12.0)::bigint else new.price_minor end);
  return null;
end $$;
create trigger terms_begin after insert on subscriptions for each row execute function terms_are_kept();
create trigger terms_change after update on subscriptions for each row
  when ((old.plan, old.price_minor, old.currency, old.details like '%"interval":"year"%')
    is distinct from (new.plan, new.price_minor, new.currency, new.details like '%"interval":"year"%'))
  execute function terms_are_kept();

-- Every step of a history, with the terms of its time.
create view report_transitions as
select t.*, terms.plan, terms.currency, terms.monthly_minor
from transitions t join lateral (
  select k.plan, k.currency, k.monthly_minor from subscription_terms k
  where k.subscription_id = t.entity_id and k.from_version <= t.version order by k.from_version desc limit 1) terms on true;

create or replace view report_facts as
select t.entity_id as subscription_id, t.version, t.at, t.event, told.fact, t.plan, t.currency, t.monthly_minor, s.offer_kind
from report_transitions t cross join lateral unnest(string_to_array(t.facts, ',')) told(fact)
join report_subscriptions s on s.subscription_id = t.entity_id;

-- As before, but a customer is new when something is first paid for, which may be long after a free beginning; and goes as what they were then.
create or replace view report_movements as
with gained as (
  select distinct on (entity_id) * from report_transitions where to_state = 'active' and monthly_minor > 0 order by entity_id, version),
lost as (
  select t.*, t.version = max(t.version) over (partition by t.entity_id) as is_last
  from report_transitions t join gained g using(entity_id) where t.to_state = 'ended' and t.from_state <> 'ended' and t.version > g.version),
moved as (
  select entity_id, 'new' as movement, null as event, false as is_last, at, from_state is null as introduced, plan, currency, monthly_minor from gained
  union all
  select t.entity_id, 'returned', null, false, t.at, false, t.plan, t.currency, t.monthly_minor
  from report_transitions t join gained g using(entity_id) where t.from_state = 'ended' and t.to_state <> 'ended' and t.version > g.version
  union all
  select entity_id, 'lost', event, is_last, at, false, plan, currency, monthly_minor from lost),
reasoned as (
  select m.*, s.contract_at, s.said,
    case when m.movement <> 'lost' then null
      when m.is_last and s.end_reason is not null then s.end_reason
      when m.event like 'timer give-up%' then 'payment_failed'
      when m.event like 'timer inactivity%' then 'inactivity'
      when m.event like 'timer pause-expiry%' then 'pause_expired'
      when m.event like 'refund-%' then 'refunded'
      else 'requested' end as reason
  from moved m join report_subscriptions s on s.subscription_id = m.entity_id)
select entity_id as subscription_id, case when introduced then least(contract_at, at) else at end as at, movement, reason,
  case when reason in ('requested', 'withdrawal', 'refunded') then 'voluntary' when reason is not null then 'involuntary' end as kind,
  plan, currency, monthly_minor, said
from reasoned;
