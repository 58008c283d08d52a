"""Refunds at the provider that we did not make: recorded, counted, told once, and nobody forgets them."""

from typing import Any

import pytest

from offramp_schemas.refund_events import ForeignRefundClosed, ForeignRefundSeen, RefundAppealRejected, RefundRejected, RefundStalled
from offramp_schemas.refund_provider import ProviderRefundUpdated
from offramp_schemas.refund_request import (
    ForeignRefundExplained,
    RefundAppealed,
    RefundDecided,
    RefundRetried,
    RefundSettledManually,
)
from services.refunds.attempts import SURVEY
from services.runtime.decision import Ignored, Refused
from tests.refunds.desk import DAY, HOUR, MONDAY, Desk, kinds, requested

EXPLAINED = ForeignRefundExplained(provider_refund_id="re_theirs", decided_by="grace", note="support's")


def word(provider_refund_id: str = "re_theirs", **facts: Any) -> ProviderRefundUpdated:
    return ProviderRefundUpdated(
        **{"provider_refund_id": provider_refund_id, "provider_payment_id": "pay_1", "provider_event_id": "evt_1"} | facts
    )


def theirs(amount_minor: int = 1000, status: str = "succeeded", id: str = "re_theirs") -> dict[str, Any]:  # noqa: A002 -- the answer's own
    return {"id": id, "status": status, "amount_minor": amount_minor}


def shows(desk: Desk, *refunds: dict[str, Any]) -> list[Any]:
    """The provider answers the survey."""
    assert desk.asked[-1].kind == SURVEY
    return desk.answer(refunds=list(refunds))


def seen(amount_minor: int = 1000, desk: Desk | None = None) -> Desk:
    """Somebody gave part of the payment back, and the provider said so."""
    desk = desk or Desk.with_a_payment()
    desk.hear(word())
    shows(desk, theirs(amount_minor))
    return desk


def left(desk: Desk) -> int:
    assert desk.account is not None
    return desk.account.available_minor("pay_1")


def test_word_of_a_refund_that_is_not_ours_makes_us_look_and_believe_what_is_there() -> None:
    desk = Desk.with_a_payment()
    assert desk.hear(word()) == []
    assert (desk.asked[-1].kind, desk.asked[-1].request) == (SURVEY, {"payment": "pay_1"})
    (told,) = shows(desk, theirs(1000))
    assert isinstance(told, ForeignRefundSeen)
    assert (told.provider_refund_id, told.amount_minor, told.left_minor, told.provider_status) == ("re_theirs", 1000, 3900, "succeeded")
    assert (told.owner, told.act_by, told.reminder) == ("ops", MONDAY + DAY, 1)


def test_when_theirs_and_ours_are_more_than_was_paid_there_is_nothing_left_to_ask_for() -> None:
    desk = Desk.with_a_payment(amount_minor=30_000)
    desk.hear(requested("CAN-1"))  # a person decides about all of it
    seen(15_000, desk)
    assert left(desk) < 0
    (rejected,) = desk.hear(requested("CAN-2"))
    assert isinstance(rejected, RefundRejected)
    assert rejected.rule == "nothing_left_to_refund"


def test_it_counts_against_what_can_still_be_refunded() -> None:
    desk = seen(1000)
    desk.hear(requested("CAN-1", amount_minor=3901))
    assert [each.rule for each in desk.all_told(RefundRejected)] == ["exceeds_payment"]
    desk.hear(requested("CAN-2"))
    assert (desk.refund.amount_minor, desk.refund.state) == (3900, "submitting")


def test_it_counts_for_the_limits_too() -> None:
    desk = seen(20_000, Desk.with_a_payment(amount_minor=50_000))
    desk.hear(requested(amount_minor=1))
    assert desk.refund.state == "pending_review"


def test_it_is_told_once_however_often_it_is_seen() -> None:
    desk = seen()
    for _ in range(3):
        desk.hear(word())
        assert shows(desk, theirs()) == []
    assert len(desk.all_told(ForeignRefundSeen)) == 1


