"""The walk from due timer to due timer, over services that only pretend."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.console import clock
from services.console.clock import Step
from services.console.trouble import Trouble

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
    now: datetime = START
    unsettled: int = 0
    progress: int = 0
    set_to: list[datetime] = field(default_factory=list)

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


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as servers:

        async def start(service: Pretended) -> str:
            pages = web.Application()
            pages.router.add_get("/clock", service.look)
            pages.router.add_post("/clock", service.set)
            server = await servers.enter_async_context(TestServer(pages))
            return str(server.make_url("")).rstrip("/")

        yield start


async def test_the_walk_stops_at_every_timer_of_every_service(serve: Serve) -> None:
    one, other = Pretended([day(3), day(7)]), Pretended([day(5)])
    steps: list[Step] = []
    reached = await clock.advance([await serve(one), await serve(other)], day(30), steps.append)
    assert reached == day(30)
    assert one.set_to == other.set_to == [day(3), day(5), day(7), day(30)]
    assert [step.now for step in steps] == [START, day(3), day(5), day(7), day(30)]
    assert steps[-1].moved == 3


async def test_timers_after_the_end_are_left_alone(serve: Serve) -> None:
    service = Pretended([day(31)])
    await clock.advance([await serve(service)], day(30))
    assert service.set_to == [day(30)]
    assert service.timers == [day(31)]


async def test_a_clock_that_is_past_the_end_already_is_not_moved(serve: Serve) -> None:
    service = Pretended(now=day(9))
    assert await clock.advance([await serve(service)], day(3)) == day(9)
    assert service.set_to == []


async def test_a_service_on_the_walls_time_is_told(serve: Serve) -> None:
    url = await serve(Pretended(test_clock=False))
    with pytest.raises(Trouble, match="start the services with OFFRAMP_CLOCK=test"):
        await clock.advance([url], day(1))


async def test_services_that_never_settle_are_told_with_their_reasons(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_PATIENCE", 0.1)
    url = await serve(Pretended(never_settles=True))
    with pytest.raises(Trouble, match="timers are due"):
        await clock.advance([url], day(1))


async def test_a_service_that_is_not_there_is_told() -> None:
    with pytest.raises(Trouble, match=r"no service answers at http://127\.0\.0\.1:1/clock"):
        await clock.advance(["http://127.0.0.1:1"], day(1))


async def test_the_words_of_a_service_that_refuses_are_passed_on(serve: Serve) -> None:
    url = await serve(Pretended(refuses=True))
    with pytest.raises(Trouble, match="answers 409: not on a Sunday"):
        await clock.advance([url], day(1))
