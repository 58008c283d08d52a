"""What lifecycle asks of refunds can't get lost, and what refunds approves may end a subscription."""

from offramp_schemas.lifecycle_events import RefundUnacknowledged, SubscriptionEnded
from offramp_schemas.refund_request import RefundRequested
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy
from services.lifecycle.states import Ended
from services.runtime.decision import Ignored, NotSeenYet
from services.runtime.policies import single
from tests.lifecycle.given import (
    DAY,
    LIFECYCLE,
    NOW,
    PERIOD_END,
    Story,
    cancellation,
    data_deleted,
    failure,
    free_plan,
    nothing_to_refund,
    paid_plan,
    payment,
    refund_approved,
    refund_received,
    refund_rejected,
)


def left_with_refund() -> Story:
    story = paid_plan()
    story.hears(cancellation(mode="immediately", wants_refund=True, payment_id="pay_1"))
    return story


def test_ending_at_once_with_a_refund_asks_refunds_under_the_same_reference() -> None:
    story = left_with_refund()
    ended, wish = story.just_told
    assert isinstance(ended, SubscriptionEnded)
    assert isinstance(wish, RefundRequested)
    assert ended.refund_requested
    assert (wish.request_ref, wish.cause, wish.payment_id, wish.requested_by) == ("CAN-1", "immediate_cancellation", "pay_1", "lifecycle")


def test_silence_of_refunds_is_told_after_ten_minutes_and_then_every_hour() -> None:
    story = left_with_refund()
    story.passes(minutes=9)
    assert story.heard_of(RefundUnacknowledged) == []
    story.passes(minutes=1)
    story.passes(hours=2)
    facts = story.heard_of(RefundUnacknowledged)
    assert [(fact.request_ref, fact.requested_at, fact.reminder) for fact in facts] == [("CAN-1", NOW, n) for n in (1, 2, 3)]


def test_a_downtime_makes_one_reminder_not_ten() -> None:
    story = left_with_refund()
    story.sleeps_until(NOW + DAY / 2)
    assert len(story.heard_of(RefundUnacknowledged)) == 1


def test_received_or_rejected_is_an_acknowledgement() -> None:
    for answer in (refund_received("CAN-1"), refund_rejected("CAN-1"), nothing_to_refund("CAN-1")):
        story = left_with_refund()
        story.hears(answer)
        story.passes(hours=5)
        assert story.heard_of(RefundUnacknowledged) == []


def test_nothing_to_refund_lets_a_paid_period_count_again() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately", wants_refund=True))
    assert waiting_refund(story) == "CAN-1"
    story.hears(nothing_to_refund("CAN-1"))
    assert waiting_refund(story) is None
    assert not story.state.refund_acks


def waiting_refund(story: Story) -> str | None:
    assert isinstance(story.state, Ended)
    return story.state.refund_ref


def test_an_answer_to_another_request_is_none() -> None:
    story = left_with_refund()
    story.hears(refund_received("web-9"))
    story.passes(minutes=10)
    assert len(story.heard_of(RefundUnacknowledged)) == 1


def test_an_answer_that_is_heard_before_the_question_counts() -> None:
    story = paid_plan()
    story.hears(refund_received("CAN-1"))  # the web form was faster
    story.hears(cancellation(mode="immediately", wants_refund=True))
    assert len(story.heard_of(RefundRequested)) == 1
    assert not story.state.refund_acks


def test_the_second_answer_to_the_same_request_is_no_news() -> None:
    story = left_with_refund()
    story.hears(refund_received("CAN-1"))
    assert isinstance(story.hears(refund_received("CAN-1")), Ignored)
    story.hears(refund_rejected("CAN-1"))
    assert story.just_told == []


def test_a_free_plan_stays_awake_while_refunds_owes_an_answer() -> None:
    story = free_plan()
    assert not LIFECYCLE.timers(story.state)
    story.hears(cancellation(wants_refund=True))
    story.hears(data_deleted())
    assert "refund-ack:CAN-1" in {timer.name for timer in LIFECYCLE.timers(story.state)}


def test_a_full_refund_of_the_present_period_ends_the_subscription() -> None:
    story = paid_plan()
    story.hears(payment(payment_id="pay_1", end=PERIOD_END))
    story.passes(days=3)
    story.hears(refund_approved("pay_1"))
    assert isinstance(story.state, Ended)
    assert (story.state.end_reason, story.state.ended_at) == ("refunded", NOW + 3 * DAY)


def test_a_full_refund_stops_the_dunning() -> None:
    story = paid_plan()
    story.hears(payment("in_6", "pay_1", end=PERIOD_END))
    story.hears(failure())
    story.hears(refund_approved("pay_1", basis="withdrawal"))
    assert story.told_kinds() == ["DunningStopped", "SubscriptionEnded"]


def test_a_scheduled_end_is_brought_forward_by_a_full_refund() -> None:
    story = paid_plan()
    story.hears(payment(payment_id="pay_1", end=PERIOD_END))
    story.hears(cancellation(wants_refund=True))
    story.hears(refund_approved("pay_1"))
    assert isinstance(story.state, Ended)
    assert story.state.end_reason == "refunded"


def test_goodwill_or_a_part_of_the_money_ends_nothing() -> None:
    story = paid_plan()
    story.hears(payment(payment_id="pay_1", end=PERIOD_END))
    assert isinstance(story.hears(refund_approved("pay_1", basis="goodwill")), Ignored)
    assert isinstance(story.hears(refund_approved("pay_1", full=False)), Ignored)


def test_the_refund_of_a_period_that_is_over_ends_nothing() -> None:
    story = paid_plan()
    story.hears(payment("in_6", "pay_0", end=NOW - DAY))
    assert isinstance(story.hears(refund_approved("pay_0")), Ignored)


def test_without_periods_only_the_latest_payment_is_the_present_one() -> None:
    story = paid_plan()
    story.hears(payment("in_6", "pay_0"))
    story.hears(payment("in_7", "pay_1"))
    assert isinstance(story.hears(refund_approved("pay_0")), Ignored)
    story.hears(refund_approved("pay_1"))
    assert story.name == "ended"


def test_a_refund_of_a_payment_not_heard_of_yet_waits_for_it() -> None:
    story = paid_plan()
    assert story.hears(refund_approved("pay_1")) == NotSeenYet("payment:pay_1")
    assert LIFECYCLE.supplies(payment(payment_id="pay_1")) == {"payment:pay_1"}


def test_the_policy_may_let_a_refunded_subscription_go_on() -> None:
    story = paid_plan(Lifecycle(single(Policy.model_validate({"refunds": {"full_refund_ends": False}}))))
    story.hears(payment(payment_id="pay_1", end=PERIOD_END))
    assert isinstance(story.hears(refund_approved("pay_1")), Ignored)


def test_an_approval_after_the_end_is_what_the_cancellation_asked_for() -> None:
    story = left_with_refund()
    assert isinstance(story.hears(refund_approved("pay_1")), Ignored)
