"""Leased calls to the outside. Whatever happens, the entity hears an outcome within a minute; waiting longer is a timer of its state."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog

from services.runtime import poison, sql, telemetry
from services.runtime.apply import Shell
from services.runtime.decision import CallAnswered

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
LEASE = timedelta(seconds=30)  # and one TIMEOUT after it: a dead worker's call, too, has its outcome within a minute
TRIES = 3
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
    """Takes open calls, several at once, and brings their outcomes back through the shell."""

    shell: Shell[Any]
    callers: Mapping[str, Caller]
    at_once: int = 32
    retry_pause: float = 1.0

    async def run_once(self) -> int:
        """Leases what is due and waits for all its outcomes; returns how many calls were ended or put off."""
        if not self.callers:
            return 0
        token = uuid.uuid4()
        async with self.shell.pool.acquire() as connection:
            rows = await connection.fetch(QUERIES["lease_calls"], token, LEASE, self.at_once)
        if not rows:
            return 0
        done: asyncio.Queue[tuple[str, str, CallAnswered] | None] = asyncio.Queue()
        tasks = [asyncio.create_task(self._perform(row, token, done)) for row in rows]
        try:
            await self._collect(token, done, len(rows))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return len(rows)

    async def _collect(self, token: uuid.UUID, done: "asyncio.Queue[tuple[str, str, CallAnswered] | None]", expected: int) -> None:
        """Stores outcomes as they come, those that came together in one transaction."""
        while expected > 0:
            got = [await done.get()]
            while not done.empty():
                got.append(done.get_nowait())
            expected -= len(got)
            if answers := {each[0]: (each[1], each[2]) for each in got if each}:
                await poison.answer(self.shell, token, answers)

    async def _perform(self, row: Any, token: uuid.UUID, done: "asyncio.Queue[tuple[str, str, CallAnswered] | None]") -> None:
        key, kind, started = row["idempotency_key"], row["kind"], time.monotonic()
        answer: Mapping[str, Any] | None = None
        trouble: str | None = None
        try:
            answer = await asyncio.wait_for(self.callers[kind](msgspec.json.decode(row["request"])), TIMEOUT)
        except Unreachable as error:
            if row["attempts"] < TRIES:
                await self._put_off(key, token, self.retry_pause * row["attempts"])
                telemetry.CALLS.labels(self.shell.service, kind, "put_off").inc()
                await done.put(None)
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
        await done.put((key, row["entity_id"], CallAnswered(kind, key, answer, trouble)))

    async def _put_off(self, key: str, token: uuid.UUID, pause: float) -> None:
        async with self.shell.pool.acquire() as connection:
            await connection.execute(QUERIES["retry_call"], key, token, timedelta(seconds=pause))
