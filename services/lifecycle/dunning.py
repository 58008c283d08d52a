"""Failed payments: how a customer is asked for the money, step by step, and when that is given up.

The schedule counts from when the failure was heard, not from when it happened: a failure heard late costs the customer no day.
Steps missed in a downtime come as one, the latest; giving up keeps its distance from the last step that was really given.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from offramp_schemas.lifecycle_events import CardUpdateDue, DunningExhausted, PaymentPastDue, PaymentRetryDue
from offramp_schemas.payment import PaymentFailed, PaymentMethodUpdated
from services.lifecycle import ending, returning
from services.lifecycle.facts import Facts, PaymentMethod
from services.lifecycle.policy import DunningRules, LifecyclePolicies
from services.lifecycle.states import Active, Dunning, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, TimerDue, When

AnyInDebt = TypeVar("AnyInDebt", PastDue, NonRenewing, Paused)


def failed(state: Subscription, event: PaymentFailed, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """A charge was declined."""
    invoice = event.invoice_id
    for paid in state.heard.paid:
        if paid.invoice_id == invoice:
            return Ignored("the invoice is paid: the failure is late")
    state = replace(state, facts=_declined(state.facts, event, when.at))
    match state:
        case Trialing() | Active():
            dunning = _started(state, event, when, policies)
            return Decision(
                PastDue(state.facts, state.heard, state.refund_acks, dunnings={invoice: dunning}), (_past_due(state, invoice, dunning),)
            )
        case PastDue() if invoice not in state.dunnings:
            dunning = _started(state, event, when, policies)
            return Decision(replace(state, dunnings={**state.dunnings, invoice: dunning}), (_past_due(state, invoice, dunning),))
        case PastDue():
            return _again(state, event, when)
        case NonRenewing() | Paused():
            return _unchased(state, event, when, policies)
        case Ended() if returning.waits_for_charge(state, when.at):
            return returning.card_declined(state)
        case Ended():
            return Ignored("the subscription has ended")


def tried_again(state: PastDue, event: PaymentMethodUpdated, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Another card: every unpaid invoice is tried again at once, whatever was wrong with the old one; the schedule goes on."""
    after = on_another_card(state, event, when.at)
    retried = [invoice for invoice, dunning in state.dunnings.items() if dunning.failed_at <= when.at]
    return Decision(after, tuple(_retry(after, invoice, after.dunnings[invoice], 0, policies) for invoice in retried))


def on_another_card(state: AnyInDebt, event: PaymentMethodUpdated, at: datetime) -> AnyInDebt:
    """What failed before it was given is charged to it from now on."""
    renewed = {
        invoice: replace(dunning, kind="soft", card_brand=event.card_brand, card_last4=event.card_last4)
        for invoice, dunning in state.dunnings.items()
        if dunning.failed_at <= at
    }
    return replace(state, dunnings={**state.dunnings, **renewed})


