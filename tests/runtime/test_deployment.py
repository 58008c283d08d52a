"""Two databases never read from one consumer group: the second one is told, and nothing of the first one's is missed."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupLoadInProgressError, NoError
from aiokafka.protocol.admin import DescribeGroupsResponse_v0
from aiokafka.structs import OffsetAndMetadata
from asyncpg import Connection
from pydantic import SecretStr

from dev.postgres import Postgres
from offramp_schemas import inputs_of
from offramp_schemas.topics import ACCOUNT, PARTITIONS
from services.runtime import deployment, kafka, migrations
from services.runtime.deployment import ForeignGroup
from services.runtime.intake import group_of
from services.runtime.migrations import Migration
from services.runtime.settings import Settings
from services.runtime.stored import Pool
from services.runtime.waiting import patiently
from tests.runtime.conftest import SHELL_FILES
from tests.runtime.test_engine import Publish, running, until
from tests.runtime.test_engine import publish as publish  # noqa: PLC0414 -- a fixture, which pytest finds by its name here
from tests.runtime.test_engine import settings as settings  # noqa: PLC0414 -- likewise
from tests.runtime.toy import TABLE, started

GROUPS = [group_of("lifecycle", topic) for topic in inputs_of("lifecycle")]
GROUP = group_of("lifecycle", ACCOUNT)
OTHER = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
async def second(postgres: Postgres, admin: Connection, settings: Settings) -> AsyncIterator[Settings]:
    """Those of a second deployment: the same Kafka, another database."""
    await admin.execute("create database second")
    connection = await asyncpg.connect(postgres.dsn_of("second"))
    await migrations.migrate(connection, "lifecycle", [*SHELL_FILES, Migration("toy/0001.sql", TABLE)])
    await connection.close()
    yield settings.model_copy(update={"postgres": SecretStr(postgres.dsn_of("second"))})
    await admin.execute("drop database second with (force)")


@pytest.fixture(autouse=True)
async def nobodys(broker: str) -> AsyncIterator[None]:
    """The groups belong to nobody, before and after."""
    await _mark_all(broker, "")
    yield
    await _mark_all(broker, "")


async def _mark_all(broker: str, mark: str) -> None:
    for topic in inputs_of("lifecycle"):
        partitions = [TopicPartition(topic.name, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=broker, group_id=group_of("lifecycle", topic), enable_auto_commit=False) as consumer:
            consumer.assign(partitions)
            offsets = {partition: await consumer.committed(partition) or 0 for partition in partitions}
            await consumer.commit({partition: (offset, mark) for partition, offset in offsets.items()})


async def _marks(broker: str) -> set[str]:
    async with kafka.admin(Settings(kafka=broker)) as client:
        return {each.metadata for each in (await client.list_consumer_group_offsets(GROUP)).values()} - {""}


async def _refusal(settings: Settings, identity: str) -> str:
    with pytest.raises(ForeignGroup) as refused:
        await deployment.check(settings, "lifecycle", identity, GROUPS)
    return str(refused.value)


async def _reads_for_the_first(publish: Publish, pool: Pool) -> None:
    subscription = "sub_" + uuid.uuid4().hex
    await publish(started(), subscription)
    await until(lambda: pool.fetchval("select exists(select from purses where id = $1)", subscription))


async def test_what_a_deployment_has_read_is_its_own_while_it_runs_and_when_it_is_gone(
    broker: str, settings: Settings, pool: Pool, publish: Publish
) -> None:
    mine = await deployment.identity(pool)
    async with running(settings):
        await _reads_for_the_first(publish, pool)
        await until(lambda: _has_marks(broker))
        assert OTHER in await _refusal(settings, OTHER)
    assert await _marks(broker) == {deployment.mark(mine)}
    message = await _refusal(settings, OTHER)
    assert f"the consumer group {GROUP} belongs to another database (deployment {mine}; this one is {OTHER})" in message
    assert "give this one a Kafka of its own; or" in message


async def _has_marks(broker: str) -> bool:
    return bool(await _marks(broker))


async def test_a_deployment_that_has_read_nothing_yet_is_known_by_its_marks(broker: str, settings: Settings, pool: Pool) -> None:
    async with running(settings):
        await until(lambda: _has_marks(broker))
    assert await _marks(broker) == {deployment.mark(await deployment.identity(pool))}


async def test_a_deployment_that_has_only_just_come_is_known_by_its_members(broker: str, settings: Settings) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=GROUP, client_id=deployment.client_id("lifecycle", OTHER))
    consumer.subscribe([ACCOUNT.name])
    await consumer.start()
    try:
        await deployment.check(settings, "lifecycle", OTHER, GROUPS)
        mine = str(uuid.uuid4())
        assert f"{GROUP} belongs to another database (deployment {OTHER}; this one is {mine})" in await _refusal(settings, mine)
    finally:
        await consumer.stop()


class Loading:
    """A broker that loads its consumer groups: for so many questions it does not know them, and shows no offsets."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    @asynccontextmanager
    async def admin(self, _: Settings) -> AsyncIterator["Loading"]:
        yield self

    async def describe_consumer_groups(self, groups: list[str]) -> list[DescribeGroupsResponse_v0]:
        self.answers -= 1
        error = GroupLoadInProgressError if self.answers >= 0 else NoError
        return [DescribeGroupsResponse_v0([(error.errno, group, "", "", "", []) for group in groups])]

    async def list_consumer_group_offsets(self, _: str) -> dict[TopicPartition, OffsetAndMetadata]:
        mark = deployment.mark(OTHER)
        return {} if self.answers >= 0 else {TopicPartition(ACCOUNT.name, 0): OffsetAndMetadata(7, mark)}


