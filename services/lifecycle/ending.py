"""The end of access, and what follows it: a grace period to export the data, then its deletion."""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas.account import DataDeleted
from offramp_schemas.lifecycle_events import (
    DataDeletionDue,
    DataExportDue,
    DunningStopped,
    EndReason,
    OpenBalance,
    SubscriptionDataDeleted,
    SubscriptionEnded,
    SubscriptionEndingSoon,
)
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Cancellation, Ended, Live, NonRenewing, Owed, PastDue, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, TimerDue, When


def end(
    state: Live | NonRenewing,
    reason: EndReason,
    ended_at: datetime,
    now: datetime,
    policies: LifecyclePolicies,
    cancellation: Cancellation | None = None,
    *,
    asked_now: bool = False,
    refund_requested: bool = False,
    card_last4: str | None = None,
) -> Decision[Subscription]:
    """Access is over. The grace period counts from `ended_at`, but heard late it still leaves a day to export the data."""
    rules = policies.current.of(state.facts.plan).data
    deletion_due_at = max(ended_at + rules.grace, now + rules.remind_before)
    dunnings = state.dunnings if isinstance(state, PastDue | NonRenewing) else {}
    ended = Ended(
        state.facts,
        state.heard,
        state.refund_acks,
        ended_at=ended_at,
        end_reason=reason,
        ask_deletion_at=deletion_due_at,
        export_reminder_at=deletion_due_at - rules.remind_before,
        cancellation=cancellation,
        owed={invoice: Owed(each.amount_minor, each.currency) for invoice, each in dunnings.items()},
    )
    fact = SubscriptionEnded(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        end_reason=reason,
        ended_at=ended_at,
        reference=cancellation.reference if cancellation else None,
        refund_requested=refund_requested,
        asked_now=asked_now,
        reason_given=cancellation.reason_given if cancellation else True,
        export_by=deletion_due_at,
        deletion_due_at=deletion_due_at,
        card_last4=card_last4,
        open_balances=open_balances(ended),
    )
    if isinstance(state, PastDue) and reason != "payment_failed":
        return Decision(ended, (stopped(ended), fact))
    return Decision(ended, (fact,))


def stopped(state: Ended | NonRenewing) -> DunningStopped:
    """Nobody is chased any longer, but what is open is named."""
    return DunningStopped(contact=state.facts.contact, plan_name=state.facts.plan_name, open_balances=open_balances(state))


def ending_soon(state: NonRenewing, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The end is near; after a downtime that outlasted it, the end itself says enough."""
    reminded = replace(state, remind_at=None)
    if when.now >= state.ends_at:
        return Decision(reminded)
    fact = SubscriptionEndingSoon(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=state.cancellation.reference,
        ends_at=state.ends_at,
        export_by=state.ends_at + policies.current.of(state.facts.plan).data.grace,
    )
    return Decision(reminded, (fact,))


def scheduled_end(state: NonRenewing, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The day that the customer was told has come."""
    return end(state, "requested", state.ends_at, when.now, policies, state.cancellation)


def trial_lapsed(state: Trialing, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The trial was not paid for, and the margin in which its payment could be heard is over."""
    return end(state, "trial_expired", state.trial_ends_at, when.now, policies)


def export_reminder(state: Ended, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The last day to export the data; a late reminder still leaves a whole one."""
    last_day = policies.current.of(state.facts.plan).data.remind_before
    export_by = max(state.ask_deletion_at, when.now + last_day)
    fact = DataExportDue(contact=state.facts.contact, plan_name=state.facts.plan_name, export_by=export_by)
    return Decision(replace(state, export_reminder_at=None, ask_deletion_at=export_by), (fact,))


def deletion_due(state: Ended, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The owner of the data is asked to delete it, daily until they answer; a downtime makes one question, not ten."""
    again = when.now + policies.current.of(state.facts.plan).data.ask_every
    asked = replace(state, export_reminder_at=None, ask_deletion_at=again, deletion_asked=state.deletion_asked + 1)
    fact = DataDeletionDue(
        contact=state.facts.contact, plan_name=state.facts.plan_name, ended_at=state.ended_at, reminder=asked.deletion_asked
    )
    return Decision(asked, (fact,))


def data_deleted(state: Subscription, event: DataDeleted, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The owner of the data has deleted it, asked or not."""
    match state:
        case Ended(deleted_at=None) if when.at >= state.ended_at:
            fact = SubscriptionDataDeleted(contact=state.facts.contact, plan_name=state.facts.plan_name, deleted_at=when.at)
            return Decision(replace(state, deleted_at=when.at, export_reminder_at=None), (fact,))
        case Ended(deleted_at=None):
            return Ignored("it was deleted before the end: not the data of this time")
        case Ended():
            return Ignored("deleted already")
        case _:
            return Ignored("the subscription goes on; its data is not ours to judge")


def open_balances(state: Ended | NonRenewing) -> tuple[OpenBalance, ...]:
    """The unpaid invoices, as the customer is told of them."""
    unpaid = state.owed if isinstance(state, Ended) else state.dunnings
    return tuple(
        OpenBalance(invoice_id=invoice, amount_minor=each.amount_minor, currency=each.currency) for invoice, each in unpaid.items()
    )
