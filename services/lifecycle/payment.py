"""Payments that succeeded: what they mean depends on what was owed.

| state        | the payment                                                             | so                                          |
|--------------|-------------------------------------------------------------------------|---------------------------------------------|
| trialing     | any                                                                     | active                                      |
| active       | any                                                                     | the period is paid                          |
| past_due     | of an invoice in dunning                                                | recovered; active when it was the last one  |
| past_due     | of another invoice                                                      | noted: its failure may still come late      |
| non_renewing | of an invoice that was open                                             | settled, the end stands                     |
| non_renewing | captured before the cancellation                                        | it bought its period: the end may move      |
| non_renewing | for a period that begins before the end (already due, or a commitment)  | the period is paid                          |
| non_renewing | any other                                                               | charged in error, asked back                |
| paused       | of an invoice that was open                                             | settled                                     |
| paused       | captured before the pause                                               | it bought its period                        |
| paused       | while a card is waited for                                              | that is answered: it goes on                |
| paused       | for a period that began before the pause                                | the period is paid                          |
| paused       | any other                                                               | charged in error, asked back                |
| ended        | of an invoice that a cancellation left open                             | settled                                     |
| ended        | of another invoice, since a return was asked for that waits for money   | it is back                                  |
| ended        | captured before an end that was asked for, for a period begun before it | noted                                       |
| ended        | any other                                                               | ops are told, it is offered back            |
"""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas.lifecycle_events import PaymentRecovered, SubscriptionActivated
from offramp_schemas.payment import PaymentSucceeded
from services.lifecycle import charged_in_error, resuming, returning, schedule
from services.lifecycle.facts import LONGEST_PERIOD, REMEMBERED, Facts, Paid
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.renewal import active
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, When

ASKED_FOR = ("requested", "withdrawal", "refunded")


def succeeded(state: Subscription, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """Money was captured."""
    if any(paid.payment_id == event.payment_id for paid in state.heard.paid):
        return Ignored("the payment was heard before")
    paid = Paid(event.invoice_id, event.payment_id, event.period_end)
    heard = replace(state.heard, paid=(*state.heard.paid, paid)[-REMEMBERED:])
    state = replace(state, heard=heard, facts=_accepted(state.facts, when.at))
    match state:
        case Trialing():
            fact = SubscriptionActivated(contact=state.facts.contact, plan_name=state.facts.plan_name, payment_id=event.payment_id)
            return Decision(active(_paid(state.facts, event, when.at), when.now, policies, state), (fact,))
        case Active():
            return Decision(active(_paid(state.facts, event, when.at), when.now, policies, state))
        case PastDue():
            return _recovered(state, event, when, policies)
        case NonRenewing():
            return _while_ending(state, event, when, policies)
        case Paused():
            return _while_resting(state, event, when, policies)
        case Ended():
            return _after_end(state, event, when, policies)


def _recovered(state: PastDue, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    dunning = state.dunnings.get(event.invoice_id)
    if dunning is None:
        return Decision(replace(state, facts=_longer_paid(state.facts, event.period_end)))
    others = {invoice: each for invoice, each in state.dunnings.items() if invoice != event.invoice_id}
    fact = PaymentRecovered(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        invoice_id=event.invoice_id,
        payment_id=event.payment_id,
        amount_minor=event.amount_minor,
        currency=event.currency,
        after_step=dunning.step,
        still_open=len(others),
    )
    if others:
        return Decision(replace(state, facts=_longer_paid(state.facts, event.period_end), dunnings=others), (fact,))
    return Decision(active(_paid(state.facts, event, when.at), when.now, policies, state), (fact,))


def _while_ending(state: NonRenewing, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    if event.invoice_id in state.dunnings:
        others = {invoice: each for invoice, each in state.dunnings.items() if invoice != event.invoice_id}
        return Decision(replace(state, facts=_longer_paid(state.facts, event.period_end), dunnings=others))
    if when.at < state.cancellation.canceled_at:  # even a trial was paid for by then
        paid = replace(state, facts=_paid(state.facts, event, when.at), trial_ends_at=None)
        return Decision(*schedule.reconsidered(paid, when, policies))
    if event.period_start and event.period_start < state.ends_at and not state.trial_ends_at:
        return Decision(replace(state, facts=_longer_paid(state.facts, event.period_end)))
    return charged_in_error.charged(state, event, when, policies)


def _while_resting(state: Paused, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    if event.invoice_id in state.dunnings:
        others = {invoice: each for invoice, each in state.dunnings.items() if invoice != event.invoice_id}
        return Decision(replace(state, facts=_longer_paid(state.facts, event.period_end), dunnings=others))
    if when.at < state.paused_at:
        return Decision(replace(state, facts=_paid(state.facts, event, when.at)))
    if (state.expires_at or state.resume_asked) and not charged_in_error.asked_back(state, event.payment_id):
        paid = replace(state, facts=_paid(state.facts, event, when.at))
        return resuming.resumed(paid, state.resume_asked, when, policies)
    if event.period_start and event.period_start < state.paused_at:
        return Decision(replace(state, facts=_longer_paid(state.facts, event.period_end)))
    return charged_in_error.charged(state, event, when, policies)


def _after_end(state: Ended, event: PaymentSucceeded, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    if state.end_reason in ASKED_FOR:
        if event.invoice_id in state.owed:
            return Decision(replace(state, owed={invoice: each for invoice, each in state.owed.items() if invoice != event.invoice_id}))
        if when.at <= state.ended_at and (event.period_start is None or event.period_start < state.ended_at):
            return Decision(state)
    if returning.answers(state, event, when):
        return returning.paid(state, event, when, policies)
    return charged_in_error.paid_after_end(state, event, when, policies)


def _accepted(facts: Facts, at: datetime) -> Facts:
    """A card that was declined before, and is charged, is usable again."""
    if facts.method is None or not facts.method.declined or facts.method.as_of > at:
        return facts
    return replace(facts, method=replace(facts.method, declined=False, as_of=at))


def _paid(facts: Facts, event: PaymentSucceeded, at: datetime) -> Facts:
    """The period is paid: the one that the payment names, else the present one, else (that one is over, or unknown) one from now on."""
    if event.period_end:
        return _longer_paid(facts, event.period_end)
    if facts.price_minor and (facts.period_end is None or facts.period_end <= at):
        return _longer_paid(facts, at + LONGEST_PERIOD[facts.interval])
    return replace(facts, paid_through=facts.period_end)


def _longer_paid(facts: Facts, until: datetime | None) -> Facts:
    """Paid at least until then. The later end wins, whichever topic said it first; SubscriptionRenewed says it exactly."""
    if until is None or (facts.paid_through and until <= facts.paid_through):
        return facts
    return replace(facts, paid_through=until, period_end=max(until, facts.period_end or until))
