"""Reminders of a charge: the renewal of a yearly plan, another price, the end of a trial.

Planned whenever it is known anew what will be charged and when, and kept in the state until they are given. Whatever makes a charge
untrue (a cancellation, a failed payment, a pause) leaves the states that have reminders, and so leaves them behind.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from msgspec.structs import replace

from offramp_schemas.lifecycle_events import RenewalUpcoming
from services.lifecycle.facts import Facts
from services.lifecycle.policy import LifecyclePolicies, ReminderRules, Rules
from services.lifecycle.states import Active, Reminder, Subscription, Trialing
from services.runtime.decision import Decision, TimerDue, When

DAY = timedelta(days=1)


class Charge(NamedTuple):
    """What will be charged, and when."""

    kind: Literal["renewal", "price_change", "trial_ending"]
    at: datetime
    amount_minor: int
    currency: str
    previous_minor: int | None = None


def planned(facts: Facts, trial_ends_at: datetime | None, now: datetime, rules: Rules, before: Subscription | None) -> tuple[Reminder, ...]:
    """The reminders still to be given. Of a charge that was known, those that are left; of a new one, those whose day is still to come."""
    known = _known(before)
    left = (before.reminders or ()) if isinstance(before, Trialing | Active) else ()
    reminders: list[Reminder] = []
    for charge in _charges(facts, trial_ends_at):
        if charge in known:
            reminders += [each for each in left if (each.kind, each.charged_at) == (charge.kind, charge.at)]
        else:
            reminders += [Reminder(at, charge.kind, charge.at) for at in _days(charge, facts, rules.reminders) if at > now]
    return tuple(sorted(reminders, key=lambda each: each.at))


def announced(state: Subscription, before: Subscription, now: datetime, policies: LifecyclePolicies) -> tuple[RenewalUpcoming, ...]:
    """Another price that comes too soon for its first reminder is told at once: nobody shall learn it from the charge."""
    if not isinstance(state, Trialing | Active) or not isinstance(before, Trialing | Active):
        return ()
    rules = policies.of(state.facts).reminders
    known = _known(before)
    return tuple(
        _upcoming(state, charge, now)
        for charge in _charges(state.facts, _trial_ends_at(state))
        if charge.kind == "price_change" and charge not in known and charge.at > now
        if any(at <= now for at in _days(charge, state.facts, rules))
    )


def due(state: Trialing | Active, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """A charge is near. Reminders missed in a downtime come as one; once it has been charged, none is of use.

    A trial without a card is not charged, it lapses.
    """
    kind = timer.name.partition(":")[2]
    state = replace(state, reminders=tuple(each for each in state.reminders or () if each.kind != kind or each.at > when.now))
    if isinstance(state, Trialing) and state.facts.method and not state.facts.method.on_file:
        return Decision(state)
    charges = [charge for charge in _charges(state.facts, _trial_ends_at(state)) if charge.kind == kind and charge.at > when.now]
    return Decision(state, tuple(_upcoming(state, charge, when.now) for charge in charges))


def _charges(facts: Facts, trial_ends_at: datetime | None) -> list[Charge]:
    """What will be charged by what is known; nothing where somebody else sells it.

    A trial is charged at its end, if there is anything to charge. An announced price belongs to the renewal of its day.
    """
    if facts.reseller:
        return []
    change = facts.price_change
    if trial_ends_at:
        price = change.price_minor if change and change.effective_at <= trial_ends_at else facts.price_minor
        return [Charge("trial_ending", trial_ends_at, price, facts.currency)] if price else []
    charges = []
    if change:
        charges.append(Charge("price_change", change.effective_at, change.price_minor, change.currency, change.previous_minor))
    if facts.price_minor and facts.period_end and not (change and abs(change.effective_at - facts.period_end) < DAY):
        charges.append(Charge("renewal", facts.period_end, facts.price_minor, facts.currency))
    return charges


def _days(charge: Charge, facts: Facts, rules: ReminderRules) -> list[datetime]:
    by_interval = {"year": rules.yearly, "month": rules.monthly}
    before = {"price_change": rules.price_change, "trial_ending": rules.trial, "renewal": by_interval[facts.interval]}
    return [charge.at - each for each in before[charge.kind]]


def _known(before: Subscription | None) -> list[Charge]:
    """The charges whose reminders were planned already; none where a former version did not plan them."""
    if not isinstance(before, Trialing | Active) or before.reminders is None:
        return []
    return _charges(before.facts, _trial_ends_at(before))


def _trial_ends_at(state: Trialing | Active) -> datetime | None:
    return state.trial_ends_at if isinstance(state, Trialing) else None


def _upcoming(state: Trialing | Active, charge: Charge, now: datetime) -> RenewalUpcoming:
    facts = state.facts
    card = facts.method if facts.method and facts.method.usable else None
    return RenewalUpcoming(
        contact=facts.contact,
        plan_name=facts.plan_name,
        kind=charge.kind,
        charged_at=charge.at,
        days_left=-((now - charge.at) // DAY),  # begun days count
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        interval=facts.interval,
        previous_minor=charge.previous_minor,
        card_brand=card.brand if card else None,
        card_last4=card.last4 if card else None,
    )
