"""Why customers leave: what they say with the cancellation or later, and who asks them when they say nothing.

A survey asks once, a day later. A customer of high value or long standing hears from a person instead, whatever they said.
"""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.request import CancellationRequested, FeedbackSubmitted, PauseRequested
from offramp_schemas.retention_events import FeedbackRecorded, PersonalOutreachRequested, SurveyDue
from services.lifecycle.facts import Facts, Feedback
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Active, Cancellation, Ended, Live, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, TimerDue, When

Because = Literal["high_value", "long_standing"]
MONTHS = {"month": 1, "year": 12}


def of_leaving(
    state: Live | NonRenewing | Paused, asked: Cancellation, ends_at: datetime, when: When, policies: LifecyclePolicies
) -> tuple[Cancellation, tuple[Event, ...]]:
    """What follows a cancellation beside its proof: its reasons are recorded, or somebody asks for them.

    Brought forward, it keeps the reasons it had, and nobody asks anew.
    """
    facts: tuple[Event, ...] = (_told(state.facts, _of(asked)),) if asked.reason_given else ()
    if isinstance(state, NonRenewing):
        return _brought_forward(state.cancellation, asked), facts
    if state.heard.erased_at:
        return asked, facts
    if because := _valued(state.facts, when, policies):
        return asked, (*facts, _outreach(state.facts, asked, because, ends_at, when, policies))
    if asked.reason_given:
        return asked, facts
    return replace(asked, survey_at=when.now + policies.of(state.facts).feedback.survey_after), facts


def added(state: NonRenewing, event: CancellationRequested) -> tuple[NonRenewing, tuple[FeedbackRecorded, ...]]:
    """Another cancellation of what is canceled already: the reasons in it are heard all the same."""
    if not (event.feedback or event.comment):
        return state, ()
    explained = _explained(state.cancellation, event)
    return replace(state, cancellation=explained), (_told(state.facts, _of(explained)),)


def with_pause(state: Active, event: PauseRequested, when: When) -> tuple[Active, tuple[FeedbackRecorded, ...]]:
    """Who rests may say why, too."""
    if not (event.feedback or event.comment):
        return state, ()
    said = Feedback(when.at, event.feedback, event.comment)
    return replace(state, heard=replace(state.heard, feedback=said)), (_told(state.facts, said),)


def submitted(state: Subscription, event: FeedbackSubmitted, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The customer says why, whenever they like: kept with the cancellation that it explains, else by itself."""
    if not (event.feedback or event.comment or event.switching_to):
        return Ignored("it says nothing")
    if state.heard.erased_at:
        return Ignored("whoever says it asked to be forgotten")
    said = Feedback(when.at, event.feedback, event.comment, event.switching_to, event.cancellation_ref)
    match state:
        case NonRenewing() | Ended() if state.cancellation and event.cancellation_ref in (None, state.cancellation.reference):
            told = _told(state.facts, replace(said, cancellation_ref=state.cancellation.reference))
            return Decision(replace(state, cancellation=_explained(state.cancellation, event)), (told,))
        case Trialing() | Active() | PastDue() | NonRenewing() | Paused() | Ended():
            return Decision(replace(state, heard=replace(state.heard, feedback=said)), (_told(state.facts, said),))


def survey_due(state: NonRenewing | Ended, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """No reason was given until now: the customer may be asked, once. Whoever was forgotten is not."""
    if state.cancellation is None:
        raise TypeError("no rule for a survey without a cancellation")
    asked = replace(state, cancellation=replace(state.cancellation, survey_at=None))
    if state.heard.erased_at:
        return Decision(asked)
    fact = SurveyDue(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=state.cancellation.reference,
        ends_at=state.ends_at if isinstance(state, NonRenewing) else state.ended_at,
        marketing_consent=state.facts.marketing_consent,
        marketing_consented_at=state.facts.consented_at,
    )
    return Decision(asked, (fact,))


def _of(asked: Cancellation) -> Feedback:
    """What was said with a cancellation."""
    return Feedback(asked.canceled_at, asked.feedback, asked.comment, asked.switching_to, asked.reference)


def _told(facts: Facts, said: Feedback) -> FeedbackRecorded:
    return FeedbackRecorded(
        contact=facts.contact,
        plan_name=facts.plan_name,
        cancellation_ref=said.cancellation_ref,
        feedback=said.codes,
        comment=said.comment,
        switching_to=said.switching_to,
    )


def _brought_forward(before: Cancellation, now: Cancellation) -> Cancellation:
    """The second of two cancellations says when; the first said why, if that one does not."""
    if now.reason_given:
        return now
    switching_to = now.switching_to or before.switching_to
    return replace(now, feedback=before.feedback, comment=before.comment, switching_to=switching_to, survey_at=before.survey_at)


def _explained(known: Cancellation, event: FeedbackSubmitted | CancellationRequested) -> Cancellation:
    """The newest word holds; what it leaves out stays as it was said."""
    return replace(
        known,
        feedback=event.feedback or known.feedback,
        comment=event.comment or known.comment,
        switching_to=event.switching_to or known.switching_to,
        survey_at=None,
    )


def _valued(facts: Facts, when: When, policies: LifecyclePolicies) -> tuple[Because, ...]:
    """Why a person writes to them; never to who pays nothing. A yearly price counts by the month."""
    rules = policies.of(facts).feedback
    from_price = rules.outreach_monthly_price.get(facts.currency)
    high_value = from_price is not None and facts.price_minor >= from_price * MONTHS[facts.interval]
    long_standing = when.at - (facts.account_created_at or facts.contract_at) >= rules.outreach_customer_for
    because: list[tuple[Because, bool]] = [("high_value", high_value), ("long_standing", long_standing)]
    return tuple(each for each, holds in because if holds and facts.price_minor)


def _outreach(
    facts: Facts, asked: Cancellation, because: tuple[Because, ...], ends_at: datetime, when: When, policies: LifecyclePolicies
) -> PersonalOutreachRequested:
    return PersonalOutreachRequested(
        contact=facts.contact,
        plan_name=facts.plan_name,
        reference=asked.reference,
        because=because,
        customer_since=facts.account_created_at or facts.contract_at,
        price_minor=facts.price_minor,
        currency=facts.currency,
        interval=facts.interval,
        ends_at=ends_at,
        feedback=asked.feedback,
        comment=asked.comment,
        act_by=when.now + policies.of(facts).feedback.outreach_within,
    )