async def test_a_group_that_is_not_loaded_yet_is_nobodys_until_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kafka, "admin", Loading(answers=2).admin)
    with pytest.raises(ForeignGroup, match=OTHER):
        await patiently(Settings(), lambda: deployment.check(Settings(), "lifecycle", str(uuid.uuid4()), [GROUP]))
    assert capsys.readouterr().err == "waiting: Kafka has not loaded its consumer groups yet (GroupLoadInProgressError)\n"


async def test_a_group_that_is_never_loaded_is_waited_for_within_the_time_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "admin", Loading(answers=1_000_000).admin)
    short = Settings(start_timeout=0.1)
    with pytest.raises(TimeoutError, match=r"Kafka has not loaded its consumer groups yet .* \(waited 0 s\)"):
        await patiently(short, lambda: deployment.check(short, "lifecycle", OTHER, [GROUP]))


async def test_members_of_an_older_version_are_joined(broker: str, settings: Settings, pool: Pool) -> None:
    old = AIOKafkaConsumer(bootstrap_servers=broker, group_id=GROUP)
    old.subscribe([ACCOUNT.name])
    await old.start()
    try:
        await deployment.check(settings, "lifecycle", await deployment.identity(pool), GROUPS)
    finally:
        await old.stop()


async def test_a_restored_backup_goes_on(settings: Settings, pool: Pool, publish: Publish) -> None:
    for _ in range(2):
        await deployment.check(settings, "lifecycle", await deployment.identity(pool), GROUPS)
        async with running(settings):
            await _reads_for_the_first(publish, pool)
        for table in ("inbox", "watermarks", "purses", "transitions"):
            await pool.execute(f"truncate {table}")


async def test_offsets_of_an_older_version_have_no_mark_and_are_taken_over(
    broker: str, settings: Settings, pool: Pool, publish: Publish
) -> None:
    await deployment.check(settings, "lifecycle", await deployment.identity(pool), GROUPS)
    async with running(settings):
        await _reads_for_the_first(publish, pool)
    assert await _marks(broker) == {deployment.mark(await deployment.identity(pool))}


async def test_who_slips_in_ends_and_applies_nothing_while_the_first_goes_on(
    broker: str, settings: Settings, second: Settings, pool: Pool, publish: Publish
) -> None:
    async with running(settings) as first:
        await _reads_for_the_first(publish, pool)
        await until(lambda: _has_marks(broker))
        async with running(second) as intruder:  # its host would have asked before; this one came at the same moment
            error = await asyncio.wait_for(intruder.failed, 20)
            assert isinstance(error, ForeignGroup)
            assert await intruder.shell.pool.fetchval("select count(*) from inbox") == 0
        await _reads_for_the_first(publish, pool)
        assert not first.failed.done()
