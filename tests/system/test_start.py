"""A start that can't succeed: one clear message that says what to do, a status that tells, and no traceback."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from dev.kafka import Kafka
from dev.postgres import Postgres
from services.runtime import deployment, topics
from services.runtime.policies import DEFAULT_FILE
from services.runtime.prepare import SERVICES, prepare_database
from services.runtime.settings import Settings
from tests.conftest import as_one_deployment
from tests.system.conftest import until

PASSWORD = "the right one"
Environment = dict[str, str]
SOMEWHERE = TopicPartition("subscription.request.v1", 0)
GROUP = "offramp.lifecycle.subscription.request.v1"


@dataclass(frozen=True)
class Ended:
    """What a service said, and its exit status."""

    status: int
    said: list[str]


async def start(environment: Environment) -> Ended:
    """`python -m services.lifecycle` until it ends by itself."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OFFRAMP_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.lifecycle",
        env=inherited | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(40):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return Ended(process.returncode or 0, [line for line in output.decode().replace("\x1b[?25h", "").splitlines() if line])


def unused_port() -> int:
    """Nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def good(kafka: Kafka, postgres: Postgres, database: str) -> AsyncIterator[Environment]:
    """An environment in which lifecycle starts."""
    await topics.create(Settings(kafka=kafka.address))
    connection = await asyncpg.connect(database)
    await prepare_database(connection, {"lifecycle": PASSWORD}, test_clock=False)
    await as_one_deployment(connection, *SERVICES)
    yield {
        "OFFRAMP_KAFKA": kafka.address,
        "OFFRAMP_POSTGRES": f"postgresql://offramp_lifecycle@127.0.0.1:{postgres.port}/{database.rpartition('/')[2]}",
        "OFFRAMP_POSTGRES_PASSWORD": PASSWORD,
        "OFFRAMP_PORT": str(unused_port()),
        "OFFRAMP_START_TIMEOUT": "2",
    }
    await connection.close()


def refuses(ended: Ended, status: int, *words: str) -> None:
    """One message of one line, at the end, in which the words are."""
    message = [line for line in ended.said if line.startswith("offramp lifecycle: ")]
    assert len(message) == 1, ended.said
    assert ended.said[-1] == message[0], "nothing comes after it"
    assert [word for word in words if word not in message[0]] == []
    assert not any("Traceback" in line or line.startswith("  File ") for line in ended.said), ended.said
    assert ended.status == status


async def test_a_misspelt_setting(good: Environment) -> None:
    refuses(await start(good | {"OFFRAMP_KAFAK": "x"}), 2, "OFFRAMP_KAFAK is not a setting", "did you mean OFFRAMP_KAFKA?")


async def test_a_setting_with_a_wrong_value(good: Environment) -> None:
    refuses(await start(good | {"OFFRAMP_KAFKA": "localhost"}), 2, "OFFRAMP_KAFKA", "must be host:port")


async def test_several_wrong_settings_are_told_at_once(good: Environment) -> None:
    ended = await start(good | {"OFFRAMP_PORT": "99999", "OFFRAMP_CLOCK": "sundial"})
    assert ended.status == 2
    assert sorted(ended.said) == [
        "OFFRAMP_PORT: Input should be less than or equal to 65535",
        "offramp lifecycle: OFFRAMP_CLOCK: Input should be 'system' or 'test'",
    ]


@pytest.mark.parametrize("address", ["127.0.0.1/offramp", "postgresql://role:pass/word@127.0.0.1:5432/offramp"])
async def test_an_address_of_postgres_that_is_none(good: Environment, address: str) -> None:
    ended = await start(good | {"OFFRAMP_POSTGRES": address})
    refuses(ended, 2, "OFFRAMP_POSTGRES", "must be postgresql://host:port/database")
    assert "pass" not in "".join(ended.said), "a password is never shown"


async def test_a_broker_that_does_not_answer(good: Environment) -> None:
    ended = await start(good | {"OFFRAMP_KAFKA": f"127.0.0.1:{unused_port()}"})
    refuses(ended, 1, "Kafka does not answer", "OFFRAMP_KAFKA", "(waited 2 s)")


async def test_a_database_server_that_does_not_answer(good: Environment) -> None:
    ended = await start(good | {"OFFRAMP_POSTGRES": f"postgresql://offramp_lifecycle@127.0.0.1:{unused_port()}/offramp"})
    refuses(ended, 1, "Postgres does not answer", "OFFRAMP_POSTGRES", "(waited 2 s)")


async def test_a_wrong_password(good: Environment) -> None:
    ended = await start(good | {"OFFRAMP_POSTGRES_PASSWORD": "a wrong one"})
    refuses(ended, 2, "Postgres refused the role or password", "OFFRAMP_POSTGRES_PASSWORD")
    assert "a wrong one" not in "".join(ended.said)


async def test_a_database_that_does_not_exist(good: Environment) -> None:
    ended = await start(good | {"OFFRAMP_POSTGRES": good["OFFRAMP_POSTGRES"] + "_not"})
    refuses(ended, 2, "the database does not exist", "services.runtime.prepare")


async def test_a_database_without_our_tables(good: Environment, database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("drop schema lifecycle cascade")
    await connection.close()
    refuses(await start(good), 2, "no tables for lifecycle yet", "python -m services.runtime.prepare")


async def test_a_database_of_a_newer_version(good: Environment, database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("insert into lifecycle.migrations(name, sha256) values('lifecycle/9999_later.sql', 'x')")
    await connection.close()
    refuses(await start(good), 2, "newer version", "9999_later.sql")


async def test_a_database_on_the_test_clock(good: Environment, database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("insert into lifecycle.test_clock(now) values(now())")
    await connection.close()
    refuses(await start(good), 2, "test clock", "OFFRAMP_CLOCK=test")


async def test_a_topic_that_is_missing(good: Environment, kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    try:
        await admin.delete_topics(["subscription.activity.v1"])

        async def gone() -> bool:
            return "subscription.activity.v1" not in await admin.list_topics()

        await until(gone)
        ended = await start(good)
    finally:
        await admin.close()
        await topics.create(Settings(kafka=kafka.address))
    refuses(ended, 2, "the topic subscription.activity.v1 does not exist", "python -m services.runtime.prepare")


async def test_a_consumer_group_of_another_database(good: Environment, kafka: Kafka) -> None:
    async with member(kafka) as other:
        await other.commit({SOMEWHERE: (0, deployment.mark("another"))})
        ended = await start(good)
        await other.commit({SOMEWHERE: (0, "")})
    refuses(ended, 2, f"the consumer group {GROUP} belongs to another database (deployment another", "a Kafka of its own")


async def test_a_consumer_group_that_another_database_has_taken_meanwhile(good: Environment, kafka: Kafka) -> None:
    starting = asyncio.create_task(start(good))
    async with aiohttp.ClientSession() as session:
        await until(lambda: is_ready(session, good))
    async with member(kafka) as other:  # as if it had asked at the same moment, and found nobody
        await other.commit({SOMEWHERE: (0, deployment.mark("another"))})
    ended = await starting
    async with member(kafka) as other:
        await other.commit({SOMEWHERE: (0, "")})
    refuses(ended, 2, "belongs to another database (deployment another")


async def is_ready(session: aiohttp.ClientSession, environment: Environment) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{environment['OFFRAMP_PORT']}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def member(kafka: Kafka) -> AsyncIterator[AIOKafkaConsumer]:
    """Somebody in lifecycle's group, with the partition SOMEWHERE: its name is the first in the alphabet."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.address, group_id=GROUP, enable_auto_commit=False)
    consumer.subscribe([SOMEWHERE.topic])
    async with consumer:
        await until(lambda: _has(consumer))
        yield consumer