def test_nobody_explains_it_and_it_is_said_again_daily_and_looked_at_again() -> None:
    desk = seen()
    for _ in range(3):
        desk.fire()
        shows(desk, theirs())
    told = desk.all_told(ForeignRefundSeen)
    assert [each.reminder for each in told] == [1, 2, 3, 4]
    assert {each.act_by for each in told} == {MONDAY + DAY}, "a missed deadline does not move"
    assert desk.now == MONDAY + 3 * DAY


def test_explained_it_is_nobodys_case_and_still_counts() -> None:
    desk = seen()
    (closed,) = desk.hear(EXPLAINED)
    assert isinstance(closed, ForeignRefundClosed)
    assert (closed.cause, closed.decided_by, closed.note) == ("explained", "grace", "support's")
    assert (desk.next_timer(), left(desk)) == (None, 3900)
    desk.hear(EXPLAINED)
    assert isinstance(desk.outcome, Refused)


def test_what_nobody_saw_can_not_be_explained() -> None:
    desk = Desk.with_a_payment()
    desk.hear(EXPLAINED)
    assert isinstance(desk.outcome, Refused)
    assert desk.outcome.reason == "wrong_state"


@pytest.mark.parametrize("explained_before", [False, True])
def test_when_it_fails_it_counts_no_longer(explained_before: bool) -> None:
    desk = seen()
    if explained_before:
        desk.hear(EXPLAINED)
    desk.hear(word())
    (closed,) = shows(desk, theirs(status="failed"))
    assert isinstance(closed, ForeignRefundClosed)
    assert (closed.cause, left(desk), desk.next_timer()) == ("failed", 4900, None)


def test_what_failed_before_it_was_seen_is_nothing() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word())
    assert shows(desk, theirs(status="canceled")) == []
    assert left(desk) == 4900


def test_a_status_that_we_do_not_know_counts() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word())
    shows(desk, theirs(status="under_investigation"))
    assert left(desk) == 3900


def test_our_own_refunds_are_not_foreign_known_by_id_or_by_what_we_wrote_on_them() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested("CAN-1", amount_minor=1000))
    first = desk.refund.refund_id
    desk.answer(id="re_ours", status="succeeded")
    desk.hear(requested("CAN-2", amount_minor=1000))
    second = desk.asked[-1].request["metadata"]
    desk.no_answer()
    desk.hear(word())
    assert shows(desk, theirs(id="re_ours"), theirs(id="re_unheard_of") | {"metadata": second}) == []
    assert first != second["refund_id"]


def test_money_that_left_by_an_attempt_taken_for_failed_is_found() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=1000))
    written = desk.asked[-1].request["metadata"]
    desk.answer(error="card_not_supported")
    desk.fire()
    desk.answer(id="re_2", status="succeeded")
    desk.hear(word("re_1"))
    (told,) = shows(desk, theirs(id="re_1") | {"metadata": written}, theirs(id="re_2") | {"metadata": written | {"attempt": "2"}})
    assert (told.provider_refund_id, left(desk)) == ("re_1", 2900)


@pytest.mark.parametrize("code", ["charge_already_refunded", "amount_too_large"])
def test_a_provider_that_has_not_so_much_left_is_asked_by_whose_doing(code: str) -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.answer(error=code)
    assert kinds(shows(desk, theirs(4900))) == ["ForeignRefundSeen"]
    assert desk.all_told(ForeignRefundSeen)[0].left_minor == -4900
    desk.fire()
    assert (desk.refund.state, desk.all_told(RefundStalled)[0].cause) == ("needs_attention", "needs_attention")
    assert len(desk.refund.attempts) == 1, "it is not tried again"


def taken() -> Desk:
    """All of a payment was given back by somebody, and ours waits for ops."""
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.answer(error="charge_already_refunded")
    shows(desk, theirs(4900))
    desk.fire()
    return desk


