"""PauseRequested: who may rest, how often and how long, and what is told at the beginning."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from offramp_schemas.account import Reseller
from offramp_schemas.lifecycle_events import ChargedAfterCancellation, PaymentRetryDue, SubscriptionEnded
from offramp_schemas.pause_events import PauseRejected, SubscriptionPaused
from offramp_schemas.refund_request import RefundRequested
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy
from services.lifecycle.states import Ended, Paused
from services.runtime.decision import Ignored
from services.runtime.policies import single
from tests.lifecycle.given import (
    DAY,
    HOUR,
    LIFECYCLE,
    NOW,
    PERIOD_END,
    STRANGER,
    SUPPORT,
    Story,
    cancellation,
    changed,
    failure,
    free_plan,
    paid_plan,
    pause,
    payment,
    refund_approved,
    renewed,
    resume,
    trial,
    unused,
    used,
    withdrawal,
)


def paused(**asked: Any) -> Story:
    story = paid_plan()
    story.hears(pause(**asked))
    return story


def rejected(story: Story) -> PauseRejected:
    (no,) = story.just_told
    assert isinstance(no, PauseRejected)
    return no


def test_it_rests_from_now_on_and_the_customer_hears_until_when() -> None:
    story = paused(days=90)
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionPaused)
    assert (fact.reference, fact.paused_at, fact.resumes_at) == ("PAU-1", NOW, NOW + 90 * DAY)
    assert isinstance(story.state, Paused)
    assert story.name == "paused"


def test_without_a_wish_to_keep_it_the_data_is_deleted_after_five_days_and_the_customer_is_told_so() -> None:
    (fact,) = paused().heard_of(SubscriptionPaused)
    assert (fact.data_retained, fact.export_by, fact.deletion_due_at) == (False, NOW + 5 * DAY, NOW + 5 * DAY)


def test_with_that_wish_it_is_retained_for_up_to_a_year_more() -> None:
    (fact,) = paused(keep_data=True).heard_of(SubscriptionPaused)
    assert (fact.data_retained, fact.export_by, fact.deletion_due_at) == (True, NOW + 5 * DAY, NOW + 370 * DAY)


def test_a_date_wins_over_days_and_neither_is_as_long_as_possible() -> None:
    by_date, longest = paused(days=3, resume_at=NOW + 30 * DAY), paused(days=None)
    assert [story.heard_of(SubscriptionPaused)[0].resumes_at for story in (by_date, longest)] == [NOW + 30 * DAY, NOW + 365 * DAY]


def test_the_owner_or_support_for_them_and_nobody_else() -> None:
    story = paid_plan()
    story.hears(pause(by=STRANGER))
    no = rejected(story)
    assert (no.rule, no.requested_by, no.requester_name, story.name) == ("not_account_owner", "usr_mallory", "Mallory", "active")
    story.hears(pause(by=SUPPORT))
    assert story.name == "paused"


def test_a_resold_subscription_is_paused_by_its_reseller() -> None:
    story = paid_plan(reseller=Reseller(reseller_id="res_1", name="Shop", contact="help@shop.example"))
    story.hears(pause())
    no = rejected(story)
    assert no.rule == "managed_by_reseller"
    assert no.reseller is not None
    assert no.reseller.contact == "help@shop.example"


def past_due() -> Story:
    story = paid_plan()
    story.hears(failure())
    return story


def canceled(mode: Literal["at_period_end", "immediately"] = "at_period_end") -> Story:
    story = paid_plan()
    story.hears(cancellation(mode=mode))
    return story


@pytest.mark.parametrize(
    ("rule", "begin"),
    [
        ("trialing", trial),
        ("past_due", past_due),
        ("cancellation_scheduled", canceled),
        ("already_paused", paused),
        ("already_ended", lambda: canceled("immediately")),
    ],
)
def test_what_is_not_active_can_not_rest(rule: str, begin: Callable[[], Story]) -> None:
    story = begin()
    name = story.name
    story.hears(pause("PAU-2"))
    assert (rejected(story).rule, story.name) == (rule, name)


def test_once_in_twelve_months() -> None:
    story = paused(days=30)
    story.passes(days=364)
    story.hears(pause("PAU-2"))
    no = rejected(story)
    assert (no.rule, no.possible_from) == ("paused_recently", NOW + 365 * DAY)
    story.passes(days=1)
    story.hears(pause("PAU-3"))
    assert story.name == "paused"


def test_the_twelve_months_are_the_customers_and_another_customer_has_their_own() -> None:
    story = paused(days=1).passes(days=2)
    story.hears(changed(customer_id="cus_2"))
    story.hears(pause("PAU-2"))
    assert story.name == "paused"


def test_twelve_months_at_most() -> None:
    story = paused(days=366)
    assert (rejected(story).rule, rejected(story).longest_days) == ("too_long", 365)
    story.hears(pause("PAU-2", days=365))
    assert story.name == "paused"


def test_not_until_a_day_that_is_past() -> None:
    assert rejected(paused(resume_at=NOW)).rule == "date_in_the_past"


def test_no_number_of_days_breaks_the_calendar() -> None:
    assert rejected(paused(days=36_500)).rule == "too_long"


def test_the_same_request_twice_is_one() -> None:
    story = paused()
    assert isinstance(story.hears(pause()), Ignored)


def test_a_plan_that_costs_nothing_may_rest_too() -> None:
    story = free_plan()
    story.hears(pause(days=30))
    story.passes(days=30)
    assert story.name == "active"


def test_where_pausing_removes_the_card_the_customer_is_told_and_asked_for_one_later() -> None:
    story = paid_plan(Lifecycle(single(Policy.model_validate({"pause": {"removes_card": True}}))), payment_method_on_file=True)
    story.hears(pause(days=30))
    (fact,) = story.heard_of(SubscriptionPaused)
    assert fact.card_removed
    story.hears(resume())
    assert story.told_kinds() == ["PaymentMethodNeeded"]


def test_canceled_while_it_rests_it_ends_now_whatever_was_asked() -> None:
    modes: tuple[Literal["at_period_end", "immediately"], ...] = ("at_period_end", "immediately")
    for mode in modes:
        story = paused().passes(days=2)
        story.hears(cancellation(mode=mode))
        (end,) = story.heard_of(SubscriptionEnded)
        assert (end.ended_at, end.end_reason, end.asked_now, end.reference) == (story.now, "requested", True, "CAN-1")


def test_there_is_no_cancellation_to_withdraw() -> None:
    assert isinstance(paused().hears(withdrawal()), Ignored)


def test_nobody_is_warned_of_inactivity_while_it_rests_nor_for_it_afterwards() -> None:
    story = free_plan()
    story.hears(pause(days=100))
    assert isinstance(story.hears(unused(60, story)), Ignored)
    assert isinstance(story.hears(used(NOW)), Ignored)
    story.passes(days=101)
    assert isinstance(story.hears(unused(90, story)), Ignored)


def test_a_charge_or_renewal_while_it_rests_is_asked_back_and_the_pause_stands() -> None:
    story = paused()
    story.until(PERIOD_END)
    story.hears(renewed(payment_id="pay_2"))
    story.hears(payment("in_9", "pay_3", PERIOD_END, PERIOD_END + 30 * DAY))
    assert [fact.payment_id for fact in story.heard_of(ChargedAfterCancellation)] == ["pay_2", "pay_3"]
    assert [wish.payment_id for wish in story.heard_of(RefundRequested)] == ["pay_2", "pay_3"]
    assert story.name == "paused"


def test_a_payment_from_before_the_pause_that_is_heard_late_bought_its_period() -> None:
    story = paid_plan().passes(days=1)
    story.hears(pause())
    story.hears(payment(end=PERIOD_END + 30 * DAY), at=NOW)
    assert story.state.facts.paid_through == PERIOD_END + 30 * DAY
    assert story.just_told == []


def test_a_renewal_from_before_the_pause_that_is_heard_late_is_known() -> None:
    story = paid_plan().until(PERIOD_END + HOUR)
    story.hears(pause())
    story.hears(renewed(), at=PERIOD_END)
    assert story.state.facts.period_end == PERIOD_END + 30 * DAY


def test_a_late_payment_for_a_period_begun_before_is_kept() -> None:
    story = paused()
    story.hears(payment(start=NOW - DAY, end=PERIOD_END + DAY))
    assert (story.just_told, story.state.facts.paid_through) == ([], PERIOD_END + DAY)


def test_a_failure_from_before_the_pause_waits_with_it_and_is_chased_afterwards() -> None:
    story = paid_plan().passes(days=1)
    story.hears(pause(days=30))
    story.hears(failure(), at=NOW)
    story.passes(days=20)
    assert story.heard_of(SubscriptionEnded) == []
    assert story.heard_of(PaymentRetryDue) == []
    story.hears(resume())
    assert story.name == "past_due"
    story.passes(days=1)
    assert story.told_kinds() == ["PaymentRetryDue"]


def test_paid_while_it_rests_that_invoice_is_settled() -> None:
    story = paid_plan().passes(days=1)
    story.hears(pause(days=30))
    story.hears(failure(), at=NOW)
    story.hears(payment("in_7"))
    story.hears(resume())
    assert story.name == "active"


def test_canceled_while_it_rests_an_open_invoice_is_named() -> None:
    story = paid_plan().passes(days=1)
    story.hears(pause())
    story.hears(failure(), at=NOW)
    story.hears(cancellation())
    (end,) = story.heard_of(SubscriptionEnded)
    assert [each.invoice_id for each in end.open_balances] == ["in_7"]
    assert isinstance(story.state, Ended)


def test_a_charge_that_fails_while_it_rests_owes_nothing() -> None:
    assert isinstance(paused().hears(failure()), Ignored)


def test_a_full_refund_by_right_ends_it() -> None:
    story = paid_plan()
    story.hears(payment(end=PERIOD_END))
    story.hears(pause())
    story.hears(refund_approved())
    (end,) = story.heard_of(SubscriptionEnded)
    assert end.end_reason == "refunded"


def test_what_ends_a_pause_waits_for_every_input_to_be_read() -> None:
    assert {timer.name for timer in LIFECYCLE.timers(paused().state) if timer.takes_away} == {"resume", "data-deletion"}
