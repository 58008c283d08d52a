"""Retention offers: at most one in twelve months and customer, beside the confirmation of a cancellation, never in its way.

What becomes of one is told once: applied or declined (`answering.py`), expired, or void because the cancellation was withdrawn.
"""

from typing import Literal

from msgspec.structs import replace

from offramp_schemas.retention_events import RetentionOffer, RetentionOffered, RetentionOfferExpired
from services.lifecycle.facts import Facts, Heard, Offer
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Ended, NonRenewing, Subscription
from services.runtime.decision import Decision, TimerDue, When

Kind = Literal["discount", "pause", "success_session", "trial_extension"]


def beside(
    state: NonRenewing, when: When, policies: LifecyclePolicies, *, may_pause: bool
) -> tuple[NonRenewing, tuple[RetentionOffered, ...]]:
    """The offer that comes with the confirmation, if there is one for this customer and these reasons."""
    kind = _kind(state, when, policies, may_pause=may_pause)
    if kind is None:
        return state, ()
    rules = policies.of(state.facts).offers
    offer = Offer(
        offer_id=f"{state.cancellation.reference[:190]}:offer",  # an id has 200 characters at most
        kind=kind,
        reference=state.cancellation.reference,
        offered_at=when.now,
        expires_at=min(when.now + rules.open_for, state.ends_at),
        plan=state.facts.plan,
        country=state.facts.country,
        policy_version=policies.version,
    )
    fact = RetentionOffered(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=offer.reference,
        ends_at=state.ends_at,
        offer=told(offer, state.facts, policies),
        marketing_consent=state.facts.marketing_consent,
        marketing_consented_at=state.facts.consented_at,
    )
    return replace(state, heard=replace(state.heard, offer=offer, offered_at=when.now)), (fact,)


def _kind(state: NonRenewing, when: When, policies: LifecyclePolicies, *, may_pause: bool) -> Kind | None:
    """A trial is extended; else the customer's first reason that has an offer decides."""
    rules = policies.of(state.facts).offers
    last = state.heard.offered_at
    if state.heard.erased_at or (last and when.now < last + rules.again_after):
        return None
    if state.return_state == "trialing" and rules.extend_trial_by:
        return "trial_extension"
    possible = {
        "discount": state.facts.price_minor > 0,
        "pause": state.facts.price_minor > 0 and may_pause,
        "success_session": True,
        None: False,
    }
    kinds = (rules.by_reason.get(code) for code in state.cancellation.feedback)
    return next((kind for kind in kinds if possible[kind]), None)


def told(offer: Offer, facts: Facts, policies: LifecyclePolicies) -> RetentionOffer:
    """The offer in the terms that it was made in, at the price of today."""
    rules = policies.begun(offer).offers
    discount, pause, extension = (offer.kind == kind for kind in ("discount", "pause", "trial_extension"))
    return RetentionOffer(
        kind=offer.kind,
        offer_id=offer.offer_id,
        expires_at=offer.expires_at,
        discount_percent=rules.discount_percent if discount else None,
        discount_periods=rules.discount_periods if discount else None,
        price_minor=facts.price_minor - facts.price_minor * rules.discount_percent // 100 if discount else None,
        currency=facts.currency if discount else None,
        interval=facts.interval if discount else None,
        pause_days=rules.pause_for.days if pause else None,
        extension_days=rules.extend_trial_by.days if extension and rules.extend_trial_by else None,
    )


def expired(state: NonRenewing, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Nobody answered in time; the cancellation stands."""
    heard, facts = over(state, policies)
    return Decision(replace(state, heard=heard), facts)


def over(state: Subscription, policies: LifecyclePolicies) -> tuple[Heard, tuple[RetentionOfferExpired, ...]]:
    """An open offer is over: its time is, or the subscription ends."""
    offer = state.heard.offer
    if not isinstance(state, NonRenewing) or offer is None or offer.outcome:
        return state.heard, ()
    return _closed(state.heard, offer, "expired"), (too_late(state, offer, policies),)


def void(state: NonRenewing) -> NonRenewing:
    """The cancellation was withdrawn without it."""
    offer = state.heard.offer
    return replace(state, heard=_closed(state.heard, offer, "void")) if offer and offer.outcome is None else state


def too_late(state: NonRenewing | Ended, offer: Offer, policies: LifecyclePolicies, *, answered: bool = False) -> RetentionOfferExpired:
    """It can't be accepted any more."""
    return RetentionOfferExpired(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=offer.reference,
        offer=told(offer, state.facts, policies),
        ends_at=state.ends_at if isinstance(state, NonRenewing) else state.ended_at,
        answered_late=answered,
    )


def _closed(heard: Heard, offer: Offer, outcome: Literal["expired", "void"]) -> Heard:
    return replace(heard, offer=replace(offer, outcome=outcome))
