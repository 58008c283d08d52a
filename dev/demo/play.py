"""The play itself: from the first event to a summary that is held against the database and the mailbox."""

from __future__ import annotations

import time

from dev.demo import ending, summary
from dev.demo.cast import BEGINS, CAST, ENDS, STORIES
from dev.demo.narrator import Narrator
from dev.demo.page import Page
from dev.demo.script import SCENES, Scene
from dev.places import StackError
from dev.publisher import Publisher
from dev.system import System
from services.console.clock import Step
from services.console.trouble import Trouble


async def play(page: Page) -> None:
    """Raises StackError where something fails, or the end is not as it should be."""
    page.title(
        "Offramp: how a subscription ends, and how its money comes back",
        "Two months of business time. Kafka, PostgreSQL, the events, the services and the mails are real.",
    )
    page.cast(STORIES)
    page.title("Before it begins")
    began = time.monotonic()
    async with System.start(clock="test", begins=BEGINS, on_progress=lambda what: page.quiet(f"  Starting {what} ...")) as system:
        page.quiet(f"  Ready after {time.monotonic() - began:.0f} s. Nine customers are known to billing.")
        began = time.monotonic()
        try:
            counted = await _perform(system, page)
        except Trouble as trouble:
            raise StackError(system.ended() or str(trouble)) from trouble
        what = await ending.found(system)
        summary.show(page, what, counted, time.monotonic() - began)
        if surprises := ending.surprises(what):
            raise StackError("\n".join(["The end is not as it should be:", *surprises]))
        page.good("All of this was read back from the database, the mailbox and the provider, and is as it should be.")


async def _perform(system: System, page: Page) -> dict[str, int]:
    """Every scene on its day; returns how many things of each kind happened."""
    kafka = system.stack.kafka
    async with Publisher.open(kafka) as publisher, Narrator.listening(page, kafka, system.stack.maildir) as narrator:
        for customer in CAST:
            for at, event in customer.past():
                await publisher.publish(customer.subscription_id, event, at)
        with page.out.status("") as status:

            def on_step(step: Step) -> None:
                status.update(f"{step.now:%A} {step.now.day} {step.now:%B, %H:%M}")

            for scene in SCENES:
                await system.advance(scene.at, on_step)
                await narrator.caught_up()
                page.line(scene.at, scene.who.first, "comes in", scene.what, scene.words)
                await _act(scene, system, publisher)
            await system.advance(ENDS, on_step)
            await narrator.caught_up()
        return {**narrator.counted, "comes in": sum(scene.event is not None for scene in SCENES)}


async def _act(scene: Scene, system: System, publisher: Publisher) -> None:
    if scene.provider:
        scene.provider(system.provider.behaviours)
    if scene.event is None:
        return
    if scene.cut_off:
        await publisher.publish_cut_off(scene.who.subscription_id, scene.event, scene.at)
    else:
        await publisher.publish(scene.who.subscription_id, scene.event, scene.at)
