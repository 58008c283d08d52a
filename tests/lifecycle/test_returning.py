"""ReactivationRequested: at once while the paid period runs, else with a payment; and never to data that is gone."""

from typing import Any

import pytest

from offramp_schemas.account import Reseller
from offramp_schemas.lifecycle_events import DataDeletionDue, PaymentAfterEnd
from offramp_schemas.pause_events import PaymentMethodNeeded, ReactivationChargeDue, ReactivationRejected, SubscriptionReactivated
from services.lifecycle.states import Active, Ended
from services.runtime.decision import Ignored
from tests.lifecycle.given import (
    DAY,
    HOUR,
    NOW,
    PERIOD_END,
    STRANGER,
    Story,
    cancellation,
    changed,
    data_deleted,
    failure,
    free_plan,
    new_card,
    paid_plan,
    pause,
    payment,
    reactivation,
    refund_approved,
    refund_received,
    refund_rejected,
    renewed,
    trial,
    unused,
)


def left(keep_data: bool = False, wants_refund: bool = False, **facts: Any) -> Story:
    story = paid_plan(**facts)
    story.hears(payment(end=PERIOD_END))
    story.hears(cancellation(mode="immediately", keep_data=keep_data, wants_refund=wants_refund))
    return story


def wants_back(story: Story, reference: str = "REA-1") -> Story:
    story.hears(reactivation(reference))
    return story


def refused(story: Story) -> ReactivationRejected:
    (no,) = story.just_told
    assert isinstance(no, ReactivationRejected)
    return no


def test_in_grace_while_the_paid_period_runs_everything_is_back_at_once() -> None:
    story = wants_back(left().passes(days=2))
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionReactivated)
    assert (fact.reference, fact.at_once, fact.renews_at, fact.data_deleted) == ("REA-1", True, PERIOD_END, False)
    assert isinstance(story.state, Active)
    assert story.state.facts.paid_through == PERIOD_END


def test_in_grace_when_the_paid_period_is_over_a_payment_comes_first() -> None:
    story = paid_plan()
    story.hears(cancellation())
    wants_back(story.until(PERIOD_END + DAY))
    assert story.told_kinds() == ["PaymentMethodNeeded"]


@pytest.mark.parametrize("days", [6, 200])
def test_after_grace_a_payment_comes_first_even_while_the_period_runs(days: int) -> None:
    story = wants_back(left(keep_data=True, current_period_end=NOW + 365 * DAY).passes(days=days))
    assert isinstance(story.state, Ended)
    assert story.state.data_stage == "retained"
    assert story.told_kinds() == ["PaymentMethodNeeded"]


def test_a_refunded_period_is_not_paid_for() -> None:
    story = left(wants_refund=True)
    story.hears(refund_received("CAN-1"))
    assert wants_back(story).told_kinds() == ["PaymentMethodNeeded"]


def test_a_refund_asked_for_elsewhere_counts_as_well() -> None:
    story = left()
    story.hears(refund_received("web-1"))
    story.hears(refund_approved())
    story.hears(refund_rejected("web-1"))
    assert wants_back(story).told_kinds() == ["PaymentMethodNeeded"]


def test_a_rejected_refund_leaves_the_period_paid() -> None:
    story = left(wants_refund=True, consumer=False)
    story.hears(refund_received("CAN-1"))
    story.hears(refund_rejected("CAN-1"))
    assert wants_back(story).told_kinds() == ["SubscriptionReactivated"]


def test_money_back_for_another_charge_does_not_concern_the_period() -> None:
    story = left()
    assert isinstance(story.hears(refund_approved(basis="charged_in_error")), Ignored)
    assert isinstance(story.hears(refund_approved(full=False, basis="goodwill")), Ignored)
    assert wants_back(story).told_kinds() == ["SubscriptionReactivated"]


def test_a_trial_was_never_paid_for() -> None:
    story = trial()
    story.hears(cancellation(mode="immediately"))
    assert wants_back(story).told_kinds() == ["PaymentMethodNeeded"]


def test_a_free_plan_comes_back_at_once_until_its_data_is_deleted() -> None:
    for days in (0, 7):
        story = free_plan()
        story.hears(unused(60, story))
        story.passes(days=30 + days)
        assert wants_back(story).told_kinds() == ["SubscriptionReactivated"]
        assert isinstance(story.hears(unused(90, story)), Ignored)


