"""The provider's own word: it makes us read the refund again, and nothing in it is believed."""

from datetime import timedelta
from typing import Any

from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_events import RefundArrived, RefundIssued, RefundReversed
from offramp_schemas.refund_provider import ProviderRefundUpdated
from offramp_schemas.refund_request import RefundSettledManually
from services.runtime.decision import Ignored, NotSeenYet
from tests.refunds.desk import DAY, MONDAY, SUB, Desk, kinds, paid, requested


def word(desk: Desk | None = None, **facts: Any) -> ProviderRefundUpdated:
    """As our own webhook intake tells it."""
    named = {"refund_id": desk.refund.refund_id} if desk else {}
    return ProviderRefundUpdated(**{"provider_refund_id": "re_1", "provider_event_id": "evt_1"} | named | facts)


def pending() -> Desk:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.answer(id="re_1", status="pending")
    return desk


def test_word_of_a_pending_refund_has_it_read_at_once_and_not_when_its_time_comes() -> None:
    desk = pending()
    assert desk.hear(word()) == []
    assert (desk.asked[-1].kind, desk.asked[-1].request) == ("refund.read", {"provider_refund_id": "re_1"})
    assert kinds(desk.answer(id="re_1", status="succeeded")) == ["RefundArrived"]


def test_word_and_polling_are_one_routine_twice_and_late_is_fine() -> None:
    desk = pending()
    for status in ("succeeded", "succeeded", "succeeded"):
        desk.hear(word())
        desk.answer(id="re_1", status=status)
    desk.fire()
    desk.answer(id="re_1", status="succeeded")
    assert (len(desk.all_told(RefundIssued)), len(desk.all_told(RefundArrived))) == (1, 1)


def test_word_in_any_order_leads_where_the_provider_stands() -> None:
    desk = pending()
    desk.hear(word(provider_event_id="evt_failed"))
    desk.hear(word(provider_event_id="evt_succeeded"))
    desk.answer(id="re_1", status="succeeded")
    assert desk.refund.state == "succeeded"
    desk.fire()
    desk.answer(id="re_1", status="failed")
    assert kinds(desk.told[-1:]) == ["RefundReversed"]
    assert len(desk.all_told(RefundReversed)) == 1


def test_word_while_a_question_is_out_has_it_asked_once_more_at_once() -> None:
    desk = pending()
    desk.fire()
    asked = len(desk.asked)
    for _ in range(3):
        desk.hear(word())
    assert len(desk.asked) == asked
    before = desk.now
    desk.answer(id="re_1", status="pending")
    desk.fire()
    assert (desk.now, len(desk.asked)) == (before, asked + 1)
    desk.answer(id="re_1", status="pending")
    assert desk.next_timer() is not None
    desk.fire()
    assert desk.now > before, "then patience returns"


def test_word_without_news_does_not_put_off_the_next_question() -> None:
    """Every provider sends word of a refund's creation: were it one of the waits, a lost word would cost an hour, not ten minutes."""
    told, told_early, untold = pending(), Desk.with_a_payment(), pending()
    told.hear(word())
    told.answer(id="re_1", status="pending")
    told_early.hear(requested())
    told_early.hear(word(told_early))
    told_early.answer(id="re_1", status="pending")
    told_early.fire()
    told_early.answer(id="re_1", status="pending")
    assert {timer.due_at for desk in (told, told_early, untold) if (timer := desk.next_timer())} == {MONDAY + timedelta(minutes=10)}


def test_word_that_overtakes_the_answer_to_our_own_call_is_kept() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.hear(word(desk))
    desk.answer(id="re_1", status="pending")
    before = desk.now
    desk.fire()
    assert (desk.now, desk.asked[-1].kind) == (before, "refund.read")


def test_word_ends_not_knowing() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.no_answer()
    desk.hear(word(desk))
    assert desk.asked[-1].kind == "refund.find"
    assert kinds(desk.answer(id="re_1", status="succeeded")) == ["RefundIssued", "RefundArrived"]


def test_word_makes_a_missing_refund_looked_for_at_once_and_not_a_day_later() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.no_answer()
    desk.wait(desk.policy.key_lifetime, trouble="unknown")
    while desk.refund.attempts[0].waiting_for is None:
        desk.fire()
    desk.hear(word(desk))
    desk.answer(error="not_found")
    before = desk.now
    desk.fire()
    assert (desk.now, desk.asked[-1].kind) == (before, "refund.find")


