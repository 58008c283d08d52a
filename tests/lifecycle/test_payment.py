"""PaymentSucceeded and SubscriptionRenewed when they are not expected: charged in error, settled late, paid after the end."""

from datetime import datetime

import pytest

from offramp_schemas.lifecycle_events import ChargedAfterCancellation, PaymentAfterEnd, SubscriptionActivated
from offramp_schemas.refund_request import RefundRequested
from services.lifecycle import refunding
from services.lifecycle.states import Active, Ended, NonRenewing
from services.runtime.decision import Decision, Ignored
from tests.lifecycle.given import (
    DAY,
    HOUR,
    NOW,
    PERIOD_END,
    PERIOD_START,
    Story,
    cancellation,
    failure,
    paid_plan,
    payment,
    refund_received,
    renewed,
    trial,
)

NEXT_END = PERIOD_END + 30 * DAY


def canceled() -> Story:
    story = paid_plan()
    story.hears(cancellation())
    story.passes(hours=1)
    return story


def ended() -> Story:
    story = paid_plan()
    story.passes(days=1)
    story.hears(cancellation(mode="immediately"))
    story.passes(hours=1)
    return story


def test_a_trial_that_is_paid_for_is_active() -> None:
    story = trial()
    story.hears(payment(payment_id="pay_1"))
    assert isinstance(story.state, Active)
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionActivated)
    assert fact.payment_id == "pay_1"


def test_who_cancels_right_after_paying_for_the_trial_keeps_what_was_paid_for() -> None:
    story = trial(days=14)
    story.passes(days=14)
    story.hears(payment())
    story.hears(cancellation())
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == story.now + 31 * DAY


def test_a_payment_moves_the_paid_period_on() -> None:
    story = paid_plan()
    story.hears(payment(start=PERIOD_END, end=NEXT_END))
    assert (story.state.facts.period_end, story.state.facts.paid_through) == (NEXT_END, NEXT_END)


def test_a_renewal_says_the_period_exactly_even_when_it_is_heard_after_its_payment() -> None:
    story = paid_plan()
    story.until(PERIOD_END + HOUR)
    story.hears(payment(payment_id="pay_8"))
    story.hears(renewed(payment_id="pay_8"), at=PERIOD_END)
    assert (story.state.facts.period_end, story.state.facts.paid_through) == (NEXT_END, NEXT_END)


def test_the_same_payment_twice_counts_once() -> None:
    story = paid_plan()
    story.hears(payment())
    assert isinstance(story.hears(payment()), Ignored)


def test_charged_after_the_cancellation_is_asked_back_and_the_end_stands() -> None:
    story = canceled()
    story.hears(payment("in_8", "pay_8", PERIOD_END, NEXT_END))
    error, back = story.just_told
    assert isinstance(error, ChargedAfterCancellation)
    assert isinstance(back, RefundRequested)
    assert (back.payment_id, back.cause, back.requested_by) == ("pay_8", "charged_in_error", "lifecycle")
    assert list(story.state.refund_acks) == [back.request_ref]
    story.until(PERIOD_END)
    assert story.name == "ended"


def test_a_charge_without_a_period_after_the_cancellation_is_asked_back_too() -> None:
    story = canceled()
    story.hears(payment("in_8", "pay_8"))
    assert story.told_kinds() == ["ChargedAfterCancellation", "RefundRequested"]


def test_renewed_and_charged_are_one_error_and_one_refund() -> None:
    for events in ((renewed(payment_id="pay_8"), payment("in_8", "pay_8")), (payment("in_8", "pay_8"), renewed(payment_id="pay_8"))):
        story = canceled()
        for event in events:
            story.hears(event)
        assert [back.request_ref for back in story.heard_of(RefundRequested)] == [refunding.reference_of("pay_8")]
        assert isinstance(story.state, NonRenewing)
        assert story.state.ends_at == PERIOD_END


def test_it_stays_one_refund_after_refunds_has_answered() -> None:
    story = canceled()
    story.hears(renewed(payment_id="pay_8"))
    story.hears(refund_received(refunding.reference_of("pay_8")))
    story.hears(payment("in_8", "pay_8"))
    assert story.just_told == []
    assert not story.state.refund_acks


def test_a_renewal_whose_charge_is_not_known_yet_is_told_and_its_charge_asked_back_later() -> None:
    story = canceled()
    story.hears(renewed())
    assert story.told_kinds() == ["ChargedAfterCancellation"]
    story.hears(payment("in_8", "pay_8"))
    assert story.told_kinds() == ["ChargedAfterCancellation", "RefundRequested"]


