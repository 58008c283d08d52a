"""What persons decide: one above the limit, two different ones above the second limit, and whoever looks at an appeal."""

from datetime import timedelta

import pytest

from offramp_schemas.account import SubscriptionChanged
from offramp_schemas.refund_events import (
    RefundAppealReceived,
    RefundAppealRejected,
    RefundApproved,
    RefundRejected,
    RefundReviewNeeded,
    RefundStalled,
)
from offramp_schemas.refund_request import RefundAppealed, RefundChased, RefundDecided, RefundRequested
from services.refunds.states import PendingReview, Rejected, decode, encode
from services.runtime.decision import NotSeenYet, Refused
from tests.refunds.desk import DAY, HOUR, MONDAY, SUB, Desk, kinds, paid, requested, started

APPEALED = RefundAppealed(request_ref="CAN-1", comment="I was in hospital")


def decides(decision: str, by: str = "grace") -> RefundDecided:
    return RefundDecided.model_validate({"request_ref": "CAN-1", "decision": decision, "decided_by": by})


def large(amount_minor: int = 100_001, *, consumer: bool = False) -> Desk:
    """A refund above the second limit waits for persons."""
    desk = Desk.with_a_payment(amount_minor=amount_minor, consumer=consumer)
    desk.hear(requested())
    return desk


@pytest.mark.parametrize(
    ("amount_minor", "currency", "persons"),
    [(20_000, "EUR", 0), (20_001, "EUR", 1), (100_000, "EUR", 1), (100_001, "EUR", 2), (1, "SEK", 2)],
)
def test_the_amount_decides_how_many_persons_have_to_agree(amount_minor: int, currency: str, persons: int) -> None:
    desk = Desk()
    desk.hear(started())
    desk.hear(paid(amount_minor=amount_minor, currency=currency))
    desk.hear(requested())
    assert [each.approvals_needed for each in desk.all_told(RefundReviewNeeded)] == [persons] * bool(persons)


def test_the_second_limit_can_not_be_passed_in_small_steps_either() -> None:
    desk = Desk.with_a_payment(amount_minor=200_000)
    for part, amount_minor in enumerate((90_000, 10_001)):
        desk.hear(requested(f"CAN-{part}", amount_minor=amount_minor))
    assert [each.approvals_needed for each in desk.all_told(RefundReviewNeeded)] == [1, 2]


def test_above_the_second_limit_two_different_persons_approve() -> None:
    desk = large()
    desk.now += HOUR
    (asked,) = desk.hear(decides("approve", "grace"))
    assert isinstance(asked, RefundReviewNeeded)
    assert (asked.approvals_needed, asked.approved_by, asked.deadline_at) == (2, ("grace",), MONDAY + DAY)
    assert (desk.refund.state, desk.asked) == ("pending_review", [])
    (approved,) = desk.hear(decides("approve", "alan"))
    assert isinstance(approved, RefundApproved)
    assert (approved.approved_by, approved.also_approved_by, desk.refund.state) == ("grace", "alan", "submitting")


def test_the_second_person_is_told_what_the_customer_says_like_the_first() -> None:
    desk = Desk.with_a_payment(amount_minor=100_001)
    desk.hear(requested(comment="it never worked"))
    (again,) = desk.hear(decides("approve", "grace"))
    assert [each.comment for each in desk.all_told(RefundReviewNeeded)] == ["it never worked", "it never worked"]
    assert again.approved_by == ("grace",)
    desk.hear(decides("approve", "alan"))
    assert desk.account is not None
    assert b"it never worked" not in encode(desk.account), "decided, nobody needs it any longer"


@pytest.mark.parametrize("again", ["grace", "Grace"])
def test_the_same_person_can_not_approve_twice_and_is_told_why(again: str) -> None:
    desk = large()
    desk.hear(decides("approve", "grace"))
    desk.hear(decides("approve", again))
    assert desk.outcome == Refused("not_allowed", "this person approved it already: so large a refund takes two different persons")
    assert (desk.refund.state, desk.asked) == ("pending_review", [])


