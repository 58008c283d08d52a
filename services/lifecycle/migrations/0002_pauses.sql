-- Pauses, and what a customer gets once in twelve months with whichever subscription of theirs.
alter table subscriptions
  add column resumes_at timestamptz,                                   -- of a paused one
  add column last_paused_at timestamptz, add column last_offered_at timestamptz,  -- the customer's, as far as this subscription knows
  add constraint paused_until check((state = 'paused') = (resumes_at is not null));
create index subscriptions_once_a_year on subscriptions(customer_id) where last_paused_at is not null or last_offered_at is not null;
