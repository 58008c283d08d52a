-- name: claim
-- Whoever inserts first owns the event; a released one (redrive) may be claimed once more.
insert into inbox(source, event_id, body_sha256, off, disposition, topic, part, seen_at)
select s, e, h, o, d, $6, $7, $8 from unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::text[]) u(s, e, h, o, d)
on conflict(source, event_id) do update set topic = excluded.topic, part = excluded.part, off = excluded.off, disposition = excluded.disposition
  where inbox.disposition = 'released' and inbox.body_sha256 = excluded.body_sha256
returning source, event_id

-- name: bodies
-- What came before under these ids: the same body is a repeat, another one a conflict.
select i.source, i.event_id, i.body_sha256 from inbox i join unnest($1::text[], $2::text[]) u(s, e) on i.source = u.s and i.event_id = u.e

-- name: dispose
-- The few events of a batch that were not applied after all, and parked ones when they are released.
update inbox set disposition = d from unnest($1::text[], $2::text[], $3::text[]) u(s, e, d) where source = u.s and event_id = u.e

-- name: lock_unknown
-- Both who parks for something unknown and who makes it known take this first; 256 buckets bound the locks of a batch.
select pg_advisory_xact_lock($1::int, b) from unnest($2::int[]) b

-- name: queues
-- What waits for these entities, in order of arrival.
select arrival, topic, part, off, entity_id, source, event_id, key, value, headers, waits_for, received_at, give_up_at
from parked where entity_id = any($1::text[]) order by arrival

-- name: park
-- Masked like everything stored; the raw record stays in Kafka.
insert into parked(topic, part, off, entity_id, source, event_id, key, value, headers, waits_for, owner, received_at, parked_at, give_up_at)
select t, p, o, i, s, e, k, v, h, w, $13, r, $14, g
from unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[], $9::bytea[], $10::text[], $11::timestamptz[], $12::timestamptz[])
  u(t, p, o, i, s, e, k, v, h, w, r, g)

-- name: wait_for
-- A head that was released and now waits for the next missing piece.
update parked set waits_for = w from unnest($1::bigint[], $2::text[]) u(a, w) where arrival = a

-- name: unpark
-- Released or given up.
delete from parked where arrival = any($1::bigint[])

-- name: recount
-- A released record's count moves from parked to what became of it.
update watermarks w set parked = w.parked - u.released, applied = w.applied + u.applied, ignored = w.ignored + u.ignored, dead = w.dead + u.dead
from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) u(topic, part, released, applied, ignored, dead)
where w.topic = u.topic and w.part = u.part

-- name: given_up
-- Heads of queues whose missing piece has had its time: every input was read past it.
select distinct q.entity_id from parked q
where q.give_up_at <= $1 and not exists (select from parked before where before.entity_id = q.entity_id and before.arrival < q.arrival) limit 100

-- name: transitions
-- The history: one row for each applied event.
insert into transitions(entity_id, version, source, event_id, event, from_state, to_state, facts, at)
select i, v, s, e, t, f, n, x, $9 from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) u(i, v, s, e, t, f, n, x)

-- name: emit
-- Follow-ups wait here for the relay; ringing in the same statement saves a round trip.
with emitted as (
  insert into outbox(shard, id, topic, type, record_key, payload, headers)
  select s, i, t, y, k, p, h from unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[]) u(s, i, t, y, k, p, h) returning 1)
select pg_notify($8, 'outbox') from emitted limit 1

-- name: ask
-- A key is asked once, whatever is replayed.
with asked as (
  insert into calls(idempotency_key, entity_id, kind, request, correlationid, traceparent, asked_at, next_attempt_at)
  select k, i, n, r, c, t, $7, clock_timestamp() from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::text[]) u(k, i, n, r, c, t)
  on conflict do nothing returning 1)
select pg_notify($8, 'calls') from asked limit 1

-- name: bury
-- A record can die once: a replay finds its row and changes nothing.
insert into dead_letters(topic, part, off, key, value, headers, redacted, source, event_id, reason, error_class, message, attempts, first_failed_at, owner, next_action_at)
values($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $15) on conflict do nothing returning 1

-- name: mark
-- How far this partition is applied. It only rises.
insert into watermarks(topic, part, next_off, seen_through, applied, duplicate, conflict, ignored, parked, dead)
values($1, $2, $3, 'epoch', $4, $5, $6, $7, $8, $9)
on conflict(topic, part) do update set next_off = greatest(watermarks.next_off, excluded.next_off), applied = watermarks.applied + excluded.applied,
  duplicate = watermarks.duplicate + excluded.duplicate, conflict = watermarks.conflict + excluded.conflict, ignored = watermarks.ignored + excluded.ignored,
  parked = watermarks.parked + excluded.parked, dead = watermarks.dead + excluded.dead

-- name: seen
-- These partitions held nothing more when they were asked, at $4.
insert into watermarks(topic, part, next_off, seen_through) select t, p, o, $4 from unnest($1::text[], $2::int[], $3::bigint[]) u(t, p, o)
on conflict(topic, part) do update set next_off = greatest(watermarks.next_off, excluded.next_off), seen_through = greatest(watermarks.seen_through, excluded.seen_through)

