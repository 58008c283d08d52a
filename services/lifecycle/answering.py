"""RetentionOfferAnswered: what an answer does depends on what has become of the offer and of the cancellation it came with.

| state        | offer                        | accepted                                       | declined        |
|--------------|------------------------------|------------------------------------------------|-----------------|
| non_renewing | open                         | in time: it stays, on those terms; late: told  | recorded, told  |
| non_renewing | declined, or told as expired | in time by its own clock: it stays; late: told | nothing new     |
| ended        | any but accepted             | told that it is too late                       | nothing new     |
| any          | accepted                     | nothing new                                    | rejected        |
| any other    | declined, expired, void      | rejected: there is none                        | rejected        |
| any          | none, or another             | rejected: there is none                        | rejected        |

An offer belongs to the cancellation it came with: one that was withdrawn takes it away, and the next brings its own, or none.
"""

from typing import Literal

from msgspec.structs import replace

from offramp_schemas.request import RetentionOfferAnswered
from offramp_schemas.retention_events import RetentionOfferApplied, RetentionOfferDeclined, RetentionOfferRejected
from services.lifecycle import asking, cancellation, offering, pausing
from services.lifecycle.facts import Offer
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.renewal import trialing
from services.lifecycle.states import Active, Ended, Live, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, When


def answered(state: Subscription, event: RetentionOfferAnswered, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The customer takes the offer, or does not."""
    if asking.answered(state, event):
        return Ignored("the same answer twice")
    state = asking.remembered(state, event)
    if not asking.may_ask(state.facts, event.requested_by):
        return Decision(state, (_rejected(state, event, "not_account_owner"),))
    offer = state.heard.offer
    if offer is None or (event.offer_id and event.offer_id != offer.offer_id):
        return Decision(state, (_rejected(state, event, "no_open_offer"),))
    accepted = event.answer == "accepted"
    if accepted and offer.outcome == "accepted":
        return Ignored("it was accepted before")
    match state:
        case NonRenewing() if offer.outcome in (None, "declined", "expired") and offer.reference == state.cancellation.reference:
            return _accepted(state, offer, event, when, policies) if accepted else _declined(state, offer, policies)
        case Ended() if offer.outcome != "accepted" and accepted:
            return Decision(state, (offering.too_late(state, offer, policies, answered=True),))
        case Ended() if offer.outcome != "accepted":
            return Ignored("it is over, as declined as it can be")
        case Trialing() | Active() | PastDue() | NonRenewing() | Paused() | Ended():
            return Decision(state, (_rejected(state, event, "no_open_offer"),))


def _declined(state: NonRenewing, offer: Offer, policies: LifecyclePolicies) -> Outcome[Subscription]:
    if offer.outcome:
        return Ignored("it was declined before, or is over")
    fact = RetentionOfferDeclined(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=offer.reference,
        offer=offering.told(offer, state.facts, policies),
        ends_at=state.ends_at,
    )
    return Decision(replace(state, heard=replace(state.heard, offer=replace(offer, outcome="declined"))), (fact,))


def _accepted(
    state: NonRenewing, offer: Offer, event: RetentionOfferAnswered, when: When, policies: LifecyclePolicies
) -> Decision[Subscription]:
    """In time is judged by when it was said; who had declined may think again. The cancellation is undone, and the offer is applied."""
    if when.at >= offer.expires_at:
        heard, _ = offering.over(state, policies)
        return Decision(replace(state, heard=heard), (offering.too_late(state, offer, policies, answered=True),))
    taken = replace(offer, outcome="accepted", accepted_at=when.at)
    back = cancellation.before(replace(state, heard=replace(state.heard, offer=taken)), when.now, policies)
    match taken.kind:
        case "trial_extension":
            return _extended(back, state, taken, when, policies)
        case "pause":
            return _paused(back, state, taken, event, when, policies)
        case "discount" | "success_session":
            return Decision(back, (_applied(back, taken, when, policies),))


def _extended(back: Live, state: NonRenewing, offer: Offer, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    extension = policies.begun(offer).offers.extend_trial_by
    if not isinstance(back, Trialing) or extension is None:  # paid for meanwhile: they stay, and there is no trial to extend
        return Decision(back, (cancellation.undone(state),))
    longer = trialing(back.facts, back.trial_ends_at + extension, when.now, policies, back)
    return Decision(longer, (_applied(longer, offer, when, policies),))


def _paused(
    back: Live, state: NonRenewing, offer: Offer, event: RetentionOfferAnswered, when: When, policies: LifecyclePolicies
) -> Decision[Subscription]:
    """By the rules of every pause: what forbids one by now leaves the cancellation as it was. What was offered keeps the data."""
    rule = pausing.forbidden(back, when, policies)
    if rule or not isinstance(back, Active):
        return Decision(state, (pausing.rejected(state, event, rule or "past_due", policies),))
    resumes_at = when.now + policies.begun(offer).offers.pause_for
    paused = pausing.begin(back, offer.reference, resumes_at, keep_data=True, when=when, policies=policies, by_offer=True)
    return Decision(paused.state, (_applied(back, offer, when, policies), *paused.events))


def _applied(state: Live, offer: Offer, when: When, policies: LifecyclePolicies) -> RetentionOfferApplied:
    return RetentionOfferApplied(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=offer.reference,
        offer=offering.told(offer, state.facts, policies),
        applied_at=when.at,
        renews_at=None if isinstance(state, Trialing) or offer.kind == "pause" else state.facts.period_end,
        trial_ends_at=state.trial_ends_at if isinstance(state, Trialing) else None,
    )


def _rejected(
    state: Subscription, event: RetentionOfferAnswered, rule: Literal["not_account_owner", "no_open_offer"]
) -> RetentionOfferRejected:
    return RetentionOfferRejected(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=event.reference,
        rule=rule,
        requested_by=event.requested_by.user_id,
        requester_name=event.requested_by.name,
        as_of=state.facts.as_of,
    )
