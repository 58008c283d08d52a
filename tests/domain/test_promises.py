"""What customers were promised about time, through all three services."""

from datetime import timedelta

import pytest

from offramp_schemas.refund_request import RefundChased
from offramp_schemas.request import CancellationRequested, Requester
from tests.domain.billing import OWNER, Plan
from tests.domain.stories import USUAL
from tests.domain.world import World

HOUR = timedelta(hours=1)


def canceled(world: World, **wish: bool) -> list[str]:
    """The owner cancels; the mails that have left within an hour."""
    mode = "immediately" if wish else "at_period_end"
    event = {"reference": "CAN-1", "requested_by": Requester(user_id=OWNER), "mode": mode, "feedback": ("other",)} | wish
    world.say(CancellationRequested.model_validate(event))
    world.settle()
    return [each["template"] for each in world.mail_server.taken]


@pytest.mark.parametrize("hour", range(0, 24 * 7, 11))
def test_at_any_hour_a_cancellation_is_confirmed_within_the_hour(hour: int) -> None:
    world = World(Plan(), USUAL)
    world.passes(hour * HOUR)
    assert canceled(world) == ["cancellation_scheduled"]


def test_a_mail_server_that_is_away_for_twenty_minutes_breaks_no_promise() -> None:
    world = World(Plan(), USUAL)
    world.mail_server.mood = "is unreachable"
    assert canceled(world) == []
    world.passes(HOUR / 3)
    world.mail_server.mood = "works"
    world.passes(HOUR / 2)
    assert [each["template"] for each in world.mail_server.taken] == ["cancellation_scheduled"]


@pytest.mark.parametrize(
    ("plan", "answer"),
    [(Plan(), "refund_approved"), (Plan(price_minor=30_000), "refund_received"), (Plan(country="US"), "refund_approved")],
)
def test_whether_the_money_comes_back_is_told_within_five_minutes(plan: Plan, answer: str) -> None:
    world = World(plan, USUAL)
    told = canceled(world, wants_refund=True)
    assert told[0] == "ended_at_once"
    assert answer in told


def test_after_the_windows_the_answer_is_a_rejection_as_soon() -> None:
    world = World(Plan(interval="year"), USUAL)
    world.passes(timedelta(days=40))
    assert canceled(world, wants_refund=True)[-2:] == ["ended_at_once", "refund_rejected"]


def test_where_is_it_is_answered_at_once() -> None:
    world = World(Plan(), USUAL)
    world.provider.mood = "takes its time"
    canceled(world, wants_refund=True)
    world.say(RefundChased())
    world.settle()
    assert world.mail_server.taken[-1]["template"] == "refund_status"
