"""Tables: plain SQL files, applied once each in the order of their names, in the service's own schema. N starters at once are safe."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.runtime.stored import Connection

SHELL = Path(__file__).parent / "migrations"
LOCK = 0x0FF4A3  # any number, the same for all runners
SERVICES = Path(__file__).parent.parent


class MigrationError(Exception):
    """The database can't be brought, or is not, where this version needs it; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `name` is `<folder>/<file>`."""

    name: str
    text: str

    @property
    def sha256(self) -> bytes:
        """An applied file must never change."""
        return hashlib.sha256(self.text.encode()).digest()


def of(service: str) -> list[Migration]:
    """The shell's files, then the service's own."""
    folders = (("shell", SHELL), (service, SERVICES / service / "migrations"))
    return [Migration(f"{label}/{file.name}", file.read_text()) for label, folder in folders for file in sorted(folder.glob("*.sql"))]


async def migrate(connection: Connection, service: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Applies what is missing, each file in a transaction of its own; returns the names. Raises MigrationError.

    Polls for its lock: waiting inside a blocking one deadlocks with CREATE INDEX CONCURRENTLY.
    """
    while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
        await asyncio.sleep(0.1)
    try:
        await connection.execute(f'create schema if not exists "{service}"')
        await connection.execute(
            f'create table if not exists "{service}".migrations'
            "(name text primary key, sha256 bytea not null, applied_at timestamptz not null default now())"
        )
        wanted = of(service) if migrations is None else list(migrations)
        applied = await _applied(connection, service)
        _refuse_edited(service, wanted, applied)
        _refuse_newer(wanted, applied)
        missing = [each for each in wanted if each.name not in applied]
        for each in missing:
            await _run(connection, service, each)
        return [each.name for each in missing]
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK)


async def check(connection: Connection, service: str) -> None:
    """Whether the schema is exactly what this version needs. Raises MigrationError."""
    if not (applied := await _applied(connection, service)):
        raise MigrationError(f"the database has no tables for {service} yet: run `python -m services.runtime.prepare` first")
    wanted = of(service)
    _refuse_edited(service, wanted, applied)
    if missing := [each.name for each in wanted if each.name not in applied]:
        raise MigrationError(f"the database lacks {', '.join(missing)}: run `python -m services.runtime.prepare` first")
    _refuse_newer(wanted, applied)


async def refuse_foreign(connection: Connection, service: str) -> None:
    """Raises MigrationError where another version has left what this one can't go on from. Changes nothing."""
    applied, wanted = await _applied(connection, service), of(service)
    _refuse_edited(service, wanted, applied)
    _refuse_newer(wanted, applied)


async def _applied(connection: Connection, service: str) -> dict[str, bytes]:
    if not await connection.fetchval("select to_regclass($1)", f"{service}.migrations"):
        return {}
    rows = await connection.fetch(f'select name, sha256 from "{service}".migrations')  # noqa: S608 -- the name is one of ours
    return {row["name"]: row["sha256"] for row in rows}


def _refuse_edited(service: str, wanted: Sequence[Migration], applied: Mapping[str, bytes]) -> None:
    for each in wanted:
        if each.name in applied and applied[each.name] != each.sha256:
            raise MigrationError(f"{each.name} was edited after it was applied to {service}: restore it and add a new file instead")


def _refuse_newer(wanted: Sequence[Migration], applied: Mapping[str, bytes]) -> None:
    if newer := sorted(set(applied) - {each.name for each in wanted}):
        raise MigrationError(f"the database was migrated by a newer version ({', '.join(newer)}): deploy that version, or restore a backup")


async def _run(connection: Connection, service: str, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(f'set local search_path = "{service}"')
        await connection.execute(migration.text)
        # the search path leads to the service's own table
        await connection.execute("insert into migrations(name, sha256) values($1, $2)", migration.name, migration.sha256)
