"""The whole system, as processes of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from dev.system import System
from offramp_schemas import TOPICS, BadRecord, Envelope, decode
from services.console.audit import Found, violations
from services.console.database import Database
from services.runtime.settings import Settings

SERVICES = ("lifecycle", "refunds", "notifier")


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 30, every: float = 0.02) -> None:
    """Waits for something that the system does by itself."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(every)


async def records(kafka: str) -> list[Any]:
    """Everything on every topic, in order per partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            found += [record for batch in (await consumer.getmany(timeout_ms=500)).values() for record in batch]
        return found
    finally:
        await consumer.stop()


async def events(kafka: str) -> list[tuple[str, Envelope]]:
    """Every event on Kafka and its topic; what comes again under the same id is dropped."""
    found: dict[object, tuple[str, Envelope]] = {}
    for record in await records(kafka):
        if envelope := _envelope(record):
            found.setdefault((record.topic, envelope.source, envelope.id), (record.topic, envelope))
    return list(found.values())


def _envelope(record: Any) -> Envelope | None:
    try:
        return decode(record.topic, record.key, record.value, record.headers)
    except BadRecord:
        return None


async def audited(system: System, **how: Any) -> Found:
    """What the audit finds, Kafka and the provider included."""
    chosen = Settings(kafka=system.stack.kafka, postgres=SecretStr(system.admin_dsn))
    async with Database(chosen, patience=60) as database:
        return await violations(database, read_back=chosen, provider=system.provider.url, **how)


def tripped(found: Found) -> set[str]:
    """The names of the checks that found something."""
    return {violation.check for here in found.values() for violation in here}


@pytest.fixture(scope="module")
async def tables(system: System) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection of the superuser to the services' database."""
    connection = await asyncpg.connect(system.admin_dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def producer(system: System) -> AsyncIterator[AIOKafkaProducer]:
    """Somebody else's."""
    made = AIOKafkaProducer(bootstrap_servers=system.stack.kafka, enable_idempotence=True, linger_ms=2)
    await made.start()
    yield made
    await made.stop()
