"""The servers that tests run against: real ones, started once for the whole session and only when a test asks for them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from asyncpg import Connection

from dev.places import stack_directory
from dev.postgres import Postgres

_numbers = count(1)


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """Where the session's servers keep their data, thrown away in the end."""
    directory = stack_directory(None)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
async def postgres(server_directory: Path) -> AsyncIterator[Postgres]:
    """PostgreSQL that doesn't wait for the disk."""
    server = await Postgres.start(server_directory, durable=False)
    yield server
    await server.stop(keep=False)


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
