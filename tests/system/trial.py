"""One fault of the world: load flows, the fault comes and goes, and then everything is as if it had not been."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg

from dev.system import System
from offramp_schemas.refund_request import RefundRequested
from tests.system.conftest import audited, events
from tests.system.load import Load

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
_PAUSE = 0.5  # seconds between the turns of the load


@dataclass(frozen=True)
class Trial:
    """The system under load, looked at from outside."""

    system: System
    load: Load

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Customers come before the block, and act while it lasts; Kafka has all of it afterwards."""
        await self.load.begin()
        enough = asyncio.Event()
        flowing = asyncio.create_task(self._flow(enough))
        try:
            yield
        finally:
            enough.set()
            await flowing
        await self.load.acknowledged()

    async def _flow(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await self.load.some()
            await asyncio.sleep(_PAUSE)

    async def is_as_if_nothing_had_been(self) -> None:
        """At rest: each event had its effects, once; nothing is forgotten; the provider did what our books say; the audit finds nothing."""
        await self.system.advance(NOW)
        told = defaultdict(list)
        for _, envelope in await events(self.system.stack.kafka):
            if envelope.source.startswith("//offramp/"):
                told[envelope.causationid or ""].append(type(envelope.data).kebab())
        assert {id_: tuple(told[id_]) for id_ in self.load.expected} == self.load.expected
        heard = await self.rows("select event_id from lifecycle.inbox where starts_with(event_id, $1)", f"{self.load.name}-")
        meant = {id_ for id_, event in self.load.published.items() if not isinstance(event, RefundRequested)}
        assert Counter(row[0] for row in heard) == Counter(meant)
        keys = Counter(each["idempotency_key"] for each in self.system.provider.ledger.all())
        assert keys == Counter(row[0] for row in await self.rows("select idempotency_key from refunds.refund_attempts"))
        assert await self.rows("select reason, message from lifecycle.dead_letters where reason <> 'not_a_cloudevent'") == []
        assert {number: here for number, here in (await audited(self.system)).items() if here} == {}

    async def rows(self, statement: str, *args: object) -> list[Any]:
        """On a connection of its own: the server may be another one than before."""
        connection = await asyncpg.connect(self.system.admin_dsn)
        try:
            return list(await connection.fetch(statement, *args))
        finally:
            await connection.close()

    async def written(self) -> int:
        """How many decisions are stored."""
        both = "select (select count(*) from lifecycle.transitions) + (select count(*) from refunds.transitions)"
        return int((await self.rows(both))[0][0])

    async def unready(self, service: str = "lifecycle") -> str:
        """What the newest process of a service waits for; nothing: it is ready."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.system.url(service, -1)}/readyz") as answer:
            return "" if answer.status == 200 else str((await answer.json())["why"])

    async def ready(self) -> bool:
        """Whether each service is."""
        return not any([await self.unready(service) for service in self.system.processes])

    async def retries(self, loop: str, service: str = "lifecycle") -> float:
        """How often the newest process of a service says that it tried something again."""
        series = f'offramp_outage_retries_total{{loop="{loop}",service="{service}"}} '
        async with aiohttp.ClientSession() as session, session.get(f"{self.system.url(service, -1)}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.removeprefix(series)) for line in lines if line.startswith(series))
