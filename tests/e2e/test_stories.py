"""What other teams can rely on, in both modes: every story, undisturbed and with a service killed in the middle."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.e2e.stories import STORIES
from tests.e2e.world import World

Story = Callable[[World], AsyncIterator[None]]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_ends_right(world: World, story: Story) -> None:
    async for _ in story(world):
        pass
