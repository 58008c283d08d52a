"""A connection into a fresh database with the shell's and the notifier's own tables."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from dev.postgres import Postgres
from services.runtime.stored import Connection

SERVICES = Path(__file__).parents[2] / "services"


@pytest.fixture(scope="session")
async def template_database(postgres: Postgres, admin: Connection) -> str:
    """With all tables, so that each test only copies it."""
    migrations = [*sorted(SERVICES.glob("runtime/migrations/*.sql")), *sorted(SERVICES.glob("notifier/migrations/*.sql"))]
    texts = await asyncio.gather(*(asyncio.to_thread(each.read_text) for each in migrations))
    await admin.execute("create database notifier_template")
    connection = await asyncpg.connect(postgres.dsn_of("notifier_template"))
    await connection.execute("create schema notifier; set search_path = notifier")
    for text in texts:
        await connection.execute(text)
    await connection.close()
    return "notifier_template"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """Its search_path is the notifier's schema, as the shell's are."""
    connection = await asyncpg.connect(database, server_settings={"search_path": "notifier"})
    yield connection
    await connection.close()
