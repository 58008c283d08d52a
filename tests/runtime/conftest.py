"""A shell over the toy service, on a real database of its own."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest

from dev.kafka import Kafka
from services.runtime import migrations, topics
from services.runtime.apply import Shell
from services.runtime.migrations import Migration
from services.runtime.settings import Settings
from services.runtime.stored import Connection, Pool
from tests.conftest import as_one_deployment
from tests.runtime.toy import NOW, TABLE, Purse, Purses, Toy

SHELL_FILES = [Migration(f"shell/{file.name}", file.read_text()) for file in sorted(migrations.SHELL.glob("*.sql"))]


class StillClock:
    """Business time stands where the test puts it."""

    ahead = timedelta(days=1)

    def __init__(self) -> None:
        self.time = NOW

    async def now(self, connection: Connection) -> datetime:
        return self.time

    def received(self, appended_at: datetime, now: datetime) -> datetime:
        return appended_at


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool on a fresh database with the shell's tables and the toy's."""
    connection = await asyncpg.connect(database)
    await migrations.migrate(connection, "lifecycle", [*SHELL_FILES, Migration("toy/0001.sql", TABLE)])
    await as_one_deployment(connection, "lifecycle")
    await connection.close()
    async with asyncpg.create_pool(database, min_size=1, max_size=8, server_settings={"search_path": "lifecycle"}) as made:
        yield made


@pytest.fixture
def clock() -> StillClock:
    """The business clock of the test."""
    return StillClock()


@pytest.fixture
def shell(pool: Pool, clock: StillClock) -> Shell[Purse]:
    """The shell over the toy's rules; two input partitions must have been seen before anything is taken away."""
    return Shell("lifecycle", Toy(), Purses(), clock, pool, inputs=2)


@pytest.fixture(scope="session")
async def broker(kafka: Kafka) -> str:
    """A real broker with every topic of the contract."""
    await topics.create(Settings(kafka=kafka.address))
    return kafka.address
