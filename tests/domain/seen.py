"""What there is to be seen of a world in memory: what its services keep, the words of its mails, and previews as their pages give them."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from offramp_schemas import Envelope, Event, inputs_of
from services.console import outlook, preview, words
from services.console.foresight import foresee
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.notifier.render_languages import best_for
from services.runtime.clock import TestClock
from services.runtime.pages import Pages
from tests.domain.bus import Room
from tests.domain.world import SUB, World

HELD = timedelta(minutes=5)  # as long as a mail may wait for its cause to go, and a little more
LANGUAGES = ("en", "fr")
RENDERER = Renderer(NotifierPolicy())
_DAY = {language: RENDERER.environment(best_for(language), "text").filters["day"] for language in LANGUAGES}
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Seen:
    """What there was to be seen of an event: facts and states, mails, its preview. `leaves`: the one mail whose time alone is looked at."""

    stored: frozenset[Any]
    mails: Sequence[Mapping[str, Any]]
    leaves: str | None
    preview: tuple[str, str] | None

    def tells(self, what: datetime | int | None) -> dict[str, bool]:
        """By place, whether it is there: a moment or a count. Nothing is nowhere looked for."""
        if what is None:
            return {}
        said = _said(what)
        found = {"stored": what in self.stored}
        if self.leaves:
            left = (datetime.fromisoformat(each["date"]) for each in self.mails if each["template"] == self.leaves)
            found["mail"] = any(timedelta() <= at - what <= HELD for at in left) if isinstance(what, datetime) else False
        else:
            found |= {f"mail ({each})": bool(re.search(said[each], _letters(self.mails, each))) for each in LANGUAGES}
        if self.preview:
            found |= {
                "preview (JSON)": bool(re.search(said["JSON"], self.preview[0])),
                "preview": bool(re.search(said["text"], self.preview[1])),
            }
        return found


def _said(what: datetime | int) -> dict[str, str]:
    """How each place says it, as a pattern. Mails name the day, in their language; counts stand alone, or in a field named for them."""
    if isinstance(what, int):
        alone = rf"(?<![\w.:-]){what}(?![\w:-])"
        return {**dict.fromkeys((*LANGUAGES, "text"), alone), "JSON": rf'_(days|percent|periods)": {what}\b'}
    days = {language: _SPACES.sub(" ", _DAY[language](what)) for language in LANGUAGES}
    return {"JSON": f"{what:%Y-%m-%dT%H:%M:%S}", "text": words.moment(what), **days}


def _letters(taken: Sequence[Mapping[str, Any]], language: str) -> str:
    """All of them as one text."""
    rendered = (
        RENDERER.render(each["template"], language, each["context"], SUB, each["mail_id"]) for each in taken if each["template"] != "alert"
    )
    return _SPACES.sub(" ", " ".join(f"{letter.subject} {letter.text}" for letter in rendered))


def stored(world: World) -> frozenset[Any]:
    """Every moment and number in the states of all services, and the moments of their timers."""
    entities = [(room, entity) for room in world.rooms.values() for entity in room.fold.entities.values()]
    timers = {timer.due_at for room, entity in entities for timer in room.decider.timers(entity.state)}
    return moments_and_numbers([msgspec.to_builtins(entity.state, builtin_types=(datetime,)) for _, entity in entities]) | timers


def moments_and_numbers(value: Any) -> frozenset[Any]:
    """All that are in it."""
    return frozenset(_leaves(value))


def heard(world: World) -> list[dict[str, Any]]:
    """What billing will hear from now on, as everybody does: filled while the world goes on."""
    facts: list[dict[str, Any]] = []
    hears = world.billing.hears

    def both(event: Event) -> None:
        facts.append(event.model_dump())
        hears(event)

    world.billing.hears = both  # type: ignore[method-assign]
    return facts


async def previewed(world: World, event: Event) -> tuple[str, str]:
    """As the page answers it, and as the command line says it."""
    async with AsyncExitStack() as opened:
        urls = {name: await opened.enter_async_context(_page(world, room)) for name, room in world.rooms.items()}
        seen = await foresee(urls, Envelope("ev_preview", "//outside", world.now, SUB, event))
    return json.dumps(preview.document(seen)), "\n".join(sentence for _, sentence in outlook.told(seen))


@asynccontextmanager
async def _page(world: World, room: Room) -> AsyncIterator[str]:
    shell = SimpleNamespace(service=room.name, decider=room.decider, tables=_Tables(room), clock=_Clock(world.now), pool=_Pool())
    engine: Any = SimpleNamespace(ready=True, shell=shell, service=SimpleNamespace(inputs=inputs_of(room.name)))
    app = web.Application()
    app.add_routes(Pages(lambda: engine).routes())
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def _leaves(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            for each in value.values():
                yield from _leaves(each)
        case list() | tuple():
            for each in value:
                yield from _leaves(each)
        case str() if value[4:5] == "-" and value.endswith("Z"):
            yield datetime.fromisoformat(value)
        case datetime() | int():
            yield value


@dataclass(frozen=True)
class _Tables:
    """What the service's store would load, as copies: a preview changes nothing."""

    room: Room

    async def load(self, connection: object, ids: list[str], *, lock: bool) -> dict[str, Any]:
        assert not lock
        entities = self.room.fold.entities
        return {each: replace(entities[each]) for each in ids if each in entities}


class _Clock(TestClock):
    """Business time, which stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    async def now(self, connection: object) -> datetime:
        return self._now


class _Pool:
    """Connections to nothing: no event is parked here."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["_Pool"]:
        yield self

    @asynccontextmanager
    async def transaction(self, **how: object) -> AsyncIterator[None]:
        yield

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        return []
