"""CancellationRequested: who may ask, when it ends, and what proves it."""

from typing import Any

import pytest

from offramp_schemas.lifecycle_events import CancellationRejected, CancellationScheduled, SubscriptionEnded
from offramp_schemas.refund_request import RefundRequested
from services.lifecycle.states import Ended, NonRenewing
from services.runtime.decision import Decision, Ignored
from tests.lifecycle.given import (
    DAY,
    HOUR,
    NOW,
    PERIOD_END,
    PERIOD_START,
    STRANGER,
    SUPPORT,
    cancellation,
    changed,
    paid_plan,
)


def test_access_stays_until_the_paid_period_ends() -> None:
    story = paid_plan()
    story.hears(cancellation(feedback=("too_expensive",)))
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == PERIOD_END
    (proof,) = story.heard_of(CancellationScheduled)
    assert (proof.reference, proof.ends_at, proof.export_by, proof.reason_given) == ("CAN-1", PERIOD_END, PERIOD_END + 5 * DAY, True)


def test_a_survey_is_due_when_no_reason_was_given() -> None:
    story = paid_plan()
    story.hears(cancellation())
    (proof,) = story.heard_of(CancellationScheduled)
    assert not proof.reason_given


def test_immediately_means_now() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    assert isinstance(story.state, Ended)
    (ended,) = story.just_told
    assert isinstance(ended, SubscriptionEnded)
    assert (ended.end_reason, ended.ended_at, ended.asked_now, ended.refund_requested) == ("requested", NOW, True, False)


def test_what_was_asked_is_kept_with_its_words() -> None:
    story = paid_plan()
    story.hears(cancellation(feedback=("unused", "other"), comment="Nobody logs in", switching_to="paper"))
    assert isinstance(story.state, NonRenewing)
    kept = story.state.cancellation
    assert (kept.feedback, kept.comment, kept.switching_to, kept.canceled_at) == (("unused", "other"), "Nobody logs in", "paper", NOW)


def test_a_stranger_can_not_cancel_and_the_owner_hears_who_tried() -> None:
    story = paid_plan()
    story.hears(cancellation(by=STRANGER))
    (no,) = story.just_told
    assert isinstance(no, CancellationRejected)
    assert (no.rule, no.requested_by, no.requester_name, no.contact.email) == (
        "not_account_owner",
        "usr_mallory",
        "Mallory",
        "ada@example.org",
    )
    assert story.name == "active"


def test_a_stranger_does_not_learn_that_it_has_ended() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    story.hears(cancellation("CAN-2", by=STRANGER))
    (no,) = story.just_told
    assert isinstance(no, CancellationRejected)
    assert (no.rule, no.ended_at) == ("not_account_owner", None)


def test_a_stranger_can_not_use_up_the_owners_reference() -> None:
    story = paid_plan()
    story.hears(cancellation(by=STRANGER))
    story.hears(cancellation())
    assert story.name == "non_renewing"


def test_support_may_ask_for_the_owner() -> None:
    story = paid_plan()
    story.hears(cancellation(by=SUPPORT))
    assert story.name == "non_renewing"


def test_a_new_owner_may_ask_and_the_old_one_may_not() -> None:
    story = paid_plan()
    story.hears(changed(owner_id="usr_bob"))
    story.hears(cancellation())
    assert story.name == "active"


def test_what_a_reseller_sold_only_they_can_end() -> None:
    story = paid_plan(reseller={"reseller_id": "res_1", "name": "Shop", "contact": "shop@example.org"})
    story.hears(cancellation(mode="immediately", wants_refund=True))
    (no,) = story.just_told
    assert isinstance(no, CancellationRejected)
    assert no.rule == "managed_by_reseller"
    assert no.reseller is not None
    assert no.reseller.contact == "shop@example.org"


def test_what_has_ended_can_not_be_canceled_but_the_wish_for_money_is_passed_on() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    story.hears(cancellation("CAN-2", wants_refund=True))
    no, wish = story.just_told
    assert isinstance(no, CancellationRejected)
    assert isinstance(wish, RefundRequested)
    assert (no.rule, no.ended_at, wish.request_ref, wish.requested_by) == ("already_ended", NOW, "CAN-2", "lifecycle")


@pytest.mark.parametrize("mode", ["at_period_end", "immediately"])
def test_the_same_request_twice_is_nothing_new(mode: str) -> None:
    story = paid_plan()
    request = cancellation(mode=mode)  # type: ignore[arg-type]  # pytest hands out plain strings
    story.hears(request)
    assert isinstance(story.hears(request), Ignored)


def test_another_request_while_it_is_ending_changes_nothing() -> None:
    story = paid_plan()
    story.hears(cancellation())
    outcome = story.hears(cancellation("CAN-2"))
    assert isinstance(outcome, Decision)
    assert story.just_told == []
    assert isinstance(story.state, NonRenewing)
    assert story.state.cancellation.reference == "CAN-1"


def test_immediately_after_at_period_end_brings_the_end_forward() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.passes(days=2)
    story.hears(cancellation("CAN-2", mode="immediately"))
    assert isinstance(story.state, Ended)
    assert story.state.ended_at == NOW + 2 * DAY


def test_even_with_the_same_reference() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.hears(cancellation(mode="immediately"))
    assert story.name == "ended"


def test_a_wish_for_money_at_period_end_is_passed_on_too() -> None:
    story = paid_plan()
    story.hears(cancellation(wants_refund=True))
    _, wish = story.just_told
    assert isinstance(wish, RefundRequested)
    assert wish.cause == "customer_request"


def withdrawn(**facts: Any) -> str:
    story = paid_plan(**facts)
    story.until(PERIOD_START + 14 * DAY)
    story.hears(cancellation(mode="immediately", wants_refund=True))
    (ended,) = story.heard_of(SubscriptionEnded)
    return ended.end_reason


def test_a_consumer_of_the_eu_withdraws_within_fourteen_days() -> None:
    assert withdrawn() == "withdrawal"


def test_a_business_can_not_withdraw() -> None:
    assert withdrawn(consumer=False) == "requested"


def test_nor_can_a_consumer_elsewhere() -> None:
    assert withdrawn(country="US") == "requested"


def test_nor_after_the_window() -> None:
    assert withdrawn(current_period_start=PERIOD_START - HOUR) == "requested"


def test_in_time_is_when_it_was_asked_not_when_it_was_heard() -> None:
    story = paid_plan()
    story.until(PERIOD_START + 16 * DAY)
    story.hears(cancellation(mode="immediately", wants_refund=True), at=PERIOD_START + 14 * DAY)
    (ended,) = story.heard_of(SubscriptionEnded)
    assert ended.end_reason == "withdrawal"
