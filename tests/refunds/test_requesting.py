"""Somebody wants money back."""

from datetime import timedelta

import pytest

from offramp_schemas.account import SubscriptionChanged, SubscriptionRenewed
from offramp_schemas.payment import PaymentFailed
from offramp_schemas.refund_events import RefundApproved, RefundReceived, RefundRejected, RefundReviewNeeded
from offramp_schemas.refund_request import RefundChased, RefundDecided, RefundRequested
from services.refunds.requesting import refund_id
from services.runtime.decision import Ignored, NotSeenYet, Refused
from tests.refunds.desk import DAY, HOUR, MONDAY, SUB, Desk, kinds, paid, requested, started


def test_within_the_limit_it_is_received_approved_and_sent_at_once() -> None:
    desk = Desk.with_a_payment()
    assert kinds(desk.hear(requested())) == ["RefundReceived", "RefundApproved"]
    received, approved = desk.told
    assert (received.basis, received.person_decides, received.decides_by) == ("withdrawal", False, MONDAY)
    assert (approved.approved_by, approved.full_payment, approved.amount_minor) == ("policy", True, 4900)
    assert desk.refund.refund_id == refund_id("pay_1", "CAN-1")
    assert [each.kind for each in desk.asked] == ["refund.create"]


def test_the_promise_is_two_business_days_and_the_legal_date_a_fortnight() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    assert desk.refund.promise_due_at == MONDAY + 2 * DAY == desk.refund.told_due_at
    assert desk.refund.legal_due_at == MONDAY + 14 * DAY
    assert desk.refund.deadline_at == MONDAY + HOUR


def test_part_of_a_payment_leaves_the_rest() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=900))
    assert desk.all_told(RefundApproved)[0].full_payment is False
    desk.hear(requested("CAN-2"))
    assert desk.refund.amount_minor == 4000
    assert desk.all_told(RefundApproved)[1].full_payment is True


def test_two_equal_parts_with_two_references_are_two_refunds() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=900))
    desk.hear(requested("CAN-2", amount_minor=900))
    assert desk.account is not None
    assert desk.account.reserved_minor("pay_1") == 1800


def test_one_reference_for_two_payments_is_two_refunds() -> None:
    desk = Desk.with_a_payment()
    desk.hear(paid("pay_2"))
    for payment_id in ("pay_1", "pay_2"):
        desk.hear(requested(payment_id=payment_id))
    assert desk.account is not None
    assert [each.payment_id for each in desk.account.refunds.values()] == ["pay_1", "pay_2"]


@pytest.mark.parametrize("payment_id", [None, "pay_1"])
def test_the_same_wish_twice_is_one_refund(payment_id: str | None) -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    before = desk.account
    desk.hear(paid("pay_2"))
    assert desk.hear(requested(payment_id=payment_id)) == []
    assert desk.account is not None
    assert before is not None
    assert desk.account.refunds == before.refunds


def test_lifecycle_is_answered_even_if_the_web_form_asked_before_it() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    (answer,) = desk.hear(requested(requested_by="lifecycle"))
    assert isinstance(answer, RefundReceived)
    assert (answer.request_ref, answer.repeat) == ("CAN-1", True)


def test_lifecycle_is_answered_again_about_a_rejection_too() -> None:
    desk = Desk.with_a_payment()
    desk.now += 31 * DAY
    desk.hear(requested(payment_id="pay_1"))
    (answer,) = desk.hear(requested(requested_by="lifecycle", payment_id="pay_1"))
    assert isinstance(answer, RefundRejected)
    assert (answer.rule, answer.repeat) == ("outside_refund_window", True)


def test_without_a_payment_named_it_is_the_latest_of_the_present_period() -> None:
    desk = Desk.with_a_payment()
    desk.now += 30 * DAY
    desk.hear(SubscriptionRenewed(current_period_start=desk.now, current_period_end=desk.now + 30 * DAY, price_minor=4900, currency="EUR"))
    desk.hear(requested())
    assert desk.account is not None
    assert desk.account.refunds == {}, "last month's payment is not meant"
    desk.hear(paid("pay_2"))
    assert desk.refund.payment_id == "pay_2"


def test_a_payment_whose_period_is_over_is_not_meant() -> None:
    desk = Desk()
    desk.hear(started())
    desk.hear(paid(period_end=MONDAY + DAY))
    desk.now += 2 * DAY
    assert desk.hear(requested()) == []
    assert desk.account is not None
    assert desk.account.refunds == {}