def test_an_open_invoice_that_is_paid_while_ending_is_settled() -> None:
    story = paid_plan()
    story.hears(failure("in_7"))
    story.hears(cancellation())
    story.hears(payment("in_7"))
    assert story.just_told == []
    assert isinstance(story.state, NonRenewing)
    assert story.state.return_state == "active"


def test_a_period_that_was_already_due_is_paid_for_not_charged_in_error() -> None:
    story = canceled()
    story.hears(payment("in_7", "pay_7", PERIOD_START, PERIOD_END))
    assert story.just_told == []


def test_within_a_commitment_renewals_and_their_charges_are_due() -> None:
    story = paid_plan(commitment_ends_at=PERIOD_END + 100 * DAY)
    story.hears(cancellation())
    story.until(PERIOD_END)
    story.hears(renewed())
    story.hears(payment("in_8", "pay_8", PERIOD_END, NEXT_END))
    assert story.heard_of(ChargedAfterCancellation) == []
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == PERIOD_END + 100 * DAY


def test_a_canceled_trial_is_never_charged() -> None:
    story = trial(days=14)
    story.hears(cancellation())
    story.passes(days=13)
    story.hears(payment("in_1", "pay_1", story.now, NEXT_END))
    assert story.told_kinds() == ["ChargedAfterCancellation", "RefundRequested"]


def test_a_trial_paid_for_before_its_cancellation_has_its_period() -> None:
    story = trial(days=14)
    story.passes(days=10)
    story.hears(cancellation())
    story.passes(hours=1)
    story.hears(payment("in_1", "pay_1", NOW, NEXT_END), at=story.now - 2 * HOUR)
    assert isinstance(story.state, NonRenewing)
    assert (story.state.ends_at, story.state.return_state) == (NEXT_END, "active")


def test_money_after_the_end_revives_nothing_and_is_offered_back() -> None:
    story = ended()
    story.hears(payment("in_8", "pay_8", PERIOD_END, NEXT_END))
    late, back = story.just_told
    assert isinstance(late, PaymentAfterEnd)
    assert isinstance(back, RefundRequested)
    assert back.request_ref == refunding.reference_of("pay_8")
    assert story.name == "ended"


def test_even_the_invoice_whose_dunning_was_given_up() -> None:
    story = paid_plan()
    story.hears(failure("in_7"))
    story.passes(days=9)
    story.hears(payment("in_7"))
    assert story.told_kinds() == ["PaymentAfterEnd", "RefundRequested"]


def test_an_invoice_that_a_cancellation_left_open_is_settled_after_the_end() -> None:
    story = paid_plan()
    story.until(PERIOD_END + HOUR)
    story.hears(failure("in_7"))
    story.hears(cancellation())
    assert isinstance(story.state, Ended)
    story.hears(payment("in_7"))
    assert story.just_told == []
    assert isinstance(story.state, Ended)
    assert not story.state.owed


@pytest.mark.parametrize("at", [NOW, NOW + 23 * HOUR])
def test_a_payment_from_before_the_end_heard_after_it_is_only_noted(at: datetime) -> None:
    story = ended()
    assert isinstance(story.hears(payment("in_7", "pay_7"), at=at), Decision)
    assert story.just_told == []


def test_a_trial_paid_for_in_time_but_heard_after_it_lapsed_is_offered_back() -> None:
    story = trial(days=14)
    story.passes(days=15)
    story.hears(payment(), at=NOW + 14 * DAY)
    assert story.told_kinds() == ["PaymentAfterEnd", "RefundRequested"]


def test_a_renewal_after_the_end_waits_for_its_charge() -> None:
    assert isinstance(ended().hears(renewed()), Ignored)


def test_a_period_after_the_end_is_offered_back_even_when_it_was_charged_ahead() -> None:
    story = ended()
    story.hears(payment("in_8", "pay_8", PERIOD_END, NEXT_END), at=NOW + 23 * HOUR)
    assert story.told_kinds() == ["PaymentAfterEnd", "RefundRequested"]


def test_money_after_the_end_for_a_period_before_it_is_offered_back_when_nobody_was_told_that_it_is_open() -> None:
    story = ended()
    story.hears(payment("in_7", "pay_7", PERIOD_START, PERIOD_END))
    assert story.told_kinds() == ["PaymentAfterEnd", "RefundRequested"]
