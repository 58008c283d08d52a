-- Refunds that the provider shows and that we did not make (by hand in its dashboard, by another system). They count against what can
-- still be refunded, and each is somebody's case until it is explained or has failed.
create table foreign_refunds(
  payment_id text not null, provider_refund_id text not null,
  subscription_id text not null references accounts,
  currency char(3) not null, amount_minor bigint not null check(amount_minor > 0),
  provider_status text not null,
  seen_at timestamptz not null,
  owner text, next_action_at timestamptz,                            -- none: its case is closed
  deadline_at timestamptz not null,
  primary key(payment_id, provider_refund_id),
  foreign key(payment_id, currency) references payments(payment_id, currency),
  check((owner is null) = (next_action_at is null)));
create index on foreign_refunds(next_action_at);
create index on foreign_refunds(subscription_id);

-- Null: written by the version before, which knows of no cases.
alter table accounts add column open_cases int, add check(open_cases = 0 or wake_at is not null);

-- How a webhook finds its subscription.
create index on payments(provider_payment_id);

-- Never more back than was captured, what others gave back included. A refund of theirs is a fact and may come when all is promised
-- already; but then nothing more is promised. So it is not the sum that is checked, but whoever would add to it.
create function nothing_more_is_promised() returns trigger language plpgsql as $$
begin
  if new.reserved_minor > old.reserved_minor and new.reserved_minor + new.external_minor > new.captured_minor then
    raise check_violation using constraint = 'never_more_than_captured', table = tg_table_name,
      message = format('payment %s: %s reserved and %s given back by others are more than %s captured',
        new.payment_id, new.reserved_minor, new.external_minor, new.captured_minor);
  end if;
  return new;
end $$;
create trigger never_more_than_captured before update on payments for each row execute function nothing_more_is_promised();
