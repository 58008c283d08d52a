-- What the shell keeps in every service's own schema. No business noun in here.

-- An event is applied at most once: whoever inserts (source, event_id) first owns it.
create table inbox(
  source text, event_id text,
  body_sha256 bytea not null,                                        -- the same id with another body is a conflict
  topic text not null, part int not null, off bigint not null,
  seen_at timestamptz not null,
  disposition text not null check(disposition in('applied', 'ignored', 'parked', 'dead', 'released')),
  primary key(source, event_id));
create index inbox_seen_at on inbox using brin(seen_at);             -- for forgetting in small bites

-- "Everything before next_off is applied in this database." The counts add up to the records read. No row = not seen.
create table watermarks(
  topic text, part int,
  next_off bigint not null,
  seen_through timestamptz not null,                                 -- business time; nothing that happened before it is still unread
  applied bigint not null default 0, duplicate bigint not null default 0, conflict bigint not null default 0,
  ignored bigint not null default 0, parked bigint not null default 0, dead bigint not null default 0,
  primary key(topic, part));

-- What speaks of something not heard of yet, and everything behind it: one queue per entity, in order of arrival.
create table parked(
  arrival bigint generated always as identity primary key,
  topic text not null, part int not null, off bigint not null,
  entity_id text not null, source text not null, event_id text not null,
  key bytea, value bytea, headers bytea not null,
  waits_for text not null, owner text not null,
  received_at timestamptz not null, parked_at timestamptz not null, give_up_at timestamptz not null,
  unique(topic, part, off));
create index on parked(entity_id, arrival);
create index on parked(give_up_at);

-- Follow-ups and dead letters on their way to Kafka; deleted when acknowledged. Order holds within a shard (hash of the key).
create table outbox(
  seq bigint generated always as identity primary key, shard smallint not null,
  id uuid not null, topic text not null, type text not null,
  record_key bytea, payload bytea, headers bytea not null);          -- headers: JSON pairs, values in base64
create table outbox_leases(shard smallint primary key, token uuid, held_until timestamptz);
insert into outbox_leases(shard) select generate_series(0, 15);

-- What is asked of the outside. Leased with a token; ends in an outcome within a minute of machine time.
create table calls(
  idempotency_key text primary key,
  seq bigint generated always as identity,                           -- those of one entity are made in their order, one after the other
  entity_id text not null, kind text not null, request jsonb not null,                                           -- emptied when it is done: it may name people
  asked_at timestamptz not null,                                     -- business time
  correlationid text not null, traceparent text,                     -- of what asked for it: its answer's follow-ups carry them on
  attempts int not null default 0, next_attempt_at timestamptz, lease_token uuid, lease_until timestamptz, done_at timestamptz,
  outcome text,                                                      -- answered, unreachable, unknown
  check((done_at is null) = (next_attempt_at is not null)), check((done_at is null) = (outcome is null)),
  check((lease_token is null) = (lease_until is null)));
create index on calls(next_attempt_at) where done_at is null;
create index on calls(entity_id);
create index on calls(entity_id, seq) where done_at is null;

-- What could not be handled: somebody owns each until it is resolved.
create table dead_letters(
  topic text, part int, off bigint,
  key bytea, value bytea, headers bytea not null, redacted boolean not null default false,
  source text, event_id text,
  reason text not null, error_class text not null check(error_class in('poison', 'business', 'transient')),
  message text not null, attempts int not null,
  first_failed_at timestamptz not null, owner text not null,
  next_action_at timestamptz, resolved_at timestamptz, resolution text, note text,
  primary key(topic, part, off),
  check((resolved_at is null) = (next_action_at is not null)), check((resolved_at is null) = (resolution is null)));
create index on dead_letters(next_action_at) where resolved_at is null;

-- What happened to each entity, append-only: the version that each applied event, timer or answer made.
create table transitions(
  entity_id text, version bigint,
  source text not null, event_id text not null, event text not null,
  from_state text, to_state text not null, facts text not null,      -- facts: what was told, comma-separated
  at timestamptz not null,
  primary key(entity_id, version));
create index transitions_at on transitions using brin(at);
create index transitions_event on transitions using hash(event_id);

create table policies(version int primary key, sha256 bytea unique not null, body jsonb not null, loaded_at timestamptz not null);

-- Business time, when it is not the wall's: one row in test-clock mode, none otherwise.
create table test_clock(only_row boolean primary key default true check(only_row), now timestamptz not null);
