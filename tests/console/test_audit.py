"""Each check of the audit has a planted violation that trips it, and nothing else does."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.postgres import Postgres
from services.console import audit
from services.console.database import SERVICES, Database
from services.runtime import sql
from services.runtime.prepare import prepare_database
from services.runtime.settings import Settings
from services.runtime.stored import Connection
from tests.console.conftest import Offramp

_numbers = count(1)
PLANTED = sql.load(Path(__file__).with_name("planted.sql"))
CHECKS = sorted(PLANTED.keys() - {"healthy", "entities"})


class _Here:
    """A connection as the audit uses one, inside the test's own transaction, in the schema of a service."""

    def __init__(self, connection: Connection, service: str) -> None:
        self._connection, self._service = connection, service

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        await self._connection.execute(f"set local search_path = {self._service}")
        return list(await self._connection.fetch(query, *arguments))


@pytest.fixture(scope="session")
async def healthy(postgres: Postgres, admin: Connection) -> str:
    """The name of a database with a row of everything, as it should be."""
    await admin.execute("create database healthy")
    connection = await asyncpg.connect(postgres.dsn_of("healthy"))
    await prepare_database(connection, {}, test_clock=False)
    for service in SERVICES:
        await connection.execute(f"set search_path = {service}")
        await connection.execute(PLANTED["healthy"])
    await connection.execute(PLANTED["entities"])
    await connection.close()
    return "healthy"


@pytest.fixture
async def spoilt(postgres: Postgres, healthy: str) -> AsyncIterator[Connection]:
    """A transaction in which it is spoilt, and after which it is as before."""
    connection = await asyncpg.connect(postgres.dsn_of(healthy))
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture
async def copy(postgres: Postgres, admin: Connection, healthy: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """A copy of it, which the command line is led to."""
    name = f"audited_{next(_numbers)}"
    await admin.execute(f'create database "{name}" template "{healthy}"')
    monkeypatch.setenv("OFFRAMP_POSTGRES", postgres.dsn_of(name))
    connection = await asyncpg.connect(postgres.dsn_of(name))
    yield connection
    await connection.close()
    await admin.execute(f'drop database "{name}" with (force)')


async def spoil(connection: Connection, service: str, statements: str) -> None:
    """Writes what no service could: without the constraints that would refuse it."""
    rows = await connection.fetch(
        "select conrelid::regclass::text as on_table, conname from pg_constraint join pg_namespace n on n.oid = connamespace "
        "where nspname = $1 and contype in('c', 'u', 'f', 'p')", service
    )  # fmt: skip
    for row in rows:
        await connection.execute(f'alter table {row["on_table"]} drop constraint if exists "{row["conname"]}" cascade')
    await connection.execute(f"set search_path = {service}; drop index if exists one_open_attempt")
    await connection.execute(statements)


async def tripped(connection: Connection, **how: Any) -> set[tuple[str, str]]:
    """The checks that find something, and where."""
    database = Database(Settings())
    database._connections = {service: _Here(connection, service) for service in SERVICES}  # type: ignore[misc]  # it fetches, too
    found = await audit.violations(database, **how)
    return {(each.check, each.service) for here in found.values() for each in here}


async def test_what_is_as_it_should_be_trips_nothing(spoilt: Connection) -> None:
    assert await tripped(spoilt) == set()


@pytest.mark.parametrize("check", CHECKS)
async def test_a_planted_violation_trips_its_check(spoilt: Connection, check: str) -> None:
    service = PLANTED[check].partition("\n")[0].removeprefix("-- ")
    await spoil(spoilt, service, PLANTED[check])
    assert (check, service) in await tripped(spoilt)


def test_every_check_has_a_planted_violation() -> None:
    assert set(CHECKS) == {check for invariant in audit.INVARIANTS for check in invariant.checks}


async def test_a_timer_may_be_as_late_as_the_bound_says(spoilt: Connection) -> None:
    await spoilt.execute("update lifecycle.subscriptions set wake_at = now() - interval '6 minutes'")
    assert await tripped(spoilt, bound=timedelta(minutes=10)) == set()


async def test_the_command_names_what_is_violated_and_fails(copy: Connection, offramp: Offramp) -> None:
    await spoil(copy, "refunds", "update refunds set deadline_at = null")
    said = await offramp("audit")
    assert said.status == 1
    assert "I4   violated" in said.out
    assert "a refund that is not over and has no owner, next action or deadline" in said.out
    assert "1 of 9 invariants are violated" in said.out


async def test_the_command_says_that_all_holds(copy: Connection, offramp: Offramp) -> None:
    said = await offramp("audit")
    assert (said.status, said.out.splitlines()[-1]) == (0, "All of them hold.")


async def test_the_command_has_it_as_json(copy: Connection, offramp: Offramp) -> None:
    await spoil(copy, "lifecycle", "update subscriptions set wake_at = null")
    said = await offramp("audit", "--json")
    broken = [each for each in json.loads(said.out) if not each["holds"]]
    assert [(each["invariant"], each["violations"][0]["check"]) for each in broken] == [("I4", "subscription_asleep")]
