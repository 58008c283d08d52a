"""A database with the tables of refunds."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from services.runtime.stored import Connection

SERVICES = Path(__file__).parents[2] / "services"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """As the service connects, with one policy known."""
    migrations = [*sorted(SERVICES.glob("runtime/migrations/*.sql")), *sorted(SERVICES.glob("refunds/migrations/*.sql"))]
    texts = await asyncio.gather(*(asyncio.to_thread(each.read_text) for each in migrations))
    connection = await asyncpg.connect(database)
    await connection.execute("create schema refunds; set search_path = refunds")
    for text in texts:
        await connection.execute(text)
    await connection.execute("insert into policies values (1, 'x', '{}', now())")
    yield connection
    await connection.close()
