"""PersonErased: nobody may know any longer who it was. What was sold, charged and owed stays; a subscription that goes on, goes on."""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas.account import PersonErased
from offramp_schemas.base import ERASED
from offramp_schemas.lifecycle_events import PersonForgotten
from services.lifecycle import data
from services.lifecycle.facts import Facts, Heard, PaymentMethod
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Active, Cancellation, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, When


def erased(state: Subscription, event: PersonErased, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Contact and free text are overwritten, consent and card are gone; no return is waited for, and kept data is kept no longer."""
    if state.heard.erased_at:
        return Ignored("forgotten already")
    facts, heard = nobody(state.facts, when.at), _silent(state.heard, when.at)
    fact = PersonForgotten(contact=facts.contact, plan_name=facts.plan_name, forgotten_at=when.at)
    match state:
        case Trialing() | Active() | PastDue():
            return Decision(replace(state, facts=facts, heard=heard), (fact,))
        case NonRenewing():
            wordless = _wordless(state.cancellation)
            return Decision(replace(state, facts=facts, heard=heard, cancellation=wordless), (fact,))
        case Paused():
            return Decision(replace(data.at_once(state, when.now), facts=facts, heard=heard, resume_asked=None), (fact,))
        case Ended():
            said = _wordless(state.cancellation) if state.cancellation else None
            after = replace(data.at_once(state, when.now), facts=facts, heard=heard, cancellation=said, returning=None)
            return Decision(after, (fact,))


def nobody(facts: Facts, at: datetime) -> Facts:
    """The facts without the person, to whom no marketing is sent and who has no card here."""
    return replace(
        facts,
        email=ERASED.email,
        name=ERASED.name,
        locale=ERASED.locale,
        marketing_consent=False,
        consented_at=None,
        method=PaymentMethod(False, at),
    )


def _silent(heard: Heard, at: datetime) -> Heard:
    feedback = replace(heard.feedback, comment=None, switching_to=None) if heard.feedback else None
    return replace(heard, erased_at=at, feedback=feedback)


def _wordless(cancellation: Cancellation) -> Cancellation:
    """The codes stay for the statistics; free text may name anybody, and nothing is kept for a return."""
    return replace(cancellation, comment=None, switching_to=None, keep_data=False)
