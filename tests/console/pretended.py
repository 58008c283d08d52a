"""Services that only pretend: their clocks, as the walk sees them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web

START = datetime(2026, 5, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@dataclass
class Pretended:
    """A service with timers; each that fires takes a few looks to settle. `test_clock=False`: it runs on the wall's time."""

    timers: list[datetime] = field(default_factory=list)
    test_clock: bool = True
    never_settles: bool = False
    refuses: bool = False
    is_ready: bool = True
    now: datetime = START
    unsettled: int = 0
    progress: int = 0
    set_to: list[datetime] = field(default_factory=list)

    async def ready(self, request: web.Request) -> web.Response:
        return web.json_response({"ready": self.is_ready}, status=200 if self.is_ready else 503)

    async def look(self, request: web.Request) -> web.Response:
        due = [at for at in self.timers if at <= self.now]
        if due:
            self.timers.remove(min(due))
            self.progress += 1
            self.unsettled = 3
        busy = self.unsettled > 0 or self.never_settles
        self.unsettled = max(0, self.unsettled - 1)
        return web.json_response({
            "now": self.now.isoformat() if self.test_clock else None,
            "next_wake": min(self.timers).isoformat() if self.timers else None,
            "settled": not busy, "why": ["timers are due"] if busy else [], "progress": self.progress,
        })  # fmt: skip

    async def set(self, request: web.Request) -> web.Response:
        if self.refuses:
            return web.json_response({"error": "not on a Sunday"}, status=409)
        to = datetime.fromisoformat((await request.json())["now"])
        assert not self.unsettled, "the clock was moved before everything had settled"
        self.now = max(self.now, to)
        self.set_to.append(to)
        return web.json_response({"now": self.now.isoformat()})


Serve = Callable[[Pretended], Awaitable[str]]
