"""The end of a pause: by plan or earlier, with a card that can be charged; without one the customer is asked, and in time it ends.

| the pause                      | a card that can be charged, or a free plan | none                                                |
|--------------------------------|--------------------------------------------|-----------------------------------------------------|
| the owner wants it back early  | active                                     | asked for one; goes on at once when it comes        |
| its last day has come          | active                                     | asked for one; 14 days later ended (pause_expired)  |
"""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from offramp_schemas.pause_events import PaymentMethodNeeded, ResumeRejected, ResumingSoon, SubscriptionResumed
from offramp_schemas.request import ResumeRequested
from services.lifecycle import asking, data, dunning, ending
from services.lifecycle.countdown import days_left, next_reminder
from services.lifecycle.facts import Facts
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.renewal import active
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, TimerDue, When

Rule = Literal["not_account_owner", "managed_by_reseller", "not_paused", "already_ended"]


def requested(state: Subscription, event: ResumeRequested, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The owner wants a paused subscription to go on now."""
    if asking.answered(state, event):
        return Ignored("the same request twice")
    state = asking.remembered(state, event)
    if not asking.may_ask(state.facts, event.requested_by):
        return Decision(state, (_rejected(state, event, "not_account_owner"),))
    if state.facts.reseller:
        return Decision(state, (_rejected(state, event, "managed_by_reseller"),))
    match state:
        case Paused() if needs_card(state.facts):
            asked = replace(state, resume_asked=event.reference, card_asked=state.card_asked + 1)
            return Decision(asked, (_card_needed(asked, policies),))
        case Paused():
            return resumed(state, event.reference, when, policies)
        case Trialing() | Active() | PastDue() | NonRenewing():
            return Decision(state, (_rejected(state, event, "not_paused"),))
        case Ended():
            return Decision(state, (_rejected(state, event, "already_ended"),))


def due(state: Paused, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The last day of the pause has come."""
    if not needs_card(state.facts):
        return resumed(state, None, when, policies)
    rules = policies.of(state.facts).pause
    expires_at = when.now + rules.card_within
    asked = replace(
        data.put_off(state, expires_at, policies),
        expires_at=expires_at,
        remind_at=next_reminder(expires_at, when.now, rules.remind_before),
        card_asked=state.card_asked + 1,
    )
    return Decision(asked, (_card_needed(asked, policies),))


def reminded(state: Paused, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """It is charged again soon, or ends soon for want of a card; after a downtime that outlasted it, what follows says enough."""
    until = state.expires_at or state.resumes_at
    after = replace(state, remind_at=next_reminder(until, when.now, policies.of(state.facts).pause.remind_before))
    if when.now >= until:
        return Decision(after)
    if state.expires_at:
        after = replace(after, card_asked=after.card_asked + 1)
        return Decision(after, (_card_needed(after, policies),))
    fact = ResumingSoon(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        resumes_at=state.resumes_at,
        days_left=days_left(state.resumes_at, when.now),
        price_minor=state.facts.price_minor,
        currency=state.facts.currency,
        interval=state.facts.interval,
        needs_payment_method=needs_card(state.facts),
        data_deleted=_empty_at(state.resumes_at, state),
    )
    return Decision(after, (fact,))


def expired(state: Paused, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Nobody gave a card: it ends for good."""
    return ending.end(state, "pause_expired", timer.due_at, when.now, policies)


def reconsidered(state: Paused, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """After news of the card or the price: what only waited for that goes on at once."""
    waits = state.expires_at or state.resume_asked
    if not waits or needs_card(state.facts):
        return Decision(state)
    return resumed(state, state.resume_asked, when, policies)


def resumed(state: Paused, reference: str | None, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Access is back. Invoices that were open before the pause are chased again; that nobody used it meanwhile counts for nothing."""
    rested = replace(state, heard=replace(state.heard, last_seen_at=when.now))
    fact = SubscriptionResumed(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        resumed_at=when.now,
        reference=reference,
        price_minor=state.facts.price_minor,
        currency=state.facts.currency,
        interval=state.facts.interval,
        renews_at=state.facts.paid_ahead(when.now),
        card_last4=state.facts.method.last4 if state.facts.method else None,
        data_deleted=state.data_given_up,
    )
    if state.dunnings:
        dunnings = dunning.resumed(state.dunnings, state.paused_at, when.now)
        return Decision(PastDue(rested.facts, rested.heard, rested.refund_acks, dunnings=dunnings), (fact,))
    return Decision(active(rested.facts, when.now, policies, rested), (fact,))


def needs_card(facts: Facts) -> bool:
    """Without one nothing could be charged. Where billing never said what is on file, it is believed to have one: it has charged before."""
    return facts.price_minor > 0 and facts.method is not None and not facts.method.usable


def _empty_at(moment: datetime, state: Paused) -> bool:
    """Who returns then finds an account without their data, and is told so before."""
    return state.data_given_up or state.ask_deletion_at <= moment


def _card_needed(state: Paused, policies: LifecyclePolicies) -> PaymentMethodNeeded:
    """Who asks early has until the pause would have ended for want of a card."""
    return PaymentMethodNeeded(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        purpose="resume",
        reference=state.resume_asked,
        price_minor=state.facts.price_minor,
        currency=state.facts.currency,
        interval=state.facts.interval,
        give_by=state.expires_at or state.resumes_at + policies.of(state.facts).pause.card_within,
        declined=bool(state.facts.method and state.facts.method.declined),
        reminder=state.card_asked,
        data_deleted=_empty_at(state.resumes_at, state),
    )


def _rejected(state: Subscription, event: ResumeRequested, rule: Rule) -> ResumeRejected:
    return ResumeRejected(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=event.reference,
        rule=rule,
        requested_by=event.requested_by.user_id,
        requester_name=event.requested_by.name,
        reseller=asking.reseller(state.facts),
        ended_at=state.ended_at if isinstance(state, Ended) else None,
        as_of=state.ended_at if isinstance(state, Ended) else state.facts.as_of,
    )
