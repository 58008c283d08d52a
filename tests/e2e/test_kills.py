"""Whatever is killed in the middle, every story ends as if nothing had been."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tests.e2e import engine, stories
from tests.e2e.load import Load
from tests.e2e.world import World

MODES = ("plain",)
Story = Callable[[World], AsyncIterator[None]]
REPLICAS = 3


@pytest.mark.parametrize(
    ("story", "service"),
    [
        (stories.cancels_and_stays, "lifecycle"),
        (stories.ends_at_once_with_the_money_back, "refunds"),
        (stories.ends_at_once_with_the_money_back, "postgres"),
        (stories.breaks_a_record, "lifecycle"),
        (stories.breaks_a_record, "kafka"),
        (stories.cannot_pay_for_a_week, "notifier"),
        (stories.waits_for_a_silent_provider, "refunds"),
        (stories.does_not_use_it, "notifier"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_a_story_ends_right_though_a_service_dies_in_the_middle(world: World, story: Story, service: str) -> None:
    disturb = world.kill
    async for _ in story(world):
        await disturb(service)
        disturb = world.restart


async def test_order_and_effects_are_right_with_three_replicas_of_which_one_is_killed(world: World) -> None:
    await world.up("lifecycle", options=[f"--scale=lifecycle={REPLICAS}"])
    load = await Load.of(world, customers=20)
    await load.publish(rounds=5)
    replicas = [each["Name"] for each in await asyncio.to_thread(world.project.containers, "lifecycle") if each["State"] == "running"]
    assert len(replicas) == REPLICAS
    assert engine.ended(["docker", "kill", replicas[0]]).returncode == 0
    await load.publish(rounds=5)
    await world.settle()
    await world.up("lifecycle", options=["--scale=lifecycle=1"])
    await world.settle()
    assert await load.wrong() == []