async def _has(consumer: AIOKafkaConsumer) -> bool:
    return SOMEWHERE in consumer.assignment()


async def test_a_port_that_is_in_use(good: Environment) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refuses(await start(good | {"OFFRAMP_PORT": port}), 1, f"port {port}", "in use", "OFFRAMP_PORT")


async def test_a_policy_file_with_a_typo(good: Environment, tmp_path: Path) -> None:
    text = DEFAULT_FILE.read_text()
    assert "refunds:\n" in text
    file = tmp_path / "policy.yaml"
    file.write_text(text + "\nlifecicle:\n  dunning: {}\n")
    lines = len(text.splitlines()) + 2
    refuses(await start(good | {"OFFRAMP_POLICY_FILE": str(file)}), 2, f"{file}:{lines}:", "unknown section 'lifecicle'")


async def test_a_policy_file_with_a_duration_of_no_unit(good: Environment, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("lifecycle:\n  refunds:\n    acknowledged_within: 10m\n    remind_every: 3\n")
    ended = await start(good | {"OFFRAMP_POLICY_FILE": str(file)})
    refuses(ended, 2, f"{file}:4:", "remind_every", "like 3d, 1h, 15m")


async def test_a_policy_file_that_is_no_yaml(good: Environment, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("lifecycle: {default: [\n")
    refuses(await start(good | {"OFFRAMP_POLICY_FILE": str(file)}), 2, f"{file}:2: not YAML")


async def test_a_policy_file_that_is_not_there(good: Environment) -> None:
    refuses(await start(good | {"OFFRAMP_POLICY_FILE": "/nowhere.yaml"}), 2, "/nowhere.yaml", "can't be read", "OFFRAMP_POLICY_FILE")