def test_a_late_failure_is_heard_without_waiting_for_the_next_look() -> None:
    desk = pending()
    desk.hear(word())
    desk.answer(id="re_1", status="succeeded")
    desk.hear(word())
    desk.answer(id="re_1", status="failed", failure_reason="expired_or_canceled_card")
    assert desk.refund.state == "reversed"


def closed() -> Desk:
    """Paid back, and the thirty days of watching are over."""
    desk = pending()
    while not desk.refund.over:
        if desk.refund.attempts[0].waiting_for:
            desk.answer(id="re_1", status="succeeded")
        else:
            desk.fire()
    desk.now += 10 * DAY
    return desk


def test_a_closed_refund_that_the_provider_does_not_know_any_more_stays_closed_and_nobody_asks_for_ever() -> None:
    desk = closed()
    desk.hear(word())
    desk.answer(error="not_found")
    assert (desk.refund.state, desk.next_timer()) == ("closed", None)
    desk.hear(word(provider_event_id="evt_2"))
    desk.answer(id="re_1", status="failed", failure_reason="declined")
    assert desk.refund.state == "reversed", "word that comes later is read all the same"


def test_word_of_a_closed_refund_that_still_stands_leaves_it_closed_and_nobody_asks_again() -> None:
    desk = closed()
    desk.hear(word())
    assert desk.asked[-1].kind == "refund.read"
    assert desk.answer(id="re_1", status="succeeded") == []
    assert (desk.refund.state, desk.next_timer()) == ("closed", None)


def test_money_that_comes_back_after_the_watch_opens_the_refund_again_with_an_owner_and_a_deadline() -> None:
    desk = closed()
    desk.hear(word())
    (back,) = desk.answer(id="re_1", status="failed", failure_reason="expired_or_canceled_card")
    assert isinstance(back, RefundReversed)
    assert (back.reason, back.contact.email, back.owner) == ("expired_or_canceled_card", "ada@example.com", "ops")
    assert back.next_action_at == desk.now
    assert back.deadline_at == desk.policy.calendar.after(desk.now, 1)
    desk.fire()
    assert desk.refund.state == "needs_attention"
    desk.hear(RefundSettledManually(decided_by="ops_1", settlement_ref="SEPA-7"))
    assert desk.refund.state == "settled_manually"


def test_a_dispute_after_the_watch_takes_the_money_and_opens_nothing() -> None:
    desk = closed()
    desk.hear(word())
    assert kinds(desk.answer(id="re_1", status="failed", failure_reason="charge_disputed")) == ["RefundSuperseded"]
    assert desk.next_timer() is None


def test_a_word_after_the_watch_that_meets_a_silent_provider_is_asked_about_until_it_is_answered() -> None:
    desk = closed()
    desk.hear(word())
    for _ in range(6):
        assert desk.no_answer() == []
        assert (desk.refund.state, desk.refund.owner) == ("closed", None), "as far as anybody knows, the customer has the money"
        desk.fire()
    assert kinds(desk.answer(id="re_1", status="canceled")) == ["RefundReversed"]


def test_a_second_word_after_the_watch_is_asked_about_when_the_first_is_answered() -> None:
    desk = closed()
    desk.hear(word())
    desk.hear(word())
    desk.answer(id="re_1", status="succeeded")
    desk.fire()
    assert kinds(desk.answer(id="re_1", status="failed")) == ["RefundReversed"]


def test_word_that_names_our_refund_with_another_id_of_the_providers_is_not_taken_for_ours() -> None:
    desk = pending()
    desk.hear(word(desk, provider_refund_id="re_forged"))
    assert desk.asked[-1].kind == "payment.survey"
    assert desk.refund.attempts[0].waiting_for is None


def test_word_of_an_unknown_subscription_waits_for_it() -> None:
    desk = Desk()
    desk.hear(word())
    assert desk.outcome == NotSeenYet("subscription")


def test_word_of_a_charge_not_heard_of_waits_for_it() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word(provider_payment_id="pi_2"))
    assert desk.outcome == NotSeenYet("charge:pi_2")
    later = PaymentSucceeded.model_validate(paid("pay_2").model_dump() | {"provider_payment_id": "pi_2"})
    assert "charge:pi_2" in desk.rules.supplies(later)


def test_word_of_nothing_of_ours_is_nothing() -> None:
    desk = Desk.with_a_payment()
    desk.hear(word())
    assert desk.outcome == Ignored("nothing_of_ours")
    assert desk.rules.route(word(), SUB) == (SUB,)
