"""Money is asked back before any payment is known."""

from datetime import timedelta
from typing import Any

import pytest

from offramp_schemas.account import PersonErased, SubscriptionRenewed
from offramp_schemas.refund_events import NothingToRefund, RefundReceived
from offramp_schemas.refund_request import RefundAppealed, RefundChased, RefundDecided
from services.refunds.states import decode, encode
from services.runtime.decision import Decision, Ignored, NotSeenYet, Refused
from tests.refunds.desk import DAY, MONDAY, Desk, kinds, paid, requested, started

MINUTES = timedelta(minutes=1)


def trial() -> Desk:
    """Nobody has paid yet."""
    desk = Desk()
    desk.hear(started(current_period_start=None, current_period_end=None, trial_ends_at=MONDAY + 14 * DAY))
    return desk


def asked(desk: Desk | None = None, **changes: Any) -> Desk:
    desk = desk or trial()
    assert desk.hear(requested(**{"requested_by": "lifecycle", "comment": "too dear"} | changes)) == []
    return desk


def told_so() -> Desk:
    desk = asked()
    desk.wait(5 * MINUTES)
    return desk


def test_who_never_paid_hears_within_minutes_that_there_is_nothing_to_pay_back() -> None:
    desk = asked()
    assert desk.wait(4 * MINUTES) == []
    (nothing,) = desk.wait(1 * MINUTES)
    assert isinstance(nothing, NothingToRefund)
    assert (nothing.request_ref, nothing.asked_at, nothing.as_of) == ("CAN-1", MONDAY, MONDAY + 5 * MINUTES)
    assert desk.next_timer() is None, "nobody is alarmed, and nothing is repeated"


def test_the_answer_waits_until_every_payment_that_was_said_is_read() -> None:
    desk = asked()
    assert desk.account is not None
    assert [each.takes_away for each in desk.rules.timers(desk.account)] == [True]


def test_a_payment_that_crosses_the_wish_is_refunded_as_if_it_had_come_first() -> None:
    crossed, in_order = asked(), trial()
    answered = crossed.hear(paid())
    in_order.hear(paid())
    assert answered == in_order.hear(requested(requested_by="lifecycle", comment="too dear"))
    assert crossed.account == in_order.account
    assert crossed.wait(DAY) == in_order.wait(DAY), "it is not answered a second time"


def test_a_payment_of_before_the_answer_that_is_heard_of_later_takes_the_wish_up_again() -> None:
    desk = told_so()
    desk.now += 3 * DAY
    received, approved = desk.hear(paid(), at=MONDAY - DAY)
    assert isinstance(received, RefundReceived)
    assert (received.request_ref, received.basis, approved.amount_minor) == ("CAN-1", "withdrawal", 4900)
    assert desk.refund.informed_at == MONDAY, "the law's date counts from when it was asked"
    assert desk.refund.legal_due_at == MONDAY + 14 * DAY
    assert desk.refund.promise_due_at == desk.policy.calendar.after(desk.now, 2), "the promise could not begin earlier"
    assert desk.account is not None
    assert desk.account.wishes == {}


def test_a_date_of_the_law_that_has_passed_is_told_to_nobody() -> None:
    desk = told_so()
    desk.now += 20 * DAY
    desk.hear(paid(), at=MONDAY - DAY)
    assert desk.refund.legal_due_at == MONDAY + 14 * DAY
    assert desk.refund.told_due_at == desk.refund.promise_due_at > desk.now


def test_what_is_paid_after_the_answer_is_another_matter() -> None:
    desk = told_so()
    desk.now += DAY
    assert desk.hear(paid()) == []
    assert desk.account is not None
    assert (desk.account.refunds, list(desk.account.wishes)) == ({}, ["CAN-1"])


