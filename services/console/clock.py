"""Walks the test clock from due timer to due timer and lets the services settle between them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from services.console.trouble import Trouble

_GLANCE = 0.02  # seconds between two looks at services that have not settled
_PATIENCE = 120.0  # seconds without any progress before the walk gives up


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


async def advance(urls: Sequence[str], to: datetime, on_step: Callable[[Step], None] | None = None) -> datetime:
    """Moves business time forward to `to`, stopping at every timer that comes due before, and returns once everything has settled.

    Returns the business time reached: `to`, or the present one where that is later. Raises Trouble where a service runs on the system
    clock, does not answer, or does not settle.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        clocks = await _settled(session, urls)
        before = sum(clock.progress for clock in clocks)
        while True:
            now = _earliest(clocks)
            if on_step:
                on_step(Step(now, to, sum(clock.progress for clock in clocks) - before))
            if now >= to:
                return now
            due = [clock.next_wake for clock in clocks if clock.next_wake is not None and clock.next_wake > now]
            await _set(session, urls, min([*due, to]))
            clocks = await _settled(session, urls)


async def _settled(session: aiohttp.ClientSession, urls: Sequence[str]) -> list[Clock]:
    """Waits until every service says so twice in a row and nothing moved in between: what one settles may be another one's work."""
    previous: list[Clock] = []
    moved_at = time.monotonic()
    while True:
        clocks = await read(session, urls)
        _earliest(clocks)
        progress, before = [clock.progress for clock in clocks], [clock.progress for clock in previous]
        if progress != before:
            moved_at = time.monotonic()
        elif all(clock.settled for clock in (*clocks, *previous)):
            return clocks
        if time.monotonic() - moved_at > _PATIENCE:
            busy = "; ".join(f"{clock.url}: {', '.join(clock.why)}" for clock in clocks if not clock.settled)
            raise Trouble(f"the services do not settle ({busy}). Their logs say why; `offramp dead-letters list` may, too.")
        previous = clocks
        await asyncio.sleep(_GLANCE)


def _earliest(clocks: Sequence[Clock]) -> datetime:
    """The time that every service has reached."""
    for clock in clocks:
        if clock.now is None:
            raise Trouble(
                f"{clock.url} runs on the system clock, which nobody can advance: start the services with OFFRAMP_CLOCK=test"
                " (`make run ARGS=--test-clock`)"
            )
    return min(clock.now for clock in clocks if clock.now is not None)


async def _read(session: aiohttp.ClientSession, url: str) -> Clock:
    body = await request(session, "GET", f"{url}/clock")
    return Clock(url, _moment(body["now"]), _moment(body["next_wake"]), body["settled"], tuple(body["why"]), body["progress"])


async def _set(session: aiohttp.ClientSession, urls: Sequence[str], to: datetime) -> None:
    await asyncio.gather(*(request(session, "POST", f"{url}/clock", {"now": to.isoformat()}) for url in urls))


async def request(session: aiohttp.ClientSession, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A service's answer as JSON. Raises Trouble with its own words where it refuses."""
    try:
        async with session.request(method, url, json=body) as response:
            answer: Any = await response.json(content_type=None)
            if response.ok and isinstance(answer, dict):
                return answer
            said = answer.get("error", answer) if isinstance(answer, dict) else answer
            raise Trouble(f"{url} answers {response.status}: {said}")
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise Trouble(f"no service answers at {url}: is it running (`make run`), and is its address right (OFFRAMP_…_URL)?") from None
    except ValueError:
        raise Trouble(f"{url} does not answer as a service of ours does: is its address right (OFFRAMP_…_URL)?") from None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
