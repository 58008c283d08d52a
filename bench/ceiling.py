"""The ceiling: bare aiokafka and asyncpg, set-based SQL, no domain. What this machine can do with an event, to Postgres and back to Kafka.

Runs as a process of its own (`python -m bench.ceiling`) and prints one line of JSON.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import cyclopts
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import BaseModel, ConfigDict, TypeAdapter

from bench.load import YARDSTICK_EVENTS, YARDSTICK_OUT

NAMESPACE = uuid.uuid4()
NOW = datetime.now(UTC)
TABLES = """
drop schema if exists yardstick cascade; create schema yardstick; set search_path = yardstick;
create table inbox(source text, event_id text, topic text, part int, off bigint, disposition text, at timestamptz default now(),
  primary key(source, event_id));
create table sub(id text primary key, version int not null, status text not null, state jsonb not null, wake_at timestamptz not null,
  updated_at timestamptz not null default now());
create index on sub(wake_at);
create table outbox(seq bigint generated always as identity primary key, id uuid not null, key text not null, payload bytea not null);
create table history(sub_id text, version int, event_id text, primary key(sub_id, version));
"""
CLAIM = """insert into inbox(source, event_id, topic, part, off, disposition)
select *, 'applied' from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[]) on conflict do nothing returning event_id"""
LOCK = "select id, state from sub where id = any($1::text[]) order by id for update"
STORE = """insert into sub(id, version, status, state, wake_at)
select i, (s->>'version')::int, 'past_due', s, w from unnest($1::text[], $2::jsonb[], $3::timestamptz[]) u(i, s, w)
on conflict(id) do update set version = excluded.version, status = excluded.status, state = excluded.state, wake_at = excluded.wake_at,
  updated_at = now()"""
HISTORY = "insert into history select * from unnest($1::text[], $2::int[], $3::text[])"
EMIT = "insert into outbox(id, key, payload) select * from unnest($1::uuid[], $2::text[], $3::bytea[])"
TAKE = "select seq, id, key, payload from outbox order by seq limit 2000 for update skip locked"


class PaymentFailed(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)
    payment_id: str
    invoice_id: str
    amount_minor: int
    currency: str
    decline_code: str
    kind: str
    attempt: int


READ = TypeAdapter(PaymentFailed).validate_python


def decide(state: str | None, event: PaymentFailed) -> tuple[dict[str, Any], datetime, dict[str, Any]]:
    """As little as can be decided: the state, when it wakes, and what follows."""
    new: dict[str, Any] = json.loads(state) if state else {"version": 0, "dunning": []}
    new["version"] += 1
    new["dunning"] = [*new["dunning"], event.payment_id][-3:]
    wake_at = min(NOW + timedelta(days=1, seconds=new["version"]), NOW + timedelta(days=7))
    follow_up = {"type": "PaymentPastDue", "payment_id": event.payment_id, "amount_minor": event.amount_minor, "currency": event.currency}
    return new, wake_at, follow_up


async def store(pool: Any, records: Sequence[Any]) -> None:
    """One transaction over a batch."""
    events = []
    for record in records:
        body = json.loads(record.value)
        events.append((body["source"], body["id"], body["subject"], READ(body["data"]), record))
    claim = [
        [e[0] for e in events],
        [e[1] for e in events],
        *([getattr(e[4], a) for e in events] for a in ("topic", "partition", "offset")),
    ]
    async with pool.acquire() as connection, connection.transaction():
        new = {row["event_id"] for row in await connection.fetch(CLAIM, *claim)}
        locked = await connection.fetch(LOCK, sorted({e[2] for e in events if e[1] in new}))
        states: dict[str, str] = {row["id"]: row["state"] for row in locked}
        wakes, out, history = {}, [], []
        for _, event_id, subscription, data, _ in events:
            if event_id in new:
                state, wakes[subscription], follow_up = decide(states.get(subscription), data)
                states[subscription] = json.dumps(state)
                history.append((subscription, state["version"], event_id))
                out.append((uuid.uuid5(NAMESPACE, event_id), subscription, json.dumps(follow_up).encode()))
        if out:
            await connection.execute(STORE, list(wakes), [states[each] for each in wakes], list(wakes.values()))
            await connection.execute(HISTORY, *map(list, zip(*history, strict=True)))
            await connection.execute(EMIT, *map(list, zip(*out, strict=True)))


async def relay(pool: Any, producer: AIOKafkaProducer, total: int) -> None:
    """The outbox to Kafka, until all of it was acknowledged."""
    done = 0
    while done < total:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(TAKE)
            sent = [
                await producer.send(YARDSTICK_OUT, row["payload"], key=row["key"].encode(), headers=[("ce_id", str(row["id"]).encode())])
                for row in rows
            ]
            await asyncio.gather(*sent)
            await connection.execute("delete from outbox where seq = any($1::bigint[])", [row["seq"] for row in rows])
        done += len(rows)
        if not rows:
            await asyncio.sleep(0.02)


async def measure(kafka: str, dsn: str, events: int, batch: int) -> dict[str, float]:
    """Reads `events` records from the beginning of the topic. Rates are events a second, CPU is µs an event."""
    pool = await asyncpg.create_pool(dsn, min_size=2, max_size=4, server_settings={"search_path": "yardstick"})
    await pool.execute(TABLES)
    consumer = AIOKafkaConsumer(
        YARDSTICK_EVENTS, bootstrap_servers=kafka, group_id=f"ceiling-{uuid.uuid4().hex}", enable_auto_commit=False,
        auto_offset_reset="earliest", max_partition_fetch_bytes=4 << 20,
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, linger_ms=2, max_batch_size=131_072)
    await consumer.start()
    await producer.start()
    started, cpu, done = time.perf_counter(), time.process_time(), 0
    relaying = asyncio.create_task(relay(pool, producer, events))
    while done < events:
        got = await consumer.getmany(timeout_ms=300, max_records=batch)
        if records := [record for each in got.values() for record in each]:
            await store(pool, records)
            await consumer.commit({partition: each[-1].offset + 1 for partition, each in got.items()})
            done += len(records)
    stored = time.perf_counter() - started
    await relaying
    relayed = time.perf_counter() - started
    cpu = time.process_time() - cpu
    await consumer.stop()
    await producer.stop()
    await pool.close()
    return {"stored": events / stored, "relayed": events / relayed, "cpu": cpu / events * 1e6}


def main(*, kafka: str, dsn: str, events: int, batch: int = 500) -> None:
    print(json.dumps(asyncio.run(measure(kafka, dsn, events, batch))))


if __name__ == "__main__":
    cyclopts.run(main)
