"""Pauses: billing and access rest until a known day. Who may have one, and how it begins; how it ends is in `resuming.py`."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from offramp_schemas.pause_events import PauseRejected, SubscriptionPaused
from offramp_schemas.request import PauseRequested
from services.lifecycle import asking, data, feedback
from services.lifecycle.countdown import DAY, next_reminder
from services.lifecycle.facts import PaymentMethod
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, When

Rule = Literal[
    "not_account_owner", "managed_by_reseller", "trialing", "past_due", "cancellation_scheduled", "already_paused", "already_ended",
    "paused_recently", "too_long", "date_in_the_past",
]  # fmt: skip


def requested(state: Subscription, event: PauseRequested, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The owner wants it to rest: once per twelve months and customer, for at most twelve, and only what is paid and goes on."""
    if asking.answered(state, event):
        return Ignored("the same request twice")
    state = asking.remembered(state, event)
    longest = policies.of(state.facts).pause.longest
    resumes_at = _resumes_at(event, when.now, longest)
    if rule := _not_theirs(state, event) or forbidden(state, when, policies) or _not_then(resumes_at, when.now, longest):
        return Decision(state, (rejected(state, event, rule, policies),))
    if not isinstance(state, Active):
        raise TypeError(f"{type(state).__name__} can't be paused, but no rule says so")
    state, said = feedback.with_pause(state, event, when)
    paused = begin(state, event.reference, resumes_at, event.keep_data, when, policies)
    return Decision(paused.state, (*paused.events, *said))


def forbidden(state: Subscription, when: When, policies: LifecyclePolicies) -> Rule | None:
    """Why it can't be paused now, whoever asks and for how long."""
    match state:
        case Trialing():
            return "trialing"
        case PastDue():
            return "past_due"
        case NonRenewing():
            return "cancellation_scheduled"
        case Paused():
            return "already_paused"
        case Ended():
            return "already_ended"
        case Active():
            again_at = _again_at(state, policies)
            return "paused_recently" if again_at and when.at < again_at else None


def begin(
    state: Active, reference: str, resumes_at: datetime, keep_data: bool, when: When, policies: LifecyclePolicies, *, by_offer: bool = False
) -> Decision[Subscription]:
    """It rests from now on. Where pausing removes the card (policy), resuming asks for one."""
    rules = policies.of(state.facts)
    facts = replace(state.facts, method=PaymentMethod(False, when.now)) if rules.pause.removes_card else state.facts
    keep_data = keep_data and not state.heard.erased_at
    stages = data.in_grace(when.now, when.now, keep_data, rules.data)
    if resumes_at < stages["ask_deletion_at"]:
        stages["deletion_reminder_at"] = None  # it will have resumed by then
    paused = Paused(
        facts,
        replace(state.heard, paused_at=when.now),
        state.refund_acks,
        reference=reference,
        paused_at=when.now,
        resumes_at=resumes_at,
        remind_at=next_reminder(resumes_at, when.now, rules.pause.remind_before),
        **stages,
    )
    fact = SubscriptionPaused(
        contact=facts.contact,
        plan_name=facts.plan_name,
        reference=reference,
        paused_at=when.now,
        resumes_at=resumes_at,
        data_retained=keep_data,
        export_by=data.export_by(paused),
        deletion_due_at=paused.ask_deletion_at,
        card_removed=rules.pause.removes_card,
        by_offer=by_offer,
    )
    return Decision(paused, (fact,))


def rejected(state: Subscription, request: asking.Request, rule: Rule, policies: LifecyclePolicies) -> PauseRejected:
    """The customer hears which rule forbids it, and from when on it does not."""
    facts = state.facts
    return PauseRejected(
        contact=facts.contact,
        plan_name=facts.plan_name,
        reference=request.reference,
        rule=rule,
        requested_by=request.requested_by.user_id,
        requester_name=request.requested_by.name,
        reseller=asking.reseller(facts),
        possible_from=_again_at(state, policies) if rule in ("paused_recently", "already_paused") else None,
        longest_days=policies.of(facts).pause.longest.days,
        as_of=_as_of(state),
    )


def _resumes_at(event: PauseRequested, now: datetime, longest: timedelta) -> datetime:
    """A date wins over a number of days; neither: as long as a pause may last."""
    if event.resume_at:
        return event.resume_at
    return now + (longest if event.days is None else min(event.days * DAY, 2 * longest))  # so that no number leaves the calendar


def _not_theirs(state: Subscription, event: PauseRequested) -> Rule | None:
    if not asking.may_ask(state.facts, event.requested_by):
        return "not_account_owner"
    return "managed_by_reseller" if state.facts.reseller else None


def _not_then(resumes_at: datetime, now: datetime, longest: timedelta) -> Rule | None:
    if resumes_at <= now:
        return "date_in_the_past"
    return "too_long" if resumes_at > now + longest else None


def _again_at(state: Subscription, policies: LifecyclePolicies) -> datetime | None:
    """When the customer may pause again."""
    last = state.heard.paused_at
    return last + policies.of(state.facts).pause.once_per if last else None


def _as_of(state: Subscription) -> datetime:
    """What the rejection rests on was known then."""
    match state:
        case NonRenewing():
            return state.cancellation.canceled_at
        case Paused() | Ended():
            return state.without_access_since
        case Trialing() | Active() | PastDue():
            return state.facts.as_of
