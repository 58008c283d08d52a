"""Roles, schemas, tables, topics and who may use them. Safe to repeat, and to run twice at once: see `--help`."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence

import aiokafka.errors
import asyncpg

from services.runtime import access, migrations, postgres, scram, settings, topics
from services.runtime.clock import TestClock
from services.runtime.settings import Settings, SettingsError
from services.runtime.stored import Connection
from services.runtime.waiting import patiently

SERVICES = ("lifecycle", "refunds", "notifier")
CONSOLE = "console"
CONSOLE_ROLE = "offramp_console"
_APPEND_ONLY = "transitions"
_READ_ONLY = ("migrations", "deployment")
_WORDS = ("database", "topics", "access")
_HELP = """\
  database   in Postgres: a role for each service and one for the command line, that may only read; schemas and tables of this version.
             Connects as OFFRAMP_POSTGRES, who may create roles and schemas. Passwords: OFFRAMP_LIFECYCLE_PASSWORD, …_REFUNDS_PASSWORD,
             …_NOTIFIER_PASSWORD, …_CONSOLE_PASSWORD (a role without one keeps what it has). OFFRAMP_CLOCK=test makes the test clock
  topics     in Kafka: the topics of the contract, each with OFFRAMP_REPLICATION replicas
  access     in Kafka, where it asks for users: the users lifecycle, refunds, notifier, console and publisher, and what each may do.
             Connects as OFFRAMP_KAFKA_USER, an administrator. Passwords: OFFRAMP_LIFECYCLE_KAFKA_PASSWORD, and so on for the five

Without a word: database and topics. It is safe to repeat, and does nothing that is done already.
A password may be given as a file: OFFRAMP_LIFECYCLE_PASSWORD_FILE=/run/secrets/lifecycle_password.
Exit status: 0 everything is there, 1 Kafka or Postgres does not answer, 2 somebody has to change something first.
"""


def role_of(service: str) -> str:
    """The database role of a service: it reads and writes its own schema and nothing else."""
    return f"offramp_{service}"


async def prepare_database(connection: Connection, passwords: Mapping[str, str], test_clock: bool) -> list[str]:
    """Brings every service's schema up to date; returns the migrations applied. Raises MigrationError, having changed nothing, where
    a newer version was here. A role without a password in `passwords` keeps what it has."""
    for service in SERVICES:
        await migrations.refuse_foreign(connection, service)
    applied = []
    for name in (*SERVICES, CONSOLE):
        await _role(connection, role_of(name), passwords.get(name))
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
            await connection.execute(f"""alter role "{role}" password '{scram.verifier(password)}'""")
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError):
        pass  # another starter made or changed it in the same moment


async def _grant(connection: Connection, service: str) -> None:
    role = role_of(service)
    await connection.execute(f'''
        grant usage on schema "{service}" to "{role}", "{CONSOLE_ROLE}";
        grant select, insert, update, delete on all tables in schema "{service}" to "{role}";
        revoke update, delete on "{service}"."{_APPEND_ONLY}" from "{role}";
        grant select on all tables in schema "{service}" to "{CONSOLE_ROLE}";
    ''')
    for table in _READ_ONLY:
        await connection.execute(f'revoke insert, update, delete on "{service}"."{table}" from "{role}"')


async def prepare(wanted: Settings, words: Sequence[str]) -> None:
    """What the words say, with a line for each thing done. Raises what the user should read as a message."""
    if "database" in words:
        connection = await patiently(wanted, lambda: postgres.connect(wanted))
        try:
            for line in await prepare_database(connection, _passwords(wanted, (*SERVICES, CONSOLE), ""), wanted.clock == "test"):
                print(f"applied {line}", flush=True)
        finally:
            await connection.close()
    if "topics" in words:
        for name in await patiently(wanted, lambda: topics.create(wanted)):
            print(f"created topic {name}", flush=True)
    if "access" in words:
        await patiently(wanted, lambda: topics.check(wanted, ()))  # says what is wrong with a connection better than access could
        for line in await asyncio.to_thread(access.give, wanted, _passwords(wanted, access.USERS, "_kafka")):
            print(line, flush=True)


def _passwords(wanted: Settings, names: Sequence[str], kind: str) -> dict[str, str]:
    given = {name: getattr(wanted, f"{name}{kind}_password") for name in names}
    found = {name: password.get_secret_value() for name, password in given.items() if password}
    if odd := [name for name, password in found.items() if not password.isascii()]:
        raise SettingsError(
            "\n".join(f"OFFRAMP_{name.upper()}{kind.upper()}_PASSWORD has letters that are not ASCII: choose another" for name in odd)
        )
    return found


def _word(text: str) -> str:
    if text not in _WORDS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(_WORDS)}")
    return text


def main() -> int:
    """Exit code 0 when everything is there."""
    parser = argparse.ArgumentParser(
        prog="python -m services.runtime.prepare", description="Prepares Postgres and Kafka for the services.", epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s [database] [topics] [access]",
    )  # fmt: skip
    parser.add_argument("words", nargs="*", type=_word, help=argparse.SUPPRESS)
    words = parser.parse_args().words or ["database", "topics"]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it repeats what we say better
    try:
        asyncio.run(prepare(settings.load(), words))
    except (SettingsError, migrations.MigrationError, topics.TopicError, access.AccessError) as error:
        print(f"offramp prepare: {error}", file=sys.stderr)
        return 2
    except (asyncpg.PostgresError, aiokafka.errors.KafkaError, OSError, TimeoutError) as error:
        print(f"offramp prepare: {error if isinstance(error, TimeoutError) else postgres.explain(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
