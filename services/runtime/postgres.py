"""The pool: bounded in every way, and which errors are outages (tried again) and which are the data's fault."""

import asyncio

import asyncpg
from asyncpg.exceptions._base import DataError as UnencodableError  # the driver's own; asyncpg exports the server's of that name only

from services.runtime.settings import Settings
from services.runtime.stored import Pool

OUTAGES = ("08", "40", "53", "55", "57")  # SQLSTATE classes: connection, rollback, resources, lock not available, shutdown or timeout


REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, UnencodableError)
"""A record's fault, not ours: Postgres (SQLSTATE 22 and 23), or its driver, refuses a value."""


def is_outage(error: BaseException) -> bool:
    """Whether trying again may help: the network, the server, a lock or a timeout. Everything else is the data's fault, or ours."""
    if isinstance(error, REFUSED):
        return False
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(OUTAGES)
    return isinstance(error, (OSError, TimeoutError, asyncio.TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError))


async def pool(settings: Settings, service: str) -> Pool:
    """Connections with the service's schema in front. One that idles in a transaction is ended before a consumer's session would be:
    a stopped process must not block its successor on the rows it holds."""
    return await asyncpg.create_pool(
        settings.postgres.get_secret_value(),
        password=settings.postgres_password.get_secret_value() if settings.postgres_password else None,
        min_size=1,
        max_size=settings.pool_size,
        command_timeout=10,
        timeout=5,
        reset=_as_it_is,
        server_settings={
            "search_path": service,
            "application_name": f"offramp-{service}",
            "idle_in_transaction_session_timeout": "4s",
            "lock_timeout": "5s",
            "statement_timeout": "9s",
            "jit": "off",
        },
    )


async def _as_it_is(connection: object) -> None:
    """Instead of a round trip of RESET ALL after every transaction: we change no setting of a session, and asyncpg itself rolls back."""


def explain(error: BaseException) -> str:
    """What an operator should do about a connection that can't be had."""
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return "Postgres refused the role or password: check OFFRAMP_POSTGRES and OFFRAMP_POSTGRES_PASSWORD"
        case asyncpg.InvalidCatalogNameError():
            return "the database does not exist: check OFFRAMP_POSTGRES, or create it and run `python -m services.runtime.prepare`"
        case ConnectionRefusedError() | OSError() | TimeoutError():
            return "Postgres does not answer: is it running, and is OFFRAMP_POSTGRES right?"
        case _:
            return f"Postgres: {type(error).__name__}: {error}"
