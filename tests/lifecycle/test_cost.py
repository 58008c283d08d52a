"""A subscription about which a thousand events come in one batch costs a thousand times one event, not a million times."""

from time import process_time

from tests.lifecycle.given import LIFECYCLE, Story, failure, paid_plan


def seconds_for(events: int) -> float:
    story: Story = paid_plan()
    invoices = [failure(f"in_{number}") for number in range(events)]
    before = process_time()
    for event in invoices:
        story.hears(event)
    LIFECYCLE.timers(story.state)
    return process_time() - before


def test_many_unpaid_invoices_of_one_subscription_cost_little_more_each() -> None:
    few = min(seconds_for(250) for _ in range(3))
    many = min(seconds_for(2000) for _ in range(3))
    assert many < few * 8 * 3  # eight times as many; quadratic would be 64 times as long
