"""The end of access: by plan, at once, or because a trial was not paid for. What follows for the data is in `data.py`."""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas.account import DataDeleted
from offramp_schemas.lifecycle_events import (
    DunningStopped,
    EndReason,
    LiveDataDeleted,
    OpenBalance,
    SubscriptionDataDeleted,
    SubscriptionEnded,
    SubscriptionEndingSoon,
)
from services.lifecycle import data, offering, returning, winning_back
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Active, Cancellation, Ended, Live, NonRenewing, Owed, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Decision, Ignored, Outcome, TimerDue, When

UNPAID = ("withdrawal", "refunded", "payment_failed", "trial_expired")  # nothing is paid for after these


def end(
    state: Live | NonRenewing | Paused,
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
    """Access is over."""
    rules = policies.of(state.facts).data
    keep = bool(cancellation and cancellation.keep_data and not state.heard.erased_at)
    dunnings = {} if isinstance(state, Trialing | Active) else state.dunnings
    heard, expired = offering.over(state, policies)
    ended = Ended(
        state.facts,
        heard,
        state.refund_acks,
        ended_at=ended_at,
        end_reason=reason,
        cancellation=cancellation,
        win_back_at=winning_back.first_at(state.facts, reason, ended_at, policies),
        owed={invoice: Owed(each.amount_minor, each.currency) for invoice, each in dunnings.items()},
        paid_until=None if reason in UNPAID or _in_trial(state) else state.facts.paid_through,
        refund_ref=cancellation.reference if cancellation and refund_requested else None,
        **data.after_pause(state, now, keep, rules) if isinstance(state, Paused) else data.in_grace(ended_at, now, keep, rules),
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
        export_by=data.export_by(ended),
        deletion_due_at=ended.ask_deletion_at,
        data_retained=ended.retained or ended.retain_at is not None,
        data_stage=ended.data_stage,
        card_last4=card_last4,
        open_balances=open_balances(ended),
    )
    if isinstance(state, PastDue) and reason != "payment_failed":
        return Decision(ended, (stopped(ended), fact))
    return Decision(ended, (*expired, fact))


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
        export_by=state.ends_at + policies.of(state.facts).data.grace,
    )
    return Decision(reminded, (fact,))


def scheduled_end(state: NonRenewing, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The day that the customer was told has come."""
    return end(state, "requested", state.ends_at, when.now, policies, state.cancellation)


def trial_lapsed(state: Trialing, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The trial was not paid for, and the margin in which its payment could be heard is over."""
    return end(state, "trial_expired", state.trial_ends_at, when.now, policies)


def data_deleted(state: Subscription, event: DataDeleted, when: When, policies: LifecyclePolicies) -> Outcome[Subscription]:
    """The owner of the data has deleted it, asked or not. What has ended can't return any more; what is paused can, to an empty account.

    Of a subscription that goes on, or that returned while it was being deleted, nobody wanted that: ops and the customer hear of it.
    """
    match state:
        case Paused() | Ended() if state.deleted_at:
            return Ignored("deleted already")
        case Paused() | Ended() if when.at < state.without_access_since:
            return Ignored("it was deleted before access was over: not the data of this time")
        case Paused():
            return Decision(data.gone(state, when.at), (_gone(state, when.at),))
        case Ended():
            gone, refused = returning.impossible(data.gone(state, when.at), when.at)
            return Decision(gone, (_gone(state, when.at), *refused))
        case Trialing() | Active() | PastDue() | NonRenewing():
            return _deleted_in_use(state, when)


def _deleted_in_use(state: Live | NonRenewing, when: When) -> Decision[Subscription] | Ignored:
    """Once for each deletion; the owner of the data may answer more than once."""
    if state.heard.erased_at:
        return Ignored("who asked to be forgotten wanted it so")
    if state.heard.data_deleted_at and when.at <= state.heard.data_deleted_at:
        return Ignored("told already")
    fact = LiveDataDeleted(contact=state.facts.contact, plan_name=state.facts.plan_name, deleted_at=when.at)
    return Decision(replace(state, heard=replace(state.heard, data_deleted_at=when.at)), (fact,))


def _gone(state: Paused | Ended, deleted_at: datetime) -> SubscriptionDataDeleted:
    return SubscriptionDataDeleted(contact=state.facts.contact, plan_name=state.facts.plan_name, deleted_at=deleted_at)


def _in_trial(state: Live | NonRenewing | Paused) -> bool:
    return isinstance(state, Trialing) or (isinstance(state, NonRenewing) and state.trial_ends_at is not None)


def open_balances(state: Ended | NonRenewing) -> tuple[OpenBalance, ...]:
    """The unpaid invoices, as the customer is told of them."""
    unpaid = state.owed if isinstance(state, Ended) else state.dunnings
    return tuple(
        OpenBalance(invoice_id=invoice, amount_minor=each.amount_minor, currency=each.currency) for invoice, each in unpaid.items()
    )
