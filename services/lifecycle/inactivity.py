"""Accounts that nobody uses: free and trial ones are warned, reminded and deactivated; paying customers are told honestly, and no more."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.activity import ActivityResumed, InactivityDetected
from offramp_schemas.lifecycle_events import InactivityCleared, InactivityWarned, SubscriptionDeactivated
from services.lifecycle import ending
from services.lifecycle.policy import InactivityRules, LifecyclePolicies
from services.lifecycle.states import Active, Ended, Inactivity, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, TimerDue, When

Kind = Literal["warning", "reminder", "last_day", "paid_but_unused"]


def detected(state: Subscription, event: InactivityDetected, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Nobody has used the account since `last_seen_at`."""
    last_seen_at = state.heard.last_seen_at
    if last_seen_at and event.last_seen_at < last_seen_at:
        return Ignored("it was used later than that")
    state = replace(state, heard=replace(state.heard, last_seen_at=event.last_seen_at))
    match state:
        case Trialing() | Active() if isinstance(state, Trialing) or state.facts.price_minor == 0:
            return _counted(state, event, when, policies)
        case Active() | PastDue() if state.facts.price_minor:
            return _paid_but_unused(state, event, when, policies)
        case PastDue():
            return Decision(state)  # a free plan that owes money hears of the money
        case NonRenewing():
            return Decision(state)  # on its way out anyway
        case Paused():
            return Ignored("nobody can use it while it rests")
        case _:
            return Ignored("the subscription has ended")


def resumed(state: Subscription, event: ActivityResumed, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Somebody uses it again: every warning is void."""
    before = state.heard.last_seen_at
    if isinstance(state, Ended):
        return Ignored("the subscription has ended")
    if isinstance(state, Paused):
        return Ignored("nobody can use it while it rests")
    if before and event.last_seen_at < before:
        return Ignored("older than the use that is known")
    heard = replace(state.heard, last_seen_at=event.last_seen_at)
    fact = _cleared(state, event.last_seen_at)
    match state:
        case Trialing() | Active() if state.inactivity:
            warned = state.inactivity.warn_at is None
            return Decision(replace(state, heard=heard, inactivity=None), (fact,) if warned else ())
        case Active() | PastDue() if state.heard.unused_told_at and before and before <= state.heard.unused_told_at:
            return Decision(replace(state, heard=heard), (fact,))
        case _:
            return Decision(replace(state, heard=heard))


def step_due(state: Trialing | Active, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The next mail of a free or trial account; those that a downtime has missed come as one, and the last day is a whole one."""
    flag = _flag(state)
    rules = policies.of(state.facts).inactivity
    days = (when.now - flag.last_seen_at).days
    if timer.name == "inactivity:warning":
        return _warned(state, flag.last_seen_at, days, when.now, rules)
    if timer.name == "inactivity:reminder" and flag.last_day_at and when.now < flag.last_day_at:
        after = replace(flag, remind_at=None)
        return Decision(replace(state, inactivity=after), (_mail(state, "reminder", after, days, rules),))
    after = replace(flag, remind_at=None, last_day_at=None, deactivate_at=max(flag.deactivate_at, when.now + rules.last_day_before))
    return Decision(replace(state, inactivity=after), (_mail(state, "last_day", after, days, rules),))


def deactivated(state: Trialing | Active, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Warned, reminded, and still not used."""
    flag = _flag(state)
    fact = SubscriptionDeactivated(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        last_seen_at=flag.last_seen_at,
        inactive_days=(when.now - flag.last_seen_at).days,
    )
    ended = ending.end(state, "inactivity", flag.deactivate_at, when.now, policies)
    return Decision(ended.state, (fact, *ended.events))


def _counted(state: Trialing | Active, event: InactivityDetected, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """A free or trial account: warned now, or on the day that it will have been inactive long enough."""
    rules = policies.of(state.facts).inactivity
    flag = state.inactivity
    if flag and flag.last_seen_at == event.last_seen_at and flag.warn_at is None:
        return Decision(state)  # counted again
    warn_at = event.last_seen_at + rules.warn_after
    if event.inactive_days >= rules.warn_after / timedelta(days=1) or warn_at <= when.now:
        return _warned(state, event.last_seen_at, event.inactive_days, when.now, rules)
    later = Inactivity(event.last_seen_at, event.last_seen_at + rules.deactivate_after, warn_at=warn_at)
    void = (_cleared(state, event.last_seen_at),) if flag and flag.warn_at is None else ()  # it was used since the warning
    return Decision(replace(state, inactivity=later), void)


def _warned(state: Trialing | Active, last_seen_at: datetime, days: int, now: datetime, rules: InactivityRules) -> Decision[Subscription]:
    deactivate_at = max(last_seen_at + rules.deactivate_after, now + rules.notice)
    flag = Inactivity(
        last_seen_at,
        deactivate_at,
        remind_at=now + (deactivate_at - now) / 2,
        last_day_at=deactivate_at - rules.last_day_before,
    )
    return Decision(replace(state, inactivity=flag), (_mail(state, "warning", flag, days, rules),))


def _paid_but_unused(state: Active | PastDue, event: InactivityDetected, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    told_at = state.heard.unused_told_at
    rules = policies.of(state.facts).inactivity
    if told_at and when.now - told_at < rules.paid_again_after:
        return Decision(state)
    heard = replace(state.heard, unused_told_at=when.now)
    fact: Event = InactivityWarned(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        kind="paid_but_unused",
        last_seen_at=event.last_seen_at,
        inactive_days=event.inactive_days,
        price_minor=state.facts.price_minor,
        currency=state.facts.currency,
    )
    return Decision(replace(state, heard=heard), (fact,))


def _cleared(state: Subscription, last_seen_at: datetime) -> InactivityCleared:
    return InactivityCleared(contact=state.facts.contact, plan_name=state.facts.plan_name, last_seen_at=last_seen_at)


def _flag(state: Trialing | Active) -> Inactivity:
    if state.inactivity is None:
        raise TypeError("no rule for an inactivity timer without inactivity")
    return state.inactivity


def _mail(state: Trialing | Active, kind: Kind, flag: Inactivity, days: int, rules: InactivityRules) -> InactivityWarned:
    return InactivityWarned(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        kind=kind,
        last_seen_at=flag.last_seen_at,
        inactive_days=days,
        deactivation_at=flag.deactivate_at,
        deactivates_after_days=rules.deactivate_after.days,
        price_minor=state.facts.price_minor,
        currency=state.facts.currency,
    )