def test_ops_can_not_retry_what_somebody_else_gave_back() -> None:
    desk = taken()
    desk.hear(RefundRetried(decided_by="grace"))
    assert isinstance(desk.outcome, Refused)
    assert (desk.refund.state, len(desk.refund.attempts)) == ("needs_attention", 1)


def test_ops_settle_ours_by_theirs_which_explains_it_and_is_counted_once() -> None:
    desk = taken()
    assert kinds(desk.hear(RefundSettledManually(decided_by="grace", settlement_ref="re_theirs"))) == [
        "RefundSettled",
        "ForeignRefundClosed",
    ]
    assert (desk.refund.state, left(desk), desk.next_timer()) == ("settled_manually", 0, None)


def test_a_person_can_not_approve_what_somebody_else_gave_back_and_settles_it_instead() -> None:
    desk = Desk.with_a_payment(amount_minor=50_000)
    desk.hear(requested())
    desk.hear(word())
    shows(desk, theirs(50_000))
    desk.hear(RefundDecided(request_ref="CAN-1", decision="approve", decided_by="grace"))
    assert isinstance(desk.outcome, Refused)
    assert "settle" in desk.outcome.message
    desk.hear(RefundSettledManually(decided_by="grace", settlement_ref="re_theirs"))
    assert desk.refund.state == "settled_manually"


def test_what_fits_beside_theirs_can_not_be_settled_before_a_person_decided() -> None:
    desk = Desk.with_a_payment(amount_minor=50_000)
    desk.hear(requested())
    desk.hear(RefundSettledManually(decided_by="grace", settlement_ref="SEPA-1"))
    assert isinstance(desk.outcome, Refused)
    assert desk.refund.state == "pending_review"


def test_a_settled_refund_that_the_provider_pays_after_all_is_money_of_nobodys() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=1000))
    desk.answer(id="re_1", status="under_investigation")
    desk.hear(RefundSettledManually(decided_by="grace", settlement_ref="SEPA-7"))
    desk.hear(word("re_1", refund_id=desk.refund.refund_id))
    (told,) = shows(desk, theirs(id="re_1"))
    assert (told.provider_refund_id, left(desk)) == ("re_1", 2900)


def test_an_appeal_for_what_somebody_gave_back_is_rejected() -> None:
    desk = Desk.with_a_payment()
    desk.now += 31 * DAY
    desk.hear(requested(payment_id="pay_1"))
    seen(1, desk)
    (answer,) = desk.hear(RefundAppealed(request_ref="CAN-1"))
    assert isinstance(answer, RefundAppealRejected)
    assert answer.rule == "nothing_left_to_refund"


def test_without_an_answer_the_provider_is_asked_again_for_ever() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word())
    for _ in range(30):
        desk.no_answer("unreachable")
        before = desk.now
        desk.fire()
        assert desk.now - before <= HOUR
    assert len({each.key for each in desk.asked}) == len(desk.asked) == 31
    assert kinds(shows(desk, theirs())) == ["ForeignRefundSeen"]


def test_a_provider_that_does_not_know_the_payment_is_not_asked_again() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word())
    desk.answer(error="resource_missing")
    assert desk.next_timer() is None


def test_word_while_we_look_makes_us_look_once_more() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word())
    for _ in range(3):
        desk.hear(word())
    assert len(desk.asked) == 1
    shows(desk)
    assert len(desk.asked) == 2
    shows(desk, theirs())
    assert (len(desk.asked), len(desk.all_told(ForeignRefundSeen))) == (2, 1)


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    desk = seen()
    shows(desk, theirs(id="re_other"))
    assert desk.outcome == Ignored("nobody_waits_for_it")


def test_an_id_of_theirs_may_have_colons() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word("acme:re:7"))
    shows(desk, theirs(id="acme:re:7"))
    assert kinds(desk.fire()) == ["ForeignRefundSeen"]
