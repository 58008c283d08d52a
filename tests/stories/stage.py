"""Plays every story in one pass over the test clock, on real services; and what can be done there besides publishing an event."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import aiohttp

from dev.places import free_port
from dev.publisher import Publisher
from dev.sandbox.behaviour import silent_after_doing
from dev.system import System
from offramp_schemas import Event
from services.console import clock
from tests.e2e.customers import Customer
from tests.stories.script import ENDS, Act, Story
from tests.system.conftest import until


@dataclass(frozen=True)
class Stage:
    """Where it is played. `site` answers previews; `noted` is what was seen on the way, by whom it is about."""

    system: System
    publisher: Publisher
    site: str
    noted: dict[Customer, list[Any]] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, system: System) -> AsyncIterator[Stage]:
        """With a publisher's connection, and the pages for a site."""
        port = free_port()
        environment = os.environ | system.environment | {"OFFRAMP_PORT": str(port)}
        command = (sys.executable, "-m", "services.console", "serve")
        serving = await asyncio.create_subprocess_exec(*command, env=environment, stderr=subprocess.DEVNULL)
        try:
            async with Publisher.open(system.stack.kafka) as publisher:
                yield cls(system, publisher, f"http://127.0.0.1:{port}")
        finally:
            serving.terminate()
            await serving.wait()

    async def play(self, stories: Iterable[Story]) -> None:
        """Everything that happens, in the order of time; then on to the end."""
        scenes = [(at, story.who, does) for story in stories for at, does in _scenes(story)]
        for at, now in groupby(sorted(scenes, key=lambda scene: scene[0]), key=lambda scene: scene[0]):
            await self.system.advance(at)
            for _, who, does in now:
                await (self.publisher.publish(who.subscription_id, does, at) if isinstance(does, Event) else does(self, who))
        await self.system.advance(ENDS)


def _scenes(story: Story) -> Iterator[tuple[datetime, Event | Act]]:
    yield from ((story.begins, event) for event in story.who.beginning(story.begins))
    yield from story.scenes


def previewed(event: Event) -> Act:
    """The site asks what the event would lead to, and notes the answer."""

    async def ask(stage: Stage, who: Customer) -> None:
        body = {"event": event.kebab(), "subscription": who.subscription_id, "data": event.model_dump(mode="json", exclude_defaults=True)}
        async with aiohttp.ClientSession(stage.site) as session:
            await until(lambda: _listens(session))
            async with session.post("/preview", json=body) as answer:
                assert answer.status == 200, await answer.text()
                stage.noted.setdefault(who, []).append(await answer.json())

    return ask


async def _listens(session: aiohttp.ClientSession) -> bool:
    with contextlib.suppress(aiohttp.ClientConnectionError):
        async with session.get("/healthz") as answer:
            return answer.status == 200
    return False


async def provider_falls_silent(stage: Stage, who: Customer) -> None:
    """It will do this customer's next refund, and never say so."""
    stage.system.provider.behaviours.tell(*silent_after_doing(who.charge()))


async def provider_answers_again(stage: Stage, who: Customer) -> None:
    """All is well."""
    stage.system.provider.behaviours.behave(who.charge())


def while_refunds_is_down(event: Event, at: datetime, lasts: timedelta) -> Act:
    """The event happens while nobody is there to decide about money; the others' time passes. Then refunds is back, at another address:
    the site's previews come before."""

    async def act(stage: Stage, who: Customer) -> None:
        await stage.system.stop_process("refunds")
        await stage.publisher.publish(who.subscription_id, event, at)
        await clock.advance(stage.system.urls, at + lasts)
        await stage.system.start_process("refunds")

    return act