def test_what_is_not_known_yet_is_waited_for_by_name() -> None:
    desk = Desk()
    desk.hear(requested())
    assert desk.outcome == NotSeenYet("subscription")
    desk.hear(started())
    desk.hear(requested(payment_id="pay_9"))
    assert desk.outcome == NotSeenYet("payment:pay_9")
    assert {"subscription"} == desk.rules.supplies(started())
    assert {"payment:pay_9", "charge:pi_9"} == desk.rules.supplies(paid("pay_9", provider_payment_id="pi_9"))


def test_a_question_about_a_refund_not_known_yet_waits_for_its_request() -> None:
    desk = Desk.with_a_payment()
    desk.hear(RefundChased(request_ref="CAN-1"))
    assert desk.outcome == NotSeenYet("refund:CAN-1")
    assert "refund:CAN-1" in desk.rules.supplies(requested())
    named = requested(payment_id="pay_1")
    desk.hear(RefundDecided(refund_id=refund_id("pay_1", "CAN-1"), decision="approve", decided_by="ada"))
    assert desk.outcome == NotSeenYet(f"refund:{refund_id('pay_1', 'CAN-1')}")
    assert f"refund:{refund_id('pay_1', 'CAN-1')}" in desk.rules.supplies(named)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (requested(currency="USD"), "wrong_currency"),
        (requested(cause="goodwill"), "not_allowed"),
        (requested(cause="goodwill", requested_by="support"), "not_allowed"),
        (requested(cause="charged_in_error"), "not_allowed"),
    ],
)
def test_a_mistake_of_the_publisher_is_refused(request_: RefundRequested, reason: str) -> None:
    desk = Desk.with_a_payment()
    desk.hear(request_)
    assert isinstance(desk.outcome, Refused)
    assert desk.outcome.reason == reason


def test_more_than_is_left_is_rejected_and_so_is_nothing() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=4901))
    desk.hear(requested("CAN-2"))
    desk.hear(requested("CAN-3"))
    assert [each.rule for each in desk.all_told(RefundRejected)] == ["exceeds_payment", "nothing_left_to_refund"]
    assert desk.account is not None
    assert [each.state for each in desk.account.refunds.values()] == ["rejected", "submitting", "rejected"]


def test_a_rejection_quotes_the_rule_and_its_dates() -> None:
    desk = Desk.with_a_payment()
    desk.now += 30 * DAY + HOUR
    (fact,) = desk.hear(requested(payment_id="pay_1"))
    assert isinstance(fact, RefundRejected)
    assert (fact.rule, fact.window_days) == ("outside_refund_window", 30)
    assert (fact.window_started_at, fact.window_ended_at, fact.as_of) == (MONDAY, MONDAY + 30 * DAY, desk.now)
    assert (fact.owner, fact.deadline_at, desk.next_timer()) == (None, None, None)


@pytest.mark.parametrize(
    ("after", "country", "consumer", "basis"),
    [
        (14 * DAY, "DE", True, "withdrawal"),
        (14 * DAY + HOUR, "DE", True, "guarantee"),
        (DAY, "DE", False, "guarantee"),
        (DAY, "US", True, "guarantee"),
        (30 * DAY, "US", True, "guarantee"),
        (30 * DAY + HOUR, "US", True, None),
    ],
)
def test_the_right_depends_on_who_asks_and_when(after: timedelta, country: str, consumer: bool, basis: str | None) -> None:
    desk = Desk.with_a_payment(country=country, consumer=consumer)
    desk.now += after
    desk.hear(requested(payment_id="pay_1"))
    assert desk.refund.basis == basis


def test_in_time_is_judged_by_when_it_was_asked_not_by_when_it_is_decided() -> None:
    desk = Desk.with_a_payment()
    desk.now += 40 * DAY
    desk.hear(requested(payment_id="pay_1"), at=MONDAY + 14 * DAY)
    assert desk.refund.basis == "withdrawal"
    assert desk.refund.legal_due_at == MONDAY + 28 * DAY


def test_a_renewal_does_not_open_the_windows_again() -> None:
    desk = Desk.with_a_payment()
    desk.now += 40 * DAY
    desk.hear(paid("pay_2"))
    desk.hear(requested(payment_id="pay_2"))
    assert [each.rule for each in desk.all_told(RefundRejected)] == ["outside_refund_window"]


