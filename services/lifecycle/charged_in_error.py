"""Money that billing took although the subscription was canceled, paused or over: ops are told, and it is asked back at once."""

from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.account import SubscriptionRenewed
from offramp_schemas.lifecycle_events import ChargedAfterCancellation, PaymentAfterEnd
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from services.lifecycle import refunding
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Ended, NonRenewing, Paused, Subscription
from services.runtime.decision import Decision, Ignored, Outcome, When


def renewed(state: NonRenewing | Paused, event: SubscriptionRenewed, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Renewed after the cancellation, or while it rests: that stands, as does the known period. A charge not named yet comes later."""
    if event.payment_id and asked_back(state, event.payment_id):
        return Ignored("the charge was asked back already")
    fact = ChargedAfterCancellation(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
    )
    if event.payment_id is None:
        return Decision(state, (fact,))
    return _told_and_asked_back(state, fact, event.payment_id, when, policies)


def charged(state: NonRenewing | Paused, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Charged after the cancellation, or while it rests; it may be the charge of a renewal that was heard of before."""
    if asked_back(state, event.payment_id):
        return Decision(state)
    fact = ChargedAfterCancellation(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
    )
    return _told_and_asked_back(state, fact, event.payment_id, when, policies)


def paid_after_end(state: Ended, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """No silent revival: the money is offered back."""
    if asked_back(state, event.payment_id):
        return Decision(state)
    fact = PaymentAfterEnd(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        ended_at=state.ended_at,
    )
    return _told_and_asked_back(state, fact, event.payment_id, when, policies)


def asked_back(state: Subscription, payment_id: str) -> bool:
    """The charge was heard of before, as that of a renewal, and is on its way back."""
    ref = refunding.reference_of(payment_id)
    return ref in state.refund_acks or ref in state.heard.acknowledged


def _told_and_asked_back(
    state: Subscription, fact: Event, payment_id: str, when: When, policies: LifecyclePolicies
) -> Decision[Subscription]:
    """Ops hear of the charge, refunds are asked for it, and their answer is awaited."""
    ref = refunding.reference_of(payment_id)
    back = RefundRequested(request_ref=ref, requested_by="lifecycle", payment_id=payment_id, cause="charged_in_error")
    acks = refunding.awaited(state, ref, when, policies)
    return Decision(replace(state, refund_acks=acks), (fact, back))
