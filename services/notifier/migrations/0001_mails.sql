-- The notifier's own tables. `details` is the whole state of a correspondence or digest; the typed columns are for people and constraints.

create table correspondences(
  subscription_id text primary key,                                   -- or ops:<audience>:<cause>
  version bigint not null,
  wake_at timestamptz, guarded_wake_at timestamptz,
  open_mails int not null, open_refunds int not null,                 -- refunds that are to be heard of again
  details jsonb not null,
  check(wake_at is not null or guarded_wake_at is not null or (open_mails = 0 and open_refunds = 0)));
create index on correspondences(wake_at);
create index on correspondences(guarded_wake_at);

-- Every mail that was ever meant to be: one per (what it is about, version, template, recipient).
create table mails(
  mail_id uuid primary key,
  subscription_id text not null,                                      -- whose correspondence it belongs to
  entity_id text not null, version bigint not null,                   -- what it is about
  template text not null, locale text not null,
  address text, context jsonb, rendered text,                         -- address, context: until it ends; rendered: what was sent
  recipient_hash bytea not null,
  class text not null check(class in('proof', 'status', 'marketing')),
  state text not null check(state in('queued', 'sent', 'suppressed', 'undeliverable')),
  reason text, tries int not null, owner text, act_by timestamptz,
  send_after timestamptz, due_by timestamptz not null, closed_at timestamptz,
  message_id text unique not null,
  unique(entity_id, version, template, recipient_hash),
  check(class <> 'proof' or state <> 'suppressed'),                   -- a proof is never held back
  check((state = 'queued') = (send_after is not null)),               -- what is open wakes
  check((state = 'queued') = (closed_at is null)),
  check((state = 'queued') = (address is not null)), check((state = 'queued') = (context is not null)),  -- forgotten when it ends
  check(state not in('suppressed', 'undeliverable') or reason is not null),
  check((state = 'undeliverable') = (owner is not null and act_by is not null)));  -- a case is somebody's, by a date
create index on mails(subscription_id);
create index on mails(send_after) where state = 'queued';
create index on mails(act_by) where state = 'undeliverable';
create index on mails(closed_at) where rendered is not null;