def test_one_of_two_persons_can_reject_it() -> None:
    desk = large()
    desk.hear(decides("approve", "grace"))
    (rejected,) = desk.hear(decides("reject", "alan"))
    assert isinstance(rejected, RefundRejected)
    assert (rejected.decided_by, desk.refund.state) == ("alan", "rejected")


def test_a_first_approval_does_not_silence_the_alarm_about_the_second() -> None:
    desk = large()
    desk.hear(decides("approve", "grace"))
    desk.wait(DAY + HOUR)
    assert [(each.level, each.cause) for each in desk.all_told(RefundStalled)] == [(1, "undecided")]


def test_a_refund_that_waited_before_there_was_a_second_limit_waits_for_one_person() -> None:
    desk = large()
    assert desk.account is not None
    before = (
        encode(desk.account)
        .replace(b'"approvals_needed":2,"approved_by":[],"comment":null', b"")
        .replace(b'"pending_review",}', b'"pending_review"}')
    )
    assert b"approvals_needed" not in before
    desk.account = decode(before)
    assert kinds(desk.hear(decides("approve"))) == ["RefundApproved"]


def too_late() -> Desk:
    """A refund that was asked for a day after the guarantee."""
    desk = Desk.with_a_payment()
    desk.now += 31 * DAY
    desk.hear(requested(payment_id="pay_1"))
    return desk


def test_a_rejection_says_by_when_it_can_be_appealed() -> None:
    desk = too_late()
    (rejected,) = desk.all_told(RefundRejected)
    assert (rejected.appeal_by, rejected.after_appeal) == (desk.now + 30 * DAY, False)


def test_sums_can_not_be_appealed() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=4901))
    assert [each.appeal_by for each in desk.all_told(RefundRejected)] == [None]


def test_after_an_appeal_a_person_answers_within_a_business_day() -> None:
    desk = too_late()
    desk.now += 5 * DAY
    appealed_at = desk.now
    received, asked = desk.hear(APPEALED)
    assert isinstance(received, RefundAppealReceived)
    assert isinstance(asked, RefundReviewNeeded)
    assert (received.decides_by, received.comment) == (appealed_at + DAY, "I was in hospital")
    assert (asked.appeal, asked.basis, asked.approvals_needed, asked.comment) == (True, "goodwill", 1, "I was in hospital")
    assert (desk.refund.state, desk.refund.owner, desk.refund.deadline_at) == ("pending_review", "support", appealed_at + DAY)
    desk.wait(DAY + HOUR)
    assert [(each.level, each.cause) for each in desk.all_told(RefundStalled)] == [(1, "undecided")]


def test_an_appeal_has_a_promise_of_its_own_and_its_money_is_reserved() -> None:
    desk = too_late()
    desk.hear(APPEALED)
    assert desk.refund.promise_due_at == desk.refund.told_due_at == desk.policy.calendar.after(desk.now, 2)
    assert desk.account is not None
    assert desk.account.available_minor("pay_1") == 0


def test_an_appeal_that_is_granted_is_paid_as_goodwill() -> None:
    desk = too_late()
    desk.hear(APPEALED)
    (approved,) = desk.hear(decides("approve"))
    assert (approved.basis, approved.full_payment, desk.refund.state) == ("goodwill", True, "submitting")


def test_an_appeal_that_is_rejected_can_not_be_appealed_again() -> None:
    desk = too_late()
    desk.hear(APPEALED)
    (rejected,) = desk.hear(decides("reject"))
    assert (rejected.rule, rejected.after_appeal, rejected.appeal_by) == ("decided_by_person", True, None)
    (answer,) = desk.hear(APPEALED)
    assert isinstance(answer, RefundAppealRejected)
    assert (answer.rule, desk.refund.state) == ("appealed_before", "rejected")


