"""The servers that tests run against: real ones, started once for the whole session and only when a test asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from asyncpg import Connection
from xdist.scheduler import LoadFileScheduling

from dev.directory import owned
from dev.kafka import Kafka
from dev.mailbox import Mailbox
from dev.postgres import Postgres
from dev.stack import Stack

_numbers = count(1)


class Together(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """Tests of a file stay in one process, and those of tests/stories do: the stories are played once for all of them."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "stories" if file.startswith("tests/stories/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Which process runs what."""
    return Together(config, log)


async def as_one_deployment(connection: Connection, *schemas: str) -> None:
    """Lets tests' databases follow each other on the session's broker, as a database does that is restored again and again."""
    for schema in schemas:
        await connection.execute(f"UPDATE {schema}.deployment SET id = '00000000-0000-4000-8000-000000000000'")


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """Where the session's servers keep their data, thrown away in the end."""
    with owned(None, keep=False) as directory:
        yield directory


@pytest.fixture(scope="session")
async def postgres(server_directory: Path) -> AsyncIterator[Postgres]:
    """PostgreSQL that doesn't wait for the disk."""
    server = await Postgres.start(server_directory, durable=False)
    yield server
    await server.stop(keep=False)


@pytest.fixture(scope="session")
async def kafka(server_directory: Path) -> AsyncIterator[Kafka]:
    """Apache Kafka without any topic."""
    broker = await Kafka.start(server_directory)
    yield broker
    await broker.stop(keep=False)


@pytest.fixture(scope="session")
async def mailbox(server_directory: Path) -> AsyncIterator[Mailbox]:
    """A mail server that delivers to a Maildir. Tests that make it misbehave tell it to behave again."""
    server = await Mailbox.start(server_directory / "mail")
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def stack(server_directory: Path, kafka: Kafka, postgres: Postgres, mailbox: Mailbox) -> Stack:
    """All of them."""
    return Stack(server_directory, kafka, postgres, mailbox)


@pytest.fixture(scope="session")
async def admin(postgres: Postgres) -> AsyncIterator[Connection]:
    """A connection of the superuser, to make databases and roles with."""
    connection = await asyncpg.connect(postgres.dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def template_database(postgres: Postgres) -> str:
    """The name of the database that every test gets a copy of: an empty one, unless a folder's own conftest says otherwise."""
    return "template1"


@pytest.fixture
async def database(postgres: Postgres, admin: Connection, template_database: str) -> AsyncIterator[str]:
    """The superuser's DSN of a database of this test's own, fresh from the template."""
    name = f"test_{next(_numbers)}"
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
    yield postgres.dsn_of(name)
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
