"""PaymentMethodUpdated: what another card sets going.

| state                                | so                                                             |
|--------------------------------------|----------------------------------------------------------------|
| any                                  | the card is known                                              |
| past_due                             | every unpaid invoice is tried again at once                    |
| non_renewing, paused, with invoices  | they are charged to it if they are chased again                |
| paused, waiting for a card           | it goes on                                                     |
| ended, waiting to return             | billing is to charge for the return                            |
"""

from msgspec.structs import replace

from offramp_schemas.payment import PaymentMethodUpdated
from services.lifecycle import dunning, resuming, returning
from services.lifecycle.facts import PaymentMethod
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Active, AnyState, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, When


def updated(state: Subscription, event: PaymentMethodUpdated, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The customer gave another card."""
    known = state.facts.method
    older = known is not None and when.at < known.as_of
    state = state if older else _with(state, event, when)
    match state:
        case PastDue():
            return dunning.tried_again(state, event, when, policies)
        case NonRenewing():
            return Decision(dunning.on_another_card(state, event, when.at))
        case Trialing() | Active() | Paused() | Ended() if older:
            return Ignored("an older card than the one known")
        case Trialing() | Active():
            return Decision(state)
        case Paused():
            return resuming.reconsidered(dunning.on_another_card(state, event, when.at), when, policies)
        case Ended():
            return returning.card_given(state)


def _with(state: AnyState, event: PaymentMethodUpdated, when: When) -> AnyState:
    if state.heard.erased_at:  # nobody keeps the card of a person who asked to be forgotten
        return state
    method = PaymentMethod(True, when.at, event.card_brand, event.card_last4)
    return replace(state, facts=replace(state.facts, method=method))
