"""`python -m services.runtime.prepare`: roles, schemas, tables and topics. Safe to repeat, and to run twice at once.

Needs a role that may create roles and schemas (OFFRAMP_POSTGRES) and a broker (OFFRAMP_KAFKA).
"""

import asyncio
import sys

import asyncpg

from services.runtime import migrations, postgres, settings, topics
from services.runtime.clock import TestClock
from services.runtime.settings import Settings, SettingsError
from services.runtime.stored import Connection

SERVICES = ("lifecycle", "refunds", "notifier")
CONSOLE_ROLE = "offramp_console"
_APPEND_ONLY = "transitions"


def role_of(service: str) -> str:
    """The database role of a service: it reads and writes its own schema and nothing else."""
    return f"offramp_{service}"


async def prepare_database(connection: Connection, password: str | None, test_clock: bool) -> list[str]:
    """Brings every service's schema up to date; returns the migrations applied. Raises MigrationError."""
    applied = []
    for role in (*(role_of(service) for service in SERVICES), CONSOLE_ROLE):
        await _role(connection, role, password)
    for service in SERVICES:
        applied += [f"{service}: {name}" for name in await migrations.migrate(connection, service)]
        await _grant(connection, service)
        if test_clock:
            async with connection.transaction():
                await connection.execute(f'set local search_path = "{service}"')
                await TestClock.start(connection)
    return applied


async def _role(connection: Connection, role: str, password: str | None) -> None:
    try:
        if not await connection.fetchval("select 1 from pg_roles where rolname = $1", role):
            await connection.execute(f'create role "{role}" login')
        if password:
            quoted = await connection.fetchval("select quote_literal($1::text)", password)
            await connection.execute(f'alter role "{role}" password {quoted}')
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError):
        pass  # another starter made or changed it in the same moment


async def _grant(connection: Connection, service: str) -> None:
    role = role_of(service)
    await connection.execute(f'''
        grant usage on schema "{service}" to "{role}", "{CONSOLE_ROLE}";
        grant select, insert, update, delete on all tables in schema "{service}" to "{role}";
        revoke update, delete on "{service}"."{_APPEND_ONLY}" from "{role}";
        revoke insert, update, delete on "{service}".migrations from "{role}";
        grant select on all tables in schema "{service}" to "{CONSOLE_ROLE}";
    ''')


async def prepare(wanted: Settings) -> None:
    """Everything, with a line for each thing done. Raises what the user should read as a message."""
    connection = await asyncpg.connect(
        wanted.postgres.get_secret_value(),
        password=wanted.postgres_password.get_secret_value() if wanted.postgres_password else None,
        timeout=wanted.start_timeout,
    )
    try:
        password = wanted.role_password.get_secret_value() if wanted.role_password else None
        for line in await prepare_database(connection, password, wanted.clock == "test"):
            print(f"applied {line}", flush=True)
    finally:
        await connection.close()
    for name in await topics.create(wanted.kafka, wanted.replication):
        print(f"created topic {name}", flush=True)


def main() -> int:
    """Exit code 0 when everything is there."""
    try:
        asyncio.run(prepare(settings.load()))
    except (SettingsError, migrations.MigrationError, topics.TopicError) as error:
        print(f"offramp prepare: {error}", file=sys.stderr)
        return 2
    except (asyncpg.PostgresError, OSError) as error:
        print(f"offramp prepare: {postgres.explain(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
