"""Connections: encrypted where that is wanted, bounded in every way; which errors are outages, and which are the data's fault."""

import asyncio
import ssl
from typing import Any

import asyncpg
from asyncpg.exceptions._base import DataError as UnencodableError  # the driver's own; asyncpg exports the server's of that name only

from services.runtime import tls
from services.runtime.settings import Settings, SettingsError
from services.runtime.stored import Connection, Pool

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


async def connect(settings: Settings, **how: Any) -> Connection:
    """One connection. Raises SettingsError for an address that is none."""
    try:
        connection: Connection = await asyncpg.connect(**_server(settings), **{"timeout": 5, **how})
    except ssl.SSLError:  # a certificate that is not believed is a ValueError, too
        raise
    except ValueError:  # its message may hold a piece of the password
        raise SettingsError("OFFRAMP_POSTGRES can't be read: it must be postgresql://host:port/database") from None
    return connection


def _server(settings: Settings) -> dict[str, Any]:
    password = settings.postgres_password.get_secret_value() if settings.postgres_password else None
    encrypted = tls.context(settings.postgres_ca) if settings.postgres_tls == "on" else None
    return {"dsn": settings.postgres.get_secret_value(), "password": password, "ssl": encrypted}


async def pool(settings: Settings, service: str) -> Pool:
    """Connections with the service's schema in front. One that idles in a transaction is ended before a consumer's session would be:
    a stopped process must not block its successor on the rows it holds."""
    return await asyncpg.create_pool(
        **_server(settings),
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
        case ssl.SSLError():
            return tls.explain("Postgres", error)
        case ConnectionError() if "rejected SSL upgrade" in str(error):
            return "Postgres does not speak TLS: let it, or set OFFRAMP_POSTGRES_TLS=off"
        case ConnectionRefusedError() | OSError() | TimeoutError():
            return "Postgres does not answer: is it running, and is OFFRAMP_POSTGRES right?"
        case _:
            return f"Postgres: {type(error).__name__}: {error}"