@pytest.mark.parametrize(("cause", "by"), [("goodwill", "ops"), ("charged_in_error", "lifecycle")])
def test_goodwill_and_our_own_errors_know_no_window(cause: str, by: str) -> None:
    desk = Desk.with_a_payment()
    desk.now += 400 * DAY
    desk.hear(requested(payment_id="pay_1", cause=cause, requested_by=by))
    assert (desk.refund.basis, desk.refund.state) == (cause, "submitting")


@pytest.mark.parametrize(("amount_minor", "currency"), [(20_001, "EUR"), (1, "SEK")])
def test_above_the_limit_or_without_one_a_person_decides(amount_minor: int, currency: str) -> None:
    desk = Desk()
    desk.hear(started())
    desk.hear(paid(amount_minor=amount_minor, currency=currency))
    assert kinds(desk.hear(requested())) == ["RefundReceived", "RefundReviewNeeded"]
    assert (desk.refund.state, desk.refund.owner, desk.refund.deadline_at) == ("pending_review", "support", MONDAY + DAY)
    assert desk.all_told(RefundReceived)[0].decides_by == MONDAY + DAY
    assert desk.all_told(RefundReviewNeeded)[0].deadline_at == MONDAY + DAY
    assert desk.asked == []


def test_the_limit_can_not_be_passed_in_small_steps() -> None:
    desk = Desk.with_a_payment(amount_minor=50_000)
    desk.hear(requested("CAN-1", amount_minor=20_000))
    desk.hear(requested("CAN-2", amount_minor=1))
    assert desk.account is not None
    assert [each.state for each in desk.account.refunds.values()] == ["submitting", "pending_review"]


def waiting_for_a_person(*, consumer: bool = False) -> Desk:
    desk = Desk.with_a_payment(amount_minor=50_000, consumer=consumer)
    desk.hear(requested())
    desk.now += HOUR
    return desk


def test_a_person_approves_and_it_is_sent() -> None:
    desk = waiting_for_a_person()
    (approved,) = desk.hear(RefundDecided(request_ref="CAN-1", decision="approve", decided_by="grace"))
    assert isinstance(approved, RefundApproved)
    assert (approved.approved_by, approved.full_payment, desk.refund.state) == ("grace", True, "submitting")


def test_a_person_rejects_and_the_money_can_be_asked_for_again() -> None:
    desk = waiting_for_a_person()
    (rejected,) = desk.hear(RefundDecided(refund_id=desk.refund.refund_id, decision="reject", decided_by="grace", note="used it all month"))
    assert isinstance(rejected, RefundRejected)
    assert (rejected.rule, rejected.decided_by, rejected.note) == ("decided_by_person", "grace", "used it all month")
    assert desk.account is not None
    assert desk.account.available_minor("pay_1") == 50_000


def test_nobody_can_reject_a_withdrawal() -> None:
    desk = waiting_for_a_person(consumer=True)
    desk.hear(RefundDecided(request_ref="CAN-1", decision="reject", decided_by="grace"))
    assert isinstance(desk.outcome, Refused)
    assert (desk.outcome.reason, desk.refund.state) == ("not_allowed", "pending_review")


def test_what_is_decided_can_not_be_decided_again() -> None:
    desk = waiting_for_a_person()
    desk.hear(RefundDecided(request_ref="CAN-1", decision="approve", decided_by="grace"))
    desk.hear(RefundDecided(request_ref="CAN-1", decision="reject", decided_by="grace"))
    assert isinstance(desk.outcome, Refused)
    assert (desk.outcome.reason, desk.refund.state) == ("wrong_state", "submitting")


def test_older_pictures_of_the_customer_and_known_payments_are_ignored() -> None:
    desk = Desk.with_a_payment()
    desk.hear(started(country="FR"), at=MONDAY - HOUR)
    assert desk.outcome == Ignored("older_than_known")
    desk.hear(paid(amount_minor=1))
    assert desk.outcome == Ignored("payment_known")
    desk.hear(SubscriptionChanged.model_validate(started(country="US").model_dump()))
    assert desk.account is not None
    assert (desk.account.customer.country, desk.account.payments["pay_1"].captured_minor) == ("US", 4900)


def test_what_refunds_has_no_use_for_is_heard_by_nobody() -> None:
    failed = PaymentFailed(payment_id="p", invoice_id="i", amount_minor=1, currency="EUR", decline_code="x", kind="soft")
    rules = Desk().rules
    assert rules.route(failed, SUB) == ()
    assert rules.route(requested(), SUB) == (SUB,)
