"""Wakes entities: timers that are due, parked records whose time is up, and memory that may be forgotten."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from services.runtime import poison, sql, telemetry
from services.runtime.apply import Shell
from services.runtime.reading import MEMORY

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
FORGET_EVERY = 300.0  # seconds


@dataclass(slots=True)
class Waker:
    """`run_once` does whatever is due; a driver calls it about once a second."""

    shell: Shell[Any]
    batch: int = 500
    forgets: tuple[str, ...] = ()  # statements of the service's own, see Service
    bite: int = 5000  # rows that are forgotten at a time
    _forgot_at: float = float("-inf")

    async def run_once(self) -> int:
        """Returns how many timers fired and queues gave up; 0: nothing is due."""
        fired = await poison.wake(self.shell, self.batch)
        gave_up = await poison.give_up(self.shell)
        telemetry.TIMERS.labels(self.shell.service).inc(fired)
        return fired + gave_up

    async def forget(self) -> int:
        """Prunes what is older than the memory, a bite of each table; returns how many rows. Rests once nothing is left to prune.

        An event whose publisher is ahead of us gets too old later than its row: rows are kept so much longer.
        """
        if monotonic() - self._forgot_at < FORGET_EVERY:
            return 0
        async with self.shell.pool.acquire() as connection:
            business = await self.shell.clock.now(connection) - MEMORY
        pruned = [
            await self._prune(QUERIES["prune_inbox"], business - self.shell.clock.ahead),
            await self._prune(QUERIES["prune_calls"], datetime.now(UTC) - MEMORY),  # calls are machine time's
            *[await self._prune(query, business) for query in (QUERIES["prune_dead_letters"], *self.forgets)],
        ]
        if max(pruned) < self.bite:
            self._forgot_at = monotonic()
        return sum(pruned)

    async def _prune(self, query: str, before: datetime) -> int:
        async with self.shell.pool.acquire() as connection:
            return int((await connection.execute(query, before, self.bite)).rpartition(" ")[2])
