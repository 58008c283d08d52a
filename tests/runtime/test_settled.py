"""When a service says that it has settled, it has: whoever waits for that may look at the effects."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.errors import InvalidPartitionsError, KafkaTimeoutError
from pydantic import SecretStr

from offramp_schemas import Envelope, encode
from offramp_schemas.topics import ACCOUNT
from services.runtime.engine import Engine
from services.runtime.pages import Pages
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.stored import Pool
from tests.runtime.toy import Purses, Toy, started

ANSWERED = """insert into calls(idempotency_key, entity_id, kind, request, correlationid, asked_at, done_at, outcome)
values('k', 'sub_1', 'mail', '{}', 'c', now(), now(), 'answered')"""


def _engine(broker: str, database: str) -> Engine:
    settings = Settings(kafka=broker, postgres=SecretStr(database), look_every=0.1, session_timeout=6)
    return Engine(Service("lifecycle", Toy(), Purses()), settings)


@pytest.fixture
async def engine(broker: str, database: str, pool: Pool) -> AsyncIterator[Engine]:
    engine = _engine(broker, database)
    await engine.start()
    yield engine
    await engine.stop()


async def look(engine: Engine) -> dict[str, Any]:
    """What `/clock` answers."""
    answer = await Pages(lambda: engine).clock(make_mocked_request("GET", "/clock"))
    found: dict[str, Any] = json.loads(answer.text or "")
    return found


async def settled(engine: Engine) -> None:
    async with asyncio.timeout(30):
        while not (await look(engine))["settled"]:
            await asyncio.sleep(0.02)


def record(subject: str) -> tuple[bytes, bytes, Any]:
    return encode(Envelope(uuid.uuid4().hex, "//test", datetime.now(UTC), subject, started()))


async def test_what_the_broker_has_acknowledged_is_never_overlooked(engine: Engine, broker: str, pool: Pool) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True) as producer:
        for number in range(20):
            key, value, headers = record(f"sub_{number}")
            await producer.send_and_wait(ACCOUNT.name, value, key=key, headers=headers)
            await settled(engine)
            assert await pool.fetchval("select exists(select from inbox where disposition = 'applied' and event_id = $1)", _id(headers))


async def test_what_moves_during_a_look_is_seen_as_progress_by_the_next_one(
    engine: Engine, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settled(engine)
    ends = engine.watermarks.ends

    async def meanwhile() -> dict[TopicPartition, int]:
        await pool.execute(ANSWERED)
        return await ends()

    with monkeypatch.context() as patched:
        patched.setattr(type(engine.watermarks), "ends", lambda _: meanwhile())
        first = await look(engine)
    assert (await look(engine))["progress"] == first["progress"] + 1


async def test_whether_it_has_settled_can_not_be_told_without_kafka_and_the_process_says_that_it_waits(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(lambda: engine)

    async def ready() -> str:
        return str(json.loads((await pages.readyz(make_mocked_request("GET", "/readyz"))).text or "").get("why"))

    async def no_answer() -> dict[TopicPartition, int]:
        raise KafkaTimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(type(engine.watermarks), "ends", lambda _: no_answer())
        answer = await pages.clock(make_mocked_request("GET", "/clock"))
        assert (answer.status, answer.text) == (503, '{"error": "Kafka or Postgres does not answer (KafkaTimeoutError)"}')
        async with asyncio.timeout(30):
            while await ready() != "trying again: watermarks: KafkaTimeoutError":
                await asyncio.sleep(0.02)
    async with asyncio.timeout(30):
        while await ready() != "None":
            await asyncio.sleep(0.02)


async def test_the_marker_of_a_transaction_is_nothing_that_waits_to_be_read(engine: Engine, broker: str, pool: Pool) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker, transactional_id=uuid.uuid4().hex) as producer:
        async with producer.transaction():
            key, value, headers = record("sub_committed")
            await producer.send_and_wait(ACCOUNT.name, value, key=key, headers=headers)
        await settled(engine)
    assert await pool.fetchval("select exists(select from inbox where event_id = $1)", _id(headers))


async def test_what_a_transaction_took_back_was_never_said(engine: Engine, broker: str, pool: Pool) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker, transactional_id=uuid.uuid4().hex) as producer:
        await producer.begin_transaction()
        key, value, headers = record("sub_taken_back")
        await producer.send_and_wait(ACCOUNT.name, value, key=key, headers=headers)
        assert not (await look(engine))["settled"], "it may still be committed"
        await producer.abort_transaction()
        await settled(engine)
    assert not await pool.fetchval("select exists(select from inbox where event_id = $1)", _id(headers))


async def test_a_partition_that_was_added_is_read_and_waited_for_like_the_others(broker: str, database: str, pool: Pool) -> None:
    seventh = TopicPartition(ACCOUNT.name, ACCOUNT.partitions)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    with suppress(InvalidPartitionsError):  # it was added when this test ran before
        await admin.create_partitions({ACCOUNT.name: NewPartitions(ACCOUNT.partitions + 1)})
    await admin.close()
    engine = _engine(broker, database)
    await engine.start()
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        key, value, headers = record("sub_7")
        await producer.send_and_wait(seventh.topic, value, key=key, headers=headers, partition=seventh.partition)
    await settled(engine)
    assert await pool.fetchval("select exists(select from inbox where event_id = $1)", _id(headers))
    assert engine.shell.inputs == sum(topic.partitions for topic in engine.service.inputs) + 1
    await engine.stop()


def _id(headers: Any) -> str:
    found: bytes = dict(headers)["ce_id"]
    return found.decode()
