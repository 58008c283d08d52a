"""Whatever happens to a subscription, in all three services and the world around them: the laws of the domain hold."""

from hypothesis import HealthCheck, Phase, given, settings

from offramp_schemas.topics import LIFECYCLE_EVENTS, NOTIFICATION_EVENTS, REFUND_EVENTS
from tests.domain.outside import Broken
from tests.domain.search import shortened
from tests.domain.stories import Story, stories

SAID = {event.__name__ for topic in (LIFECYCLE_EVENTS, REFUND_EVENTS, NOTIFICATION_EVENTS) for event in topic.events}


def test_the_laws_of_the_domain_hold_in_every_story_and_the_stories_tell_of_most() -> None:
    told: set[str] = set()

    @settings(
        max_examples=500, deadline=None, derandomize=True, database=None, phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(stories())
    def tell(story: Story) -> None:
        try:
            told.update(story.play().laws.told)
        except Broken as broken:
            law, short = shortened(str(broken).partition("\n")[0], story)
            raise Broken(f"{law}\n{short!r}") from None

    tell()
    assert len(told & SAID) > 0.8 * len(SAID), f"nobody ever says {', '.join(sorted(SAID - told))}"
