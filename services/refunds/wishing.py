"""Money is asked back of which no payment is known: there may be none, or word of it may be on its way.

It is waited for a little. Then the customer hears that nothing was paid, and the wish is kept: a payment of before that answer, heard of
later, takes it up as if it were asked then. What is paid after the answer is another matter.
"""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.refund_events import NothingToRefund
from offramp_schemas.refund_request import RefundAppealed, RefundChased, RefundRequested
from services.refunds import requesting
from services.refunds.customer import Wish
from services.refunds.policy import Policy
from services.refunds.states import Account
from services.runtime.decision import Call, Decision, When
from services.runtime.policies import Policies


def kept(account: Account, request: RefundRequested, when: When, policies: Policies[Policy]) -> Decision[Account]:
    """A wish that no payment is known for. One that was answered before is answered again for lifecycle, which waits for that."""
    known = account.wishes.get(request.request_ref)
    if known is None:
        answer_at = when.now + policies.of(account.customer).charge_awaited
        return Decision(account.with_wish(_wish(request, when, answer_at)))
    if known.answered_at is None or request.requested_by != "lifecycle":
        return Decision(account)
    return Decision(account, (_nothing(account, known, when, repeat=True),))


def answered(account: Account, wish: Wish, when: When) -> Decision[Account]:
    """Nothing was heard of a payment, although everything was read that had been said by then."""
    told = replace(wish, answer_at=None, answered_at=when.now)
    return Decision(account.with_wish(told), (_nothing(account, told, when),))


def asked_about(account: Account, event: RefundChased | RefundAppealed, when: When) -> Decision[Account] | None:
    """The customer hears it once more, or in a few minutes for the first time; None: no such wish is known."""
    if event.refund_id is not None:
        return None
    wish = next((each for each in reversed(list(account.wishes.values())) if event.request_ref in {None, each.request_ref}), None)
    if wish is None:
        return None
    return Decision(account, () if wish.answered_at is None else (_nothing(account, wish, when),))


def taken_up(account: Account, payment_id: str, when: When, policies: Policies[Policy]) -> Decision[Account]:
    """A payment is heard of: whoever wanted its money back is answered now, in the order in which they asked."""
    told: tuple[Event, ...] = ()
    calls: tuple[Call, ...] = ()
    payment, policy = account.payments[payment_id], policies.of(account.customer)
    for wish in account.wishes.values():
        if wish.answered_at is not None and payment.captured_at > wish.answered_at:
            continue
        if not requesting.of_present_period(payment, account, wish.asked_at, policy):
            continue
        asked, promised_from = When(when.now, wish.asked_at), when.now if wish.answered_at else None
        outcome = requesting.hear(account, _request(wish, payment_id), asked, policies, promised_from=promised_from)
        if isinstance(outcome, Decision):
            account = account.without_wish(wish.request_ref).with_refund(outcome.state)
            told, calls = (*told, *outcome.events), (*calls, *outcome.calls)
    return Decision(account, told, calls)


def _nothing(account: Account, wish: Wish, when: When, *, repeat: bool = False) -> NothingToRefund:
    return NothingToRefund(
        request_ref=wish.request_ref,
        contact=account.customer.contact,
        plan_name=account.customer.plan_name,
        asked_at=wish.asked_at,
        as_of=wish.answered_at or when.now,
        repeat=repeat,
    )


def _wish(request: RefundRequested, when: When, answer_at: datetime) -> Wish:
    return Wish(
        request_ref=request.request_ref,
        requested_by=request.requested_by,
        cause=request.cause,
        asked_at=when.at,
        answer_at=answer_at,
        amount_minor=request.amount_minor,
        currency=request.currency,
        comment=request.comment,
    )


def _request(wish: Wish, payment_id: str) -> RefundRequested:
    return RefundRequested(
        request_ref=wish.request_ref,
        requested_by=wish.requested_by,
        payment_id=payment_id,
        cause=wish.cause,
        amount_minor=wish.amount_minor,
        currency=wish.currency,
        comment=wish.comment,
    )
