"""A story that breaks a law: looked for among so many, always the same ones, and then told as shortly as it still breaks it."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.domain.billing import Plan
from tests.domain.outside import Broken
from tests.domain.stories import STEPS, USUAL, Step, Story, stories


def broken_by(story: Story) -> str | None:
    """The law that does not hold in it."""
    try:
        story.play()
    except Broken as broken:
        return str(broken).partition("\n")[0]
    return None


def shortest(law: str = "", among: int = 300, steps: st.SearchStrategy[Step] = STEPS) -> tuple[str, Story] | None:
    """A short story that breaks a law whose words contain `law`; None: it holds in all of them."""
    found: list[tuple[str, Story]] = []

    @settings(
        max_examples=among, database=None, derandomize=True, deadline=None, phases=(Phase.generate,),
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(stories(st.lists(steps, max_size=8)))
    def look(story: Story) -> None:
        if (broken := broken_by(story)) and law in broken:
            found.append((broken, story))
            raise Broken(broken)

    try:
        look()
    except Broken:
        return shortened(*found[0])
    return None


def shortened(law: str, story: Story) -> tuple[str, Story]:
    """Without whatever is not needed to break the same law, one thing after the other: soon done, and the same every time."""
    while shorter := next((each for each in _shorter(story) if broken_by(each) == law), None):
        story = shorter
    return law, story


def _shorter(story: Story) -> Iterator[Story]:
    half = len(story.steps) // 2
    cuts = [(0, half), (half, len(story.steps))] if half > 1 else []
    cuts += [(each, each + 1) for each in range(len(story.steps))]
    for begin, end in cuts:
        yield replace(story, steps=story.steps[:begin] + story.steps[end:])
    for usual in (replace(story, rules=USUAL), replace(story, plan=Plan()), replace(story, order=0)):
        if usual != story:
            yield usual
