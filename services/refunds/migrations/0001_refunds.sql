-- What was paid, what is to be paid back, and every try at it. `accounts.details` is the state that rules decide on, and all that is
-- loaded back; the other tables are written by the same transaction from it, for people, for constraints and for audits.

-- One row per subscription: the refund account. Its lock covers all that is below it.
create table accounts(
  subscription_id text primary key,
  version bigint not null,
  country char(2) not null, consumer boolean not null,               -- who the right of withdrawal protects
  open_refunds int not null,
  wake_at timestamptz, guarded_wake_at timestamptz,
  details jsonb not null,
  check(open_refunds = 0 or wake_at is not null));                   -- none can stall quietly
create index on accounts(wake_at);
create index on accounts(guarded_wake_at);

-- Never more back than was captured. external_minor: refunds seen at the provider that we did not make.
create table payments(
  payment_id text primary key,
  subscription_id text not null references accounts,
  provider_payment_id text not null,
  currency char(3) not null,
  captured_minor bigint not null check(captured_minor > 0), captured_at timestamptz not null,
  reserved_minor bigint not null default 0 check(reserved_minor >= 0),
  external_minor bigint not null default 0 check(external_minor >= 0),
  unique(payment_id, currency), unique(payment_id, subscription_id), -- so that no other subscription can claim it
  constraint never_more_than_captured check(reserved_minor <= captured_minor));
create index on payments(subscription_id);

-- requested → pending_review → approved → submitting → pending ⇄ requires_action → succeeded → closed
--   unknown: nobody can say; needs_attention: a person's turn; reversed: it came back; over: closed, rejected, settled_manually, superseded
create table refunds(
  refund_id uuid primary key,
  payment_id text not null, currency char(3) not null,
  subscription_id text not null references accounts,
  request_ref text not null,
  amount_minor bigint not null check(amount_minor > 0),
  basis text check(basis in('withdrawal', 'guarantee', 'goodwill', 'charged_in_error')),
  policy_version int not null references policies,
  version bigint not null,                                           -- of the account, when this last changed
  email text,                                                        -- until it is over
  locale text not null,
  state text not null check(state in('requested', 'pending_review', 'approved', 'submitting', 'unknown', 'pending', 'requires_action',
    'needs_attention', 'succeeded', 'reversed', 'closed', 'rejected', 'settled_manually', 'superseded')),
  informed_at timestamptz not null, promise_due_at timestamptz not null, legal_due_at timestamptz,
  told_due_at timestamptz not null,                                  -- the date the customer was last told
  owner text, next_action_at timestamptz, deadline_at timestamptz,
  escalation smallint not null default 0 check(escalation between 0 and 3),
  settlement_ref text,
  unique(payment_id, request_ref),
  foreign key(payment_id, currency) references payments(payment_id, currency),
  check(basis is not null or state = 'rejected'),                    -- whoever has no right to it is rejected
  check((basis is not distinct from 'withdrawal') = (legal_due_at is not null)),
  check(state in('rejected', 'closed', 'settled_manually', 'superseded')
    or (owner is not null and next_action_at is not null and deadline_at is not null)),
  check(state <> 'settled_manually' or settlement_ref is not null));
create index on refunds(next_action_at);
create index on refunds(subscription_id);

-- One key each, stored before the provider hears of it. An open one blocks the next: both could be paid.
create table refund_attempts(
  refund_id uuid references refunds, attempt int,
  idempotency_key text unique not null,
  first_sent_at timestamptz not null,
  provider_refund_id text unique, raw_status text,
  failed_at timestamptz,
  primary key(refund_id, attempt));
create unique index one_open_attempt on refund_attempts(refund_id) where failed_at is null;
