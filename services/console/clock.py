"""Walks the test clock from due timer to due timer and lets the services settle between them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from services.console.trouble import Trouble

_GLANCE = 0.02  # seconds between two looks at services that have not settled
_PATIENCE = 120.0  # seconds without any progress before the walk gives up
_STRIDE = timedelta(days=180)  # of one step at most: what a service says that is there first must not be too far ahead for the others
_FURTHEST = timedelta(days=3660)


class NoTestClock(Trouble):
    """A service runs on the wall's time, which nobody can advance."""


class OutOfReach(Trouble):
    """It is later already, or the moment is too far away to be meant."""


class Unsettled(Trouble):
    """Something is under way and nothing gets done."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What one service says: business time (None: the wall's), its next timer, and what is still under way."""

    url: str
    now: datetime | None
    next_wake: datetime | None
    settled: bool
    why: tuple[str, ...]
    progress: int


@dataclass(frozen=True, slots=True)
class Step:
    """The walk has come to `now`; since its start, `moved` records, timers and answers were handled."""

    now: datetime
    to: datetime
    moved: int


async def read(session: aiohttp.ClientSession, urls: Sequence[str]) -> list[Clock]:
    """Every service's clock. Raises Trouble where one does not answer."""
    return list(await asyncio.gather(*(_read(session, url) for url in urls)))


async def advance(urls: Sequence[str], to: datetime | timedelta, on_step: Callable[[Step], None] | None = None) -> Step:
    """Moves business time forward to a moment or by so much, stopping at every timer that comes due before; returns the last step.

    Everything has settled then, and before the first step, too. Raises NoTestClock, OutOfReach, Unsettled, and Trouble where a service
    does not answer.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        before = _progress(await read(session, urls))
        clocks = await _settled(session, urls)
        goal = _goal(_reached(clocks), to)
        while True:
            step = Step(_reached(clocks), goal, _progress(clocks) - before)
            if on_step:
                on_step(step)
            if step.now >= goal:
                return step
            due = [clock.next_wake for clock in clocks if clock.next_wake is not None and clock.next_wake > step.now]
            await _set(session, urls, min([*due, step.now + _STRIDE, goal]))
            clocks = await _settled(session, urls)


async def settle(urls: Sequence[str]) -> Step:
    """Waits, without moving the clock, until whatever was published before has had all its effects. Raises what `advance` raises."""
    return await advance(urls, timedelta())


async def _settled(session: aiohttp.ClientSession, urls: Sequence[str]) -> list[Clock]:
    """Waits until every service says so twice in a row and nothing moved in between: what one settles may be another one's work.

    Why that is enough. A service answers from one snapshot of its tables, and asks Kafka where its inputs end after taking it; whatever it
    handles raises its progress. Take the moment between the two looks. Each service handled nothing from its first snapshot to its second,
    so what the first one saw still held: nothing due, no open call, and an empty outbox, whose rows go only when Kafka has acknowledged
    them. So nobody was sending then, and all that had ever been sent was in Kafka. The second look counts it, after that moment, against
    offsets that have not moved since before it: nothing was unread. Whether a consumer group has been joined does not matter: what nobody
    reads is unread.
    """
    previous: list[Clock] = []
    moved_at = time.monotonic()
    while True:
        clocks = await read(session, urls)
        _reached(clocks)
        progress, before = [clock.progress for clock in clocks], [clock.progress for clock in previous]
        if progress != before:
            moved_at = time.monotonic()
        elif all(clock.settled for clock in (*clocks, *previous)):
            return clocks
        if time.monotonic() - moved_at > _PATIENCE:
            busy = "; ".join(f"{clock.url}: {', '.join(clock.why)}" for clock in clocks if not clock.settled)
            raise Unsettled(f"the services do not settle ({busy}). Their logs say why; `offramp dead-letters list` may, too.")
        previous = clocks
        await asyncio.sleep(_GLANCE)


def _reached(clocks: Sequence[Clock]) -> datetime:
    """The time that every service has reached."""
    system = [clock.url for clock in clocks if clock.now is None]
    test = [clock.url for clock in clocks if clock.now is not None]
    if system:
        others = f" (on the test clock: {', '.join(test)})" if test else ""
        raise NoTestClock(
            f"on the system clock, which nobody can advance: {', '.join(system)}{others}."
            " Start the services with OFFRAMP_CLOCK=test (`make run ARGS=--test-clock`, `OFFRAMP_CLOCK=test docker compose up -d --wait`)"
        )
    return min(clock.now for clock in clocks if clock.now is not None)


def _goal(now: datetime, to: datetime | timedelta) -> datetime:
    by = to if isinstance(to, timedelta) else to - now
    if by < timedelta():
        raise OutOfReach(f"it is {now.isoformat()} already, and a clock never goes back")
    if by > _FURTHEST:
        raise OutOfReach("more than ten years at once is taken for a slip: a clock never goes back")
    return now + by


def _progress(clocks: Sequence[Clock]) -> int:
    return sum(clock.progress for clock in clocks)


async def _read(session: aiohttp.ClientSession, url: str) -> Clock:
    body = await request(session, "GET", f"{url}/clock")
    return Clock(url, _moment(body["now"]), _moment(body["next_wake"]), body["settled"], tuple(body["why"]), body["progress"])


async def _set(session: aiohttp.ClientSession, urls: Sequence[str], to: datetime) -> None:
    await asyncio.gather(*(request(session, "POST", f"{url}/clock", {"now": to.isoformat()}) for url in urls))


async def request(session: aiohttp.ClientSession, method: str, url: str, body: object = None) -> dict[str, Any]:
    """A service's answer as JSON. Raises Trouble with its own words where it refuses."""
    try:
        async with session.request(method, url, json=body) as response:
            answer: Any = await response.json(content_type=None)
            if response.ok and isinstance(answer, dict):
                return answer
            said = answer.get("error", answer) if isinstance(answer, dict) else answer
            raise Trouble(f"{url} answers {response.status}: {said}")
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise Trouble(
            f"no service answers at {url}: is it running (`make run`, `docker compose ps`), and is its address right (OFFRAMP_…_URL)?"
        ) from None
    except ValueError:
        raise Trouble(f"{url} does not answer as a service of ours does: is its address right (OFFRAMP_…_URL)?") from None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
