"""The whole shell on a real Kafka and a real Postgres: in, decided, stored, out; killed and taken over."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from offramp_schemas import TOPIC_OF, Envelope, Event, encode
from offramp_schemas.activity import InactivityDetected
from services.runtime import engine as engine_module
from services.runtime.dead_letters import channel
from services.runtime.engine import Engine
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.stored import Pool
from tests.runtime.toy import Purses, Toy, failed, started


class Publish:
    """Publishes as another team would, with real time."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer

    async def __call__(self, event: Event, subject: str, event_id: str | None = None) -> TopicPartition:
        key, value, headers = encode(Envelope(event_id or uuid.uuid4().hex, "//test", datetime.now(UTC), subject, event))
        sent = await self.producer.send_and_wait(TOPIC_OF[type(event)].name, value, key=key, headers=headers)
        return TopicPartition(sent.topic, sent.partition)


@pytest.fixture
async def publish(broker: str) -> AsyncIterator[Publish]:
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True)
    await producer.start()
    yield Publish(producer)
    await producer.stop()


@pytest.fixture
def settings(broker: str, database: str) -> Settings:
    return Settings(kafka=broker, postgres=SecretStr(database), look_every=0.1, session_timeout=6)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Engine]:
    engine = Engine(Service("lifecycle", Toy(), Purses()), settings)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Waits for something the system does by itself."""
    async with asyncio.timeout(seconds):
        while not await condition():  # type: ignore[misc]  # an async lambda has no shorter type
            await asyncio.sleep(0.02)


async def test_an_event_on_kafka_is_stored_and_its_follow_up_is_on_kafka(
    broker: str, settings: Settings, pool: Pool, publish: Publish
) -> None:
    subscription = f"sub_{uuid.uuid4().hex}"
    async with running(settings):
        await publish(started(), subscription)
        await publish(failed(), subscription, "evt_" + subscription)
        consumer = AIOKafkaConsumer("lifecycle.events.v1", bootstrap_servers=broker, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async with asyncio.timeout(30):
                async for record in consumer:
                    if record.key == subscription.encode():
                        break
        finally:
            await consumer.stop()
        assert dict(record.headers)["ce_causationid"] == f"evt_{subscription}".encode()
        await until(lambda: pool.fetchval("select count(*) = 0 from outbox"))
    assert await pool.fetchval("select failed from purses where id = $1", subscription) == 1


async def test_what_was_read_is_seen_through_soon_after_even_when_nothing_comes(settings: Settings, pool: Pool) -> None:
    before = datetime.now(UTC)
    async with running(settings) as engine:
        partitions = sum(topic.partitions for topic in engine.service.inputs)
        await until(lambda: pool.fetchval("select count(*) = $1 and min(seen_through) > $2 from watermarks", partitions, before))


async def test_a_database_that_knows_less_than_the_consumer_group_reads_again(settings: Settings, pool: Pool, publish: Publish) -> None:
    subscription = f"sub_{uuid.uuid4().hex}"
    async with running(settings):
        await publish(started(), subscription)
        await until(lambda: pool.fetchval("select count(*) from purses where id = $1", subscription))
    for table in ("inbox", "watermarks", "purses", "transitions", "outbox", "dead_letters", "parked"):
        await pool.execute(f"truncate {table}")
    async with running(settings):
        await until(lambda: pool.fetchval("select count(*) from purses where id = $1", subscription))


async def test_two_processes_share_the_partitions_and_lose_nothing_when_one_leaves(
    settings: Settings, pool: Pool, publish: Publish
) -> None:
    subscriptions = [f"sub_{uuid.uuid4().hex}" for _ in range(20)]
    async with running(settings):
        async with running(settings):
            for subscription in subscriptions:
                await publish(started(), subscription)
            for number in range(100):
                await publish(failed(number), subscriptions[number % 20])
        for number in range(100):
            await publish(failed(100 + number), subscriptions[number % 20])
        await until(lambda: pool.fetchval("select coalesce(sum(failed), 0) = 200 from purses where id = any($1)", subscriptions))
    versions = await pool.fetch(
        "select entity_id, array_agg(version order by version) from transitions where entity_id = any($1) group by 1", subscriptions
    )
    assert [list(row[1]) for row in versions] == [list(range(1, 12))] * 20


async def test_what_the_database_refuses_dies_alone_and_the_rest_is_applied(settings: Settings, pool: Pool, publish: Publish) -> None:
    subscription, other = f"sub_{uuid.uuid4().hex}", f"sub_{uuid.uuid4().hex}"
    for each in (subscription, other):
        await publish(started(), each)
    for number in range(20):
        await publish(failed(number, weight=100), subscription)  # the CHECK allows 999 failures in all
        await publish(failed(number), other)
    async with running(settings):
        await until(
            lambda: pool.fetchval(
                "select count(*) = 11 from dead_letters where reason = 'not_storable' and key = $1", subscription.encode()
            )
        )
        await until(lambda: pool.fetchval("select failed = 20 from purses where id = $1", other))
    assert await pool.fetchval("select failed from purses where id = $1", subscription) == 900


async def test_on_the_test_clock_a_guarded_timer_fires_as_soon_as_the_inputs_were_seen_through_it(
    settings: Settings, pool: Pool, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "WALKING_PACE", 3600.0)  # nothing but a bell wakes a loop
    now, subscription = datetime.now(UTC), f"sub_{uuid.uuid4().hex}"
    await pool.execute("insert into test_clock(now) values($1)", now)
    async with running(settings.model_copy(update={"clock": "test", "look_every": 3600.0})) as engine:
        await publish(started(), subscription)
        await publish(InactivityDetected(last_seen_at=now + timedelta(hours=1), inactive_days=1), subscription)
        await until(lambda: pool.fetchval("select guarded_wake_at is not null from purses where id = $1", subscription))
        await until(lambda: read_to_the_end(engine))
        await pool.execute("update test_clock set now = $1", now + timedelta(hours=2))
        await pool.execute("select pg_notify($1, 'clock')", channel("lifecycle"))
        await until(lambda: pool.fetchval("select details->'fired' = '[\"take\"]' from purses where id = $1", subscription))


async def read_to_the_end(engine: Engine) -> bool:
    ends = await engine.watermarks.ends()
    applied = {partition: offset for intake in engine.intakes for partition, offset in intake.applied.items()}
    return all(applied.get(partition) == end for partition, end in ends.items())
