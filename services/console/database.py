"""The services' tables, read-only: one connection for each service, in its schema."""

import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg

from services.console.settings import hint
from services.console.trouble import Trouble
from services.runtime import postgres, sql
from services.runtime.settings import Settings, SettingsError
from services.runtime.stored import Connection

QUERIES = {
    name: query for file in ("queries", "audit", "reports") for name, query in sql.load(Path(__file__).with_name(f"{file}.sql")).items()
}
SERVICES = ("lifecycle", "refunds", "notifier")
_ENTITIES = {"lifecycle": "subscriptions", "refunds": "accounts", "notifier": "correspondences"}
Row = dict[str, Any]
_MOMENTS = ("_at", "_since", "_period_end")


class Database:
    """Use it as `async with Database(settings) as database`. Raises Trouble where a person has to do something about it."""

    def __init__(self, settings: Settings, *, patience: float = 10.0) -> None:
        """`patience`: how many seconds a query may take."""
        self._settings, self._patience = settings, patience
        self._connections: dict[str, Connection] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            for service in SERVICES:
                connection = await self._connect(service)
                self._open.push_async_callback(connection.close, timeout=2)
                self._connections[service] = connection
        except SettingsError as error:
            await self._open.aclose()
            raise Trouble(str(error)) from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            await self._open.aclose()
            raise Trouble(postgres.explain(error) + hint("POSTGRES")) from None
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._open.aclose()

    async def _connect(self, service: str) -> Connection:
        return await postgres.connect(
            self._settings,
            command_timeout=self._patience,
            server_settings={
                "search_path": service,
                "default_transaction_read_only": "on",
                "timezone": "UTC",
                "application_name": "offramp-console",
            },
        )

    async def rows(self, service: str, query: str, *arguments: Any) -> list[Row]:
        """The rows of a named query in a service's schema; a `row` of JSON becomes the row itself; `{entities}`: its main table."""
        try:
            found = await self._connections[service].fetch(QUERIES[query].replace("{entities}", _ENTITIES[service]), *arguments)
        except asyncpg.UndefinedTableError:
            raise Trouble(f"the tables of {service} are not there: run `python -m services.runtime.prepare` first") from None
        except asyncpg.InsufficientPrivilegeError:
            raise Trouble("this role may not read the services' tables: use offramp_console, or the owner of the database") from None
        return [_plain(row) for row in found]

    async def row(self, service: str, query: str, *arguments: Any) -> Row | None:
        """The first row, if there is one."""
        rows = await self.rows(service, query, *arguments)
        return rows[0] if rows else None

    async def everywhere(self, query: str, *arguments: Any) -> list[tuple[str, Row]]:
        """The rows of every service, with its name."""
        return [(service, row) for service in SERVICES for row in await self.rows(service, query, *arguments)]

    async def now(self) -> datetime:
        """Business time: the test clock's, or the wall's."""
        row = await self.row("lifecycle", "test_clock")
        return row["now"] if row else datetime.now(UTC)

    async def subscription(self, subscription_id: str) -> Row | None:
        """What lifecycle knows of it: the row, and the facts about plan and owner from its details beside it."""
        row = await self.row("lifecycle", "subscription", subscription_id)
        return {**json.loads(row["details"])["facts"], **row} if row else None


def _plain(row: "asyncpg.Record") -> Row:
    if tuple(row.keys()) != ("row",):
        return dict(row)
    whole: Row = json.loads(row["row"])
    return {name: _moment(value) if name.endswith(_MOMENTS) else value for name, value in whole.items()}


def _moment(value: Any) -> Any:
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value