def test_with_a_card_on_file_billing_charges_and_the_payment_brings_it_back() -> None:
    story = wants_back(left(payment_method_on_file=True, keep_data=True).passes(days=10))
    (due,) = story.just_told
    assert isinstance(due, ReactivationChargeDue)
    assert (due.reference, due.amount_minor, due.charge_by) == ("REA-1", 4900, NOW + 24 * DAY)
    story.hears(payment("in_9", "pay_9"))
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionReactivated)
    assert (fact.at_once, fact.renews_at) == (False, story.now + 31 * DAY)
    assert story.heard_of(PaymentAfterEnd) == []
    assert (story.name, story.state.facts.contract_at) == ("active", story.now)


def test_without_one_it_is_asked_for_and_then_charged() -> None:
    story = wants_back(left().passes(days=6))
    (asked,) = story.just_told
    assert isinstance(asked, PaymentMethodNeeded)
    assert (asked.purpose, asked.reference, asked.give_by) == ("reactivation", "REA-1", NOW + 20 * DAY)
    story.hears(new_card("1111"))
    assert story.told_kinds() == ["ReactivationChargeDue"]
    story.hears(payment("in_9", "pay_9", end=NOW + 36 * DAY))
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionReactivated)
    assert (fact.renews_at, fact.card_last4) == (NOW + 36 * DAY, "1111")


def test_a_declined_charge_asks_for_another_card_in_the_time_that_is_left() -> None:
    story = wants_back(left(payment_method_on_file=True).passes(days=6)).passes(days=1)
    story.hears(failure("in_9", kind="hard"))
    (asked,) = story.just_told
    assert isinstance(asked, PaymentMethodNeeded)
    assert (asked.declined, asked.give_by) == (True, NOW + 20 * DAY)
    story.hears(new_card())
    assert story.told_kinds() == ["ReactivationChargeDue"]


def test_a_soft_decline_asks_for_another_card_too() -> None:
    story = wants_back(left(payment_method_on_file=True).passes(days=6))
    story.hears(failure("in_9", kind="soft"))
    (asked,) = story.just_told
    assert isinstance(asked, PaymentMethodNeeded)
    assert asked.declined


def test_nobody_is_reminded_of_a_card_while_billing_charges_one_or_when_it_is_too_late() -> None:
    charging = wants_back(left(payment_method_on_file=True).passes(days=6)).passes(days=13)
    assert charging.heard_of(PaymentMethodNeeded) == []
    asleep = wants_back(left().passes(days=6)).sleeps_until(NOW + 30 * DAY)
    assert len(asleep.heard_of(PaymentMethodNeeded)) == 1
    assert len(asleep.heard_of(ReactivationRejected)) == 1


def test_a_failure_from_before_the_wish_says_nothing_about_it() -> None:
    story = wants_back(left(payment_method_on_file=True).passes(days=6))
    assert isinstance(story.hears(failure(), at=NOW), Ignored)


def test_who_left_unpaid_is_asked_for_another_card() -> None:
    story = paid_plan(payment_method_on_file=True)
    story.hears(failure(kind="hard"))
    wants_back(story.passes(days=9))
    (asked,) = story.just_told
    assert isinstance(asked, PaymentMethodNeeded)
    assert asked.declined


def test_nothing_is_deleted_while_the_money_is_waited_for_and_unpaid_the_return_is_given_up() -> None:
    story = trial()
    story.hears(cancellation(mode="immediately"))
    wants_back(story.passes(days=4)).passes(days=13)
    assert story.heard_of(DataDeletionDue) == []
    assert [each.reminder for each in story.heard_of(PaymentMethodNeeded)] == [1, 2]
    story.passes(days=1)
    no = refused(story)
    assert (no.rule, no.reference, no.requested_by) == ("not_paid_in_time", "REA-1", "usr_ada")
    story.passes(days=1)
    assert story.told_kinds() == ["DataDeletionDue"]


def test_a_payment_after_it_was_given_up_is_offered_back() -> None:
    story = wants_back(left().passes(days=6)).passes(days=20)
    story.hears(payment("in_9", "pay_9"))
    assert story.told_kinds() == ["PaymentAfterEnd", "RefundRequested"]


