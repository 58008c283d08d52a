"""How a subscription goes on: trialing, active, and what happens when billing is silent at the end of a period."""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas.lifecycle_events import RenewalMissing
from services.lifecycle import reminding
from services.lifecycle.facts import Facts
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Active, Subscription, Trialing
from services.runtime.decision import Decision, TimerDue, When


def trialing(facts: Facts, ends_at: datetime, now: datetime, policies: LifecyclePolicies, before: Subscription | None = None) -> Trialing:
    """In its trial, which counts as paid until it ends."""
    facts = replace(facts, paid_through=ends_at)
    rules = policies.of(facts)
    lapses_at = ends_at + rules.trial.settle_margin
    reminders = reminding.planned(facts, ends_at, now, rules, before)
    if before is None:
        return Trialing(facts, trial_ends_at=ends_at, lapses_at=lapses_at, reminders=reminders)
    return Trialing(facts, before.heard, before.refund_acks, trial_ends_at=ends_at, lapses_at=lapses_at, reminders=reminders)


def active(facts: Facts, now: datetime, policies: LifecyclePolicies, before: Subscription | None = None) -> Active:
    """Active from now on. Billing has at least a day from now to be heard of; an alarm already set stays where it is.

    Inactivity is forgotten where the plan is not free: a paid plan is never deactivated.
    """
    if isinstance(before, Active) and before.silence_at and facts.period_end and facts.period_end == before.facts.period_end:
        silence_at: datetime | None = before.silence_at
    else:
        silence_at = None if facts.free else max(facts.expected_end, now) + policies.of(facts).renewal.silent_for
    reminders = reminding.planned(facts, None, now, policies.of(facts), before)
    if before is None:
        return Active(facts, silence_at=silence_at, reminders=reminders)
    inactivity = before.inactivity if isinstance(before, Trialing | Active) and facts.price_minor == 0 else None
    return Active(facts, before.heard, before.refund_acks, silence_at=silence_at, inactivity=inactivity, reminders=reminders)


def missing(state: Active, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The period ended and billing is silent: ops are told, daily; the customer keeps access."""
    again = when.now + policies.of(state.facts).renewal.silent_for
    fact = RenewalMissing(contact=state.facts.contact, plan_name=state.facts.plan_name, period_end=state.facts.expected_end)
    return Decision(replace(state, silence_at=again), (fact,))
