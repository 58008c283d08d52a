"""From approval to the provider's id, whatever happens on the way."""

from datetime import timedelta

from offramp_schemas.refund_events import RefundFailed, RefundIssued
from tests.refunds.desk import DAY, HOUR, Desk, kinds, requested


def submitting() -> Desk:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    return desk


def until_asked(desk: Desk) -> None:
    """Until a question is out."""
    while desk.refund.attempts[-1].waiting_for is None:
        desk.fire()


def test_the_key_and_the_attempt_are_there_before_the_provider_is_called() -> None:
    desk = submitting()
    call = desk.asked[-1]
    assert call.kind == "refund.create"
    assert call.key == f"refund:{desk.refund.refund_id}:1" == desk.refund.attempts[0].key
    assert call.request["amount_minor"] == 4900
    assert call.request["metadata"]["refund_id"] == desk.refund.refund_id
    assert desk.refund.state == "submitting"


def test_a_pending_refund_is_issued_and_asked_about_until_it_arrives() -> None:
    desk = submitting()
    assert kinds(desk.answer(id="re_1", status="pending")) == ["RefundIssued"]
    assert desk.refund.state == "pending"
    desk.fire()
    assert (desk.asked[-1].kind, desk.asked[-1].request) == ("refund.read", {"provider_refund_id": "re_1"})
    assert desk.answer(id="re_1", status="pending") == []
    desk.fire()
    assert kinds(desk.answer(id="re_1", status="succeeded", arn="74537")) == ["RefundArrived"]
    assert desk.refund.state == "succeeded"


def test_a_refund_that_succeeds_at_once_is_issued_and_arrived_in_one_decision() -> None:
    assert kinds(submitting().answer(id="re_1", status="succeeded")) == ["RefundIssued", "RefundArrived"]


def test_a_timeout_is_unknown_and_the_provider_is_asked_before_anything_else() -> None:
    desk = submitting()
    desk.no_answer()
    assert desk.refund.state == "unknown"
    desk.fire()
    assert desk.asked[-1].kind == "refund.find"
    assert kinds(desk.answer(id="re_1", status="succeeded")) == ["RefundIssued", "RefundArrived"]


def test_what_the_provider_does_not_know_is_sent_again_under_the_same_key() -> None:
    desk = submitting()
    desk.no_answer()
    desk.fire()
    desk.answer(error="not_found")
    again = desk.asked[-1]
    assert again.kind == "refund.create"
    assert again.key != desk.asked[0].key
    assert again.request == desk.asked[0].request
    assert len(desk.refund.attempts) == 1


def test_after_a_day_the_old_key_is_never_sent_again_and_two_looks_a_day_apart_fail_the_attempt() -> None:
    desk = submitting()
    desk.no_answer()
    desk.wait(DAY + HOUR, trouble="unreachable")
    sent = len([each for each in desk.asked if each.kind == "refund.create"])
    until_asked(desk)
    first_look = desk.now
    desk.answer(error="not_found")
    assert desk.refund.state == "unknown"
    until_asked(desk)
    assert desk.now - first_look == DAY
    desk.answer(error="not_found")
    assert desk.refund.attempts[0].failed_at == desk.now
    assert desk.refund.state == "approved"
    assert len([each for each in desk.asked if each.kind == "refund.create"]) == sent == 1
    while len(desk.refund.attempts) == 1:
        desk.fire()
    assert desk.asked[-1].request["idempotency_key"].endswith(":2")


def test_the_questions_about_an_unknown_refund_never_stop() -> None:
    desk = submitting()
    desk.no_answer()
    desk.wait(30 * DAY, trouble="unknown")
    late = [each for each in desk.asked if each.kind == "refund.find"]
    assert len({each.key for each in late}) == len(late) >= 30 * 24
    assert desk.refund.state == "unknown"


def test_three_definite_failures_with_pauses_between_end_with_a_person() -> None:
    desk = submitting()
    desk.answer(error="card_not_supported")
    desk.fire()
    assert desk.now - desk.refund.attempts[0].sent_at == timedelta(minutes=10)
    desk.answer(error="card_not_supported")
    desk.fire()
    assert kinds(desk.answer(error="card_not_supported")) == ["RefundFailed", "RefundStalled"]
    assert desk.refund.state == "needs_attention"
    assert [each.number for each in desk.refund.attempts] == [1, 2, 3]
    assert desk.all_told(RefundFailed)[0].attempts == 3


def test_a_lack_of_money_is_for_finance() -> None:
    desk = submitting()
    desk.answer(error="insufficient_funds")
    while desk.refund.state != "needs_attention":
        desk.fire()
        desk.answer(error="insufficient_funds")
    assert desk.refund.owner == "finance"


def test_a_disputed_charge_is_over_the_dispute_takes_over() -> None:
    desk = submitting()
    desk.answer(error="charge_disputed")
    assert desk.refund.state == "superseded"
    assert desk.next_timer() is None


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    desk = submitting()
    desk.answer(id="re_1", status="pending")
    before = desk.account
    desk.answer(id="re_1", status="failed")
    assert desk.account == before
    assert len(desk.all_told(RefundIssued)) == 1
