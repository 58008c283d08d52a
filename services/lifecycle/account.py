"""What billing and the account service say: who the customer is, what was sold, until when it is paid.

Facts come on another topic than payments and requests, so each kind is ignored when it is older than what is known of its kind.
"""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas.account import SubscriptionFacts, SubscriptionRenewed
from services.lifecycle import charged_in_error, forgetting, pricing, reminding, resuming, returning, schedule
from services.lifecycle.facts import Facts, PaymentMethod, Seller
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.renewal import active, trialing
from services.lifecycle.states import Active, AnyState, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, When


def introduced(event: SubscriptionFacts, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The first that is heard of a subscription."""
    facts = _facts(event, when.at, min(when.at, event.current_period_start or when.at))
    if event.trial_ends_at is None:
        return Decision(active(facts, when.now, policies))
    return Decision(trialing(facts, event.trial_ends_at, when.now, policies))


def pictured(state: Subscription, event: SubscriptionFacts, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """A whole picture of a known subscription; SubscriptionStarted for one that is known counts as such."""
    if when.at < state.facts.as_of:
        return Ignored("an older picture than the one known")
    facts = _newer(state.facts, _facts(event, when.at, state.facts.contract_at))
    state = _same_customer(state, facts)
    if state.heard.erased_at:
        facts = forgetting.nobody(facts, state.heard.erased_at)
    facts = replace(facts, price_change=pricing.change(state.facts, facts))
    match state:
        case Trialing() if event.trial_ends_at:
            trial_ends_at = _longer_trial(state, event.trial_ends_at, when)
            return Decision(replace(trialing(facts, trial_ends_at, when.now, policies, state), inactivity=state.inactivity))
        case Trialing() | Active():  # a trial happens once: one that is mentioned later was paid for already, as far as we know
            after = active(facts, when.now, policies, state)
            return Decision(after, reminding.announced(after, state, when.now, policies))
        case NonRenewing():
            return Decision(*schedule.reconsidered(replace(state, facts=facts), when, policies))
        case Paused():
            return resuming.reconsidered(replace(state, facts=facts), when, policies)
        case Ended():
            return returning.reconsidered(replace(state, facts=facts), when, policies)
        case PastDue():
            return Decision(replace(state, facts=facts))


def renewed(state: Subscription, event: SubscriptionRenewed, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Billing began a new period. That says nothing of its payment, unless that payment was heard before."""
    if when.at < state.facts.period_as_of:
        return Ignored("an older period than the one known")
    known = any(paid.payment_id == event.payment_id for paid in state.heard.paid)
    facts = replace(
        state.facts,
        period_end=event.current_period_end,
        price_minor=event.price_minor,
        currency=event.currency,
        period_as_of=when.at,
        paid_through=event.current_period_end if known else state.facts.paid_through,
    )
    match state:
        case Active():
            return Decision(active(facts, when.now, policies, state))
        case NonRenewing() if when.at >= state.cancellation.canceled_at and event.current_period_start >= state.ends_at:
            return charged_in_error.renewed(state, event, when, policies)
        case NonRenewing():  # heard late, or a commitment still runs
            return Decision(*schedule.reconsidered(replace(state, facts=facts), when, policies))
        case Paused() if when.at >= state.paused_at and event.current_period_start >= state.paused_at:
            return charged_in_error.renewed(state, event, when, policies)
        case Trialing() | PastDue() | Paused():
            return Decision(replace(state, facts=facts))
        case Ended():
            return Ignored("the subscription has ended; a charge is heard of as a payment")


def _facts(event: SubscriptionFacts, at: datetime, contract_at: datetime) -> Facts:
    reseller = event.reseller
    return Facts(
        customer_id=event.customer_id,
        owner_id=event.owner_id,
        email=event.contact.email,
        name=event.contact.name,
        locale=event.contact.locale,
        plan=event.plan,
        plan_name=event.plan_name,
        price_minor=event.price_minor,
        currency=event.currency,
        country=event.country,
        consumer=event.consumer,
        contract_at=contract_at,
        as_of=at,
        period_as_of=at,
        interval=event.interval,
        period_end=event.current_period_end,
        paid_through=event.current_period_end,
        commitment_ends_at=event.commitment_ends_at,
        marketing_consent=event.marketing_consent,
        consented_at=at if event.marketing_consent else None,
        account_created_at=event.account_created_at,
        method=_method(event, at),
        reseller=Seller(reseller.reseller_id, reseller.name, reseller.contact) if reseller else None,
        price_change=pricing.announced(event),
    )


def _same_customer(state: AnyState, facts: Facts) -> AnyState:
    """Another customer took it over: what the one before was given once a year counts for them no longer."""
    if facts.customer_id == state.facts.customer_id:
        return state
    return replace(state, heard=replace(state.heard, paused_at=None, offered_at=None))


def _method(event: SubscriptionFacts, at: datetime) -> PaymentMethod | None:
    """None: billing does not say."""
    if event.payment_method_on_file is None:
        return None
    return PaymentMethod(event.payment_method_on_file, at, event.card_brand, event.card_last4)


def _longer_trial(state: Trialing, trial_ends_at: datetime, when: When) -> datetime:
    """A picture from before an extension was accepted does not know of it."""
    offer = state.heard.offer
    extended = offer and offer.kind == "trial_extension" and offer.accepted_at and when.at < offer.accepted_at
    return max(trial_ends_at, state.trial_ends_at) if extended else trial_ends_at


def _newer(known: Facts, picture: Facts) -> Facts:
    """The picture, but with the period and the card that are known where those are newer, or the picture does not say.

    Who goes on agreeing to marketing has not agreed anew.
    """
    if picture.marketing_consent and known.marketing_consent and picture.customer_id == known.customer_id:
        picture = replace(picture, consented_at=known.consented_at)
    if known.method and (picture.method is None or known.method.as_of > picture.as_of):
        picture = replace(picture, method=known.method)
    if picture.as_of >= known.period_as_of:
        return picture
    return replace(
        picture,
        period_end=known.period_end,
        paid_through=known.paid_through,
        price_minor=known.price_minor,
        currency=known.currency,
        period_as_of=known.period_as_of,
    )