def step_due(state: PastDue, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The next step, or the latest of those that a downtime has missed."""
    invoice = timer.name.partition(":")[2].rpartition(":")[0]
    dunning = state.dunnings[invoice]
    rules = _rules(dunning, policies)
    step = dunning.step + 1
    while step < len(rules.steps) and dunning.started_at + rules.steps[step] <= when.now:
        step += 1
    last = step >= len(rules.steps)
    given = replace(
        dunning,
        step=step,
        next_step_at=None if last else dunning.started_at + rules.steps[step],
        gives_up_at=max(dunning.gives_up_at, when.now + rules.settle_margin) if last else dunning.gives_up_at,
    )
    fact = _retry(state, invoice, given, step, policies) if given.kind == "soft" else _card_update(state, invoice, given, policies)
    return Decision(replace(state, dunnings={**state.dunnings, invoice: given}), (fact,))


def exhausted(state: PastDue, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The schedule ran out unpaid: access ends."""
    invoice = timer.name.partition(":")[2]
    dunning = state.dunnings[invoice]
    fact = DunningExhausted(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        invoice_id=invoice,
        amount_minor=dunning.amount_minor,
        currency=dunning.currency,
        steps=len(_rules(dunning, policies).steps),
        card_last4=dunning.card_last4,
    )
    ended = ending.end(state, "payment_failed", dunning.gives_up_at, when.now, policies, card_last4=dunning.card_last4)
    return Decision(ended.state, (fact, *ended.events))


def resumed(dunnings: Mapping[str, Dunning], stopped_at: datetime, now: datetime) -> dict[str, Dunning]:
    """The schedules go on where they stopped, so that the customer gets no burst of mails and loses no day."""
    return {invoice: _shifted(dunning, stopped_at, now) for invoice, dunning in dunnings.items()}


def _shifted(dunning: Dunning, stopped_at: datetime, now: datetime) -> Dunning:
    by = now - max(stopped_at, dunning.started_at)
    return replace(
        dunning,
        started_at=dunning.started_at + by,
        next_step_at=dunning.next_step_at + by if dunning.next_step_at else None,
        gives_up_at=dunning.gives_up_at + by,
    )


def _declined(facts: Facts, event: PaymentFailed, at: datetime) -> Facts:
    """A hard decline: that card will not be charged again, by whatever way the subscription goes on."""
    if event.kind == "soft" or (facts.method and facts.method.as_of > at):
        return facts
    return replace(facts, method=PaymentMethod(True, at, event.card_brand, event.card_last4, declined=True))


def _rules(dunning: Dunning, policies: LifecyclePolicies) -> DunningRules:
    return policies.begun(dunning).dunning


def _started(state: Subscription, event: PaymentFailed, when: When, policies: LifecyclePolicies) -> Dunning:
    rules = policies.of(state.facts).dunning
    return Dunning(
        event.payment_id,
        event.amount_minor,
        event.currency,
        event.kind,
        started_at=when.now,
        failed_at=when.at,
        gives_up_at=when.now + rules.steps[-1] + rules.settle_margin,
        plan=state.facts.plan,
        country=state.facts.country,
        policy_version=policies.version,
        next_step_at=when.now + rules.steps[0],
        card_brand=event.card_brand,
        card_last4=event.card_last4,
    )


def _unchased(state: NonRenewing | Paused, event: PaymentFailed, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The invoice stays open, but nobody is chased while it ends or rests."""
    if when.at >= (state.ends_at if isinstance(state, NonRenewing) else state.paused_at):
        return Ignored("there was no access by then: nothing was owed")
    if event.invoice_id in state.dunnings:
        return _again(state, event, when)
    return Decision(replace(state, dunnings={**state.dunnings, event.invoice_id: _started(state, event, when, policies)}))


def _again(state: PastDue | NonRenewing | Paused, event: PaymentFailed, when: When) -> Outcome[Subscription]:
    """The retry of an invoice failed too: the steps go on and speak for it. Once hard, it stays so until the card is replaced."""
    known = state.dunnings[event.invoice_id]
    if when.at < known.failed_at:
        return Ignored("an older failure than the one known")
    dunning = replace(
        known,
        payment_id=event.payment_id,
        failed_at=when.at,
        kind="hard" if known.kind == "hard" else event.kind,
        card_brand=event.card_brand or known.card_brand,
        card_last4=event.card_last4 or known.card_last4,
    )
    return Decision(replace(state, dunnings={**state.dunnings, event.invoice_id: dunning}))


def _past_due(state: Subscription, invoice: str, dunning: Dunning) -> PaymentPastDue:
    return PaymentPastDue(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        payment_id=dunning.payment_id,
        invoice_id=invoice,
        amount_minor=dunning.amount_minor,
        currency=dunning.currency,
        kind=dunning.kind,
        card_brand=dunning.card_brand,
        card_last4=dunning.card_last4,
        next_attempt_at=dunning.next_step_at if dunning.kind == "soft" else None,
        gives_up_at=dunning.gives_up_at,
    )


def _retry(state: PastDue, invoice: str, dunning: Dunning, step: int, policies: LifecyclePolicies) -> PaymentRetryDue:
    return PaymentRetryDue(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        invoice_id=invoice,
        amount_minor=dunning.amount_minor,
        currency=dunning.currency,
        step=step,
        steps=len(_rules(dunning, policies).steps),
        card_last4=dunning.card_last4,
        next_attempt_at=dunning.next_step_at,
        gives_up_at=dunning.gives_up_at,
    )


def _card_update(state: PastDue, invoice: str, dunning: Dunning, policies: LifecyclePolicies) -> CardUpdateDue:
    return CardUpdateDue(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        invoice_id=invoice,
        amount_minor=dunning.amount_minor,
        currency=dunning.currency,
        step=dunning.step,
        steps=len(_rules(dunning, policies).steps),
        card_brand=dunning.card_brand,
        card_last4=dunning.card_last4,
        gives_up_at=dunning.gives_up_at,
    )
