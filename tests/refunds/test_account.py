"""Who the customer is, until they ask to be forgotten."""

from offramp_schemas import Contact
from offramp_schemas.account import PersonErased, SubscriptionChanged
from offramp_schemas.base import ERASED
from offramp_schemas.refund_events import RefundClosed, RefundReceived
from offramp_schemas.refund_request import RefundDecided
from services.refunds.states import decode, encode
from services.runtime.decision import Ignored, NotSeenYet
from tests.refunds.desk import DAY, Desk, requested, started

ADDRESS = b"ada@example.com"


def changed(**changes: object) -> SubscriptionChanged:
    return SubscriptionChanged.model_validate(started(**changes).model_dump())


def test_without_an_open_refund_the_contact_is_overwritten_at_once_and_the_money_stays() -> None:
    desk = Desk.with_a_payment()
    desk.hear(PersonErased())
    assert desk.account is not None
    assert desk.account.customer.contact == ERASED
    assert ADDRESS not in encode(desk.account)
    assert (desk.account.payments["pay_1"].captured_minor, desk.account.customer.country) == (4900, "DE")


def test_an_open_refund_keeps_its_address_until_it_is_closed() -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    desk.hear(PersonErased())
    desk.answer(id="re_1", status="succeeded")
    while not desk.refund.over:
        assert desk.account is not None
        assert desk.account.customer.email == "ada@example.com"
        desk.fire()
        if desk.refund.attempt and desk.refund.attempt.waiting_for:
            desk.answer(id="re_1", status="succeeded")
    (closed,) = desk.all_told(RefundClosed)
    assert closed.contact.email == "ada@example.com", "the last word still reaches them"
    assert ADDRESS not in encode(desk.account)


def test_while_one_of_two_refunds_is_open_the_address_stays() -> None:
    desk = Desk.with_a_payment(amount_minor=50_000)
    desk.hear(requested("CAN-1", amount_minor=60_000))
    desk.hear(requested("CAN-2"))
    desk.hear(PersonErased())
    assert desk.account is not None
    assert [each.over for each in desk.account.refunds.values()] == [True, False]
    assert desk.account.customer.email == "ada@example.com"


def test_who_asked_to_be_forgotten_leaves_no_words_of_theirs_with_a_refund_that_waits() -> None:
    desk = Desk.with_a_payment(amount_minor=100_001)
    desk.hear(requested(comment="my mother paid for it"))
    desk.hear(PersonErased())
    assert desk.account is not None
    assert b"my mother" not in encode(desk.account)
    (asked,) = desk.hear(RefundDecided(request_ref="CAN-1", decision="approve", decided_by="grace"))
    assert (asked.comment, asked.approved_by, asked.contact.email) == (None, ("grace",), "ada@example.com")


def test_a_later_picture_does_not_bring_the_person_back() -> None:
    desk = Desk.with_a_payment()
    desk.hear(PersonErased())
    desk.now += DAY
    desk.hear(changed(country="FR", contact=Contact(email="ada@example.com", name="Ada")))
    assert desk.account is not None
    assert (desk.account.customer.contact, desk.account.customer.country) == (ERASED, "FR")


def test_money_can_be_given_back_to_somebody_forgotten_and_no_address_is_told() -> None:
    desk = Desk.with_a_payment()
    desk.hear(PersonErased())
    desk.hear(requested())
    assert [each.contact.erased for each in desk.all_told(RefundReceived)] == [True]


def test_being_forgotten_twice_changes_nothing_and_of_the_unknown_it_waits() -> None:
    desk = Desk.with_a_payment()
    desk.hear(PersonErased())
    desk.hear(PersonErased(request_ref="DPO-2"))
    assert desk.outcome == Ignored("erased_before")
    unknown = Desk()
    unknown.hear(PersonErased())
    assert unknown.outcome == NotSeenYet("subscription")


def test_an_account_of_before_there_was_erasure_is_nobody_forgotten() -> None:
    desk = Desk.with_a_payment()
    assert desk.account is not None
    before = encode(desk.account).replace(b',"erased":false', b"")
    assert b"erased" not in before
    assert decode(before) == desk.account
