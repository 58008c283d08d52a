"""Tables are brought up to date once, by whoever starts first; nobody runs on tables that do not fit."""

import asyncio

import asyncpg
import pytest

from services.runtime import migrations, prepare
from services.runtime.migrations import Migration, MigrationError

FIRST = Migration("shell/0001.sql", "create table things(id int primary key)")
SECOND = Migration("shell/0002.sql", "alter table things add column name text")


async def test_starters_at_once_apply_each_file_once(database: str) -> None:
    connections = [await asyncpg.connect(database) for _ in range(4)]
    applied = await asyncio.gather(*(migrations.migrate(each, "lifecycle", [FIRST, SECOND]) for each in connections))
    assert sorted(applied) == [[], [], [], ["shell/0001.sql", "shell/0002.sql"]]
    for each in connections:
        await each.close()


async def test_an_applied_file_that_was_edited_is_refused(database: str) -> None:
    connection = await asyncpg.connect(database)
    await migrations.migrate(connection, "lifecycle", [FIRST])
    with pytest.raises(MigrationError, match="was edited after it was applied"):
        await migrations.migrate(connection, "lifecycle", [Migration(FIRST.name, FIRST.text + ";")])
    await connection.close()


async def test_a_file_that_fails_half_way_leaves_no_trace(database: str) -> None:
    connection = await asyncpg.connect(database)
    broken = Migration("shell/0002.sql", "create table more(id int); select 1/0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrations.migrate(connection, "lifecycle", [FIRST, broken])
    assert await connection.fetchval("select to_regclass('lifecycle.more')") is None
    assert await migrations.migrate(connection, "lifecycle", [FIRST, SECOND]) == ["shell/0002.sql"]
    await connection.close()


async def test_a_service_refuses_tables_that_are_missing_old_or_from_the_future(database: str) -> None:
    connection = await asyncpg.connect(database)
    with pytest.raises(MigrationError, match="no tables for lifecycle yet"):
        await migrations.check(connection, "lifecycle")
    wanted = migrations.of("lifecycle")
    await migrations.migrate(connection, "lifecycle", [each for each in wanted if each.name.startswith("shell/")])
    with pytest.raises(MigrationError, match="the database lacks lifecycle/0001"):
        await migrations.check(connection, "lifecycle")
    await migrations.migrate(connection, "lifecycle", [*wanted, Migration("lifecycle/9999_later.sql", "select 1")])
    with pytest.raises(MigrationError, match=r"migrated by a newer version \(lifecycle/9999_later"):
        await migrations.check(connection, "lifecycle")
    await connection.close()


async def test_a_service_reads_and_writes_its_own_schema_and_no_other(database: str) -> None:
    connection = await asyncpg.connect(database)
    await prepare.prepare_database(connection, {}, test_clock=False)
    await connection.execute("set role offramp_lifecycle")
    assert await connection.fetchval("select count(*) from lifecycle.subscriptions") == 0
    for forbidden in (
        "select * from refunds.refunds",
        "select * from notifier.mails",
        "update lifecycle.transitions set facts = ''",
        "delete from lifecycle.transitions",
        "insert into lifecycle.migrations(name, sha256) values('x', '')",
        "update lifecycle.deployment set id = gen_random_uuid()",
        "create table lifecycle.mine(id int)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(forbidden)
    await connection.execute("set role offramp_console")
    assert await connection.fetchval("select count(*) from refunds.refunds") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("delete from notifier.mails")
    await connection.close()