def test_an_invoice_from_before_is_settled_and_brings_nothing_back() -> None:
    story = paid_plan().until(PERIOD_END + HOUR)
    story.hears(failure())
    story.hears(cancellation())
    wants_back(story)
    story.hears(payment("in_7"))
    assert (story.just_told, story.name) == ([], "ended")


def test_who_returns_while_the_deletion_is_under_way_is_told_to_expect_an_empty_account() -> None:
    story = wants_back(left().passes(days=6))
    story.hears(new_card())
    story.hears(payment("in_9", "pay_9"))
    assert [fact.data_deleted for fact in story.heard_of(PaymentMethodNeeded)] == [True]
    assert [fact.data_deleted for fact in story.heard_of(SubscriptionReactivated)] == [True]


def test_deleted_data_can_not_come_back() -> None:
    story = left(keep_data=True).passes(days=6)
    story.hears(data_deleted())
    no = refused(wants_back(story))
    assert (no.rule, no.data_stage) == ("data_deleted", "deleted")


def test_data_that_is_deleted_while_the_money_is_waited_for_ends_the_wish() -> None:
    story = wants_back(left().passes(days=6))
    story.hears(data_deleted())
    assert story.told_kinds() == ["SubscriptionDataDeleted", "ReactivationRejected"]
    story.hears(payment("in_9", "pay_9"))
    assert story.told_kinds() == ["PaymentAfterEnd", "RefundRequested"]


def test_only_the_owner_returns() -> None:
    story = left()
    story.hears(reactivation(by=STRANGER))
    assert refused(story).rule == "not_account_owner"
    assert story.name == "ended"


def test_a_resold_one_returns_by_its_reseller() -> None:
    story = left()
    story.hears(changed(reseller=Reseller(reseller_id="res_1", name="Shop", contact="help@shop.example")))
    assert refused(wants_back(story)).rule == "managed_by_reseller"


def test_what_has_not_ended_is_not_reactivated() -> None:
    canceled, resting = paid_plan(), paid_plan()
    canceled.hears(cancellation())
    resting.hears(pause())
    for story in (paid_plan(), trial(), canceled, resting):
        name = story.name
        assert refused(wants_back(story)).rule == "not_ended"
        assert story.name == name


def test_the_same_request_twice_is_one_and_a_new_one_waits_anew() -> None:
    story = wants_back(left().passes(days=6))
    assert isinstance(story.hears(reactivation()), Ignored)
    wants_back(story.passes(days=5), "REA-2")
    (asked,) = story.just_told
    assert isinstance(asked, PaymentMethodNeeded)
    assert (asked.reference, asked.reminder, asked.give_by) == ("REA-2", 2, NOW + 25 * DAY)


def test_a_charge_is_asked_for_once() -> None:
    story = wants_back(left(payment_method_on_file=True).passes(days=6))
    assert wants_back(story, "REA-2").just_told == []


def test_a_cancellation_in_between_gives_the_return_up() -> None:
    story = wants_back(left().passes(days=6))
    story.hears(cancellation("CAN-2"))
    assert story.told_kinds() == ["CancellationRejected"]
    story.hears(new_card())
    assert story.just_told == []


def test_who_is_back_is_renewed_and_may_leave_again() -> None:
    story = wants_back(left())
    story.until(PERIOD_END)
    story.hears(renewed())
    assert story.name == "active"
    story.hears(cancellation("CAN-2"))
    assert story.told_kinds()[-1] == "CancellationScheduled"


def test_asked_while_the_period_ran_and_heard_late_is_in_time() -> None:
    story = paid_plan(current_period_end=NOW + 3 * DAY)
    story.hears(cancellation(mode="immediately"))
    story.now = NOW + 4 * DAY
    story.hears(reactivation(), at=NOW + 2 * DAY)
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionReactivated)
    assert (fact.at_once, fact.renews_at) == (True, None)


def test_billing_may_say_that_a_card_is_there() -> None:
    story = wants_back(left().passes(days=6))
    story.hears(changed(payment_method_on_file=False))
    assert story.just_told == []
    story.hears(changed(payment_method_on_file=True))
    assert story.told_kinds() == ["ReactivationChargeDue"]


def test_what_costs_nothing_by_now_comes_back_without_a_payment() -> None:
    story = wants_back(left().passes(days=6))
    story.hears(changed(price_minor=0))
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionReactivated)
    assert fact.at_once
