"""Cancellations: nothing blocks one but its rules, and each is answered with a proof or with the rule that forbids it."""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.lifecycle_events import CancellationRejected, CancellationUndone, EndReason
from offramp_schemas.request import CancellationRequested, CancellationWithdrawn
from services.lifecycle import asking, dunning, ending, feedback, offering, pausing, refunding, schedule
from services.lifecycle.facts import Facts
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.renewal import active, trialing
from services.lifecycle.states import Active, Cancellation, Ended, Live, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, When


def requested(state: Subscription, event: CancellationRequested, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Somebody wants it to stop renewing, or to end now."""
    brings_forward = isinstance(state, NonRenewing) and event.mode == "immediately"
    if asking.answered(state, event) and not brings_forward:
        return Ignored("the same request twice")
    state = asking.remembered(state, event)
    facts = state.facts
    if not asking.may_ask(facts, event.requested_by):
        return Decision(state, (_not_the_owner(facts, event),))
    if facts.reseller:
        return Decision(state, (_sold_by_reseller(facts, event),))
    match state:
        case Paused():  # there is no access that could last any longer
            return _end_now(state, event, when, policies)
        case Trialing() | Active() | PastDue() | NonRenewing() if event.mode == "immediately":
            return _end_now(state, event, when, policies)
        case Trialing() | Active() | PastDue():
            return _schedule(state, event, when, policies)
        case NonRenewing():  # canceled already; only reasons and a wish, for money or for the data, would be new
            return _with_refund(_again(state, event, policies), event, when, policies)
        case Ended():
            given_up = replace(state, returning=None)  # whoever waited to return wants it no longer
            return _with_refund(Decision(given_up, (_already_ended(state, event),)), event, when, policies)


def withdrawn(state: Subscription, event: CancellationWithdrawn, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The customer stays after all: everything is as it was before, as long as access has not ended."""
    if asking.answered(state, event):
        return Ignored("the same request twice")
    if isinstance(state, Live | Paused):
        return Ignored("there is nothing to withdraw")
    state = asking.remembered(state, event)
    if not asking.may_ask(state.facts, event.requested_by):
        return Decision(state, (_not_the_owner(state.facts, event),))
    match state:
        case NonRenewing() if when.at < state.ends_at:
            return Decision(before(offering.void(state), when.now, policies), (undone(state),))
        case NonRenewing():
            return Decision(state, (_too_late(state.facts, event, state.ends_at),))
        case Ended():
            return Decision(state, (_too_late(state.facts, event, state.ended_at),))
        case _:
            raise TypeError(type(state).__name__)


def _schedule(state: Live, event: CancellationRequested, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    rules = policies.of(state.facts)
    ends_at = schedule.end_of_access(state, when.at, rules)
    if ends_at is None or ends_at <= when.now:  # nothing is paid for any longer
        return _end_now(state, event, when, policies)
    asked, said = feedback.of_leaving(state, _cancellation(event, when.at), ends_at, when, policies)
    scheduled = NonRenewing(
        state.facts,
        state.heard,
        state.refund_acks,
        cancellation=asked,
        ends_at=ends_at,
        remind_at=schedule.reminder(ends_at, when.now, rules),
        trial_ends_at=state.trial_ends_at if isinstance(state, Trialing) else None,
        dunnings=state.dunnings if isinstance(state, PastDue) else {},
    )
    confirmation = schedule.confirmation(scheduled, rules)
    proof: tuple[Event, ...] = (ending.stopped(scheduled), confirmation) if scheduled.dunnings else (confirmation,)
    scheduled, offered = offering.beside(scheduled, when, policies, may_pause=pausing.forbidden(state, when, policies) is None)
    return _with_refund(Decision(scheduled, (*proof, *said, *offered)), event, when, policies)


def _end_now(
    state: Live | NonRenewing | Paused, event: CancellationRequested, when: When, policies: LifecyclePolicies
) -> Decision[Subscription]:
    reason: EndReason = "withdrawal" if _is_withdrawal(state.facts, event, when.at, policies) else "requested"
    asked = _cancellation(event, when.at)
    if isinstance(state, NonRenewing) and state.cancellation.keep_data:
        asked = replace(asked, keep_data=True)
    asked, said = feedback.of_leaving(state, asked, when.now, when, policies)
    ended = ending.end(state, reason, when.now, when.now, policies, asked, asked_now=True, refund_requested=event.wants_refund)
    return _with_refund(Decision(ended.state, (*ended.events, *said)), event, when, policies)


def _again(state: NonRenewing, event: CancellationRequested, policies: LifecyclePolicies) -> Decision[Subscription]:
    """What is canceled is canceled once more: its reasons are heard, and the wish to keep the data is confirmed."""
    state, said = feedback.added(state, event)
    if not event.keep_data or state.cancellation.keep_data:
        return Decision(state, said)
    kept = replace(state, cancellation=replace(state.cancellation, keep_data=True))
    return Decision(kept, (schedule.confirmation(kept, policies.of(state.facts)), *said))


def _with_refund(
    decision: Decision[Subscription], event: CancellationRequested, when: When, policies: LifecyclePolicies
) -> Decision[Subscription]:
    """A wish for money is passed on in whatever state it comes: refunds alone decides about it."""
    if not event.wants_refund:
        return decision
    acks = refunding.awaited(decision.state, event.reference, when, policies)
    return Decision(replace(decision.state, refund_acks=acks), (*decision.events, refunding.wished(event)))


def _is_withdrawal(facts: Facts, event: CancellationRequested, at: datetime, policies: LifecyclePolicies) -> bool:
    """A consumer of the EU who ends it at once and wants the money back, within 14 days of the contract, withdraws from it."""
    rules = policies.of(facts).withdrawal
    wants_out = event.mode == "immediately" and event.wants_refund
    return wants_out and facts.consumer and facts.country in rules.countries and at - facts.contract_at <= rules.window


def undone(state: NonRenewing) -> CancellationUndone:
    """The customer's proof that it goes on."""
    return CancellationUndone(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=state.cancellation.reference,
        renews_at=state.trial_ends_at or state.facts.period_end,
    )


def before(state: NonRenewing, now: datetime, policies: LifecyclePolicies) -> Live:
    """What the subscription was before it was canceled."""
    match state.return_state:
        case "past_due":
            dunnings = dunning.resumed(state.dunnings, state.cancellation.canceled_at, now)
            return PastDue(state.facts, state.heard, state.refund_acks, dunnings=dunnings)
        case "trialing" if state.trial_ends_at:
            return trialing(state.facts, state.trial_ends_at, now, policies, state)
        case _:
            return active(state.facts, now, policies, state)


def _cancellation(event: CancellationRequested, at: datetime) -> Cancellation:
    return Cancellation(
        event.reference,
        at,
        event.requested_by.user_id,
        event.feedback,
        event.comment,
        event.switching_to,
        keep_data=event.keep_data,
    )


def _not_the_owner(facts: Facts, event: CancellationRequested | CancellationWithdrawn) -> CancellationRejected:
    """The owner hears who asked."""
    return CancellationRejected(
        contact=facts.contact,
        plan_name=facts.plan_name,
        reference=event.reference,
        rule="not_account_owner",
        requested_by=event.requested_by.user_id,
        requester_name=event.requested_by.name,
        as_of=facts.as_of,
    )


def _sold_by_reseller(facts: Facts, event: CancellationRequested) -> CancellationRejected:
    return CancellationRejected(
        contact=facts.contact,
        plan_name=facts.plan_name,
        reference=event.reference,
        rule="managed_by_reseller",
        requested_by=event.requested_by.user_id,
        requester_name=event.requested_by.name,
        reseller=asking.reseller(facts),
        as_of=facts.as_of,
    )


def _already_ended(state: Ended, event: CancellationRequested) -> CancellationRejected:
    return CancellationRejected(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=event.reference,
        rule="already_ended",
        requested_by=event.requested_by.user_id,
        requester_name=event.requested_by.name,
        ended_at=state.ended_at,
        as_of=state.ended_at,
    )


def _too_late(facts: Facts, event: CancellationWithdrawn, ended_at: datetime) -> CancellationRejected:
    return CancellationRejected(
        contact=facts.contact,
        plan_name=facts.plan_name,
        reference=event.reference,
        rule="too_late_to_withdraw",
        requested_by=event.requested_by.user_id,
        requester_name=event.requested_by.name,
        ended_at=ended_at,
        as_of=ended_at,
    )
