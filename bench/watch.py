"""Looking on from outside, with questions that cost the measured ones nearly nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from dev.places import StackError
from dev.system import System
from offramp_schemas import Topic

PATIENCE = 60.0  # seconds without any progress
READ = "select coalesce(sum(applied + duplicate + conflict + ignored + parked + dead), 0) from watermarks where topic = $1"
APPLIED = "select coalesce(sum(applied), 0) from watermarks where topic = $1"


@contextlib.asynccontextmanager
async def database(system: System, service: str = "lifecycle") -> AsyncIterator[Any]:
    """A superuser's connection into a service's schema."""
    connection = await asyncpg.connect(system.admin_dsn, server_settings={"search_path": service})
    try:
        yield connection
    finally:
        await connection.close()


async def until_read(connection: Any, topic: Topic, records: int) -> None:
    """Waits until a service has disposed of so many records of a topic. Raises StackError when nothing moves any more."""
    await until(lambda: connection.fetchval(READ, topic.name), records, f"records of {topic.name}")


async def until(count: Callable[[], Awaitable[int]], wanted: int, what: str) -> None:
    """Waits until a count has risen so far."""
    last, moved_at = -1, time.monotonic()
    while (now := await count()) < wanted:
        if now != last:
            last, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > PATIENCE:
            raise StackError(f"{now} of {wanted} {what}, and no more for {PATIENCE:.0f} s")
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def end_of(kafka: str, topic: Topic) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Asks how many records a topic has ever taken."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]

        async def end() -> int:
            return sum((await consumer.end_offsets(partitions)).values())

        yield end
    finally:
        await consumer.stop()


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)
