"""What other teams can rely on, in both modes."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.e2e.customers import DAY, Customer
from tests.e2e.stories import STORIES
from tests.e2e.world import World

Story = Callable[[World], AsyncIterator[None]]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_ends_right(world: World, story: Story) -> None:
    async for _ in story(world):
        pass


async def test_the_command_line_publishes_follows_advances_and_shows(world: World) -> None:
    olga = Customer.new("Olga")
    await world.begin(olga)
    before = await world.now()
    wish = ("cancellation-requested", "--subscription", olga.subscription_id, "--feedback", "too_expensive", "--follow")
    for words, said in (
        (("publish", *wish), "cancellation_scheduled"),
        (("clock", "advance", "1d"), "It is "),
        (("show", olga.subscription_id), "cancellation_scheduled"),
    ):
        done = await world.offramp(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert said in done.stdout
    assert await world.now() == before + DAY
    assert await world.templates(olga) == ["cancellation_scheduled"]
