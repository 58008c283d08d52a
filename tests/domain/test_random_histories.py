"""Whatever happens to a subscription, in all three services and the world around them: the laws of the domain hold."""

from hypothesis import HealthCheck, Phase, given, settings

from tests.domain.stories import Story, stories


@settings(
    max_examples=250, deadline=None, derandomize=True, database=None, phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], print_blob=False,
)  # fmt: skip
@given(stories())
def test_the_laws_of_the_domain_hold_in_every_story(story: Story) -> None:
    story.play()
