"""Money that billing took although the subscription was canceled or over: ops are told, and it is asked back at once."""

from msgspec.structs import replace

from offramp_schemas.account import SubscriptionRenewed
from offramp_schemas.lifecycle_events import ChargedAfterCancellation, PaymentAfterEnd
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from services.lifecycle import refunding
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Ended, NonRenewing, Subscription
from services.runtime.decision import Decision, Ignored, Outcome, When


def renewed(state: NonRenewing, event: SubscriptionRenewed, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Renewed after the cancellation. The end stands, and so does the known period; a charge not named yet is heard of as a payment."""
    if event.payment_id and _asked_back(state, event.payment_id):
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
    acks = refunding.awaited(state, refunding.reference_of(event.payment_id), when, policies)
    return Decision(replace(state, refund_acks=acks), (fact, _back(event.payment_id)))


def charged(state: NonRenewing, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Charged after the cancellation; it may be the charge of a renewal that was heard of before."""
    if _asked_back(state, event.payment_id):
        return Decision(state)
    fact = ChargedAfterCancellation(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
    )
    acks = refunding.awaited(state, refunding.reference_of(event.payment_id), when, policies)
    return Decision(replace(state, refund_acks=acks), (fact, _back(event.payment_id)))


def paid_after_end(state: Ended, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """No silent revival: the money is offered back."""
    if _asked_back(state, event.payment_id):
        return Decision(state)
    fact = PaymentAfterEnd(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        ended_at=state.ended_at,
    )
    acks = refunding.awaited(state, refunding.reference_of(event.payment_id), when, policies)
    return Decision(replace(state, refund_acks=acks), (fact, _back(event.payment_id)))


def _asked_back(state: Subscription, payment_id: str) -> bool:
    ref = refunding.reference_of(payment_id)
    return ref in state.refund_acks or ref in state.heard.acknowledged


def _back(payment_id: str) -> RefundRequested:
    return RefundRequested(
        request_ref=refunding.reference_of(payment_id), requested_by="lifecycle", payment_id=payment_id, cause="charged_in_error"
    )
