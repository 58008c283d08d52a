"""Every test that asks for a database gets one with lifecycle's tables in it."""

import asyncpg
import pytest
from asyncpg import Connection

from dev.postgres import Postgres
from services.runtime import migrations


@pytest.fixture(scope="session")
async def template_database(postgres: Postgres, admin: Connection) -> str:
    await admin.execute("create database lifecycle_tables")
    connection = await asyncpg.connect(postgres.dsn_of("lifecycle_tables"))
    await migrations.migrate(connection, "lifecycle")
    await connection.close()
    return "lifecycle_tables"
