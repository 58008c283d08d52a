"""Wakes entities: timers that are due, parked records whose time is up, and memory that may be forgotten."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.runtime import poison, sql, telemetry
from services.runtime.apply import MEMORY, Shell

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
FORGET_EVERY = timedelta(minutes=5)
BITE = 5000  # rows


@dataclass(slots=True)
class Waker:
    """`run_once` does whatever is due; a driver calls it about once a second."""

    shell: Shell[Any]
    batch: int = 500
    forgets: tuple[str, ...] = ()  # statements of the service's own, see Service
    _forgot_at: datetime | None = None

    async def run_once(self) -> int:
        """Returns how many timers fired and queues gave up; 0: nothing is due."""
        fired = await poison.wake(self.shell, self.batch)
        gave_up = await poison.give_up(self.shell)
        telemetry.TIMERS.labels(self.shell.service).inc(fired)
        return fired + gave_up

    async def forget(self, now: datetime | None = None) -> int:
        """Prunes in small bites what is older than the memory (machine time); returns how many rows."""
        now = now or datetime.now(UTC)
        if self._forgot_at and now - self._forgot_at < FORGET_EVERY:
            return 0
        self._forgot_at, forgotten = now, 0
        for query in (QUERIES["prune_inbox"], QUERIES["prune_calls"], QUERIES["prune_dead_letters"], *self.forgets):
            async with self.shell.pool.acquire() as connection:
                forgotten += int((await connection.execute(query, now - MEMORY, BITE)).rpartition(" ")[2])
        return forgotten
