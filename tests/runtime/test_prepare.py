"""What the set-up step leaves behind: nobody can do more than their work needs, and a refused set-up has changed nothing."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
from aiokafka.admin import NewTopic
from pydantic import SecretStr

from dev.kafka import Kafka
from dev.postgres import Postgres
from offramp_schemas.topics import ACCOUNT
from services.runtime import kafka as connections
from services.runtime import postgres as client
from services.runtime import topics
from services.runtime.migrations import MigrationError
from services.runtime.prepare import CONSOLE, SERVICES, prepare, prepare_database, role_of
from services.runtime.settings import Settings, SettingsError
from services.runtime.stored import Connection
from services.runtime.topics import TopicError

PASSWORDS = {name: f"the password of {name}" for name in (*SERVICES, CONSOLE)}
CHANGES = ("insert", "update", "delete", "truncate")
Neighbours = [(service, other) for service in SERVICES for other in SERVICES if other != service]


@pytest.fixture
async def prepared(database: str) -> str:
    """A database that has everything."""
    connection = await asyncpg.connect(database)
    await prepare_database(connection, PASSWORDS, test_clock=False)
    await connection.close()
    return database


@asynccontextmanager
async def logged_in(postgres: Postgres, database: str, name: str, password: str) -> AsyncIterator[Connection]:
    """As a service would be, by its password."""
    address = f"postgresql://{role_of(name)}@127.0.0.1:{postgres.port}/{database.rpartition('/')[2]}"
    connection = await client.connect(Settings(postgres=SecretStr(address), postgres_password=SecretStr(password)))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("name", PASSWORDS)
async def test_each_role_has_a_password_of_its_own(postgres: Postgres, prepared: str, name: str) -> None:
    async with logged_in(postgres, prepared, name, PASSWORDS[name]) as connection:
        assert await connection.fetchval("select current_user") == role_of(name)
    for other in PASSWORDS.keys() - {name}:
        with pytest.raises(asyncpg.InvalidPasswordError):
            async with logged_in(postgres, prepared, name, PASSWORDS[other]):
                pass


async def test_a_password_is_never_part_of_a_statement(database: str) -> None:
    connection = await asyncpg.connect(database)
    said: list[str] = []
    connection.add_query_logger(lambda query: said.append(query.query))
    await prepare_database(connection, PASSWORDS, test_clock=False)
    await connection.close()
    assert any("SCRAM-SHA-256$4096:" in each for each in said)
    assert not any(password in each for password in PASSWORDS.values() for each in said)


async def test_a_password_that_clients_would_have_to_normalise_is_refused(database: str) -> None:
    with pytest.raises(SettingsError, match="OFFRAMP_REFUNDS_PASSWORD"):
        await prepare(Settings(postgres=SecretStr(database), refunds_password=SecretStr("pässword")), ["database"])


@pytest.mark.parametrize(("service", "neighbour"), Neighbours)
async def test_a_service_neither_reads_nor_changes_its_neighbours_tables(
    postgres: Postgres, prepared: str, service: str, neighbour: str
) -> None:
    async with logged_in(postgres, prepared, service, PASSWORDS[service]) as connection:
        for table in await _tables(connection, neighbour):
            for statement in (f"select 1 from {table}", f"delete from {table}", f"truncate {table}", f"insert into {table} default values"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)


@pytest.mark.parametrize("name", PASSWORDS)
async def test_nobody_creates_anything_anywhere(postgres: Postgres, prepared: str, name: str) -> None:
    async with logged_in(postgres, prepared, name, PASSWORDS[name]) as connection:
        for schema in (*SERVICES, "public"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"create table {schema}.mine(id int)")
        for statement in ("create schema mine", "create role mine", "create database mine"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_the_command_line_reads_everything_and_changes_nothing(postgres: Postgres, prepared: str) -> None:
    async with logged_in(postgres, prepared, CONSOLE, PASSWORDS[CONSOLE]) as connection:
        tables = [table for service in SERVICES for table in await _tables(connection, service)]
        assert len(tables) > 30
        for table in tables:
            await connection.fetchval(f"select 1 from {table} limit 1")
            rights = [right for right in CHANGES if await connection.fetchval("select has_table_privilege($1, $2)", table, right)]
            assert rights == [], table


async def _tables(connection: Connection, schema: str) -> list[str]:
    rows = await connection.fetch("select relname from pg_class where relnamespace = $1::regnamespace and relkind = 'r'", schema)
    assert rows
    return [f"{schema}.{row['relname']}" for row in rows]


async def test_a_role_without_a_new_password_keeps_the_one_it_has(postgres: Postgres, prepared: str) -> None:
    connection = await asyncpg.connect(prepared)
    await prepare_database(connection, {}, test_clock=False)
    await connection.close()
    async with logged_in(postgres, prepared, "refunds", PASSWORDS["refunds"]):
        pass


async def test_a_database_of_a_newer_version_is_refused_and_nothing_is_changed(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("create schema notifier; create table notifier.migrations(name text, sha256 bytea)")
    await connection.execute("insert into notifier.migrations values('shell/9999_later.sql', 'x')")
    with pytest.raises(MigrationError, match=r"migrated by a newer version \(shell/9999_later.sql\): deploy that version, or restore"):
        await prepare_database(connection, PASSWORDS, test_clock=False)
    assert await connection.fetchval("select count(*) from pg_namespace where nspname in ('lifecycle', 'refunds')") == 0
    await connection.close()


async def test_a_topic_with_too_few_partitions_is_refused_before_any_other_is_created(kafka: Kafka) -> None:
    settings = Settings(kafka=kafka.address)
    async with connections.admin(settings) as admin:
        await admin.create_topics([NewTopic("few.v1", 1, 1)])
        with pytest.raises(TopicError, match=r"the topic few\.v1 has 1 partitions and needs 6: add partitions before any event"):
            await topics.create(settings, [replace(ACCOUNT, name="missing.v1"), replace(ACCOUNT, name="few.v1")])
        assert "missing.v1" not in await admin.list_topics()


async def test_more_replicas_than_brokers_are_refused(kafka: Kafka) -> None:
    with pytest.raises(TopicError, match=r"replicated\.v1 can't have 3 replicas: set OFFRAMP_REPLICATION"):
        await topics.create(Settings(kafka=kafka.address, replication=3), [replace(ACCOUNT, name="replicated.v1")])


async def _prepare(*words: str, **settings: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OFFRAMP_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.runtime.prepare", *words,
        env=environment | settings, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_it_says_what_it_did_and_the_second_time_there_is_nothing_to_do(kafka: Kafka, database: str) -> None:
    where = {"OFFRAMP_KAFKA": kafka.address, "OFFRAMP_POSTGRES": database, "OFFRAMP_LIFECYCLE_PASSWORD": "hush"}
    status, said = await _prepare(**where)
    assert (status, "applied notifier: shell/0002_deployment.sql" in said, "hush" in said) == (0, True, False)
    assert await _prepare("database", "topics", **where) == (0, "")


async def test_it_refuses_with_one_line_and_status_2_what_somebody_has_to_change(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("create schema lifecycle; create table lifecycle.migrations(name text, sha256 bytea)")
    await connection.execute("insert into lifecycle.migrations values('lifecycle/9999_later.sql', 'x')")
    await connection.close()
    status, said = await _prepare("database", OFFRAMP_POSTGRES=database)
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("offramp prepare: the database was migrated by a newer version (lifecycle/9999_later.sql)")


async def test_a_word_that_it_does_not_know_is_refused(database: str) -> None:
    status, said = await _prepare("databse", OFFRAMP_POSTGRES=database)
    assert (status, "'databse' is none of database, topics, access" in said) == (2, True)


async def test_it_waits_for_who_is_not_there_yet_and_then_says_who(unused_tcp_port: int) -> None:
    status, said = await _prepare("topics", OFFRAMP_KAFKA=f"127.0.0.1:{unused_tcp_port}", OFFRAMP_START_TIMEOUT="0.1")
    assert (status, "is OFFRAMP_KAFKA right?" in said, "Traceback" in said) == (1, True, False)
