"""What the provider says, from its first word to the end of the watch, and what people do when it is of no help."""

from datetime import timedelta
from typing import Any

import pytest

from offramp_schemas.refund_events import (
    RefundActionNeeded,
    RefundClosed,
    RefundFailed,
    RefundIssued,
    RefundReversed,
    RefundSettled,
    RefundStalled,
    RefundSuperseded,
)
from offramp_schemas.refund_request import RefundRetried, RefundSettledManually
from services.runtime.decision import Refused
from tests.refunds.desk import DAY, HOUR, Desk, kinds, requested

SETTLED = RefundSettledManually(decided_by="ops_1", settlement_ref="SEPA-7")
RETRIED = RefundRetried(decided_by="ops_1")


def after(**answer: Any) -> Desk:
    """A refund to whose creation the provider answered this."""
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.answer(id="re_1", **answer)
    return desk


def ask(desk: Desk, **answer: Any) -> list[Any]:
    """The next question, and its answer."""
    while desk.refund.attempt is not None and desk.refund.attempt.waiting_for is None:
        desk.fire()
    return desk.answer(**{"id": "re_1"} | answer)


def test_issued_names_the_providers_id_and_when_it_arrives() -> None:
    desk = after(status="pending", arn="7453")
    (issued,) = desk.all_told(RefundIssued)
    assert (issued.provider_refund_id, issued.arn, issued.arrives_by) == ("re_1", "7453", desk.now + 7 * DAY)  # five working days
    assert desk.refund.deadline_at == desk.refund.told_due_at == issued.arrives_by


def test_issued_is_said_once_however_often_pending_is_heard() -> None:
    desk = after(status="pending")
    for status in ("pending", "requires_action", "pending", "succeeded", "pending", "succeeded"):
        ask(desk, status=status)
    assert len(desk.all_told(RefundIssued)) == 1


def test_a_watched_refund_is_closed_when_thirty_days_brought_no_failure() -> None:
    desk = after(status="succeeded")
    begun, asked = desk.now, 0
    while not desk.refund.over:
        ask(desk, status="succeeded")
        asked += 1
    assert (desk.now - begun, asked) == (30 * DAY, 5)
    assert len(desk.all_told(RefundClosed)) == 1
    assert desk.next_timer() is None


def test_the_watch_does_not_end_while_the_provider_is_silent() -> None:
    desk = after(status="succeeded")
    desk.wait(40 * DAY, trouble="unreachable")
    assert desk.refund.state == "succeeded"
    assert desk.all_told(RefundStalled)[-1].cause == "provider_silent"
    ask(desk, status="succeeded")
    assert desk.refund.state == "closed"


def test_a_late_failure_reverses_it_and_a_person_takes_over() -> None:
    desk = after(status="succeeded")
    (reversed_,) = ask(desk, status="failed", failure_reason="lost_or_stolen_card")
    assert isinstance(reversed_, RefundReversed)
    assert (desk.refund.state, reversed_.reason, desk.refund.attempt) == ("reversed", "lost_or_stolen_card", None)
    assert kinds(desk.fire()) == ["RefundStalled"]
    assert (desk.refund.state, desk.refund.owner) == ("needs_attention", "ops")


def test_the_customer_is_asked_to_act_once_until_the_expiry() -> None:
    expires_at = Desk().now + 10 * DAY
    desk = after(status="requires_action", expires_at=expires_at.isoformat(), action_url="https://example.com/iban")
    ask(desk, status="requires_action", expires_at=expires_at.isoformat())
    (needed,) = desk.all_told(RefundActionNeeded)
    assert (needed.expires_at, needed.action_url, needed.owner, needed.deadline_at) == (
        expires_at, "https://example.com/iban", "customer", expires_at,
    )  # fmt: skip
    assert desk.all_told(RefundIssued) == []
    assert kinds(ask(desk, status="pending")) == ["RefundIssued"]


def test_an_action_that_never_came_is_for_ops_and_the_provider_is_still_asked() -> None:
    desk, told = after(status="requires_action"), []
    while desk.refund.state == "requires_action":
        told = desk.fire()
        if desk.refund.attempts[0].waiting_for:
            desk.answer(id="re_1", status="requires_action")
    (stalled,) = told
    assert isinstance(stalled, RefundStalled)
    assert (stalled.cause, stalled.level, desk.refund.state) == ("customer_action", 1, "needs_attention")
    ask(desk, status="requires_action")
    assert kinds(ask(desk, status="succeeded")) == ["RefundIssued", "RefundArrived"]


