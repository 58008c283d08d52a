"""The way back after an end.

| data stage             | a paid, unrefunded period still runs, or a free plan | a card on file      | none                |
|------------------------|------------------------------------------------------|---------------------|---------------------|
| grace                  | at once, with everything restored                    | charged, then back  | asked for, charged … |
| retained, deletion_due | free plan only: at once                              | charged, then back  | asked for, charged … |
| deleted                | rejected: start anew                                 | rejected            | rejected            |

A return that waits for its money is given up 14 days after it was asked for, and refused when the data is deleted meanwhile.
"""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.pause_events import PaymentMethodNeeded, ReactivationChargeDue, ReactivationRejected, SubscriptionReactivated
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.request import ReactivationRequested
from services.lifecycle import asking, data
from services.lifecycle.countdown import next_reminder
from services.lifecycle.facts import LONGEST_PERIOD, Facts
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.renewal import active
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Return, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, TimerDue, When

Rule = Literal["not_account_owner", "managed_by_reseller", "not_ended", "data_deleted", "not_paid_in_time"]


def requested(state: Subscription, event: ReactivationRequested, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The owner wants a subscription back that has ended."""
    if asking.answered(state, event):
        return Ignored("the same request twice")
    state = asking.remembered(state, event)
    if rule := _forbidden(state, event):
        name = event.requested_by.name
        return Decision(state, (_rejected(state, event.reference, event.requested_by.user_id, rule, state.facts.as_of, name),))
    match state:
        case Ended() if state.data_stage == "deleted" or state.heard.erased_at:
            rejected = _rejected(state, event.reference, event.requested_by.user_id, "data_deleted", state.deleted_at or state.ended_at)
            return Decision(state, (rejected,))
        case Ended() if state.facts.price_minor == 0 or _still_paid(state, when):
            return _at_once(state, event, when, policies)
        case Ended(returning=Return(charge_due=True)):
            return Decision(state)  # billing is charging for it; asked twice, it might charge twice
        case Ended():
            return _waits_for_money(state, event, when, policies)
        case Trialing() | Active() | PastDue() | NonRenewing() | Paused():
            rejected = _rejected(state, event.reference, event.requested_by.user_id, "not_ended", state.facts.as_of)
            return Decision(state, (rejected,))


def card_given(state: Ended) -> Decision[Subscription]:
    """The card that a return waited for is there: billing is to charge it. Another card for one that waits for its charge replaces it."""
    if state.returning is None:
        return Decision(state)
    return _charged(state, state.returning)


def reconsidered(state: Ended, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """After news of the card or the price: a return that waited for that goes on."""
    waiting, method = state.returning, state.facts.method
    if waiting is None or waiting.charge_due:
        return Decision(state)
    if state.facts.price_minor == 0:
        return _back(state, state.facts, waiting.reference, when, policies, at_once=True)
    return _charged(state, waiting) if method and method.usable else Decision(state)


def card_declined(state: Ended) -> Decision[Subscription]:
    """The charge for a return failed: another card is asked for, in the time that is left."""
    if state.returning is None:
        return Decision(state)
    return _asked(state, state.returning, declined=True)


def paid(state: Ended, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The money that a return waited for: a new contract, and a new period."""
    if state.returning is None:
        raise TypeError("nobody wants to return")
    until = event.period_end or when.at + LONGEST_PERIOD[state.facts.interval]
    facts = replace(state.facts, contract_at=when.at, period_end=until, paid_through=until)
    return _back(state, facts, state.returning.reference, when, policies, at_once=False)


def answers(state: Ended, event: PaymentSucceeded, when: When) -> bool:
    """The payment is the one that a return waits for, not one that was owed before."""
    return state.returning is not None and when.at >= state.returning.asked_at and event.invoice_id not in state.owed


def waits_for_charge(state: Ended, at: datetime) -> bool:
    """A charge that fails now is the one for the return."""
    return state.returning is not None and state.returning.charge_due and at >= state.returning.asked_at


def reminded(state: Ended, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """A card is still waited for; while billing charges one, and when the time is over, nobody is asked."""
    waiting = _waiting(state)
    after = replace(state, returning=replace(waiting, remind_at=None))
    if waiting.charge_due or when.now >= waiting.give_by:
        return Decision(after)
    return _asked(after, replace(waiting, remind_at=None))


def given_up(state: Ended, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Nobody paid in time."""
    waiting = _waiting(state)
    rejected = _rejected(state, waiting.reference, waiting.requested_by, "not_paid_in_time", waiting.asked_at)
    return Decision(replace(state, returning=None), (rejected,))


def impossible(state: Ended, deleted_at: datetime) -> tuple[Ended, tuple[Event, ...]]:
    """The data is gone: whoever waited to return can't any more, and is told so."""
    if state.returning is None:
        return state, ()
    rejected = _rejected(state, state.returning.reference, state.returning.requested_by, "data_deleted", deleted_at)
    return replace(state, returning=None), (rejected,)


def _forbidden(state: Subscription, event: ReactivationRequested) -> Rule | None:
    if not asking.may_ask(state.facts, event.requested_by):
        return "not_account_owner"
    return "managed_by_reseller" if state.facts.reseller else None


def _still_paid(state: Ended, when: When) -> bool:
    """In grace, and the period runs that was paid for and is not to be refunded."""
    return state.data_stage == "grace" and state.refund_ref is None and state.paid_until is not None and when.at < state.paid_until


def _at_once(state: Ended, event: ReactivationRequested, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    facts = replace(state.facts, period_end=state.paid_until, paid_through=state.paid_until)
    return _back(state, facts, event.reference, when, policies, at_once=True)


def _waits_for_money(state: Ended, event: ReactivationRequested, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Nothing is deleted meanwhile. Asked again, it waits anew."""
    rules = policies.of(state.facts).reactivation
    give_by = when.now + rules.pay_within
    waiting = Return(
        event.reference,
        event.requested_by.user_id,
        asked_at=when.at,
        give_by=give_by,
        remind_at=next_reminder(give_by, when.now, rules.remind_before),
        card_asked=state.returning.card_asked if state.returning else 0,
    )
    state = data.put_off(state, give_by, policies)
    method = state.facts.method
    return _charged(state, waiting) if method and method.usable else _asked(state, waiting)


def _charged(state: Ended, waiting: Return) -> Decision[Subscription]:
    fact = ReactivationChargeDue(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=waiting.reference,
        amount_minor=state.facts.price_minor,
        currency=state.facts.currency,
        interval=state.facts.interval,
        charge_by=waiting.give_by,
    )
    return Decision(replace(state, returning=replace(waiting, charge_due=True)), (fact,))


def _asked(state: Ended, waiting: Return, *, declined: bool = False) -> Decision[Subscription]:
    method = state.facts.method
    asked = replace(waiting, charge_due=False, card_asked=waiting.card_asked + 1)
    fact = PaymentMethodNeeded(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        purpose="reactivation",
        reference=asked.reference,
        price_minor=state.facts.price_minor,
        currency=state.facts.currency,
        interval=state.facts.interval,
        give_by=asked.give_by,
        declined=declined or bool(method and method.declined),
        reminder=asked.card_asked,
        data_deleted=state.data_given_up,
    )
    return Decision(replace(state, returning=asked), (fact,))


def _back(state: Ended, facts: Facts, reference: str, when: When, policies: LifecyclePolicies, *, at_once: bool) -> Decision[Subscription]:
    """It goes on; that nobody used it meanwhile counts for nothing."""
    returned = replace(state, heard=replace(state.heard, last_seen_at=when.now))
    fact = SubscriptionReactivated(
        contact=facts.contact,
        plan_name=facts.plan_name,
        reference=reference,
        reactivated_at=when.now,
        at_once=at_once,
        price_minor=facts.price_minor,
        currency=facts.currency,
        interval=facts.interval,
        renews_at=facts.paid_ahead(when.now),
        card_last4=facts.method.last4 if facts.method else None,
        data_deleted=state.data_given_up,
    )
    return Decision(active(facts, when.now, policies, returned), (fact,))


def _waiting(state: Ended) -> Return:
    if state.returning is None:
        raise TypeError("no rule for a timer of a return that nobody wants")
    return state.returning


def _rejected(
    state: Subscription, reference: str, requested_by: str, rule: Rule, as_of: datetime, name: str | None = None
) -> ReactivationRejected:
    return ReactivationRejected(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=reference,
        rule=rule,
        requested_by=requested_by,
        requester_name=name,
        reseller=asking.reseller(state.facts),
        data_stage=state.data_stage if isinstance(state, Paused | Ended) else None,
        ended_at=state.ended_at if isinstance(state, Ended) else None,
        as_of=as_of,
    )
