"""Two clocks, never mixed: business time decides rules and timers, machine time decides leases, pauses and timeouts.

Machine time is `time.monotonic()` here and `clock_timestamp()` in SQL; nothing else in the shell asks the wall.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.runtime.stored import Connection


class BusinessClock(Protocol):
    """Business time, in UTC. An event may be `ahead` of it by so much, no more."""

    ahead: timedelta

    async def now(self, connection: Connection) -> datetime:
        """The business time at which this transaction decides."""
        ...

    def received(self, appended_at: datetime, now: datetime) -> datetime:
        """When a record was received, in business time, given Kafka's append time."""
        ...


class SystemClock:
    """Business time is the wall's; a publisher's may be a little ahead."""

    ahead = timedelta(days=1)

    async def now(self, connection: Connection) -> datetime:
        """The wall's time."""
        return datetime.now(UTC)

    def received(self, appended_at: datetime, now: datetime) -> datetime:
        """The broker's append time."""
        return appended_at


class TestClock:
    """Business time is a row in Postgres: it stands still until it is advanced, and never goes back.

    While it is advanced, one service is there a moment before the others, and what it says then comes from their future.
    """

    __test__ = False  # not a test, whatever pytest thinks of its name
    ahead = timedelta(days=366)

    async def now(self, connection: Connection) -> datetime:
        """The row's time."""
        now: datetime = await connection.fetchval("select now from test_clock")
        return now

    def received(self, appended_at: datetime, now: datetime) -> datetime:
        """The broker's clock means nothing here: received is when it is heard."""
        return now

    @staticmethod
    async def start(connection: Connection, at: datetime | None = None) -> None:
        """Makes the row if there is none."""
        await connection.execute("insert into test_clock(now) values($1) on conflict do nothing", at or datetime.now(UTC))