def test_an_unknown_status_is_kept_as_it_is_and_for_ops_but_the_customer_is_not_told_it_failed() -> None:
    desk = after(status="under_investigation")
    assert desk.refund.attempts[0].raw_status == "under_investigation"
    assert desk.refund.state == "needs_attention"
    assert desk.all_told(RefundFailed) == []
    assert ask(desk, status="under_investigation") == []
    assert kinds(ask(desk, status="succeeded")) == ["RefundIssued", "RefundArrived"]


def test_a_canceled_refund_is_not_tried_again_by_itself() -> None:
    desk = after(status="canceled")
    assert (desk.refund.state, desk.all_told(RefundFailed)[0].reason) == ("needs_attention", "canceled")


def test_a_pending_refund_that_fails_is_tried_again_under_a_new_key() -> None:
    desk = after(status="pending")
    assert ask(desk, status="failed", failure_reason="declined") == []
    assert (desk.refund.state, desk.refund.deadline_at) == ("approved", desk.now + HOUR)
    desk.fire()
    assert desk.asked[-1].request["idempotency_key"].endswith(":2")


def test_a_dispute_takes_over_even_later() -> None:
    desk = after(status="pending")
    ask(desk, status="failed", failure_reason="charge_for_pending_refund_disputed")
    assert desk.refund.state == "superseded"


@pytest.mark.parametrize("status", ["pending", "succeeded"])
def test_a_disputed_charge_is_told_as_such_and_not_as_a_failure(status: str) -> None:
    desk = after(status=status)
    (told,) = ask(desk, status="failed", failure_reason="charge_for_pending_refund_disputed")
    assert isinstance(told, RefundSuperseded)
    assert (told.reason, desk.refund.state, desk.next_timer()) == ("charge_for_pending_refund_disputed", "superseded", None)
    assert desk.account is not None
    assert desk.account.available_minor("pay_1") == 0, "the dispute takes the money"


def test_ops_retry_what_failed_with_three_more_attempts() -> None:
    desk = after(status="canceled")
    desk.now += HOUR
    desk.hear(RETRIED)
    assert (desk.refund.state, desk.refund.attempts[-1].number, desk.refund.escalation.level) == ("submitting", 2, 0)
    for _ in range(2):
        desk.answer(error="card_not_supported")
        desk.fire()
    desk.answer(error="card_not_supported")
    assert (desk.refund.state, len(desk.refund.attempts)) == ("needs_attention", 4)


@pytest.mark.parametrize("status", ["requires_action", "under_investigation"])
def test_nothing_is_retried_while_an_attempt_may_still_be_paid(status: str) -> None:
    desk = after(status=status)
    desk.wait(8 * DAY, trouble="unknown")
    desk.hear(RETRIED)
    assert isinstance(desk.outcome, Refused)
    assert (desk.outcome.reason, len(desk.refund.attempts), desk.refund.state) == ("wrong_state", 1, "needs_attention")


def test_ops_settle_it_another_way() -> None:
    desk = after(status="canceled")
    (settled,) = desk.hear(SETTLED)
    assert isinstance(settled, RefundSettled)
    assert (settled.settlement_ref, settled.method, desk.refund.state) == ("SEPA-7", "bank transfer", "settled_manually")
    assert desk.account is not None
    assert desk.account.available_minor("pay_1") == 0, "the customer has the money"


@pytest.mark.parametrize("status", ["pending", "succeeded"])
def test_what_is_on_its_way_is_neither_retried_nor_settled(status: str) -> None:
    desk = after(status=status)
    for event in (RETRIED, SETTLED):
        desk.hear(event)
        assert isinstance(desk.outcome, Refused)
        assert desk.outcome.reason == "wrong_state"


def test_the_waits_between_questions_grow_and_end_with_one_a_day() -> None:
    desk = after(status="pending")
    waits = []
    for _ in range(6):
        before = desk.now
        ask(desk, status="pending")
        waits.append(desk.now - before)
    assert waits == [timedelta(minutes=10), HOUR, 6 * HOUR, DAY, DAY, DAY]


def test_an_answer_that_comes_after_a_person_settled_it_changes_nothing() -> None:
    desk = after(status="under_investigation")
    while desk.refund.attempts[0].waiting_for is None:
        desk.fire()
    desk.hear(SETTLED)
    before = desk.account
    desk.answer(id="re_1", status="pending")
    assert desk.account == before