@pytest.mark.parametrize(("after", "heard"), [(30 * DAY, True), (30 * DAY + timedelta(seconds=1), False)])
def test_an_appeal_is_in_time_by_when_it_was_made(after: timedelta, heard: bool) -> None:
    desk = too_late()
    rejected_at = desk.now
    desk.now += 90 * DAY
    told = desk.hear(APPEALED, at=rejected_at + after)
    assert (desk.refund.state == "pending_review") == heard
    if not heard:
        assert [(each.rule, each.appeal_by) for each in told] == [("too_late", rejected_at + 30 * DAY)]


def test_what_a_person_rejected_can_be_appealed_and_keeps_its_right() -> None:
    desk = large(50_000)
    desk.hear(decides("reject"))
    desk.hear(APPEALED)
    assert (desk.refund.state, desk.refund.basis) == ("pending_review", "guarantee")


def test_a_large_appeal_takes_two_persons() -> None:
    desk = large()
    desk.hear(decides("reject"))
    desk.hear(APPEALED)
    assert kinds(desk.hear(decides("approve", "grace"))) == ["RefundReviewNeeded"]
    assert kinds(desk.hear(decides("approve", "alan"))) == ["RefundApproved"]


def test_a_fact_that_came_late_makes_an_appeal_a_withdrawal_which_nobody_can_reject() -> None:
    desk = large(50_000)
    desk.hear(decides("reject"))
    desk.hear(SubscriptionChanged.model_validate(started(consumer=True).model_dump()))
    desk.hear(APPEALED)
    assert (desk.refund.basis, desk.refund.legal_due_at) == ("withdrawal", MONDAY + 14 * DAY)
    desk.hear(decides("reject"))
    assert isinstance(desk.outcome, Refused)
    assert (desk.outcome.reason, desk.refund.state) == ("not_allowed", "pending_review")


def test_an_appeal_for_what_was_given_back_meanwhile_is_rejected() -> None:
    desk = too_late()
    desk.hear(RefundRequested(request_ref="OPS-1", payment_id="pay_1", requested_by="ops", cause="goodwill"))
    (answer,) = desk.hear(APPEALED)
    assert isinstance(answer, RefundAppealRejected)
    assert (answer.rule, answer.request_ref) == ("nothing_left_to_refund", "CAN-1")


def test_an_appeal_twice_is_one_and_is_answered_with_where_it_stands() -> None:
    desk = too_late()
    desk.hear(APPEALED)
    before = desk.account
    assert kinds(desk.hear(APPEALED)) == ["RefundStatusReported"]
    assert desk.account == before


def test_an_appeal_that_names_no_refund_means_the_one_that_was_rejected() -> None:
    desk = too_late()
    desk.hear(RefundRequested(request_ref="OPS-1", payment_id="pay_1", requested_by="ops", cause="goodwill", amount_minor=100))
    (answer,) = desk.hear(RefundAppealed())
    assert isinstance(answer, RefundAppealRejected), "of its 49.00 EUR 1.00 is gone"
    assert answer.request_ref == "CAN-1"
    assert kinds(desk.hear(RefundChased(request_ref="OPS-1"))) == ["RefundStatusReported"]


def test_an_appeal_that_comes_before_its_request_waits_for_it() -> None:
    desk = Desk.with_a_payment()
    desk.hear(APPEALED)
    assert desk.outcome == NotSeenYet("refund:CAN-1")
    assert desk.rules.route(APPEALED, SUB) == (SUB,)


def test_a_rejection_from_before_there_were_appeals_can_be_appealed() -> None:
    desk = too_late()
    refund = desk.refund
    assert isinstance(refund.stage, Rejected)
    assert desk.account is not None
    desk.account = decode(
        encode(desk.account).replace(f'"appeal_by":"{refund.stage.appeal_by:%Y-%m-%dT%H:%M:%SZ}"'.encode(), b'"appeal_by":null')
    )
    desk.now += 300 * DAY
    desk.hear(APPEALED)
    assert isinstance(desk.refund.stage, PendingReview)
