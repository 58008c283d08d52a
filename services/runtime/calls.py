"""Leased calls to the outside. Whatever happens, the entity hears an outcome within a minute; waiting longer is a timer of its state."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import structlog

from services.runtime import poison, sql, telemetry
from services.runtime.apply import Shell
from services.runtime.decision import CallAnswered

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
LEASE = timedelta(seconds=30)  # and one TIMEOUT after it: a dead worker's call, too, has its outcome within a minute
TRIES = 3
GLANCE = 0.05  # seconds between looks for new calls while others are under way
BLINK = 0.01
TIMEOUT = 20.0  # of one try, seconds; a caller's own limits are tighter
log = structlog.get_logger()

Caller = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Does one kind of call: request in, answer out. Raises Unreachable or Unknown."""


class Unreachable(Exception):
    """The call was certainly not done (connection refused, 429): trying again is safe."""


class Unknown(Exception):
    """The call may have been done (timeout, 5xx, broken connection): ask before doing it again."""


@dataclass(slots=True)
class Calls:
    """Makes open calls, several at once, those of one entity one after the other, and brings their outcomes back through the shell."""

    shell: Shell[Any]
    callers: Mapping[str, Caller]
    at_once: int = 32
    retry_pause: float = 1.0
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)
    _outcomes: dict[str, tuple[str, CallAnswered]] = field(default_factory=dict)

    async def run_once(self) -> int:
        """Takes on what is due while hands are free, and brings in the outcomes that are there; 0: none, and none is under way."""
        if not self.callers:
            return 0
        await self._lease(self.at_once - len(self._under_way))
        if self._under_way and not self._outcomes:
            await asyncio.wait(self._under_way, timeout=GLANCE, return_when=asyncio.FIRST_COMPLETED)
            if self._under_way:  # what comes within a blink is stored in the same transaction
                await asyncio.wait(self._under_way, timeout=BLINK)
        return await self._bring_in() + len(self._under_way)

    async def drain(self) -> None:
        """Waits for what is under way and brings it in; a call takes TIMEOUT at most."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        await self._bring_in()

    async def _lease(self, hands: int) -> None:
        if hands <= 0:
            return
        async with self.shell.pool.acquire() as connection:
            rows = await connection.fetch(QUERIES["lease_calls"], self.token, LEASE, hands)
        for row in rows:
            task = asyncio.create_task(self._perform(row))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _bring_in(self) -> int:
        """Outcomes that came together are stored together. They stay here until that worked."""
        outcomes = dict(self._outcomes)
        if outcomes:
            await poison.answer(self.shell, self.token, outcomes)
        for key in outcomes:
            del self._outcomes[key]
        return len(outcomes)

    async def _perform(self, row: Any) -> None:
        key, kind, started = row["idempotency_key"], row["kind"], time.monotonic()
        answer: Mapping[str, Any] | None = None
        trouble: str | None = None
        try:
            answer = await asyncio.wait_for(self.callers[kind](msgspec.json.decode(row["request"])), TIMEOUT)
        except Unreachable as error:
            if row["attempts"] < TRIES:
                telemetry.CALLS.labels(self.shell.service, kind, "put_off").inc()
                await self._put_off(key, self.retry_pause * row["attempts"])
                return
            trouble = "unreachable"
            log.warning("call did not get through", kind=kind, call=key, error=type(error).__name__)
        except (Unknown, TimeoutError) as error:
            trouble = "unknown"
            log.warning("call has no answer", kind=kind, call=key, error=type(error).__name__)
        except Exception as error:  # a caller's bug must not leave the call open for ever
            trouble = "unknown"
            log.exception("caller failed", kind=kind, call=key, error=type(error).__name__)
        telemetry.CALLS.labels(self.shell.service, kind, trouble or "answered").inc()
        telemetry.CALL_SECONDS.labels(self.shell.service, kind).observe(time.monotonic() - started)
        self._outcomes[key] = row["entity_id"], CallAnswered(kind, key, answer, trouble)

    async def _put_off(self, key: str, pause: float) -> None:
        """If this fails, the lease runs out and the call comes back by itself."""
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            async with self.shell.pool.acquire() as connection:
                await connection.execute(QUERIES["retry_call"], key, self.token, timedelta(seconds=pause))