def test_a_payment_of_before_the_answer_is_the_one_that_comes_back_whatever_was_paid_after_it() -> None:
    desk = told_so()
    desk.now += 3 * DAY
    desk.hear(paid("pay_after"))
    assert kinds(desk.hear(paid("pay_before"), at=MONDAY - DAY)) == ["RefundReceived", "RefundApproved"]
    assert desk.refund.payment_id == "pay_before"


def test_a_payment_of_another_period_does_not_take_it_up() -> None:
    desk = Desk.with_a_payment()
    desk.now += 30 * DAY
    desk.hear(SubscriptionRenewed(current_period_start=desk.now, current_period_end=desk.now + 30 * DAY, price_minor=4900, currency="EUR"))
    asked(desk)
    assert desk.hear(paid("pay_0"), at=MONDAY) == []
    assert kinds(desk.wait(5 * MINUTES)) == ["NothingToRefund"]


def test_two_wishes_for_one_payment_are_two_refunds_in_the_order_of_asking() -> None:
    desk = asked()
    asked(desk, request_ref="WEB-1")
    told = desk.hear(paid())
    assert [(type(each).__name__, each.request_ref) for each in told] == [
        ("RefundReceived", "CAN-1"),
        ("RefundApproved", "CAN-1"),
        ("RefundRejected", "WEB-1"),
    ]


def test_the_same_wish_twice_is_one_and_lifecycle_alone_is_answered_again() -> None:
    desk = asked(requested_by="customer")
    asked(desk)
    assert kinds(desk.wait(DAY)) == ["NothingToRefund"]
    assert desk.hear(requested()) == []
    (again,) = desk.hear(requested(requested_by="lifecycle"))
    assert (again.repeat, again.as_of) == (True, MONDAY + 5 * MINUTES)


def test_a_wish_that_names_the_payment_at_last_is_the_same_wish() -> None:
    desk = asked(currency="USD")
    assert desk.hear(paid()) == [], "that is no payment in dollars"
    assert kinds(desk.hear(requested(payment_id="pay_1"))) == ["RefundReceived", "RefundApproved"]
    assert desk.account is not None
    assert desk.account.wishes == {}


@pytest.mark.parametrize("question", [RefundChased(), RefundChased(request_ref="CAN-1"), RefundAppealed(request_ref="CAN-1")])
def test_who_asks_where_it_is_hears_it_once_more(question: RefundChased | RefundAppealed) -> None:
    desk = asked()
    assert desk.hear(question) == [], "the answer is on its way"
    assert isinstance(desk.outcome, Decision)
    desk.wait(5 * MINUTES)
    (again,) = desk.hear(question)
    assert (type(again), again.request_ref, again.repeat) == (NothingToRefund, "CAN-1", False)


def test_a_person_can_not_decide_what_is_no_refund() -> None:
    desk = asked()
    desk.hear(RefundDecided(request_ref="CAN-1", decision="approve", decided_by="grace"))
    assert desk.outcome == NotSeenYet("refund:CAN-1")


def test_a_mistake_is_refused_before_any_payment_is_known() -> None:
    desk = trial()
    desk.hear(requested(cause="goodwill"))
    assert isinstance(desk.outcome, Refused)


def test_who_asks_to_be_forgotten_leaves_no_words_and_still_gets_the_money() -> None:
    desk = told_so()
    desk.hear(PersonErased())
    assert desk.account is not None
    assert b"too dear" not in encode(desk.account)
    told = desk.hear(paid(), at=MONDAY - DAY)
    assert kinds(told) == ["RefundReceived", "RefundApproved"]
    assert all(each.contact.erased for each in told)


def test_an_account_of_the_version_before_has_no_wishes() -> None:
    desk = Desk.with_a_payment()
    assert desk.account is not None
    before = encode(desk.account).replace(b'"wishes":{},', b"")
    assert b"wishes" not in before
    assert decode(before) == desk.account


def test_a_payment_that_is_known_already_takes_nothing_up() -> None:
    desk = Desk.with_a_payment()
    desk.hear(paid())
    assert desk.outcome == Ignored("payment_known")
