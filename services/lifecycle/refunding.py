"""Money that is asked back. `refunds` alone decides about it; lifecycle makes sure that each of its requests is answered.

A request that refunds has not acknowledged in time is told to ops, again and again: it can't get lost between two services.
"""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from msgspec.structs import replace

from offramp_schemas.lifecycle_events import RefundUnacknowledged
from offramp_schemas.refund_events import NothingToRefund, RefundApproved, RefundReceived, RefundRejected
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested
from services.lifecycle import ending
from services.lifecycle.facts import REMEMBERED
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Ended, RefundAck, Subscription
from services.runtime.decision import Decision, Ignored, NotSeenYet, Outcome, TimerDue, When, id_of

CHARGED_IN_ERROR = UUID("9b0a2f5e-6c41-5b8f-8f0e-2f6f1f0c7a11")


def reference_of(payment_id: str) -> str:
    """The `request_ref` under which a payment charged in error is asked back: one, however often it is heard of."""
    return id_of(CHARGED_IN_ERROR, payment_id)


def wished(request: CancellationRequested) -> RefundRequested:
    """What the customer asks for together with a cancellation: its reference names the refund too."""
    cause: Literal["immediate_cancellation", "customer_request"] = (
        "immediate_cancellation" if request.mode == "immediately" else "customer_request"
    )
    return RefundRequested(
        request_ref=request.reference, requested_by="lifecycle", payment_id=request.payment_id, cause=cause, comment=request.comment
    )


def awaited(state: Subscription, request_ref: str, when: When, policies: LifecyclePolicies) -> Mapping[str, RefundAck]:
    """The open acknowledgements with one more, unless refunds has answered it already: the web form may have been faster."""
    if request_ref in state.refund_acks or request_ref in state.heard.acknowledged:
        return state.refund_acks
    due_at = when.now + policies.of(state.facts).refunds.acknowledged_within
    return {**state.refund_acks, request_ref: RefundAck(when.now, due_at)}


def acknowledged(
    state: Subscription, event: RefundReceived | RefundRejected | NothingToRefund, when: When, policies: LifecyclePolicies
) -> Outcome[Subscription]:
    """Refunds has the request, ours or another's. After an end it decides, too, whether the paid period still counts for a return."""
    ref = event.request_ref
    after = _period_counts(state, event) if isinstance(state, Ended) else state
    if after is state and ref in state.heard.acknowledged and ref not in state.refund_acks:
        return Ignored("acknowledged before")
    acks = {each: ack for each, ack in state.refund_acks.items() if each != ref}
    others = tuple(each for each in state.heard.acknowledged if each != ref)
    heard = replace(state.heard, acknowledged=(*others, ref)[-REMEMBERED:])
    return Decision(replace(after, refund_acks=acks, heard=heard))


def unacknowledged(state: Subscription, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Refunds is silent: ops are told, hourly."""
    ref = timer.name.partition(":")[2]
    again = when.now + policies.of(state.facts).refunds.remind_every
    ack = replace(state.refund_acks[ref], due_at=again, reminders=state.refund_acks[ref].reminders + 1)
    fact = RefundUnacknowledged(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        request_ref=ref,
        requested_at=ack.requested_at,
        reminder=ack.reminders,
    )
    return Decision(replace(state, refund_acks={**state.refund_acks, ref: ack}), (fact,))


def approved(state: Subscription, event: RefundApproved, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """A full refund of the present period by right ends what it paid for, although nobody canceled (policy)."""
    if isinstance(state, Ended):
        return _refunded_after_end(state, event)
    if not event.full_payment or event.basis not in ("withdrawal", "guarantee"):
        return Ignored("what was paid for goes on")
    if not policies.of(state.facts).refunds.full_refund_ends:
        return Ignored("the policy lets it go on")
    paid = next((each for each in state.heard.paid if each.payment_id == event.payment_id), None)
    if paid is None:
        return NotSeenYet(f"payment:{event.payment_id}")
    if paid.until <= when.at if paid.until else paid is not state.heard.paid[-1]:
        return Ignored("the refunded period is over")
    return ending.end(state, "refunded", when.now, when.now, policies)


def _period_counts(state: Ended, event: RefundReceived | RefundRejected | NothingToRefund) -> Ended:
    """While a refund may come, the period does not count as paid; a rejection makes it count again."""
    if isinstance(event, RefundRejected | NothingToRefund):
        return replace(state, refund_ref=None) if event.request_ref == state.refund_ref else state
    if event.basis == "charged_in_error" or event.request_ref == state.refund_ref:
        return state
    return replace(state, refund_ref=event.request_ref)


def _refunded_after_end(state: Ended, event: RefundApproved) -> Outcome[Subscription]:
    """What is given back is no longer paid for: a return has to be paid."""
    if state.paid_until is None or event.basis == "charged_in_error" or not event.full_payment:
        return Ignored("it changes nothing after the end")
    return Decision(replace(state, paid_until=None))
