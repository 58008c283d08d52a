"""The embedded PostgreSQL."""

from __future__ import annotations

import asyncpg


async def test_it_answers_and_speaks_utf8(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("SELECT 'Zwölf ' || $1::text", "жук") == "Zwölf жук"
        assert await connection.fetchval("SELECT current_setting('server_version_num')::int / 10000") == 18
    finally:
        await connection.close()


async def test_a_test_leaves_something_in_its_database(database: str) -> None:
    await _create_table(database)


async def test_and_the_next_one_does_not_see_it(database: str) -> None:
    await _create_table(database)  # would fail if the table were there


async def _create_table(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TABLE left_behind ()")
    finally:
        await connection.close()
