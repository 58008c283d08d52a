"""FastStream doing the yardstick's work as its documentation shows it: one transaction per event, acknowledged after it, in order.

Runs as a process of its own and prints one line of JSON. It doesn't even relay its outbox to Kafka.
"""

import asyncio
import json
import os
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg
import cyclopts
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from bench.load import SUBSCRIPTIONS, YARDSTICK_EVENTS

TABLES = f"""
drop schema if exists yardstick cascade; create schema yardstick; set search_path = yardstick;
create table inbox(event_id text primary key, topic text, part int, off bigint);
create table sub(id text primary key, state text, version int not null default 0, data jsonb not null default '{{}}', wake_at timestamptz,
  updated_at timestamptz);
create index on sub(wake_at);
create table history(sub_id text, version int, event_id text, primary key(sub_id, version));
create table outbox(id uuid primary key, topic text, key text, payload jsonb);
insert into sub select 'sub_' || lpad(i::text, 6, '0') from generate_series(0, {SUBSCRIPTIONS - 1}) i;
"""
CLAIM = "insert into inbox values($1, 't', 0, 0) on conflict do nothing returning 1"
STORE = "update sub set state = 'past_due', version = version + 1, data = $2, wake_at = $3, updated_at = $3 where id = $1"


async def apply(pool: Any, event: dict[str, Any]) -> None:
    """One event, one transaction."""
    now, subscription = datetime.now(UTC), event["subject"]
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(CLAIM, event["id"]):
            return
        row = await connection.fetchrow("select version, data from sub where id = $1 for update", subscription)
        data = json.loads(row["data"])
        data["n"] = data.get("n", 0) + 1
        await connection.execute(STORE, subscription, json.dumps(data), now)
        await connection.execute("insert into history values($1, $2, $3)", subscription, row["version"] + 1, event["id"])
        await connection.execute("insert into outbox values($1, 'out', $2, $3)", uuid.uuid4(), subscription, json.dumps(event["data"]))


def main(*, kafka: str, dsn: str, events: int) -> None:
    broker = KafkaBroker(kafka, logger=None)
    app = FastStream(broker)
    pool: Any = None
    done, started = 0, 0.0

    async def connect() -> None:
        nonlocal pool
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=16, server_settings={"search_path": "yardstick"})
        await pool.execute(TABLES)

    async def handle(event: dict[str, Any]) -> None:
        nonlocal done, started
        started = started or time.perf_counter()
        await apply(pool, event)
        done += 1
        if done == events:
            print(json.dumps({"stored": events / (time.perf_counter() - started)}), flush=True)
            os._exit(0)  # its own stop waits for the rest of the topic

    app.on_startup(connect)
    group = f"faststream-{uuid.uuid4().hex}"
    broker.subscriber(YARDSTICK_EVENTS, group_id=group, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR)(handle)
    asyncio.run(app.run())


if __name__ == "__main__":
    cyclopts.run(main)