-- name: seen_through
-- Until when every input has been read; null while a partition has never been.
select case when count(*) >= $1 then min(seen_through) end from watermarks

-- name: seen_by_topic
-- For the gauge: the same by topic, and how many of its partitions have been heard of at all.
select topic, count(*) as partitions, nullif(min(seen_through), 'epoch') as seen_through from watermarks group by topic

-- name: next_offsets
-- Applied so far, for the lag.
select topic, part, next_off from watermarks

-- name: lease_calls
-- Taken for a while with a token, so that a dead worker's calls come back. Only the first open one of an entity:
-- "we have your request" must not be overtaken by "it is approved".
update calls set lease_token = $1, lease_until = clock_timestamp() + $2::interval, attempts = attempts + 1
where idempotency_key in (
  select idempotency_key from calls due
  where done_at is null and next_attempt_at <= clock_timestamp() and (lease_until is null or lease_until < clock_timestamp())
    and not exists (select from calls before where before.entity_id = due.entity_id and before.done_at is null and before.seq < due.seq)
  order by next_attempt_at limit $3 for update skip locked)
returning idempotency_key, entity_id, kind, request, attempts

-- name: retry_call
-- A quick second try.
update calls set lease_token = null, lease_until = null, next_attempt_at = clock_timestamp() + $3::interval
where idempotency_key = $1 and lease_token = $2 and done_at is null

-- name: finish_calls
-- Only who still holds the lease may end the call; everything later is somebody's second answer.
update calls set done_at = clock_timestamp(), outcome = u.o, next_attempt_at = null, lease_token = null, lease_until = null, request = '{}'
from unnest($2::text[], $3::text[]) u(k, o) where idempotency_key = u.k and lease_token = $1 and done_at is null
returning idempotency_key, correlationid, traceparent

-- name: lease_shards
-- A fair share of the shards: what is free or mine, up to the number that leaves none for nobody.
with alive as (select count(distinct token) filter (where token <> $1) + 1 as relays from outbox_leases where held_until > clock_timestamp()),
wanted as (select shard from outbox_leases where token = $1 or held_until is null or held_until < clock_timestamp()
  order by token is distinct from $1, shard limit (select ceil(16.0 / relays)::int from alive) for update skip locked)
update outbox_leases set token = $1, held_until = clock_timestamp() + $2::interval where shard in (select shard from wanted) returning shard

-- name: release_shards
-- At a clean stop, and those beyond the fair share.
update outbox_leases set token = null, held_until = null where token = $1 and not (shard = any($2::smallint[]))

-- name: take_outbox
-- The oldest of my shards.
select seq, topic, record_key, payload, headers from outbox where shard = any($1::smallint[]) order by seq limit $2

-- name: sent
-- Kafka has them.
delete from outbox where seq = any($1::bigint[])

-- name: open_work
-- What keeps the system from being settled.
select (select count(*) from outbox) as outbox, (select count(*) from calls where done_at is null) as calls

-- name: progress
-- Rises with every record read, timer fired and call answered: unchanged means nothing moved.
select (select coalesce(sum(next_off), 0) from watermarks) + (select count(*) from transitions) + (select count(*) from calls where done_at is not null)

-- name: dead_letter
-- One unresolved dead letter, locked for its redrive or discard.
select key, value, headers, reason, first_failed_at from dead_letters where topic = $1 and part = $2 and off = $3 and resolved_at is null for update

-- name: resolve
-- Somebody dealt with it.
update dead_letters set resolved_at = $4, next_action_at = null, resolution = $5, note = $6 where topic = $1 and part = $2 and off = $3

-- name: release
-- Lets the same id apply once more, and only once, with this body.
update inbox set disposition = 'released', body_sha256 = $3 where source = $1 and event_id = $2 and disposition = 'dead'

-- name: prune_inbox
-- The memory against repeats is 35 days; in small bites, so that nobody waits.
delete from inbox where ctid = any(array(select ctid from inbox where seen_at < $1 limit $2))

-- name: prune_calls
-- A finished call is kept as long as the mails and topics that speak of it.
delete from calls where ctid = any(array(select ctid from calls where done_at < $1 limit $2))

-- name: prune_dead_letters
-- Resolved ones only.
delete from dead_letters where ctid = any(array(select ctid from dead_letters where resolved_at < $1 limit $2))

-- name: policy_versions
-- Every policy this service has used.
select version, sha256, body from policies order by version

-- name: add_policy
-- Two starters with the same new file make one version.
insert into policies(version, sha256, body, loaded_at) select coalesce(max(version), 0) + 1, $1, $2, now() from policies on conflict(sha256) do nothing

-- name: set_clock
-- Business time only goes forward.
update test_clock set now = greatest(now, $1) returning now

-- name: open_dead_letters
-- For the gauge: what nobody has resolved.
select reason, count(*) as count from dead_letters where resolved_at is null group by reason

-- name: parked_count
-- For the gauge.
select count(*) from parked
